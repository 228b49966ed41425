"""A patient as those see them who put identity right: studies, orders, reports, merges, and whom they may be one with.

Cases and reports are rows of rooms above, read by their tables' names, never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.access import may_coordinate
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.patients.merge import MergeFacts, merges_of
from heliograph.records.patients.queries import PatientFacts, going_on, patient
from heliograph.records.patients.search import Hit, alike, look_up

_STUDIES = text(
    "select s.id, s.study_description as description, s.modalities, s.study_date, s.accession_number as accession, s.facility_id, "
    "s.number_of_instances, s.match_state, s.study_instance_uid, "
    "(select cs.case_id from worklist.case_studies cs where cs.study_id = s.id order by cs.added_at desc limit 1) as case_id "
    "from archive.studies s where s.patient_id = :patient "
    "and (cast(:facilities as uuid[]) is null or s.facility_id = any(cast(:facilities as uuid[]))) "
    ""
    "order by s.study_date desc nulls last, s.id desc limit 200"
)
_ORDERS = text(
    "select o.id, o.accession_number as accession, o.status, o.priority, o.received_at, o.facility_id, "
    "coalesce((select string_agg(p.description, ' + ' order by p.position) from orders.requested_procedures p "
    "where p.order_id = o.id and not p.is_cancelled), 'Order') as description, "
    "(select cp.case_id from worklist.case_procedures cp join orders.requested_procedures p on p.id = cp.requested_procedure_id "
    "where p.order_id = o.id order by cp.case_id desc limit 1) as case_id "
    "from orders.orders o where o.patient_id = :patient "
    "and (cast(:facilities as uuid[]) is null or o.facility_id = any(cast(:facilities as uuid[]))) "
    "order by o.received_at desc, o.id desc limit 200"
)
_REPORTS = text(
    "select v.id as version_id, v.case_id, c.patient_id as case_patient_id, c.description as exam, c.facility_id, v.number, v.kind, "
    "v.state, v.signer_name, v.signed_at, cast(v.content #>> '{subject,patient_id}' as uuid) as signed_for_id, "
    "array(select jsonb_array_elements_text(v.content #> '{subject,study_instance_uids}')) as study_uids "
    "from worklist.cases c join reading.report_versions v on v.case_id = c.id "
    "where c.patient_id = any(:patients) and (cast(:facilities as uuid[]) is null or c.facility_id = any(cast(:facilities as uuid[]))) "
    "order by v.signed_at desc, v.number desc limit 200"
)
_FILED_BEFORE = text(
    "select distinct x.id from archive.corrections k cross join lateral "
    "(values (k.patient_id), (cast(k.originals ->> 'patient' as uuid))) x(id) "
    "where k.study_id = any(:studies) and x.id is not null"
)
"""Under whom studies were filed before they were put right."""
_WHOSE = text(
    "select study_instance_uid, patient_id from archive.studies where organization_id = :organization and study_instance_uid = any(:uids)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Who may ask for which patients of an organisation: all of them, or those of some facilities."""

    organization_id: UUID
    facilities: tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A study of the patient."""

    id: UUID
    description: str | None
    modalities: list[str]
    study_date: date | None
    accession: str | None
    facility_id: UUID
    number_of_instances: int
    match_state: str
    study_instance_uid: str
    case_id: UUID | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order of the patient."""

    id: UUID
    accession: str | None
    status: str
    priority: str
    received_at: datetime
    facility_id: UUID
    description: str
    case_id: UUID | None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A signed version about the patient, or about images that were theirs.

    `signed_for_id` is whom it names where that is another patient than this one. `images_of_id` is whose its images are now, where
    they are no longer this patient's. Such a report is flagged, never moved.
    """

    version_id: UUID
    case_id: UUID
    exam: str
    facility_id: UUID
    number: int
    kind: str
    state: str
    signer_name: str
    signed_at: datetime
    signed_for_id: UUID | None
    images_of_id: UUID | None


@dataclass(frozen=True, slots=True)
class PatientFile:
    """All of a patient that somebody needs who says whether two are one."""

    patient: PatientFacts = field(repr=False)
    goes_on_as: UUID | None
    """Into whom the patient was merged, at the end of all merges."""
    may_merge: bool
    studies: list[StudyLine] = field(repr=False)
    orders: list[OrderLine] = field(repr=False)
    reports: list[ReportLine] = field(repr=False)
    merges: list[MergeFacts] = field(repr=False)
    near: list[Hit] = field(repr=False)


def places_of(work: Work) -> list[Place]:
    """Of which clients, and where, the actor puts identity right: staff of the site, or a coordinator who looks after it."""
    actor = work.actor
    coordinated = actor.organizations_with("coordinator")
    whole = {*coordinated, *coordinated_clients(work.session, coordinated)} if coordinated else set()
    staff = [r for r in actor.roles if r.role == "site_staff"]
    whole |= {r.organization_id for r in staff if r.facility_id is None}
    narrowed: dict[UUID, list[UUID]] = {}
    for role in staff:
        if role.facility_id is not None and role.organization_id not in whole:
            narrowed.setdefault(role.organization_id, []).append(role.facility_id)
    return [Place(one, None) for one in sorted(whole)] + [Place(o, tuple(f)) for o, f in sorted(narrowed.items())]


def find_patients(work: Work, words: str, born: date | None, organization_id: UUID | None = None) -> list[Hit]:
    """Patients of the clients that the actor looks after (see `look_up`); a role at one facility finds those who were there.

    Raises:
        NotFound: the actor does not look after that organisation.
    """
    places = [p for p in places_of(work) if organization_id in (None, p.organization_id)]
    if organization_id is not None and not places:
        raise NotFound
    found = look_up(work.session, [p.organization_id for p in places if p.facilities is None], words, born)
    for place in places:
        if place.facilities is not None:
            hits = look_up(work.session, [place.organization_id], words, born)
            found += [h for h in hits if _was_at(work.session, h.patient.id, place.facilities)]
    return found


def patient_file(work: Work, patient_id: UUID) -> PatientFile:
    """A patient with all that follows them. Raises NotFound: absent, not visible, or not of where the actor works."""
    session, found = work.session, patient(work.session, patient_id)
    place = next((p for p in places_of(work) if found is not None and p.organization_id == found.organization_id), None)
    if found is None or place is None:
        raise NotFound
    if place.facilities is not None and not _was_at(session, patient_id, place.facilities):
        raise NotFound
    merges = merges_of(session, patient_id)
    values = {"patient": patient_id, "facilities": list(place.facilities) if place.facilities else None}
    studies = [StudyLine(*row) for row in session.execute(_STUDIES, values)]
    went_on = going_on(session, patient_id)
    may_merge = may_coordinate(work, found.organization_id, everywhere=True)
    return PatientFile(
        patient=found,
        goes_on_as=went_on.id if went_on is not None and went_on.id != patient_id else None,
        may_merge=may_merge,
        studies=studies,
        orders=[OrderLine(*row) for row in session.execute(_ORDERS, values)],
        reports=_reports(session, found, place, studies, merges),
        merges=merges,
        near=alike(session, patient_id) if may_merge else [],
    )


def _was_at(session: ActorSession, patient_id: UUID, facilities: Sequence[UUID]) -> bool:
    """Whether there is a study or an order of the patient at one of these."""
    values = {"patient": patient_id, "facilities": list(facilities)}
    return any(session.execute(query, values).first() is not None for query in (_STUDIES, _ORDERS))


def _reports(
    session: ActorSession, of: PatientFacts, place: Place, studies: Sequence[StudyLine], merges: Sequence[MergeFacts]
) -> list[ReportLine]:
    theirs = {of.id, *(m.merged_id for m in merges if m.survivor_id == of.id and m.undone_at is None)}
    before = set(session.scalars(_FILED_BEFORE, {"studies": [s.id for s in studies]})) if studies else set()
    facilities = list(place.facilities) if place.facilities else None
    rows = session.execute(_REPORTS, {"patients": list(theirs | before), "facilities": facilities}).all()
    uids = {s.study_instance_uid for s in studies}
    rows = [r for r in rows if r.case_patient_id in theirs or uids & set(r.study_uids)]
    told = {uid for row in rows for uid in row.study_uids}
    asked = session.execute(_WHOSE, {"organization": of.organization_id, "uids": list(told)})
    whose: dict[str, UUID | None] = {row.study_instance_uid: row.patient_id for row in asked}
    lines = []
    for r in rows:
        now = {owner for uid in r.study_uids if (owner := whose.get(uid)) is not None}
        lines.append(
            ReportLine(
                r.version_id, r.case_id, r.exam, r.facility_id, r.number, r.kind, r.state, r.signer_name, r.signed_at,
                r.signed_for_id if r.signed_for_id != of.id else None,
                next(iter(sorted(now - {of.id})), None),
            )
        )  # fmt: skip
    return lines
