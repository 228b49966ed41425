"""What may be asked about: studies and objects that wait for a person, and open cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.access import is_staff, may_coordinate
from heliograph.care.questions.rules import May, Standing, SubjectKind, may
from heliograph.care.worklist.access import case_for
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import held
from heliograph.records.archive.queries import StudyFacts, studies, study

WAITS = frozenset({"unmatched", "held"})
ALIKE = """h.organization_id = asked.organization_id and (h.id = asked.id or h.study_instance_uid = asked.study_instance_uid
    and h.facility_id is not distinct from asked.facility_id and h.reason = asked.reason and h.detail = asked.detail
    and h.proposal is not distinct from asked.proposal)"""
"""Objects of which a person decides at once, as `records.archive.held` groups them: one question counts for all of them."""
_ENTRIES = text(
    """
    select asked.id as asked_id, (array_agg(h.id order by h.received_at desc, h.id desc))[1] as id, count(*) as number,
           min(h.detail) as detail
    from archive.held_objects asked join archive.held_objects h on h.resolved_at is null and {alike}
    where asked.id = any(:ids) group by asked.id
    """.replace("{alike}", ALIKE)
)
_CASES = text("select id, description from worklist.cases where id = any(:ids)")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about. `id` is what a page knows it by: of objects that wait alike the newest."""

    kind: SubjectKind
    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    waits: bool


@dataclass(frozen=True, slots=True)
class About:
    """A subject in a line, without its patient's name; `id` as in `Subject`."""

    id: UUID
    words: str


def subject_for(work: Work, kind: SubjectKind, subject_id: UUID) -> Subject:
    """Something that the actor works with: staff of its facility, or a coordinator who looks after it. Raises: NotFound."""
    found = _find(work, kind, subject_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound
    return found


def _find(work: Work, kind: SubjectKind, subject_id: UUID) -> Subject | None:
    if kind == "study":
        one = study(work.session, subject_id)
        return Subject(kind, one.id, one.organization_id, one.facility_id, _waits(one)) if one else None
    if kind == "held_object":
        found = held.held_object(work.session, subject_id)
        return Subject(kind, found.id, found.organization_id, found.facility_id, waits=True) if found else None
    case = case_for(work, subject_id)
    return Subject(kind, case.id, case.organization_id, case.facility_id, case.closed_at is None)


def _waits(one: StudyFacts) -> bool:
    return one.match_state in WAITS and one.number_of_instances > 0


def may_here(work: Work, organization_id: UUID, facility_id: UUID | None, asked_by: UUID | None = None) -> May:
    """What the actor may do about a facility's questions, and about one that `asked_by` asked."""
    groups = work.actor.organizations_with("coordinator")
    return may(
        Standing(
            is_staff=facility_id is not None and is_staff(work, organization_id, facility_id),
            is_coordinator=organization_id in groups or organization_id in coordinated_clients(work.session, groups),
            is_asker=asked_by is not None and asked_by == work.actor.id,
        )
    )


def about(session: ActorSession, subjects: Iterable[tuple[str, UUID]]) -> dict[UUID, About]:
    """What each of (kind, id) is, by id, in a statement a kind; what is gone, or settled, is left out."""
    ids: dict[str, list[UUID]] = {}
    for kind, subject_id in subjects:
        ids.setdefault(kind, []).append(subject_id)
    made = {i: About(i, _of_study(one)) for i, one in studies(session, ids.get("study", ())).items()}
    for row in session.execute(_ENTRIES, {"ids": ids["held_object"]}) if "held_object" in ids else ():
        words = "An object" if row.number == 1 else f"{row.number} objects"
        made[row.asked_id] = About(row.id, f"{words} in quarantine: {row.detail}")
    for row in session.execute(_CASES, {"ids": ids["case"]}) if "case" in ids else ():
        made[row.id] = About(row.id, row.description)
    return made


def _of_study(one: StudyFacts) -> str:
    number = one.number_of_instances
    name = one.study_description or " ".join(one.modalities) or "Study"
    accession = f", accession {one.accession_number}" if one.accession_number else ""
    return f"{name}, {number} image{'' if number == 1 else 's'}{accession}"
