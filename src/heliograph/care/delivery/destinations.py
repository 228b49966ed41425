"""How each destination of reports fares, for its administrator: numbers, times and words, and no patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.errors import ReasonNeeded
from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.queue import enqueue
from heliograph.care.delivery.settle import record
from heliograph.care.delivery.states import next_state
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.sites.kinds import DESTINATIONS
from heliograph.records.sites.queries import EndpointFacts, endpoint
from heliograph.records.sites.secrets import SecretFacts, secrets_of

LATENCY_DAYS = 30
"""How far back times to acknowledgement are counted."""
MOST_AT_ONCE = 5_000

_FARE = text(
    "select e.id, count(*) filter (where d.state = 'queued') as queued, count(*) filter (where d.state = 'sent') as sent, "
    "count(*) filter (where d.state = 'held') as held, count(*) filter (where d.state = 'failed') as failed, "
    "count(*) filter (where d.state = 'acknowledged' and d.acknowledged_at > :since) as acknowledged, "
    "count(*) filter (where d.state = 'failed' or d.state = 'held' and d.hold_kind = 'refused') as retriable, "
    "max(d.acknowledged_at) as last_success_at, min(d.created_at) filter (where d.state in ('queued', 'sent')) as waiting_since, "
    "percentile_cont(0.5) within group (order by extract(epoch from d.acknowledged_at - d.created_at)) "
    "filter (where d.acknowledged_at > :since) as median, "
    "percentile_cont(0.95) within group (order by extract(epoch from d.acknowledged_at - d.created_at)) "
    "filter (where d.acknowledged_at > :since) as slow "
    "from sites.endpoints e left join delivery.deliveries d on d.endpoint_id = e.id "
    "where e.organization_id = any(:organizations) and e.kind = any(:kinds) group by e.id"
)
_LAST_ERRORS = text(
    "select distinct on (d.endpoint_id) d.endpoint_id, a.at, a.outcome, a.detail "
    "from delivery.delivery_attempts a join delivery.deliveries d on d.id = a.delivery_id "
    "where d.endpoint_id = any(:endpoints) and a.outcome not in ('acknowledged', 'stored') and a.at > :since "
    "order by d.endpoint_id, a.at desc, a.id desc"
)
_OPEN = text(
    "select id, version_number, is_withdrawal, state, attempts, next_attempt_at, last_error, hold_reason, created_at "
    "from delivery.deliveries where endpoint_id = :endpoint and state not in ('acknowledged', 'cancelled') "
    "order by created_at limit 100"
)


@dataclass(frozen=True, slots=True)
class Fare:
    """A destination in numbers. Times to acknowledgement are seconds from signing, over the last 30 days; None: none yet."""

    endpoint_id: UUID
    queued: int
    sent: int
    held: int
    failed: int
    acknowledged: int
    """In the last 30 days."""
    retriable: int
    """Refused by the other side, or not to be made: what `retry_held` takes up."""
    waiting_since: datetime | None
    last_success_at: datetime | None
    median_seconds: float | None
    slow_seconds: float | None
    """The 95th percentile."""
    last_error_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class OpenDelivery:
    """One that is not acknowledged, as its destination's administrator sees it: no case, no patient."""

    id: UUID
    version_number: int
    is_withdrawal: bool
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    hold_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Destination:
    """All about one destination."""

    endpoint: EndpointFacts
    fare: Fare
    open: list[OpenDelivery]
    secrets: list[SecretFacts]


def fares(session: ActorSession, organizations: Iterable[UUID], now: datetime) -> dict[UUID, Fare]:
    """How the destinations of organisations fare."""
    since = now - timedelta(days=LATENCY_DAYS)
    rows = session.execute(
        _FARE, {"organizations": list(organizations), "kinds": sorted(DESTINATIONS), "since": since}
    ).all()
    errors = {
        row.endpoint_id: row
        for row in session.execute(_LAST_ERRORS, {"endpoints": [r.id for r in rows], "since": since})
    }
    return {row.id: _fare(row, errors.get(row.id)) for row in rows}


def destination(work: Work, endpoint_id: UUID) -> Destination:
    """One destination, for who administers its organisation. Raises: NotFound."""
    facts = administered(work, endpoint_id)
    fare = fares(work.session, [facts.organization_id], work.now)[endpoint_id]
    rows = work.session.execute(_OPEN, {"endpoint": endpoint_id})
    waiting = [OpenDelivery(**row._mapping) for row in rows]
    return Destination(facts, fare, waiting, secrets_of(work.session, [endpoint_id], work.now).get(endpoint_id, []))


def administered(work: Work, endpoint_id: UUID) -> EndpointFacts:
    """A destination, if the actor administers its organisation: absent and forbidden look the same. Raises: NotFound."""
    facts = endpoint(work.session, endpoint_id)
    if facts is None or facts.kind not in DESTINATIONS or not work.actor.holds("administrator", facts.organization_id):
        raise NotFound
    return facts


def retry_held(work: Work, endpoint_id: UUID, reason: str) -> int:
    """Tries everything again that this destination refused or that could not be made; how many. What a coordinator holds or cancelled, and
    what waits for its study, stays. Raises: NotFound, ReasonNeeded."""
    facts = administered(work, endpoint_id)
    if not reason.strip():
        raise ReasonNeeded
    rows = work.session.scalars(
        select(Delivery)
        .where(Delivery.endpoint_id == endpoint_id)
        .where((Delivery.state == "failed") | ((Delivery.state == "held") & (Delivery.hold_kind == "refused")))
        .order_by(Delivery.created_at, Delivery.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        row.state, row.next_attempt_at = next_state(row.state, "release"), work.now
        row.hold_kind = row.hold_reason = None
        record(work, "delivery.retried", row, reason=reason.strip())
    enqueue(work, facts.organization_id, [row.id for row in rows])
    return len(rows)


def _fare(row: Any, error: Any) -> Fare:
    return Fare(
        endpoint_id=row.id,
        queued=row.queued,
        sent=row.sent,
        held=row.held,
        failed=row.failed,
        acknowledged=row.acknowledged,
        retriable=row.retriable,
        waiting_since=row.waiting_since,
        last_success_at=row.last_success_at,
        median_seconds=float(row.median) if row.median is not None else None,
        slow_seconds=float(row.slow) if row.slow is not None else None,
        last_error_at=error.at if error is not None else None,
        last_error=(error.detail or error.outcome) if error is not None else None,
    )
