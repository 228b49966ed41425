"""One line of the record for a step of an order, and the word to the rooms above and to live pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from heliograph.care.orders.events import Change, OrderChanged
from heliograph.care.orders.match import match_waiting
from heliograph.care.orders.model import Order
from heliograph.kit.work import Work


@dataclass(frozen=True, slots=True)
class ReceivedOrder:
    """What became of a message: `change` is None when it said nothing new."""

    id: UUID
    change: Change | None
    remark: str | None = None
    """What a person should know though it was taken, without patient data."""

    @property
    def is_unable(self) -> bool:
        """It could not be done as asked."""
        return self.change == "cancel_refused"


def record_order(work: Work, action: str, order: Order, detail: dict[str, Any], reason: str | None = None) -> None:
    """Records a step of an order."""
    work.record(
        action,
        organization_id=order.organization_id,
        order_id=order.id,
        patient_id=order.patient_id,
        reason=reason,
        detail=detail,
    )


def announce_order(work: Work, order: Order, change: Change, remark: str | None = None) -> ReceivedOrder:
    """Tells the rooms above and the pages; images that wait for the order are matched."""
    work.touch("order", order.id, order.organization_id)
    work.announce(OrderChanged(order.organization_id, order.id, change))
    if change in ("new", "updated"):
        match_waiting(work, order)
    return ReceivedOrder(order.id, change, remark)
