"""Loads what the rules ask: the facts of a case and of its candidates, in few statements however many readers there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.exam_classes import ExamClass, find_exam_class
from heliograph.care.rota.queries import shifts_of_readers
from heliograph.care.worklist.model import Case, Read
from heliograph.care.worklist.rules import Candidate, CaseFacts, Offer
from heliograph.care.worklist.states import HELD_BY_READER
from heliograph.kit.db.session import ActorSession
from heliograph.records.agreements.queries import AgreementFacts, agreements_for
from heliograph.records.agreements.rules import coverage
from heliograph.records.people.queries import ReaderFacts, facts_of_groups
from heliograph.records.sites.queries import facility

_LOAD = text("select reader_id, open, assigned from worklist.reader_load(cast(:ids as uuid[]), :since)")
AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Load:
    """What a reader has open over all groups and clients, and was given today (UTC)."""

    open: int = 0
    assigned_today: int = 0


def class_of(exam_class: str) -> ExamClass:
    """The exam class; one that the product no longer knows counts as not recognised."""
    found = find_exam_class(exam_class) or find_exam_class("other_general")
    if found is None:
        raise LookupError("the exam class other_general is missing")
    return found


def covering_agreements(
    session: ActorSession, organization_id: UUID, exam_class: str, at: datetime
) -> list[AgreementFacts]:
    """The client's agreements that cover the exam class at `at`, the most specific first."""
    exam = class_of(exam_class)
    found = [
        (coverage(a.exam_classes, exam.id, exam.subspecialty), a) for a in agreements_for(session, organization_id, at)
    ]
    return [a for c, a in sorted(found, key=lambda f: -f[0]) if c]


def case_facts(session: ActorSession, case: Case, read: Read, at: datetime) -> CaseFacts:
    """The facts of a case at `at`. `read` may have a deadline of its own."""
    exam = class_of(case.exam_class)
    place = facility(session, case.facility_id)
    if place is None:
        raise LookupError("the case's facility is missing")
    return CaseFacts(
        case_id=case.id,
        exam_name=exam.name,
        subspecialty=exam.subspecialty,
        also_qualified=exam.also_qualified,
        facility_id=place.id,
        facility_name=place.short_name,
        jurisdiction=place.jurisdiction,
        time_zone=place.time_zone,
        report_languages=tuple(place.report_languages),
        offers=tuple(
            Offer(a.id, a.group_organization_id, a.group_name, a.version, a.read_kind, a.viewing_places, a.valid_until)
            for a in covering_agreements(session, case.organization_id, case.exam_class, at)
        ),
        due_at=read.due_at or case.due_at,
    )


def candidates(
    session: ActorSession, case: CaseFacts, read: Read, at: datetime, loads: dict[UUID, Load] | None = None
) -> list[Candidate]:
    """Every reader whom a covering group engages or engaged, with shifts and load."""
    readers = facts_of_groups(session, [o.group_id for o in case.offers])
    return _candidates(session, readers, read, at, loads)


def loads_of(session: ActorSession, reader_ids: Sequence[UUID], at: datetime) -> dict[UUID, Load]:
    """Load of some readers; those without any are left out."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = session.execute(_LOAD, {"ids": list(reader_ids), "since": midnight})
    return {r.reader_id: Load(r.open, r.assigned) for r in rows}


def lock_readers(session: ActorSession, reader_ids: Sequence[UUID]) -> None:
    """Until the end of the transaction nobody else gives these readers a read: capacity is then counted exactly. In one order, so
    that two assignments never wait for each other."""
    session.execute(
        text("select id from people.readers where id = any(:ids) order by id for no key update"),
        {"ids": sorted(reader_ids)},
    )


def _candidates(
    session: ActorSession, readers: Sequence[ReaderFacts], read: Read, at: datetime, loads: dict[UUID, Load] | None
) -> list[Candidate]:
    ids = [r.reader_id for r in readers]
    since = min(at, read.opened_at or at) - timedelta(seconds=1)
    shifts = shifts_of_readers(session, ids, since, at + AHEAD)
    known = loads if loads is not None else loads_of(session, ids, at)
    made = []
    for reader in readers:
        load = known.get(reader.reader_id, Load())
        holds = read.reader_id == reader.reader_id and read.state in HELD_BY_READER
        made.append(
            Candidate(
                reader=reader,
                shifts=tuple(shifts.get(reader.reader_id, ())),
                open=load.open,
                assigned_today=load.assigned_today,
                holds_it=holds,
                opened_at=read.opened_at if holds and read.state == "reading" else None,
            )
        )
    return made
