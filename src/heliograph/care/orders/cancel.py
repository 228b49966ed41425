"""The end of an order: by the site's message, before or after its images; by a person; and in favour of another one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, select

from heliograph.care.orders import told
from heliograph.care.orders.access import is_staff, may_coordinate
from heliograph.care.orders.errors import OrderUnasked, ReasonNeeded
from heliograph.care.orders.find import is_reported
from heliograph.care.orders.incoming import OrderMessage
from heliograph.care.orders.model import Order, OrderStudy
from heliograph.care.orders.procedures import end_procedures, procedures_of
from heliograph.care.orders.recording import ReceivedOrder, announce_order, record_order
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

STALE = "Older than what the site said since: {}."
"""For the message log."""
REPORTED = "The order was reported already: its report stays, and coordinators were told."
AFTER_IMAGES = "Images had come already: they stay, and coordinators decide."


def cancel_by_message(work: Work, order: Order, message: OrderMessage) -> ReceivedOrder:
    """The site cancels the order, or, where it has several numbered procedures, those that the message names.

    Once a final report is signed it stays, and coordinators hear of it. Once images are here nothing is thrown away: the order waits
    as cancel-requested until a person decides.
    """
    at = told.stamp(message)
    if any(told.is_older(order, name, at) for name in ("status", told.NEWEST)):
        return ReceivedOrder(order.id, None, STALE.format("status"))
    if order.status in ("cancelled", "cancel_requested"):
        return ReceivedOrder(order.id, None)
    if is_reported(work.session, order.id):
        record_order(work, "order.cancel_refused", order, {})
        return announce_order(work, order, "cancel_refused", REPORTED)
    live = procedures_of(work, order.id)
    named = {p.placer_number for p in message.procedures} | {message.placer_number}
    ended = [p for p in live if p.placer_number and p.placer_number in named]
    if ended and len(ended) < len(live):
        end_procedures(work, ended, at)
        order.updated_at = work.now
        record_order(work, "order.changed", order, {"fields": ["procedures"], "cancelled_procedures": len(ended)})
        return announce_order(work, order, "updated")
    told.note(order, ["status"], at)
    if has_images(work, order.id):
        return request_cancel(work, order, AFTER_IMAGES)
    return cancel_order_row(work, order)


def cancel_order_row(work: Work, order: Order, reason: str | None = None) -> ReceivedOrder:
    """Marks the order as cancelled; images that answer it stay, and stay matched. Recorded and announced."""
    order.status, order.updated_at = "cancelled", work.now
    work.session.flush()
    record_order(work, "order.cancelled", order, {}, reason)
    return announce_order(work, order, "cancelled")


def request_cancel(work: Work, order: Order, remark: str) -> ReceivedOrder:
    """The order waits for a person to cancel it or let it go on. Recorded and announced."""
    order.status, order.updated_at = "cancel_requested", work.now
    work.session.flush()
    record_order(work, "order.cancel_requested", order, {})
    return announce_order(work, order, "cancel_requested", remark)


def replace_order(work: Work, old: Order, new: Order) -> None:
    """`new` was placed in place of `old`: that ends, or, where images are here or a report, waits for a person."""
    old.replaced_by_id, old.updated_at = new.id, work.now
    work.session.flush()
    record_order(work, "order.replaced", old, {"by": str(new.id)})
    if old.status in ("cancelled", "cancel_requested"):
        return
    if is_reported(work.session, old.id):
        announce_order(work, old, "cancel_refused")
    elif has_images(work, old.id):
        request_cancel(work, old, AFTER_IMAGES)
    else:
        cancel_order_row(work, old)


def has_images(work: Work, order_id: UUID) -> bool:
    """Whether a study answers the order."""
    return bool(work.session.scalar(select(exists().where(OrderStudy.order_id == order_id))))


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


def decide_cancel(work: Work, order_id: UUID, reason: str, *, keep: bool) -> None:
    """A coordinator or the site's staff decides on an order that the site cancelled after its images came: it ends, or goes on.

    Raises:
        NotFound: no such order, or the actor neither coordinates it nor is of the site's staff.
        ReasonNeeded
        OrderUnasked: nobody asked, or it was decided already.
    """
    order = work.session.get(Order, order_id, with_for_update=ROW_LOCK)
    if order is None or not may_coordinate(work, order.organization_id, order.facility_id):
        raise NotFound
    if not reason.strip():
        raise ReasonNeeded
    if order.status != "cancel_requested":
        raise OrderUnasked
    if not keep:
        cancel_order_row(work, order, reason.strip())
        return
    order.status, order.updated_at = "in_progress", work.now
    work.session.flush()
    record_order(work, "order.kept", order, {}, reason.strip())
    announce_order(work, order, "updated")
