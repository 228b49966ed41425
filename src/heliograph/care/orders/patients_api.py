"""Routes for finding a patient, and for all that belongs to one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.care.orders.patients import PatientFile, find_patients, patient_file
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.governance.access.users import names_of_users
from heliograph.governance.tenancy.queries import organizations
from heliograph.kit.work import Work
from heliograph.records.agreements.rules import Priority
from heliograph.records.archive.queries import MatchState
from heliograph.records.patients.queries import PatientBanner, banners
from heliograph.records.patients.search import Hit, Why
from heliograph.records.sites.queries import facilities

router = APIRouter(prefix="/api", tags=["patients"], dependencies=[Depends(require_roles("site_staff", "coordinator"))])


class Asked(BaseModel):
    """What is known of a patient. `words`: an identifier or its beginning, or the beginning of a name; or a birth date, or both."""

    words: Annotated[str, Field(max_length=250)]
    birth_date: date | None = None
    organization_id: UUID | None = None
    """Only of this client; else of all that you look after."""


class PatientHit(BaseModel):
    """A patient who goes on, and how they were found.

    `merged`: by an identifier of somebody who was merged into them; `near`: the same birth date and a like name.
    """

    patient: PatientBanner
    organization_id: UUID
    organization_name: str
    why: Why


class PatientStudy(BaseModel):
    """A study of the patient."""

    id: UUID
    description: str | None
    modalities: list[str]
    study_date: date | None
    accession: str | None
    facility_name: str
    number_of_instances: int
    match_state: MatchState
    case_id: UUID | None


class PatientOrder(BaseModel):
    """An order of the patient."""

    id: UUID
    accession: str | None
    status: str
    priority: Priority
    received_at: datetime
    facility_name: str
    description: str
    case_id: UUID | None


class PatientReport(BaseModel):
    """A signed version. `signed_for`: whom it names, where that is not this patient; `images_of`: whose its images are now, where they
    are another patient's. Such a report is flagged, and never moved."""

    version_id: UUID
    case_id: UUID
    exam: str
    facility_name: str
    number: int
    kind: str
    state: str
    signer_name: str
    signed_at: datetime
    signed_for: PatientBanner | None
    images_of: PatientBanner | None


class PatientMerge(BaseModel):
    """A merge that the patient took part in; `is_survivor`: the other was merged into this one."""

    id: UUID
    other: PatientBanner | None
    is_survivor: bool
    reason: str
    made_at: datetime
    made_by: str | None
    undone_at: datetime | None
    undone_by: str | None
    undo_reason: str | None


class PatientPage(BaseModel):
    """A patient with all that follows them. `goes_on_as`: into whom they were merged."""

    patient: PatientBanner
    organization_id: UUID
    organization_name: str
    goes_on_as: PatientBanner | None
    may_merge: bool
    studies: list[PatientStudy]
    orders: list[PatientOrder]
    reports: list[PatientReport]
    merges: list[PatientMerge]
    near: list[PatientHit]


@router.post("/patients/search")
def search(work: WorkDep, asked: Asked) -> list[PatientHit]:
    """Patients by identifier, name or birth date. A POST, since what is asked for is patient data; whom you saw is recorded."""
    hits = find_patients(work, asked.words, asked.birth_date, asked.organization_id)
    seen: dict[UUID, list[str]] = {}
    for hit in hits:
        seen.setdefault(hit.patient.organization_id, []).append(str(hit.patient.id))
    for organization_id, ids in seen.items():
        work.record("patients.searched", organization_id=organization_id, detail={"patients": ids})
    return _hits(work, hits)


@router.get("/patients/{patient_id}")
def see(work: WorkDep, patient_id: UUID) -> PatientPage:
    """A patient: identifiers, studies, orders, reports, merges, and whom they may be one with. The view is recorded."""
    found = patient_file(work, patient_id)
    work.record("patient.viewed", organization_id=found.patient.organization_id, patient_id=patient_id)
    return _page(work, found)


def _page(work: Work, found: PatientFile) -> PatientPage:
    session, of = work.session, found.patient
    others = {m.merged_id if m.survivor_id == of.id else m.survivor_id for m in found.merges}
    others |= {i for r in found.reports for i in (r.signed_for_id, r.images_of_id) if i}
    people = _banners(work, {of.id, *others, *([found.goes_on_as] if found.goes_on_as else [])})
    at = {s.facility_id for s in found.studies} | {o.facility_id for o in found.orders}
    at |= {r.facility_id for r in found.reports}
    places = {i: f.short_name for i, f in facilities(session, at).items()}
    users = names_of_users(session, {i for m in found.merges for i in (m.made_by, m.undone_by)})
    owner = organizations(session, [of.organization_id])[of.organization_id]

    def columns(row: object, model: type[BaseModel]) -> dict[str, object]:
        """What the two have in common."""
        return {name: getattr(row, name) for name in model.model_fields if hasattr(row, name)}

    return PatientPage(
        patient=people[of.id],
        organization_id=of.organization_id,
        organization_name=owner.name,
        goes_on_as=people.get(found.goes_on_as) if found.goes_on_as else None,
        may_merge=found.may_merge,
        studies=[
            PatientStudy.model_validate({**columns(s, PatientStudy), "facility_name": places.get(s.facility_id, "")})
            for s in found.studies
        ],
        orders=[
            PatientOrder.model_validate({**columns(o, PatientOrder), "facility_name": places.get(o.facility_id, "")})
            for o in found.orders
        ],
        reports=[
            PatientReport.model_validate(
                {
                    **columns(r, PatientReport),
                    "facility_name": places.get(r.facility_id, ""),
                    "signed_for": people.get(r.signed_for_id) if r.signed_for_id else None,
                    "images_of": people.get(r.images_of_id) if r.images_of_id else None,
                }
            )
            for r in found.reports
        ],
        merges=[
            PatientMerge(
                id=m.id,
                other=people.get(m.merged_id if m.survivor_id == of.id else m.survivor_id),
                is_survivor=m.survivor_id == of.id,
                reason=m.reason,
                made_at=m.made_at,
                made_by=users.get(m.made_by) if m.made_by else None,
                undone_at=m.undone_at,
                undone_by=users.get(m.undone_by) if m.undone_by else None,
                undo_reason=m.undo_reason,
            )
            for m in found.merges
        ],
        near=_hits(work, found.near),
    )


def _hits(work: Work, hits: Iterable[Hit]) -> list[PatientHit]:
    hits = list(hits)
    people = _banners(work, {h.patient.id for h in hits})
    owners = organizations(work.session, {h.patient.organization_id for h in hits})
    return [
        PatientHit(
            patient=people[h.patient.id],
            organization_id=h.patient.organization_id,
            organization_name=owners[h.patient.organization_id].name,
            why=h.why,
        )
        for h in hits
        if h.patient.id in people and h.patient.organization_id in owners
    ]


def _banners(work: Work, patient_ids: Iterable[UUID]) -> dict[UUID, PatientBanner]:
    # A patient has no place of their own: ages are of today in UTC.
    return banners(work.session, dict.fromkeys(patient_ids, "UTC"), work.now)
