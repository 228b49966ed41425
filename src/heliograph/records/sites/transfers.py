"""Transfers from and to DICOM nodes: asked for, claimed, tried, and what came of each try. Doors decide who may.

The job takes the node's lock, so one transfer of a node runs at a time, and a row that is `running` when a job begins was cut off.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text

from heliograph.governance.access.narrowing import Narrowed
from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.sites.model import Transfer
from heliograph.records.sites.queries import facts
from heliograph.records.sites.transfer_states import next_state, step_after, wait

TASK = "dimse.transfer"
QUEUE = "transfers"
Direction = Literal["fetch", "send"]
TransferState = Literal["waiting", "running", "done", "partial", "failed", "cancelled"]
_random = secrets.SystemRandom()

_MILESTONES = frozenset(
    f"transfer.{step}" for step in ("asked", "asked_again", "done", "partial", "failed", "cancelled")
)
"""What stands on the record of the case and the study, too; each single try stands on the transfer's alone."""

# A job that waits or runs already is not enqueued again: the row says what is due, the queue only carries it.
_DUE = text(
    "select t.id, t.organization_id, t.node_id from sites.transfers t "
    "where (t.state = 'waiting' and t.next_attempt_at <= :now or t.state = 'running') "
    "and not exists (select 1 from jobs.procrastinate_jobs j where j.status in ('todo', 'doing') and j.task_name = :task "
    "and j.args ->> 'transfer_id' = t.id::text) order by t.next_attempt_at nulls first limit 200"
)


@dataclass(frozen=True, slots=True)
class TransferFacts:
    """A transfer; see the table."""

    id: UUID
    organization_id: UUID
    node_id: UUID
    facility_id: UUID
    direction: Direction
    patient_id: UUID | None
    study_id: UUID | None
    study_instance_uid: str | None
    accession_number: str | None
    case_id: UUID | None
    state: TransferState
    studies: list[dict[str, Any]]
    unsent: list[str] | None
    expected: int | None
    received: int
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    requested_by: UUID | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended. `error` is in words without patient data; None if all is over there (send) or here (fetch)."""

    expected: int | None
    received: int
    error: str | None
    is_hopeless: bool = False
    studies: list[dict[str, Any]] | None = None
    unsent: list[str] | None = None


def transfer(session: ActorSession, transfer_id: UUID) -> TransferFacts | None:
    """One transfer as it is committed now. None: absent or forbidden."""
    row = session.get(Transfer, transfer_id, populate_existing=True)
    return facts(TransferFacts, row) if row is not None else None


def transfers_of(
    session: ActorSession,
    organizations: Iterable[UUID],
    own: Narrowed,
    *,
    case_id: UUID | None = None,
    limit: int = 100,
) -> list[TransferFacts]:
    """The newest transfers of organisations."""
    query = (
        select(Transfer)
        .where(Transfer.organization_id.in_(list(organizations)))
        .order_by(Transfer.created_at.desc(), Transfer.id.desc())
        .limit(limit)
    )
    if case_id is not None:
        query = query.where(Transfer.case_id == case_id)
    if own.organizations:
        query = query.where(
            Transfer.organization_id.not_in(own.organizations) | Transfer.facility_id.in_(own.facilities)
        )
    return [facts(TransferFacts, row) for row in session.scalars(query)]


def add_transfer(work: Work, organization_id: UUID, node_id: UUID, facility_id: UUID, **what: Any) -> UUID:
    """Writes a transfer down and has it begin; `what` are columns. The same that waits or runs already is not doubled."""
    same = select(Transfer.id).where(
        Transfer.node_id == node_id,
        Transfer.state.in_(("waiting", "running")),
        *(
            getattr(Transfer, name).is_not_distinct_from(what.get(name))
            for name in ("direction", "patient_id", "study_id", "study_instance_uid", "accession_number")
        ),
    )
    found = work.session.scalar(same.limit(1))
    if found is not None:
        return found
    row = Transfer(
        organization_id=organization_id,
        node_id=node_id,
        facility_id=facility_id,
        next_attempt_at=work.now,
        created_at=work.now,
        requested_by=work.actor.id if work.actor.kind == "user" else None,
        **what,
    )
    work.session.add(row)
    _record(work, "transfer.asked", row)
    _enqueue(work, row.id, row.organization_id, row.node_id)
    return row.id


def cancel(work: Work, transfer_id: UUID) -> None:
    """Ends it; one that runs is left as soon as its job looks. Raises: NotFound, IllegalTransferStep."""
    row = _locked(work, transfer_id)
    row.state, row.finished_at, row.next_attempt_at = next_state(row.state, "cancel"), work.now, None
    _record(work, "transfer.cancelled", row)


def again(work: Work, transfer_id: UUID) -> None:
    """Tries once more what ended without being whole. Raises: NotFound, IllegalTransferStep."""
    row = _locked(work, transfer_id)
    row.state, row.attempts, row.next_attempt_at, row.finished_at = next_state(row.state, "again"), 0, work.now, None
    _record(work, "transfer.asked_again", row)
    _enqueue(work, row.id, row.organization_id, row.node_id)


def claim(work: Work, transfer_id: UUID) -> TransferFacts | None:
    """Begins a try, for the job alone. None: it is not due, or over."""
    row = _locked(work, transfer_id)
    due = row.state == "waiting" and (row.next_attempt_at is None or row.next_attempt_at <= work.now)
    if not due and row.state != "running":
        return None
    was_cut_off = row.state == "running"
    row.state, row.attempts, row.next_attempt_at = next_state(row.state, "start"), row.attempts + 1, None
    _record(work, "transfer.began", row, detail={"cut_off_before": True} if was_cut_off else {})
    return facts(TransferFacts, row)


def note_found(
    work: Work, transfer_id: UUID, studies: list[dict[str, Any]], expected: int, received: int, other_patients: int
) -> None:
    """What the node says it has, and how much of it is here; `other_patients`: answers that were passed over."""
    row = _locked(work, transfer_id)
    row.studies, row.expected, row.received = studies, expected, received
    _record(work, "transfer.found", row, detail={"studies": len(studies), "other_patients": other_patients})


def note_progress(work: Work, transfer_id: UUID, studies: list[dict[str, Any]], received: int) -> None:
    """One more study has been dealt with."""
    row = _locked(work, transfer_id)
    row.studies, row.received = studies, received
    _record(work, "transfer.went_on", row)


def put_back(work: Work, transfer_id: UUID) -> None:
    """The worker stops: another takes it up at once, and this try does not count."""
    row = _locked(work, transfer_id)
    if row.state == "running":
        row.state, row.attempts, row.next_attempt_at = (
            next_state("running", "later"),
            max(row.attempts - 1, 0),
            work.now,
        )
        _record(work, "transfer.put_back", row)


def note_result(work: Work, transfer_id: UUID, result: Result) -> TransferFacts:
    """Takes what came of a try: done, tried again later, or given up. What was cancelled meanwhile stays so."""
    row = _locked(work, transfer_id)
    row.expected, row.received, row.error, row.unsent = result.expected, result.received, result.error, result.unsent
    if result.studies is not None:
        row.studies = result.studies
    is_whole = result.error is None
    if row.state == "running":
        step = step_after(
            is_whole=is_whole, has_some=row.received > 0, attempts=row.attempts, is_hopeless=result.is_hopeless
        )
        row.state = next_state(row.state, step)
        row.next_attempt_at = work.now + wait(row.attempts, _random.random()) if step == "later" else None
        row.finished_at = None if step == "later" else work.now
    _record(
        work, f"transfer.{row.state}" if row.state != "waiting" else "transfer.to_be_tried_again", row,
        outcome="done" if is_whole else "failed", reason=result.error,
    )  # fmt: skip
    return facts(TransferFacts, row)


def due(session: ActorSession, now: datetime) -> Sequence[tuple[UUID, UUID, UUID]]:
    """(transfer, organisation, node) of what should have a job and has none."""
    return [(r[0], r[1], r[2]) for r in session.execute(_DUE, {"now": now, "task": TASK})]


def enqueue_again(work: Work, transfer_id: UUID, organization_id: UUID, node_id: UUID) -> None:
    """A job for what is due."""
    _enqueue(work, transfer_id, organization_id, node_id)


def _enqueue(work: Work, transfer_id: UUID, organization_id: UUID, node_id: UUID) -> None:
    work.enqueue(TASK, queue=QUEUE, lock=f"node/{node_id}", organization_id=organization_id, transfer_id=transfer_id)


def _locked(work: Work, transfer_id: UUID) -> Transfer:
    row = work.session.get(Transfer, transfer_id, with_for_update=ROW_LOCK, populate_existing=True)
    if row is None:
        raise NotFound
    return row


def _record(
    work: Work, action: str, row: Transfer, *, outcome: str = "done", reason: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    work.session.flush()
    tells = action in _MILESTONES
    work.record(
        action,
        organization_id=row.organization_id,
        outcome=outcome,
        case_id=row.case_id if tells else None,
        study_id=row.study_id if tells else None,
        patient_id=row.patient_id,
        subject_kind="transfer",
        subject_id=row.id,
        reason=reason,
        detail={
            "direction": row.direction,
            "node_id": str(row.node_id),
            "attempt": row.attempts,
            "expected": row.expected,
            "received": row.received,
            **(detail or {}),
        },
    )
    work.touch("transfer", row.id, row.organization_id)
    if tells and row.case_id is not None:
        work.touch("case", row.case_id, row.organization_id)
