"""How a delivery ends, by its destination's answer or by a person, and how each of its steps is recorded and told."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.events import DeliveryAcknowledged, DeliveryCancelled
from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.queue import enqueue
from heliograph.care.delivery.states import next_state
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.kit.work import Work
from heliograph.records.sites.queries import endpoint

_GROUP = text("select group_organization_id from worklist.cases where id = :id")


def acknowledged(work: Work, row: Delivery, *, by: UUID | None = None, action: str = "delivery.acknowledged") -> None:
    """The destination has it. What waited for this goes on, alarms about it end, and the rooms above hear of it.

    Of one that a person cancelled meanwhile only the answer is kept: it stays cancelled.
    """
    if row.state == "cancelled":
        row.acknowledged_at = work.now
        record(work, action, row)
        return
    row.state = next_state(row.state, "acknowledge")
    row.acknowledged_at, row.acknowledged_by = work.now, by
    row.next_attempt_at = row.last_error = row.hold_kind = row.hold_reason = None
    record(work, action, row)
    _over(work, row)
    work.announce(DeliveryAcknowledged(row.organization_id, row.case_id, row.id))


def cancelled(work: Work, row: Delivery, reason: str, *, by: UUID | None) -> None:
    """Nothing is sent there any more. What waited for this goes on, and alarms about it end. Raises: IllegalStep."""
    row.state = next_state(row.state, "cancel")
    row.cancelled_at, row.cancelled_by, row.cancel_reason = work.now, by, reason
    row.next_attempt_at = row.hold_kind = row.hold_reason = None
    record(work, "delivery.cancelled", row, reason=reason)
    _over(work, row)
    work.announce(DeliveryCancelled(row.organization_id, row.case_id, row.id))


def record(work: Work, action: str, row: Delivery, *, outcome: str = "done", reason: str | None = None) -> None:
    """A step of a delivery in the record, told to open pages."""
    work.session.flush()
    work.record(
        action,
        organization_id=row.organization_id,
        outcome=outcome,
        case_id=row.case_id,
        subject_kind="delivery",
        subject_id=row.id,
        reason=reason,
        detail={
            "channel": row.channel,
            "number": row.version_number,
            "attempt": row.attempts,
            "code": row.acknowledgement_code,
        },
    )
    groups = work.session.scalars(_GROUP, {"id": row.case_id}).all()
    for topic, id_ in (("delivery", row.id), ("case", row.case_id)):
        work.touch(topic, id_, row.organization_id, *groups)


def alarm(work: Work, row: Delivery, words: str) -> None:
    """One alarm for what is wrong with a delivery, until it is over."""
    raise_alarm(work, row.organization_id, "delivery_failed", "delivery", row.id, words, case_id=row.case_id)


def told_as(work: Work, row: Delivery) -> str:
    """The destination's name at the beginning of a sentence."""
    found = endpoint(work.session, row.endpoint_id) if row.endpoint_id else None
    return found.name if found else "The archive"


def _over(work: Work, row: Delivery) -> None:
    for kind, subject in (
        ("delivery_failed", row.id),
        ("report_unacknowledged", row.id),
        ("delivery_failed", row.report_version_id),
    ):
        clear_alarm(work, kind, subject)
    enqueue(work, row.organization_id, _next_of(work, row))


def _next_of(work: Work, row: Delivery) -> list[UUID]:
    """Later versions to the same destination that waited for this one."""
    return list(
        work.session.scalars(
            select(Delivery.id).where(
                Delivery.case_id == row.case_id,
                Delivery.channel == row.channel,
                Delivery.endpoint_id.is_not_distinct_from(row.endpoint_id),
                (Delivery.version_number > row.version_number) | Delivery.is_withdrawal,
                Delivery.state == "queued",
            )
        )
    )
