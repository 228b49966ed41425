"""Routes for putting right whose images these are, and what they say of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from heliograph.care.orders import mend
from heliograph.care.orders.access import may_coordinate
from heliograph.care.orders.merge import merge_patients, unmerge_patients
from heliograph.care.orders.queries import orders, orders_of_studies
from heliograph.care.orders.waiting_api import Because
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.governance.access.users import names_of_users
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.corrections import corrections_of, words
from heliograph.records.archive.identities import Identity as NamedByImages
from heliograph.records.archive.identities import attributes_of, identities_of
from heliograph.records.archive.queries import StudyFacts, study
from heliograph.records.archive.views import record_view
from heliograph.records.patients.merge import merges_of
from heliograph.records.patients.queries import PatientBanner, banner, banners, find, patient
from heliograph.records.sites.queries import facility

router = APIRouter(
    prefix="/api", tags=["images at the door"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


class Acceptance(Because):
    """Takes a proposed correction; `confirm_other_person` where the new identifier is known under another name and birth date."""

    confirm_other_person: bool = False


class Accepted(BaseModel):
    """The study that was put right."""

    study_id: UUID


class Filing(Because):
    """Whose the study is."""

    patient_id: UUID


class Merging(Because):
    """Who goes on as the patient that is addressed."""

    merged_id: UUID


class Made(BaseModel):
    """The merge that was made."""

    id: UUID


class MergeBody(BaseModel):
    """A merge: `merged_id` goes on as `survivor_id`, until it was undone."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    reason: str
    made_at: datetime
    undone_at: datetime | None
    undo_reason: str | None


class Values(Because):
    """Attributes to put right: tag as eight hex digits -> text as in a data set, "" for an empty element."""

    values: Annotated[dict[str, Annotated[str, Field(max_length=10_240)]], Field(max_length=30)]


class IdentityBody(BaseModel):
    """A patient as images name them, as they were stored, and how many images do. `known`: whom that identifier names here."""

    name: str
    id: str
    issuer: str
    birth_date: date | None
    sex: str
    number_of_instances: int
    known: PatientBanner | None


class AttributeBody(BaseModel):
    """An attribute that can be put right by hand, as the study goes out now. `value` is text as in a data set."""

    tag: str
    name: str
    vr: str
    value: str


class OrderAnswered(BaseModel):
    """An order that the study answers."""

    id: UUID
    accession: str | None
    description: str
    patient: PatientBanner | None


class Change(BaseModel):
    """One attribute that is put right; `original` is what the study bore before, where a column keeps it."""

    tag: str
    name: str
    value: str
    original: str | None


class Step(BaseModel):
    """A step of what was put right: resent, moved, merged, entered or undone."""

    id: UUID
    kind: str
    changes: list[Change]
    reason: str
    made_by: str | None
    made_at: datetime
    is_in_force: bool


class Identity(BaseModel):
    """Whose a study is: as its images say, as it is filed, and what was put right."""

    study_id: UUID
    organization_id: UUID
    description: str | None
    modalities: list[str]
    study_date: date | None
    facility_name: str
    time_zone: str
    accession: str | None
    number_of_instances: int
    charset_suspect: bool
    match_state: str
    match_reason: str | None
    patient: PatientBanner | None
    images: list[IdentityBody]
    orders: list[OrderAnswered]
    attributes: list[AttributeBody]
    steps: list[Step]


@router.get("/studies/{study_id}/identity")
def see(work: WorkDep, study_id: UUID) -> Identity:
    """Whom the images name, and what was put right. This is patient data: the view is recorded."""
    found = study(work.session, study_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound
    record_view(work, study_id)
    steps = corrections_of(work.session, study_id)
    names = names_of_users(work.session, {s.made_by for s in steps if s.made_by})
    site = facility(work.session, found.facility_id)
    zone = site.time_zone if site else "UTC"
    answered = orders(work.session, orders_of_studies(work.session, [study_id]).get(study_id, []))
    images = identities_of(work.session, study_id)
    known = _known(work, found, images, site.patient_id_authority if site else "")
    people = banners(work.session, {i: zone for i in (*known, *(o.patient_id for o in answered.values())) if i})
    return Identity(
        study_id=study_id,
        organization_id=found.organization_id,
        description=found.study_description,
        modalities=found.modalities,
        study_date=found.study_date,
        facility_name=site.short_name if site else "",
        time_zone=zone,
        accession=found.accession_number,
        number_of_instances=found.number_of_instances,
        charset_suspect=found.charset_suspect,
        match_state=found.match_state,
        match_reason=found.match_reason,
        patient=banner(work.session, found.patient_id, zone) if found.patient_id else None,
        images=[
            IdentityBody(**asdict(one), known=people.get(of) if of else None)
            for one, of in zip(images, known, strict=True)
        ],
        orders=[
            OrderAnswered(
                id=o.id,
                accession=o.accession,
                description=" + ".join(p.description for p in o.procedures),
                patient=people.get(o.patient_id),
            )
            for o in answered.values()
        ],
        attributes=[AttributeBody(**asdict(one)) for one in attributes_of(work.session, study_id)],
        steps=[
            Step(
                id=s.id,
                kind=s.kind,
                changes=[
                    Change(tag=tag, name=words([tag]), value=value, original=s.originals.get(tag))
                    for tag, value in sorted(s.values.items())
                ],
                reason=s.reason,
                made_by=names.get(s.made_by) if s.made_by else None,
                made_at=s.made_at,
                is_in_force=s.is_in_force,
            )
            for s in steps
        ],
    )


def _known(work: Work, of: StudyFacts, images: Sequence[NamedByImages], authority: str) -> list[UUID | None]:
    """Whom the identifier of each names; one without an issuer is of the facility's authority."""
    found = [find(work.session, of.organization_id, one.issuer or authority, one.id) for one in images]
    return [one.id if one is not None else None for one in found]


@router.post("/held-objects/{held_id}/accept")
def accept(work: WorkDep, held_id: UUID, acceptance: Acceptance) -> Accepted:
    """Takes what an object that waits proposes, for its whole study and all that propose the same."""
    study_id = mend.accept_correction(
        work, held_id, acceptance.reason, confirm_other_person=acceptance.confirm_other_person
    )
    return Accepted(study_id=study_id)


@router.post("/studies/{study_id}/patient", status_code=204)
def file_under(work: WorkDep, study_id: UUID, filing: Filing) -> Response:
    """Files a study under a patient of its organisation; a held one is released by it."""
    mend.file_under_patient(work, study_id, filing.patient_id, filing.reason)
    return Response(status_code=204)


@router.post("/studies/{study_id}/corrections", status_code=204)
def put_right(work: WorkDep, study_id: UUID, values: Values) -> Response:
    """Puts attributes right that do not say who the patient is."""
    mend.put_right(work, study_id, values.values, values.reason)
    return Response(status_code=204)


@router.post("/studies/{study_id}/corrections/undo", status_code=204)
def take_back(work: WorkDep, study_id: UUID, because: Because) -> Response:
    """Takes the last step back."""
    mend.take_back(work, study_id, because.reason)
    return Response(status_code=204)


@router.get("/patients/{patient_id}/merges")
def see_merges(work: WorkDep, patient_id: UUID) -> list[MergeBody]:
    """The merges that a patient took part in, newest first."""
    found = patient(work.session, patient_id)
    if found is None or not may_coordinate(work, found.organization_id, everywhere=True):
        raise NotFound
    return [
        MergeBody(**{n: getattr(m, n) for n in MergeBody.model_fields}) for m in merges_of(work.session, patient_id)
    ]


@router.post("/patients/{patient_id}/merge")
def merge(work: WorkDep, patient_id: UUID, merging: Merging) -> Made:
    """Merges another patient of the organisation into this one: studies, orders and cases follow."""
    return Made(id=merge_patients(work, patient_id, merging.merged_id, merging.reason))


@router.post("/merges/{merge_id}/undo", status_code=204)
def unmerge(work: WorkDep, merge_id: UUID, because: Because) -> Response:
    """Takes a merge back: what followed it goes back."""
    unmerge_patients(work, merge_id, because.reason)
    return Response(status_code=204)


@router.post("/studies/{study_id}/take-off-order", status_code=204)
def take_off(work: WorkDep, study_id: UUID, because: Because) -> Response:
    """The study does not answer its order after all: it waits again."""
    mend.take_off_order(work, study_id, because.reason)
    return Response(status_code=204)
