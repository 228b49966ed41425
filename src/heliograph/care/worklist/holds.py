"""Holding a case and going on with it: an interval with its reason, not a state. A held case is given to nobody."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from heliograph.care.worklist.errors import NotOnHold, OnHold, ReasonNeeded
from heliograph.care.worklist.model import Case, CaseInterval
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work


def is_on_hold(session: ActorSession, case_id: UUID) -> bool:
    """Whether somebody holds the case."""
    return _open(session, case_id) is not None


def reason(session: ActorSession, case_id: UUID) -> str | None:
    """Why the case is held. None: it isn't."""
    interval = _open(session, case_id)
    return interval.reason if interval is not None else None


def hold(work: Work, case: Case, why: str) -> None:
    """Holds a case (locked by the caller). The clock goes on. Raises: ReasonNeeded, OnHold."""
    if not why.strip():
        raise ReasonNeeded()
    if is_on_hold(work.session, case.id):
        raise OnHold()
    work.session.add(
        CaseInterval(
            organization_id=case.organization_id,
            case_id=case.id,
            kind="hold",
            reason=why.strip(),
            begun_by=work.actor.id,
            begun_at=work.now,
        )
    )
    work.session.flush()
    _record(work, "case.held", case, why.strip())


def resume(work: Work, case: Case) -> None:
    """Ends the hold (the case is locked by the caller). Raises: NotOnHold."""
    interval = _open(work.session, case.id)
    if interval is None:
        raise NotOnHold()
    interval.ended_at = work.now
    work.session.flush()
    _record(work, "case.resumed", case, None)


def _open(session: ActorSession, case_id: UUID) -> CaseInterval | None:
    return session.scalar(
        select(CaseInterval).where(
            CaseInterval.case_id == case_id, CaseInterval.kind == "hold", CaseInterval.ended_at.is_(None)
        )
    )


def _record(work: Work, action: str, case: Case, reason: str | None) -> None:
    work.record(
        action, organization_id=case.organization_id, case_id=case.id, patient_id=case.patient_id, reason=reason
    )
    work.touch("case", case.id, case.organization_id, case.group_organization_id)
