"""Every job by its name. Jobs take ids only and begin their own work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from procrastinate import App

from heliograph.app.context import Context
from heliograph.care.delivery import jobs as delivery
from heliograph.care.delivery.queue import TASK as DELIVER
from heliograph.care.results import jobs as results
from heliograph.care.results.receive import KEEP as KEEP_ATTACHMENT
from heliograph.exchange.dimse import commit_jobs
from heliograph.exchange.dimse.scu_jobs import run_transfer
from heliograph.exchange.hl7.replies import TASK as REPLY
from heliograph.exchange.hl7.replies import send_reply
from heliograph.kit import jobs
from heliograph.records.archive.commitments import TASK as COMMITMENT
from heliograph.records.sites.transfers import TASK as TRANSFER

TRANSFERS_AT_ONCE = 2
"""Of one worker. They take long and have a queue of their own, so that a report never waits for them."""
COMMITMENTS_AT_ONCE = 1
"""Reports of storage commitment, of one worker: a node that is silent keeps nothing else waiting."""


def make_tasks(context: Context, stop: threading.Event | None = None) -> App:
    """The queue's app with every job registered. `stop`: long jobs end early when it is set."""
    app = jobs.make_worker_app(
        context.database_url, pool=context.settings.workers + 2 + TRANSFERS_AT_ONCE + COMMITMENTS_AT_ONCE
    )
    for name, job in _jobs(context, stop or threading.Event()).items():
        app.task(name=name)(job)
    return app


def _jobs(context: Context, stop: threading.Event) -> dict[str, Callable[..., Any]]:
    def deliver(organization_id: str, delivery_id: str) -> None:
        delivery.deliver(
            context.works, context.settings, context.objects, organization_id=organization_id, delivery_id=delivery_id
        )

    def transfer(organization_id: str, transfer_id: str) -> None:
        run_transfer(
            context.works,
            context.settings,
            context.objects,
            stop,
            organization_id=organization_id,
            transfer_id=transfer_id,
        )

    def reply(organization_id: str, endpoint_id: str, message_id: str, attempt: int) -> None:
        send_reply(
            context.works,
            context.settings,
            organization_id=organization_id,
            endpoint_id=endpoint_id,
            message_id=message_id,
            attempt=attempt,
        )

    def commitment(organization_id: str, commitment_id: str) -> None:
        commit_jobs.report(
            context.works,
            context.settings,
            context.objects,
            organization_id=organization_id,
            commitment_id=commitment_id,
        )

    def keep_attachment(organization_id: str, attachment_id: str) -> None:
        results.keep_attachment(
            context.works, context.objects, organization_id=organization_id, attachment_id=attachment_id
        )

    return {
        KEEP_ATTACHMENT: keep_attachment,
        DELIVER: deliver,
        TRANSFER: transfer,
        COMMITMENT: commitment,
        REPLY: reply,
    }
