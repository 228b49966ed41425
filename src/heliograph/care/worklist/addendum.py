"""Opening an addendum: a new read of a signed case, for its first reader if they may, with a clock of its own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from heliograph.care.worklist.access import case_for, locked_case, may_steer
from heliograph.care.worklist.assign import assign_automatically, assign_to_first
from heliograph.care.worklist.clock import due
from heliograph.care.worklist.errors import AddendumOpen, NothingSigned, ReasonNeeded
from heliograph.care.worklist.model import Case, Read
from heliograph.care.worklist.states import ACTIVE
from heliograph.kit.errors import NotAllowed
from heliograph.kit.work import Work
from heliograph.records.agreements.queries import agreement
from heliograph.records.people.queries import reader_of_user


def open_addendum(work: Work, case_id: UUID, reason: str) -> UUID:
    """A coordinator, or the reader who signed, opens an addendum. Returns the read.

    Raises: NotFound, NotAllowed, ReasonNeeded, NothingSigned, AddendumOpen.
    """
    if not reason.strip():
        raise ReasonNeeded()
    case = case_for(work, case_id)
    mine = reader_of_user(work.session, work.actor.id)
    signed_it = select(Read.id).where(Read.case_id == case_id, Read.reader_id == mine, Read.state == "done")
    if not may_steer(work.session, work.actor, case) and not (mine and work.session.scalar(signed_it)):
        raise NotAllowed(action="case.addendum", organization_id=case.organization_id, case_id=case.id)
    case = locked_case(work, case_id)
    reads = list(work.session.scalars(select(Read).where(Read.case_id == case_id).order_by(Read.id)))
    if not any(r.state == "done" for r in reads):
        raise NothingSigned()
    if any(r.state in ACTIVE for r in reads):
        raise AddendumOpen()
    return begin_addendum(work, case, reason.strip())


def begin_addendum(work: Work, case: Case, reason: str) -> UUID:
    """Opens an addendum read of a case (locked), or returns the one that is open."""
    reads = list(work.session.scalars(select(Read).where(Read.case_id == case.id).order_by(Read.id)))
    active = next((r for r in reads if r.state in ACTIVE), None)
    if active is not None:
        return active.id
    first = next((r.reader_id for r in reads if r.state == "done"), None)
    held = agreement(work.session, case.agreement_id) if case.agreement_id else None
    read = Read(
        organization_id=case.organization_id,
        case_id=case.id,
        kind="addendum",
        state="ready",
        ready_at=work.now,
        clock_started_at=work.now,
        due_at=due(work.now, held.promises if held else {}, case.priority),
    )
    work.session.add(read)
    case.closed_at = None
    work.session.flush()
    work.record(
        "case.addendum_opened",
        organization_id=case.organization_id,
        case_id=case.id,
        patient_id=case.patient_id,
        subject_kind="read",
        subject_id=read.id,
        reason=reason,
        detail={"due": read.due_at.isoformat()} if read.due_at else {},
    )
    work.touch("case", case.id, case.organization_id, case.group_organization_id)
    if first is None or not assign_to_first(work, case, read, first):
        assign_automatically(work, case, read)
    return read.id
