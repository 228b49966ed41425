"""Who reads: the platform chooses the least loaded of the eligible, or a coordinator names one, within the same hard rules.

Each decision is kept with every reader's verdict and written reason: it can be shown later why this reader, and why not each other one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from heliograph.care.worklist.access import locked_case, locked_read, own_read, steered_read
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.care.worklist.errors import NotEligible, OnHold, ReasonNeeded
from heliograph.care.worklist.events import ReadAssigned
from heliograph.care.worklist.facts import candidates, case_facts, loads_of, lock_readers
from heliograph.care.worklist.holds import is_on_hold
from heliograph.care.worklist.model import Assignment, Case, Read
from heliograph.care.worklist.recording import record_step
from heliograph.care.worklist.rules import eligibility
from heliograph.care.worklist.states import next_state
from heliograph.care.worklist.verdicts import Verdict, choose, explained, outcome_key, summary
from heliograph.governance.tenancy import grants
from heliograph.kit.actor import system
from heliograph.kit.db.session import acting_as
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work


@dataclass(frozen=True, slots=True)
class Assigned:
    """What came of it: the reader, or None and why nobody."""

    reader_id: UUID | None
    reason: str
    verdicts: tuple[Verdict, ...]


def assign_read(
    work: Work,
    read_id: UUID,
    to_reader_id: UUID | None = None,
    reason: str | None = None,
    override_reason: str | None = None,
) -> Assigned:
    """A coordinator gives a read to a reader (or, without one, has the platform choose somebody else). The reason is kept.

    Hard rules hold here too: `override_reason` changes nothing in this version.

    Raises: NotFound, ReasonNeeded, IllegalStep, OnHold, NotEligible (with the checks).
    """
    if not (reason or "").strip():
        raise ReasonNeeded()
    case, read = steered_read(work, read_id)
    if to_reader_id is not None and read.reader_id == to_reader_id and read.state == "assigned":
        return Assigned(to_reader_id, "Has it already", ())
    next_state(read.state, "assign")
    if is_on_hold(work.session, case.id):
        raise OnHold()
    before = read.reader_id
    verdicts = verdicts_for(work, case, read, lock=True)
    if to_reader_id is None:
        return _settle(work, case, read, verdicts, reason=reason, excluded={before} if before else set())
    chosen = next((v for v in verdicts if v.reader_id == to_reader_id), None)
    if chosen is None:
        raise NotFound("There is no such reader for this case.")
    if not chosen.eligible:
        words = "; ".join(c.text for c in chosen.blocking)
        refused = "A hard rule can't be overridden. " if override_reason else ""
        raise NotEligible(f"{refused}{chosen.name}: {words}.", checks=[_document(c) for c in chosen.blocking])
    return _give(work, case, read, chosen, verdicts, reason=reason, by_hand=True)


def assign_automatically(work: Work, case: Case, read: Read) -> Assigned:
    """The platform looks for the least loaded eligible reader of a ready read. Nobody: alarm at once, and the read stays ready.

    `case` and `read` are locked by the caller. Who handed this read back doesn't get it again by the platform.
    """
    if read.state != "ready" or is_on_hold(work.session, case.id):
        return Assigned(None, "Not waiting for a reader", ())
    with _as_platform(work, case):
        return _settle(
            work, case, read, verdicts_for(work, case, read, lock=True), excluded=_handed_back_by(work, read)
        )


def assign_to_first(work: Work, case: Case, read: Read, reader_id: UUID) -> bool:
    """Gives a ready read (an addendum) to who read the case first, if the rules still let them. False: they don't."""
    if read.state != "ready" or is_on_hold(work.session, case.id):
        return False
    with _as_platform(work, case):
        verdicts = verdicts_for(work, case, read, lock=True)
        first = next((v for v in verdicts if v.reader_id == reader_id and v.eligible), None)
        if first is not None:
            _give(work, case, read, first, verdicts)
    return first is not None


def hand_back(work: Work, read_id: UUID, reason: str) -> Assigned:
    """The reader gives a read back; it is offered to others at once. Raises: NotFound, ReasonNeeded, IllegalStep."""
    if not reason.strip():
        raise ReasonNeeded()
    case, read = own_read(work, read_id)
    give_back_to_queue(work, case, read, "handed_back", reason.strip())
    return assign_automatically(work, case, read)


def give_back_to_queue(
    work: Work, case: Case, read: Read, occasion: str, reason: str, verdict: Verdict | None = None
) -> None:
    """Takes the read from its reader, by themselves (`handed_back`) or by the rules (`no_longer_eligible`): ready again.

    Raises: IllegalStep.
    """
    had = read.reader_id
    read.state = next_state(read.state, "give_back")
    read.reader_id, read.engagement_id, read.assigned_at, read.opened_at = None, None, None, None
    work.session.flush()
    keep(work, case, read, occasion, had, [verdict] if verdict else [], reason=reason)
    record_step(work, f"read.{occasion}", case, read, reason=reason, reader_id=had)


def verdicts_for(work: Work, case: Case, read: Read, *, lock: bool = False) -> list[Verdict]:
    """The verdict on every candidate now. With `lock` the eligible are locked and counted again, so that capacity is exact."""
    at = work.now
    facts = case_facts(work.session, case, read, at)
    known = candidates(work.session, facts, read, at)
    verdicts = [eligibility(facts, c, at) for c in known]
    hopeful = [v.reader_id for v in verdicts if v.eligible]
    if not lock or not hopeful:
        return verdicts
    lock_readers(work.session, hopeful)
    loads = loads_of(work.session, hopeful, at)
    again = {
        c.reader.reader_id: replace(c, open=load.open, assigned_today=load.assigned_today)
        for c in known
        if (load := loads.get(c.reader.reader_id)) is not None
    }
    return [eligibility(facts, again[v.reader_id], at) if v.reader_id in again else v for v in verdicts]


def keep(
    work: Work,
    case: Case,
    read: Read,
    occasion: str,
    reader_id: UUID | None,
    verdicts: list[Verdict],
    *,
    reason: str | None = None,
    engagement_id: UUID | None = None,
    by_hand: bool = False,
) -> None:
    """Keeps the proof of a decision."""
    work.session.add(
        Assignment(
            organization_id=case.organization_id,
            case_id=case.id,
            read_id=read.id,
            occasion=occasion,
            reader_id=reader_id,
            engagement_id=engagement_id,
            decided_by=work.actor.id if by_hand else None,
            reason=reason,
            verdicts=[v.as_document() for v in verdicts],
            assigned_at=work.now,
        )
    )
    work.session.flush()


def _settle(
    work: Work,
    case: Case,
    read: Read,
    verdicts: list[Verdict],
    *,
    reason: str | None = None,
    excluded: Collection[UUID] = (),
) -> Assigned:
    others = [v for v in verdicts if v.reader_id not in excluded]
    chosen = choose(others)
    if chosen is not None:
        return _give(work, case, read, chosen, verdicts, reason=reason, excluded=excluded)
    if reason is not None:
        raise NotEligible("Nobody else may read it. " + summary(explained(others, None)))
    return _nobody(work, case, read, explained(verdicts, None, excluded=excluded))


def _give(
    work: Work,
    case: Case,
    read: Read,
    chosen: Verdict,
    verdicts: list[Verdict],
    *,
    reason: str | None = None,
    by_hand: bool = False,
    excluded: Collection[UUID] = (),
) -> Assigned:
    """Assigns to `chosen`, whose row is locked; the case moves to the group under whose agreement they read."""
    before = read.reader_id
    read.state = next_state(read.state, "assign")
    read.reader_id, read.engagement_id = chosen.reader_id, chosen.engagement_id
    read.assigned_at, read.opened_at = work.now, None
    if chosen.group_id is not None and chosen.group_id != case.group_organization_id:
        work.touch("case", case.id, case.group_organization_id)  # those who had it see it go
        case.group_organization_id, case.agreement_id = chosen.group_id, chosen.agreement_id
    offer_to_group(work, case)
    work.session.flush()
    is_again = before is not None or reason is not None
    told = explained(verdicts, chosen.reader_id, by_hand=work.actor.name if by_hand else None, excluded=excluded)
    why = next(v.why for v in told if v.is_assigned)
    keep(
        work, case, read, "reassigned" if is_again else "assigned", chosen.reader_id, told,
        reason=reason, engagement_id=chosen.engagement_id, by_hand=reason is not None,
    )  # fmt: skip
    record_step(
        work, "read.reassigned" if is_again else "read.assigned", case, read, reason=reason,
        reader_id=chosen.reader_id, why=why, had_it=before,
    )  # fmt: skip
    clear_alarm(work, "no_reader", read.id)
    work.announce(ReadAssigned(case.organization_id, case.id, read.id, chosen.reader_id))
    return Assigned(chosen.reader_id, why, tuple(told))


def _nobody(work: Work, case: Case, read: Read, told: list[Verdict]) -> Assigned:
    """Nobody is eligible: alarm, with the reasons. Recorded only when who is kept off by which rule has changed."""
    words = summary(told)
    last = work.session.scalar(
        select(Assignment)
        .where(Assignment.read_id == read.id)
        .order_by(Assignment.assigned_at.desc(), Assignment.id.desc())
        .limit(1)
    )
    now = outcome_key([v.as_document() for v in told])
    if last is not None and last.occasion == "no_reader" and outcome_key(last.verdicts) == now:
        return Assigned(None, words, tuple(told))
    keep(work, case, read, "no_reader", None, told, reason=words)
    record_step(work, "read.no_reader", case, read, reason=words)
    raise_alarm(work, case.organization_id, "no_reader", "read", read.id, words, case_id=case.id)
    return Assigned(None, words, tuple(told))


@contextmanager
def _as_platform(work: Work, case: Case) -> Iterator[None]:
    """Inside the block the platform acts for the case's owner, in whosever transaction it is."""
    before, platform = work.actor, system("dispatch", case.organization_id)
    with acting_as(work.session, platform):
        work.actor = platform
        try:
            yield
        finally:
            work.actor = before


def _handed_back_by(work: Work, read: Read) -> set[UUID]:
    rows = work.session.scalars(
        select(Assignment.reader_id).where(Assignment.read_id == read.id, Assignment.occasion == "handed_back")
    )
    return {r for r in rows if r}


def offer_to_group(work: Work, case: Case) -> None:
    """Lets the case's group see the patient, for this case."""
    if case.group_organization_id is None or case.patient_id is None:
        return
    with _as_platform(work, case):
        grants.give(
            work,
            case.organization_id,
            case.group_organization_id,
            "interpretation",
            patient_id=case.patient_id,
            case_id=case.id,
            agreement_id=case.agreement_id,
        )


def retry_waiting(work: Work, read_id: UUID) -> Assigned:
    """Looks again for a reader of a read that is ready. Raises: NotFound."""
    read = work.session.get(Read, read_id)
    if read is None:
        raise NotFound()
    case = locked_case(work, read.case_id)
    return assign_automatically(work, case, locked_read(work, read_id))


def _document(check: Any) -> dict[str, str]:
    return {"rule": check.rule, "outcome": check.outcome, "text": check.text, "source": check.source}
