"""Putting readers on and taking them off."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.rota.errors import BadShift, NotEngaged, ShiftOverlaps
from heliograph.care.rota.model import Shift
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

LONGEST = timedelta(hours=24)


def add_shift(work: Work, organization_id: UUID, reader_id: UUID, starts_at: datetime, ends_at: datetime) -> UUID:
    """Puts a reader on for a group in [starts_at, ends_at).

    Raises: NotFound, BadShift, NotEngaged, ShiftOverlaps.
    """
    _may(work, organization_id)
    if not timedelta(0) < ends_at - starts_at <= LONGEST:
        raise BadShift()
    engaged = work.session.scalar(
        text(
            "select 1 from people.engagements where reader_id = :reader and organization_id = :group and valid_from <= :starts "
            "and (valid_until is null or valid_until >= :ends) limit 1"
        ),
        {"reader": reader_id, "group": organization_id, "starts": starts_at, "ends": ends_at},
    )
    if not engaged:
        raise NotEngaged()
    work.session.execute(
        text("select 1 from people.readers where id = :id for no key update"), {"id": reader_id}
    )  # two at once: the second one sees the first
    overlap = select(Shift.id).where(
        Shift.organization_id == organization_id,
        Shift.reader_id == reader_id,
        Shift.starts_at < ends_at,
        Shift.ends_at > starts_at,
    )
    if work.session.scalar(overlap.limit(1)):
        raise ShiftOverlaps()
    shift = Shift(organization_id=organization_id, reader_id=reader_id, starts_at=starts_at, ends_at=ends_at)
    work.session.add(shift)
    work.session.flush()
    _record(work, "shift.added", shift)
    return shift.id


def remove_shift(work: Work, shift_id: UUID) -> None:
    """Takes a shift away. Raises: NotFound."""
    shift = work.session.get(Shift, shift_id)
    if shift is None:
        raise NotFound()
    _may(work, shift.organization_id)
    work.session.delete(shift)
    _record(work, "shift.removed", shift)


def _may(work: Work, organization_id: UUID) -> None:
    actor = work.actor
    if actor.kind == "system":
        allowed = organization_id in actor.organizations
    else:
        allowed = actor.holds("administrator", organization_id) or actor.holds("coordinator", organization_id)
    if not allowed:
        raise NotFound()


def _record(work: Work, action: str, shift: Shift) -> None:
    work.record(
        action,
        organization_id=shift.organization_id,
        subject_kind="shift",
        subject_id=shift.id,
        detail={
            "reader_id": str(shift.reader_id),
            "starts_at": shift.starts_at.isoformat(),
            "ends_at": shift.ends_at.isoformat(),
        },
    )
    work.touch("shift", shift.id, shift.organization_id)
