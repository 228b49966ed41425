"""Every job by its name. Jobs take ids only and begin their own work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from procrastinate import App

from heliograph.app.context import Context
from heliograph.care.delivery import jobs as delivery
from heliograph.care.delivery.queue import TASK as DELIVER
from heliograph.kit import jobs


def make_tasks(context: Context) -> App:
    """The queue's app with every job registered."""
    app = jobs.make_worker_app(context.database_url, pool=context.settings.workers + 2)
    for name, job in _jobs(context).items():
        app.task(name=name)(job)
    return app


def _jobs(context: Context) -> dict[str, Callable[..., Any]]:
    def deliver(organization_id: str, delivery_id: str) -> None:
        delivery.deliver(
            context.works, context.settings, context.objects, organization_id=organization_id, delivery_id=delivery_id
        )

    return {DELIVER: deliver}
