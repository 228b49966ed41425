"""Jobs of delivery."""

from __future__ import annotations

from uuid import UUID

from heliograph.care.delivery.deliver import deliver as deliver_now
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory


def deliver(
    works: WorkFactory, settings: Settings, objects: Objects, *, organization_id: str, delivery_id: str
) -> None:
    """`delivery.deliver`: tries a delivery if it is due."""
    deliver_now(works, settings, objects, UUID(organization_id), UUID(delivery_id))
