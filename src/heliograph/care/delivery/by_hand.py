"""A person steps in: try now, send anew, hold, cancel, or tell the site by phone, fax or print."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.errors import IllegalStep, ReasonNeeded, StillProvisional
from heliograph.care.delivery.model import Delivery, Telling
from heliograph.care.delivery.queries import DeliveryBrief, delivery
from heliograph.care.delivery.queue import enqueue
from heliograph.care.delivery.settle import cancelled
from heliograph.care.delivery.states import next_state
from heliograph.care.reading.queries import version, version_for
from heliograph.care.worklist.access import steered_case
from heliograph.care.worklist.alarms import clear_alarm
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.work import Work

Way = Literal["phone", "fax", "print"]
_WAITING = text(
    "select id from delivery.deliveries where case_id = :case and channel = :channel and state = 'queued' "
    "and endpoint_id is not distinct from :endpoint and (version_number > :number or is_withdrawal)"
)
_LATER_IS_THERE = text(
    "select 1 from delivery.deliveries where case_id = :case and channel = :channel "
    "and endpoint_id is not distinct from :endpoint and (version_number, is_withdrawal) > (:number, :withdrawal) "
    "and (state = 'acknowledged' or (state = 'sent' and channel <> 'page')) limit 1"
)
_SKEW = timedelta(minutes=5)


def retry(work: Work, delivery_id: UUID, reason: str) -> DeliveryBrief:
    """Tries a delivery now, with the message that it has: one that is held, failed, or waits for its next try.

    Raises: NotFound, ReasonNeeded, IllegalStep, StillProvisional.
    """
    row = _steered(work, delivery_id, reason)
    if row.hold_kind == "provisional":
        raise StillProvisional()
    _must_not_undo_a_later_one(work, row)
    if row.state != "queued":
        row.state = next_state(row.state, "release")
    row.hold_kind = row.hold_reason = None
    row.next_attempt_at = work.now
    enqueue(work, row.organization_id, [row.id])
    return _told(work, row, "delivery.retried", reason)


def send_anew(work: Work, delivery_id: UUID, reason: str) -> DeliveryBrief:
    """Sends a version once more as a new message, made from what is known now: one that the site acknowledged and lost, one that was
    refused for what we put right, or one that was cancelled.

    Raises: NotFound, ReasonNeeded, IllegalStep, StillProvisional.
    """
    row = _steered(work, delivery_id, reason)
    if row.hold_kind == "provisional":
        raise StillProvisional()
    found = version(work.session, row.report_version_id)
    if not row.is_withdrawal and (found is None or found.state != "signed"):
        raise IllegalStep("This report is withdrawn; it is not sent any more.")
    _must_not_undo_a_later_one(work, row)
    row.state = next_state(row.state, "send_anew")
    # Another control id: under the old one a receiver would take it for a repeat and drop it.
    row.message_control_id = "HG" + secrets.token_hex(9).upper()
    row.next_attempt_at, row.attempts = work.now, 0
    row.hold_kind = row.hold_reason = row.last_error = row.acknowledgement_code = None
    row.acknowledged_at = row.acknowledged_by = None
    row.cancelled_at = row.cancelled_by = row.cancel_reason = None
    clear_alarm(work, "delivery_failed", row.id)
    enqueue(work, row.organization_id, [row.id])
    return _told(work, row, "delivery.sent_anew", reason)


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


def cancel(work: Work, delivery_id: UUID, reason: str) -> DeliveryBrief:
    """Ends a delivery that is not acknowledged: nothing is sent there any more, and nothing waits for it.

    Raises: NotFound, ReasonNeeded, IllegalStep.
    """
    row = _steered(work, delivery_id, reason, also_page=True)
    cancelled(work, row, reason.strip(), by=work.actor.id)
    return _brief(work, row)


def tell(
    work: Work,
    version_id: UUID,
    way: Way,
    told_to: str,
    *,
    told_at: datetime | None = None,
    note: str | None = None,
    instead_of: UUID | None = None,
) -> UUID:
    """Records that a person told the site of a version by phone, fax or print: who, when and to whom. By who signed it or a coordinator
    of the case. Returns the record's id.

    Args:
        told_at: default now; not in the future, and not before the signature.
        instead_of: a delivery of the version that this ends (only for coordinators).

    Raises: NotFound, Invalid, IllegalStep, ReasonNeeded.
    """
    report = version_for(work, version_id)
    if report.signed_by != work.actor.id or instead_of is not None:
        steered_case(work, report.case_id)
    to, at = told_to.strip(), told_at or work.now
    if not to:
        raise Invalid("Say to whom it was given.")
    if at.tzinfo is None or at > work.now + _SKEW or at < report.signed_at - _SKEW:
        raise Invalid("It was told after it was signed, and not later than now.")
    row = Telling(
        organization_id=report.organization_id,
        case_id=report.case_id,
        report_version_id=report.id,
        way=way,
        told_to=to,
        told_at=at,
        note=(note or "").strip() or None,
        told_by=work.actor.id,
        teller_name=work.actor.name,
        recorded_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "report.told",
        organization_id=report.organization_id,
        case_id=report.case_id,
        subject_kind="report_version",
        subject_id=report.id,
        detail={"way": way, "number": report.number},
    )
    work.touch("case", report.case_id, report.organization_id, *work.actor.organizations_with("coordinator"))
    if instead_of is not None:
        found = work.session.get(Delivery, instead_of)
        if found is None or found.report_version_id != report.id:
            raise NotFound()
        cancel(work, instead_of, f"Told by {way} instead.")
    return row.id


def _must_not_undo_a_later_one(work: Work, row: Delivery) -> None:
    """Receivers put what comes last in the place of what they had."""
    values = {
        "case": row.case_id,
        "channel": row.channel,
        "endpoint": row.endpoint_id,
        "number": row.version_number,
        "withdrawal": row.is_withdrawal,
    }
    if work.session.scalar(_LATER_IS_THERE, values):
        raise IllegalStep("A later version is there already, and this one would take its place; send the later one.")


def _steered(work: Work, delivery_id: UUID, reason: str, *, also_page: bool = False) -> Delivery:
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
    if row.channel == "page" and not also_page:
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
    return _brief(work, row)


def _brief(work: Work, row: Delivery) -> DeliveryBrief:
    work.session.flush()
    brief = delivery(work.session, row.id, work.now)
    if brief is None:
        raise NotFound()
    return brief
