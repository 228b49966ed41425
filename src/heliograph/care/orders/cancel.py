"""Cancelling an order by hand."""

from __future__ import annotations

from uuid import UUID

from heliograph.care.orders.access import is_staff
from heliograph.care.orders.errors import ReasonNeeded
from heliograph.care.orders.model import Order
from heliograph.care.orders.receive import cancel_order_row
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work


def cancel_order(work: Work, order_id: UUID, reason: str) -> None:
    """The site's staff cancels an order, saying why. Images that answer it stay. A cancelled order stays cancelled.

    Raises:
        NotFound: no such order, or the actor is not of the site's staff.
        ReasonNeeded
    """
    order = work.session.get(Order, order_id, with_for_update=ROW_LOCK)
    if order is None or not is_staff(work, order.organization_id, order.facility_id):
        raise NotFound
    if not reason.strip():
        raise ReasonNeeded
    if order.status != "cancelled":
        cancel_order_row(work, order, reason.strip())
