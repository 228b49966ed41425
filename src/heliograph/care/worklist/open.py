"""Opening and completing a read. The rules run again at both: who may no longer read gets a refusal, and the read goes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from heliograph.care.worklist.access import locked_case, locked_read, own_read
from heliograph.care.worklist.alarms import clear_alarm
from heliograph.care.worklist.assign import assign_automatically, give_back_to_queue, keep
from heliograph.care.worklist.errors import NoLongerEligible, OnHold
from heliograph.care.worklist.facts import candidates, case_facts
from heliograph.care.worklist.holds import is_on_hold
from heliograph.care.worklist.model import Case, Read
from heliograph.care.worklist.recording import record_step
from heliograph.care.worklist.rules import eligibility
from heliograph.care.worklist.states import HELD_BY_READER, next_state
from heliograph.care.worklist.verdicts import Check, Verdict
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work, WorkFactory


def open_read(work: Work, read_id: UUID) -> Verdict:
    """The reader opens a read that is assigned to them; the rules run again. Opening it again changes nothing.

    Run inside `giving_back`, so that on a refusal the read returns to the queue although this transaction is rolled back.

    Raises: NotFound, OnHold, IllegalStep, NoLongerEligible (with the checks).
    """
    case, read = own_read(work, read_id)
    state = next_state(read.state, "open")
    if is_on_hold(work.session, case.id):
        raise OnHold()
    was_reading = read.state == "reading"
    verdict = check_still_eligible(work, read_id, "reopened" if was_reading else "opened")
    if was_reading:
        return verdict
    read.state, read.opened_at = state, work.now
    work.session.flush()
    record_step(work, "read.opened", case, read, reader_id=read.reader_id)
    return verdict


def check_still_eligible(work: Work, read_id: UUID, occasion: str) -> Verdict:
    """Runs the rules again for the read's reader, at its opening or signing, and keeps the proof (`opened`, `signed`).

    Raises: NotFound, NoLongerEligible (with the checks).
    """
    read = work.session.get(Read, read_id)
    if read is None or read.reader_id is None:
        raise NotFound()
    case = locked_case(work, read.case_id)
    read = locked_read(work, read_id)
    verdict = _verdict_now(work, case, read)
    if not verdict.eligible:
        raise NoLongerEligible(
            "You may no longer read this case: "
            + "; ".join(c.text for c in verdict.blocking)
            + ". It went back to the queue.",
            checks=[_document(c) for c in verdict.checks],
            read_id=str(read.id),
            action=f"read.{occasion}",
            organization_id=case.organization_id,
            case_id=case.id,
        )
    if occasion in ("opened", "signed"):
        keep(work, case, read, occasion, read.reader_id, [verdict], engagement_id=read.engagement_id)
    return verdict


def complete_read(work: Work, read_id: UUID) -> None:
    """The read's report was signed. Completing it twice changes nothing. Raises: NotFound, IllegalStep."""
    read = work.session.get(Read, read_id)
    if read is None:
        raise NotFound()
    case = locked_case(work, read.case_id)
    read = locked_read(work, read_id)
    if read.state == "done":
        return
    read.state, read.done_at = next_state(read.state, "complete"), work.now
    work.session.flush()
    record_step(work, "read.done", case, read, reader_id=read.reader_id)
    clear_alarm(work, "promise_broken", case.id)
    clear_alarm(work, "late_images", case.id)
    clear_alarm(work, "identity_changed", case.id)


@contextmanager
def giving_back(works: WorkFactory) -> Iterator[None]:
    """Around the transaction that opens or signs: when the rules no longer hold, commits that the read goes back to the queue and is
    offered to others at once, then lets the refusal through."""
    try:
        yield
    except NoLongerEligible as refusal:
        organization_id, read_id = refusal.extra["organization_id"], UUID(refusal.extra["read_id"])
        with works.begin(system("dispatch", organization_id)) as work:
            give_back_ineligible(work, read_id)
        raise


def give_back_ineligible(work: Work, read_id: UUID) -> bool:
    """Takes a read from a reader whom the rules now keep off, and offers it to others. False: the rules let them keep it."""
    read = work.session.get(Read, read_id)
    if read is None or read.state not in HELD_BY_READER or read.reader_id is None:
        return False
    case = locked_case(work, read.case_id)
    read = locked_read(work, read_id)
    if read.state not in HELD_BY_READER or read.reader_id is None:
        return False
    verdict = _verdict_now(work, case, read)
    if verdict.eligible:
        return False
    words = "; ".join(c.text for c in verdict.blocking)
    give_back_to_queue(work, case, read, "no_longer_eligible", words, verdict)
    assign_automatically(work, case, read)
    return True


def _verdict_now(work: Work, case: Case, read: Read) -> Verdict:
    facts = case_facts(work.session, case, read, work.now)
    known = candidates(work.session, facts, read, work.now)
    mine = next((c for c in known if c.reader.reader_id == read.reader_id), None)
    if mine is None:
        # No covering agreement's group engages them any more: judged without any offer.
        none: tuple[Check, ...] = (
            Check("engagement", "fail", "No agreement that covers this exam engages them", facts.facility_name),
        )
        reader_id = read.reader_id
        if reader_id is None:
            raise NotFound()
        return Verdict(reader_id, "", "", none, 0, 0)
    return eligibility(facts, mine, work.now)


def _document(check: Check) -> dict[str, Any]:
    return {"rule": check.rule, "outcome": check.outcome, "text": check.text, "source": check.source}
