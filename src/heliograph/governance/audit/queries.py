"""Reading the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from heliograph.governance.audit.model import AuditEvent, Leaf
from heliograph.kit.db.session import ActorSession


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of the record. `position` is its gapless place in the sealed log, None while it awaits sealing."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    action: str
    outcome: str
    case_id: UUID | None
    study_id: UUID | None
    order_id: UUID | None
    subject_kind: str | None
    subject_id: UUID | None
    reason: str | None
    detail: dict[str, Any]
    position: int | None


def events_for_case(
    session: ActorSession,
    case_id: UUID,
    study_ids: Sequence[UUID] = (),
    order_ids: Sequence[UUID] = (),
    *,
    limit: int = 2000,
) -> list[EventLine]:
    """What happened to a case, its studies and its orders, in the order of time; only what the actor may see."""
    about = or_(AuditEvent.case_id == case_id, AuditEvent.study_id.in_(study_ids), AuditEvent.order_id.in_(order_ids))
    return _lines(session, about, limit)


def latest_events(session: ActorSession, organization_ids: Sequence[UUID], *, limit: int = 200) -> list[EventLine]:
    """The newest lines of some organisations, newest last."""
    newest = (
        select(AuditEvent.id)
        .where(AuditEvent.organization_id.in_(organization_ids))
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(limit)
    )
    return _lines(session, AuditEvent.id.in_(newest), limit)


def tree_size(session: ActorSession) -> int:
    """How many lines are sealed."""
    return session.scalar(select(func.coalesce(func.max(Leaf.position) + 1, 0))) or 0


def _lines(session: ActorSession, where: Any, limit: int) -> list[EventLine]:
    rows = session.execute(
        select(AuditEvent, Leaf.position)
        .outerjoin(Leaf, Leaf.event_id == AuditEvent.id)
        .where(where)
        .order_by(AuditEvent.at, AuditEvent.id)
        .limit(limit)
    )
    return [
        EventLine(
            e.id, e.at, e.actor_kind, e.actor_id, e.actor_name, e.action, e.outcome, e.case_id, e.study_id, e.order_id, e.subject_kind,
            e.subject_id, e.reason, e.detail, position,
        )
        for e, position in rows
    ]  # fmt: skip
