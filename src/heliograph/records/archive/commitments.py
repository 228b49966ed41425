"""Storage commitments (PS3.4 J): what callers ask about, which of it is safely here, and what is still to be reported to whom.

A row is due at `next_attempt_at`. Whoever reports claims it first, by putting that off: after a crash it is due again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, text

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import HeliographError, NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.model import Commitment, HeldObject, Instance

TASK: Final = "dimse.commitment"
QUEUE: Final = "commitments"
MOST_REFERENCES: Final = 50_000

NO_SUCH_INSTANCE: Final = 0x0112
CLASS_CONFLICT: Final = 0x0119
PROCESSING_FAILURE: Final = 0x0110
"""Failure Reasons (PS3.3 C.14.1.1)."""

ON_THE_WAY: Final = timedelta(seconds=60)
"""What was answered with success may still be in a spool: so long it is not said to be missing."""
GRACE: Final = timedelta(seconds=10)
"""The association on which it was asked has the first try."""
CLAIMED: Final = timedelta(seconds=120)
GIVEN_UP_AFTER: Final = timedelta(days=1)
KEPT_FOR: Final = timedelta(days=90)
"""After its report, or after it was given up, a commitment is known so long; that it was asked and told stays on record."""
_FORGOTTEN_AT_ONCE = 5000
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
_CHUNK, _LOOKS_AT_ONCE = 5000, 8

Reference = tuple[str, str]
"""SOP Class UID, SOP Instance UID."""

_DUE = text(
    "select c.id, c.organization_id, c.caller_id from archive.commitments c "
    "where c.state = 'waiting' and c.next_attempt_at <= :now "
    "and not exists (select 1 from jobs.procrastinate_jobs j where j.status in ('todo', 'doing') and j.task_name = :task "
    "and j.args ->> 'commitment_id' = c.id::text) order by c.next_attempt_at limit 200"
)


class TransactionTaken(HeliographError):
    """The caller has used this Transaction UID for other objects."""


@dataclass(frozen=True, slots=True)
class CommitmentFacts:
    """A commitment; see the table."""

    id: UUID
    organization_id: UUID
    caller_id: UUID
    calling_ae: str
    called_ae: str
    transaction_uid: str
    references: tuple[Reference, ...]
    asked_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Here:
    """Of one organisation's objects, by SOP Instance UID: class, key and end of the bytes of what is filed; and what is held."""

    filed: dict[str, tuple[str, str, int]]
    held: set[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is committed, and what is not: with the Failure Reason of each."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]


def ask(
    work: Work,
    organization_id: UUID,
    caller_id: UUID,
    titles: tuple[str, str],
    transaction_uid: str,
    references: Sequence[Reference],
) -> UUID:
    """Writes down what a caller asks; `titles` are its own AE title and ours. The same again is not doubled, but reported again.

    Raises:
        TransactionTaken
    """
    asked = [list(one) for one in references]
    same = select(Commitment).where(
        Commitment.organization_id == organization_id,
        Commitment.caller_id == caller_id,
        Commitment.transaction_uid == transaction_uid,
    )
    # Two that ask the same at once must not both insert: the caller's transactions are taken one after another.
    work.session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:k, 0))"), {"k": f"commitment/{caller_id}"}
    )
    row = work.session.scalar(same.with_for_update(key_share=True))
    if row is not None and row.references != asked:
        raise TransactionTaken
    again = row is not None
    if row is None:
        row = Commitment(
            organization_id=organization_id, caller_id=caller_id, transaction_uid=transaction_uid, references=asked
        )
        work.session.add(row)
    row.calling_ae, row.called_ae = titles
    row.state, row.asked_at, row.next_attempt_at = "waiting", work.now, work.now + GRACE
    row.attempts, row.failed, row.error, row.finished_at = 0, None, None, None
    _record(work, "commitment.asked_again" if again else "commitment.asked", row)
    return row.id


def commitment(session: ActorSession, commitment_id: UUID) -> CommitmentFacts | None:
    """One that is still to be reported. None: it is over, absent or forbidden."""
    row = session.get(Commitment, commitment_id, populate_existing=True)
    return _facts(row) if row is not None and row.state == "waiting" else None


def verdict(here: Here, now: datetime, objects: Objects, asked: CommitmentFacts) -> Verdict | None:
    """What can be promised. None: something is not here and may still be on its way.

    Committed is what is filed, is not also held for a person to look at, and whose bytes are all in the object store.

    Raises:
        whatever the object store says when it can't be asked.
    """
    filed, held = here.filed, here.held
    failed: dict[Reference, int] = {}
    places: list[tuple[Reference, str, int]] = []
    for reference in asked.references:
        sop_class, uid = reference
        if uid in held:
            failed[reference] = PROCESSING_FAILURE
        elif uid not in filed:
            if now < asked.asked_at + ON_THE_WAY:
                return None
            failed[reference] = NO_SUCH_INSTANCE
        elif filed[uid][0] != sop_class:
            failed[reference] = CLASS_CONFLICT
        else:
            places.append((reference, *filed[uid][1:]))
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        whole = pool.map(lambda place: _is_whole(objects, place[1], place[2]), places)
        failed.update((place[0], PROCESSING_FAILURE) for place, good in zip(places, whole, strict=True) if not good)
    committed = tuple(r for r in asked.references if r not in failed)
    return Verdict(committed, tuple((r, failed[r]) for r in asked.references if r in failed))


def claim(work: Work, commitment_id: UUID, *, only_due: bool) -> CommitmentFacts | None:
    """Begins a try; nobody else tries meanwhile. None: it is over, or not due although it should be."""
    row = _locked(work, commitment_id)
    if row.state != "waiting" or (only_due and row.next_attempt_at > work.now):
        return None
    row.attempts, row.next_attempt_at = row.attempts + 1, work.now + CLAIMED
    _record(work, "commitment.began", row)
    return _facts(row)


def put_off(work: Work, commitment_id: UUID) -> None:
    """Something may still be on its way: looked at again when it must have come."""
    row = _locked(work, commitment_id)
    if row.state == "waiting":
        row.next_attempt_at = max(row.asked_at + ON_THE_WAY, work.now + timedelta(seconds=1))
        row.attempts = max(row.attempts - 1, 0)
        _record(work, "commitment.put_off", row)


def note_reported(work: Work, commitment_id: UUID, told: Verdict) -> None:
    """The caller has taken the report."""
    row = _locked(work, commitment_id)
    row.state, row.finished_at, row.error, row.failed = "reported", work.now, None, len(told.failed)
    _record(work, "commitment.reported", row)


def note_undelivered(work: Work, commitment_id: UUID, error: str) -> None:
    """The report did not arrive: tried again later, for a day. `error`: in words without patient data."""
    row = _locked(work, commitment_id)
    if row.state != "waiting":
        return
    row.error = error
    wait = min(_FIRST_WAIT * 2 ** min(max(row.attempts - 1, 0), 10), _LONGEST_WAIT)
    if work.now + wait > row.asked_at + GIVEN_UP_AFTER:
        row.state, row.finished_at = "given_up", work.now
        _record(work, "commitment.given_up", row, outcome="failed", reason=error)
    else:
        row.next_attempt_at = work.now + wait
        _record(work, "commitment.undelivered", row, outcome="failed", reason=error)


def forget_old(work: Work, organization_id: UUID) -> int:
    """Deletes an organisation's commitments that are over since `KEPT_FOR`, at most 5000 at once; how many."""
    old = (
        select(Commitment.id)
        .where(Commitment.organization_id == organization_id, Commitment.finished_at < work.now - KEPT_FOR)
        .limit(_FORGOTTEN_AT_ONCE)
    )
    number = len(work.session.scalars(delete(Commitment).where(Commitment.id.in_(old)).returning(Commitment.id)).all())
    if number:
        detail = {"commitments": number, "kept_days": KEPT_FOR.days}
        work.record("commitment.forgotten", organization_id=organization_id, detail=detail)
    return number


def due(session: ActorSession, now: datetime) -> list[tuple[UUID, UUID, UUID]]:
    """(commitment, organisation, caller) of what should have a job and has none."""
    return [(r[0], r[1], r[2]) for r in session.execute(_DUE, {"now": now, "task": TASK})]


def enqueue(work: Work, commitment_id: UUID, organization_id: UUID, caller_id: UUID) -> None:
    """A job for what is due; a caller's reports go out one after another."""
    work.enqueue(
        TASK,
        queue=QUEUE,
        lock=f"commitment/{caller_id}",
        organization_id=organization_id,
        commitment_id=commitment_id,
    )


def look(session: ActorSession, asked: CommitmentFacts) -> Here:
    """What the organisation has of these objects."""
    uids = list({uid for _, uid in asked.references})
    filed: dict[str, tuple[str, str, int]] = {}
    held: set[str] = set()
    for at in range(0, len(uids), _CHUNK):
        some = uids[at : at + _CHUNK]
        for i in session.execute(
            select(
                Instance.sop_instance_uid,
                Instance.sop_class_uid,
                Instance.object_key,
                Instance.object_offset + Instance.object_length,
            ).where(Instance.organization_id == asked.organization_id, Instance.sop_instance_uid.in_(some))
        ):
            filed[i[0]] = (i[1], i[2], i[3])
        held.update(
            uid
            for uid in session.scalars(
                select(HeldObject.sop_instance_uid).where(
                    HeldObject.organization_id == asked.organization_id,
                    HeldObject.sop_instance_uid.in_(some),
                    HeldObject.resolved_at.is_(None),
                )
            )
            if uid
        )
    return Here(filed, held)


def _is_whole(objects: Objects, key: str, end: int) -> bool:
    """Whether an object's bytes up to `end` are there."""
    size = objects.size(key)
    return size is not None and size >= end


def _facts(row: Commitment) -> CommitmentFacts:
    references = tuple((str(c), str(i)) for c, i in row.references)
    return CommitmentFacts(
        row.id, row.organization_id, row.caller_id, row.calling_ae, row.called_ae, row.transaction_uid, references,
        row.asked_at, row.attempts,
    )  # fmt: skip


def _locked(work: Work, commitment_id: UUID) -> Commitment:
    row = work.session.get(Commitment, commitment_id, with_for_update=ROW_LOCK, populate_existing=True)
    if row is None:
        raise NotFound
    return row


def _record(work: Work, action: str, row: Commitment, *, outcome: str = "done", reason: str | None = None) -> None:
    work.session.flush()
    work.record(
        action,
        organization_id=row.organization_id,
        outcome=outcome,
        subject_kind="commitment",
        subject_id=row.id,
        reason=reason,
        detail={
            "caller_id": str(row.caller_id),
            "references": len(row.references),
            "failed": row.failed,
            "attempt": row.attempts,
        },
    )
