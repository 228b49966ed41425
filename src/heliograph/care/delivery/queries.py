"""Reading deliveries, in words. Row-level security decides what rows exist for the actor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from heliograph.care.delivery.rules import Trouble, in_words
from heliograph.kit.db.session import ActorSession

_ROWS = """
select d.id, d.organization_id, d.case_id, d.report_version_id, d.version_number, d.channel, d.state, d.attempts, d.next_attempt_at,
       d.sent_at, d.acknowledged_at, d.acknowledgement_code, d.last_error, d.hold_kind, d.hold_reason, d.is_withdrawal,
       d.cancelled_at, d.cancel_reason, d.created_at,
       case d.channel when 'archive' then 'Archive' when 'page' then f.short_name || '''s page'
            else coalesce(e.name, d.channel) end as destination,
       f.id as facility_id, f.short_name, f.phone, f.time_zone, c.patient_id,
       (select min(a.at) from delivery.delivery_attempts a where a.delivery_id = d.id and a.outcome not in ('acknowledged', 'stored'))
           as failing_since,
       (select a.outcome from delivery.delivery_attempts a where a.delivery_id = d.id order by a.at desc, a.id desc limit 1) as last_outcome
from delivery.deliveries d join worklist.cases c on c.id = d.case_id join sites.facilities f on f.id = c.facility_id
left join sites.endpoints e on e.id = d.endpoint_id
"""
_OF_CASES = text(_ROWS + "where d.case_id = any(:cases) order by d.version_number desc, d.channel, d.id")
_ONE = text(_ROWS + "where d.id = :id")
_TROUBLED = text(
    _ROWS
    + "where d.organization_id = any(:organizations) and d.channel <> 'page' and d.state not in ('acknowledged', 'cancelled') "
    + "and (d.state in ('held', 'failed') or d.attempts > 1 or d.last_error is not null) and d.hold_kind is distinct from 'by_hand' "
    + "order by d.created_at limit 200"
)


@dataclass(frozen=True, slots=True)
class DeliveryBrief:
    """A delivery as pages show it."""

    id: UUID
    version_id: UUID
    version_number: int
    channel: str
    destination: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    acknowledged_at: datetime | None
    acknowledgement_code: str | None
    last_error: str | None
    hold_reason: str | None
    is_withdrawal: bool
    cancelled_at: datetime | None
    cancel_reason: str | None
    next_step: str
    """What happened and what comes next, in words; times as at the site."""
    organization_id: UUID
    case_id: UUID
    facility_id: UUID
    patient_id: UUID | None


@dataclass(frozen=True, slots=True)
class TryBrief:
    """One try of a delivery, in words."""

    at: datetime
    outcome: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class TellingBrief:
    """A person told the site of a version."""

    id: UUID
    version_number: int
    way: Literal["phone", "fax", "print"]
    told_to: str
    told_at: datetime
    teller_name: str
    note: str | None


_TRIES = text(
    "select delivery_id, at, outcome, detail from ("
    "select a.*, row_number() over (partition by a.delivery_id order by a.at desc, a.id desc) as nth "
    "from delivery.delivery_attempts a where a.delivery_id = any(:deliveries)) t where nth <= :most order by delivery_id, at, id"
)
_TELLINGS = text(
    "select t.id, v.number as version_number, t.way, t.told_to, t.told_at, t.teller_name, t.note from delivery.tellings t "
    "join reading.report_versions v on v.id = t.report_version_id where t.case_id = :case order by t.told_at, t.id"
)


def tries_of(session: ActorSession, delivery_ids: Iterable[UUID], most: int = 20) -> dict[UUID, list[TryBrief]]:
    """The newest `most` tries of deliveries, the oldest of them first."""
    found: dict[UUID, list[TryBrief]] = {}
    for row in session.execute(_TRIES, {"deliveries": list(delivery_ids), "most": most}):
        found.setdefault(row.delivery_id, []).append(TryBrief(row.at, row.outcome, row.detail))
    return found


def tellings_of_case(session: ActorSession, case_id: UUID) -> list[TellingBrief]:
    """What persons told the site about a case's report, in order."""
    rows = session.execute(_TELLINGS, {"case": case_id})
    return [TellingBrief(r.id, r.version_number, r.way, r.told_to, r.told_at, r.teller_name, r.note) for r in rows]


def delivery(session: ActorSession, delivery_id: UUID, now: datetime) -> DeliveryBrief | None:
    """One delivery, or None."""
    row = session.execute(_ONE, {"id": delivery_id}).one_or_none()
    return _brief(row, now) if row is not None else None


def deliveries_of_cases(
    session: ActorSession, case_ids: Iterable[UUID], now: datetime
) -> dict[UUID, list[DeliveryBrief]]:
    """The deliveries of cases, newest version first."""
    found: dict[UUID, list[DeliveryBrief]] = {}
    for row in session.execute(_OF_CASES, {"cases": list(case_ids)}):
        found.setdefault(row.case_id, []).append(_brief(row, now))
    return found


def deliveries_of_case(session: ActorSession, case_id: UUID, now: datetime) -> list[DeliveryBrief]:
    """The deliveries of a case, newest version first."""
    return deliveries_of_cases(session, [case_id], now).get(case_id, [])


def troubled_deliveries(session: ActorSession, organizations: Iterable[UUID], now: datetime) -> list[DeliveryBrief]:
    """Deliveries of these clients that a coordinator should look at: refused, failed, held, or tried without an answer."""
    rows = session.execute(_TROUBLED, {"organizations": list(organizations)})
    return [_brief(row, now) for row in rows]


def _brief(row: Any, now: datetime) -> DeliveryBrief:
    trouble = Trouble(
        channel=row.channel,
        state=row.state,
        site=row.short_name,
        phone=row.phone,
        time_zone=row.time_zone,
        attempts=row.attempts,
        failing_since=row.failing_since,
        last_outcome=row.last_outcome,
        next_attempt_at=row.next_attempt_at,
        hold_kind=row.hold_kind,
        hold_reason=row.hold_reason,
        last_error=row.last_error,
        cancel_reason=row.cancel_reason,
    )
    return DeliveryBrief(
        id=row.id,
        version_id=row.report_version_id,
        version_number=row.version_number,
        channel=row.channel,
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        sent_at=row.sent_at,
        acknowledged_at=row.acknowledged_at,
        acknowledgement_code=row.acknowledgement_code,
        last_error=row.last_error,
        hold_reason=row.hold_reason,
        is_withdrawal=row.is_withdrawal,
        cancelled_at=row.cancelled_at,
        cancel_reason=row.cancel_reason,
        next_step=in_words(trouble, now),
        organization_id=row.organization_id,
        case_id=row.case_id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
    )
