"""Routes for images that are hidden: what is, why, and by whom; showing them again; hiding more, by a person who says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from heliograph.care.orders.access import may_coordinate
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.governance.access.users import names_of_users
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import hidden, rejections
from heliograph.records.archive.queries import StudyFacts, study
from heliograph.records.archive.rejections import RejectionFacts
from heliograph.records.sites import queries as sites

router = APIRouter(
    prefix="/api", tags=["hidden images"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)
Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]


class HiddenBody(BaseModel):
    """Hidden images. `kind` is quality, safety, worklist, retention or deletion; `by` a person, `sender` whoever sent the note."""

    id: UUID
    kind: str
    reason: str
    number_of_instances: int
    is_by_note: bool
    sender: str | None
    by: str | None
    made_at: datetime
    purge_at: datetime | None
    purged_at: datetime | None
    restored_at: datetime | None
    restored_by: str | None
    restore_reason: str | None


class HiddenLine(BaseModel):
    """Hidden images of one study, without anything that names the patient."""

    id: UUID
    study_id: UUID
    facility_name: str | None
    accession: str | None
    description: str | None
    study_date: date | None
    modalities: list[str]
    kind: str
    number_of_instances: int
    is_by_note: bool
    by: str | None
    made_at: datetime
    purge_at: datetime | None


class SeriesBody(BaseModel):
    """A series of which images are shown."""

    series_instance_uid: str
    number: int | None
    modality: str | None
    description: str | None
    number_of_instances: int


class InstanceBody(BaseModel):
    """An image that is shown."""

    sop_instance_uid: str
    number: int | None
    number_of_frames: int


class StudyImages(BaseModel):
    """What of a study is shown, and what is or was hidden, newest first."""

    study_id: UUID
    study_instance_uid: str
    patient_name: str | None
    patient_id: str | None
    accession: str | None
    description: str | None
    study_date: date | None
    facility_name: str | None
    number_of_instances: int
    series: list[SeriesBody]
    hidden: list[HiddenBody]


class Rejecting(BaseModel):
    """Which images, and why: of the whole study, of a series, or those named."""

    kind: rejections.Kind
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    series_instance_uid: Uid | None = None
    sop_instance_uids: Annotated[list[Uid], Field(min_length=1, max_length=20_000)] | None = None


class Rejected(BaseModel):
    """The rejection that was made."""

    id: UUID


class Restoring(BaseModel):
    """A reason, which the record keeps."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Restored(BaseModel):
    """How many images are shown again."""

    instances: int


@router.get("/hidden-images")
def list_hidden(work: ReadDep) -> list[HiddenLine]:
    """What is hidden now at the sites that the caller works for or coordinates, newest first."""
    may: dict[tuple[UUID, UUID], bool] = {}
    found = []
    for one, of in hidden.in_force(work.session):
        key = (of.organization_id, of.facility_id)
        if key not in may:
            may[key] = may_coordinate(work, *key)
        if may[key]:
            found.append((one, of))
    names = names_of_users(work.session, (one.made_by for one, _ in found))
    places = sites.facilities(work.session, {of.facility_id for _, of in found})
    return [
        HiddenLine(
            id=one.id,
            study_id=of.id,
            facility_name=places[of.facility_id].short_name if of.facility_id in places else None,
            accession=of.accession_number,
            description=of.study_description,
            study_date=of.study_date,
            modalities=of.modalities,
            kind=one.kind,
            number_of_instances=one.number_of_instances,
            is_by_note=one.note_uid is not None,
            by=names.get(one.made_by) if one.made_by else None,
            made_at=one.made_at,
            purge_at=one.purge_at,
        )
        for one, of in found
    ]


@router.get("/studies/{study_id}/hidden")
def look(work: WorkDep, study_id: UUID) -> StudyImages:
    """A study's images, shown and hidden. This is patient data: the view is recorded."""
    of = _require_study(work, study_id)
    hidden.record_look(work, of)
    facility = sites.facility(work.session, of.facility_id)
    return StudyImages(
        study_id=of.id,
        study_instance_uid=of.study_instance_uid,
        patient_name=of.dicom_patient_name,
        patient_id=of.dicom_patient_id,
        accession=of.accession_number,
        description=of.study_description,
        study_date=of.study_date,
        facility_name=facility.short_name if facility else None,
        number_of_instances=of.number_of_instances,
        series=[SeriesBody(**asdict(s)) for s in hidden.shown_series(work.session, of.id)],
        hidden=_bodies(work, rejections.rejections_of(work.session, of.id)),
    )


@router.get("/studies/{study_id}/instances")
def list_instances(work: ReadDep, study_id: UUID, series: Annotated[str, Query(max_length=64)]) -> list[InstanceBody]:
    """The images of a series that are shown."""
    of = _require_study(work, study_id)
    return [InstanceBody(**asdict(i)) for i in hidden.shown_instances(work.session, of.id, series)]


@router.post("/studies/{study_id}/reject", status_code=201)
def reject(work: WorkDep, study_id: UUID, what: Rejecting) -> Rejected:
    """Hides images of a study until somebody shows them again."""
    of = _require_study(work, study_id)
    return Rejected(
        id=rejections.reject(
            work,
            of.id,
            what.kind,
            what.reason,
            series_instance_uid=what.series_instance_uid,
            sop_instance_uids=what.sop_instance_uids,
        )
    )


@router.post("/rejections/{rejection_id}/restore")
def restore(work: WorkDep, rejection_id: UUID, because: Restoring) -> Restored:
    """Shows hidden images again. A study that waits to be deleted is for an administrator."""
    found = rejections.rejection(work.session, rejection_id)
    if found is None:
        raise NotFound
    _require_study(work, found.study_id)
    return Restored(instances=rejections.restore(work, rejection_id, because.reason))


def _require_study(work: Work, study_id: UUID) -> StudyFacts:
    found = study(work.session, study_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound(action="images.rejected", study_id=study_id)
    return found


def _bodies(work: Work, found: Iterable[RejectionFacts]) -> list[HiddenBody]:
    found = list(found)
    names = names_of_users(work.session, (who for one in found for who in (one.made_by, one.restored_by)))
    senders = {one.id: hidden.sender_of_note(work.session, one) for one in found}
    callers = {c.id: c for c in sites.callers_of(work.session, {one.organization_id for one in found})}

    def body(one: RejectionFacts) -> HiddenBody:
        own = {"is_by_note", "sender", "by", "restored_by"}
        values: dict[str, Any] = {n: getattr(one, n) for n in HiddenBody.model_fields.keys() - own}
        caller_id = senders[one.id]
        sender = callers.get(caller_id) if caller_id else None
        return HiddenBody(
            **values,
            is_by_note=one.note_uid is not None,
            sender=(sender.description or sender.calling_ae) if sender else None,
            by=names.get(one.made_by) if one.made_by else None,
            restored_by=names.get(one.restored_by) if one.restored_by else None,
        )

    return [body(one) for one in found]
