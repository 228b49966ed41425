"""Who is on. Shifts are no patient data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from heliograph.care.rota.model import Shift
from heliograph.kit.db.session import ActorSession


@dataclass(frozen=True, slots=True)
class ShiftFacts:
    """A reader is on for a group in [starts_at, ends_at)."""

    id: UUID
    organization_id: UUID
    reader_id: UUID
    starts_at: datetime
    ends_at: datetime


def shifts_of_readers(
    session: ActorSession, reader_ids: Sequence[UUID], since: datetime, until: datetime
) -> dict[UUID, list[ShiftFacts]]:
    """The shifts of some readers, over all groups, that touch [since, until), by beginning."""
    found: defaultdict[UUID, list[ShiftFacts]] = defaultdict(list)
    rows = session.scalars(
        select(Shift)
        .where(Shift.reader_id.in_(reader_ids), Shift.ends_at > since, Shift.starts_at < until)
        .order_by(Shift.starts_at, Shift.id)
    )
    for row in rows:
        found[row.reader_id].append(_facts(row))
    return found


def shifts_of_groups(
    session: ActorSession, groups: Sequence[UUID], since: datetime, until: datetime
) -> list[ShiftFacts]:
    """The shifts for some groups that touch [since, until), by beginning."""
    rows = session.scalars(
        select(Shift)
        .where(Shift.organization_id.in_(groups), Shift.ends_at > since, Shift.starts_at < until)
        .order_by(Shift.starts_at, Shift.id)
    )
    return [_facts(row) for row in rows]


def on(session: ActorSession, groups: Sequence[UUID], at: datetime) -> list[ShiftFacts]:
    """Who is on for `groups` at `at`."""
    rows = session.scalars(
        select(Shift)
        .where(Shift.organization_id.in_(groups), Shift.starts_at <= at, Shift.ends_at > at)
        .order_by(Shift.starts_at, Shift.id)
    )
    return [_facts(row) for row in rows]


def shift(session: ActorSession, shift_id: UUID) -> ShiftFacts | None:
    """One shift."""
    row = session.get(Shift, shift_id)
    return _facts(row) if row else None


def _facts(row: Shift) -> ShiftFacts:
    return ShiftFacts(row.id, row.organization_id, row.reader_id, row.starts_at, row.ends_at)
