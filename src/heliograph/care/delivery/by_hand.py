"""A coordinator steps in: try now, or hold."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.errors import IllegalStep, ReasonNeeded, StillProvisional
from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.queries import DeliveryBrief, delivery
from heliograph.care.delivery.queue import enqueue
from heliograph.care.delivery.states import next_state
from heliograph.care.worklist.access import steered_case
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

_WAITING = text(
    "select id from delivery.deliveries where case_id = :case and channel = :channel and state = 'queued' "
    "and endpoint_id is not distinct from :endpoint and version_number > :number"
)


def retry(work: Work, delivery_id: UUID, reason: str) -> DeliveryBrief:
    """Tries a delivery now: one that is held, failed, or waits for its next try.

    Raises: NotFound, ReasonNeeded, IllegalStep, StillProvisional.
    """
    row = _steered(work, delivery_id, reason)
    if row.hold_kind == "provisional":
        raise StillProvisional()
    if row.state != "queued":
        row.state = next_state(row.state, "release")
    row.hold_kind = row.hold_reason = None
    row.next_attempt_at = work.now
    enqueue(work, row.organization_id, [row.id])
    return _told(work, row, "delivery.retried", reason)


def hold(work: Work, delivery_id: UUID, reason: str) -> DeliveryBrief:
    """Holds a delivery that is not acknowledged; what waits behind it may go. Raises: NotFound, ReasonNeeded, IllegalStep."""
    row = _steered(work, delivery_id, reason)
    if row.hold_kind == "provisional":
        raise StillProvisional()
    row.state = next_state(row.state, "hold")
    row.hold_kind, row.hold_reason, row.next_attempt_at = "by_hand", reason.strip(), None
    work.session.flush()
    behind = {"case": row.case_id, "channel": row.channel, "endpoint": row.endpoint_id, "number": row.version_number}
    enqueue(work, row.organization_id, work.session.scalars(_WAITING, behind))
    return _told(work, row, "delivery.held", reason)


def _steered(work: Work, delivery_id: UUID, reason: str) -> Delivery:
    found = work.session.get(Delivery, delivery_id)
    if found is None:
        raise NotFound()
    steered_case(work, found.case_id)
    if not reason.strip():
        raise ReasonNeeded()
    row = work.session.scalars(
        select(Delivery)
        .where(Delivery.id == delivery_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if row.channel == "page":
        raise IllegalStep("The site's page shows it; nothing is sent.")
    return row


def _told(work: Work, row: Delivery, action: str, reason: str) -> DeliveryBrief:
    work.session.flush()
    work.record(
        action,
        organization_id=row.organization_id,
        case_id=row.case_id,
        subject_kind="delivery",
        subject_id=row.id,
        reason=reason.strip(),
        detail={"channel": row.channel, "number": row.version_number},
    )
    work.touch("delivery", row.id, row.organization_id, *work.actor.organizations_with("coordinator"))
    work.touch("case", row.case_id, row.organization_id, *work.actor.organizations_with("coordinator"))
    brief = delivery(work.session, row.id, work.now)
    if brief is None:
        raise NotFound()
    return brief
