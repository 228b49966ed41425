"""Routes for deleting studies: for administrators, who see of a study its UID, date, modalities and counts, and no patient."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import text

from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.governance.access.users import names_of_users
from heliograph.kit.actor import system
from heliograph.kit.db.session import acting_as
from heliograph.kit.http import SettingsDep
from heliograph.kit.work import Work
from heliograph.records.archive import deletion

router = APIRouter(
    prefix="/api/admin/deletions", tags=["administration"], dependencies=[Depends(require_roles("administrator"))]
)
Reason = Annotated[str, Field(min_length=1, max_length=500)]

# The tables lie above this room: read, never written.
_READ = text(
    "select distinct s.study_id from worklist.case_studies s join reading.report_versions v on v.case_id = s.case_id "
    "where s.study_id = any(:ids)"
)


class Sought(BaseModel):
    """By which the study is known: one of the two."""

    organization_id: UUID
    study_instance_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")] | None = None
    accession_number: Annotated[str, Field(max_length=64)] | None = None


class DeletableBody(BaseModel):
    """A study without its patient. `hidden` images don't count among its instances; `has_report`: a signed report refers to it."""

    id: UUID
    organization_id: UUID
    study_instance_uid: str
    study_date: date | None
    modalities: list[str]
    number_of_series: int
    number_of_instances: int
    hidden: int
    first_received_at: datetime
    waits: bool
    has_report: bool


class DeletionBody(BaseModel):
    """A deletion: it waits until `purge_at`, or is undone, or the images are gone since `purged_at`."""

    id: UUID
    reason: str
    number_of_instances: int
    by: str | None
    made_at: datetime
    purge_at: datetime | None
    purged_at: datetime | None
    restored_at: datetime | None
    restored_by: str | None
    restore_reason: str | None
    study: DeletableBody


class Deletions(BaseModel):
    """All of the organisations that the caller administers, newest first; `days` is how long a deletion can be undone."""

    days: float
    deletions: list[DeletionBody]


class Deleting(BaseModel):
    """`confirmed` are the last four characters of the Study Instance UID, typed by the person."""

    organization_id: UUID
    study_id: UUID
    reason: Reason
    confirmed: Annotated[str, Field(max_length=64)]


class Deleted(BaseModel):
    """The deletion that was made."""

    id: UUID


class Undoing(BaseModel):
    """A reason, which the record keeps."""

    organization_id: UUID
    reason: Reason


class Undone(BaseModel):
    """How many images are shown again."""

    instances: int


@router.get("")
def list_deletions(work: ReadDep, settings: SettingsDep) -> Deletions:
    """What waits to be purged, what was undone, and what is gone."""
    found = deletion.deletions(work)
    names = names_of_users(
        work.session, (w for one in found for w in (one.rejection.made_by, one.rejection.restored_by))
    )
    studies = {b.id: b for b in _bodies(work, (one.study for one in found))}
    return Deletions(
        days=settings.archive_deletion_days,
        deletions=[_body(one, studies[one.study.id], names) for one in found],
    )


@router.post("/find")
def find(work: WorkDep, sought: Sought) -> list[DeletableBody]:
    """The organisation's studies with this UID or accession number. The look is recorded; the number stands in no address."""
    found = deletion.find(
        work,
        sought.organization_id,
        study_instance_uid=sought.study_instance_uid,
        accession_number=(sought.accession_number or "").strip() or None,
    )
    return _bodies(work, found)


@router.post("", status_code=201)
def delete(work: WorkDep, settings: SettingsDep, what: Deleting) -> Deleted:
    """Hides the study at once; after the days of grace its images are gone."""
    made = deletion.delete_study(
        work,
        what.organization_id,
        what.study_id,
        what.reason,
        confirmed=what.confirmed,
        keep_for=timedelta(days=settings.archive_deletion_days),
    )
    return Deleted(id=made)


@router.post("/{rejection_id}/undo")
def undo(work: WorkDep, rejection_id: UUID, because: Undoing) -> Undone:
    """Shows the study again as it was."""
    return Undone(instances=deletion.undo(work, because.organization_id, rejection_id, because.reason))


def _bodies(work: Work, found: Iterable[deletion.Deletable]) -> list[DeletableBody]:
    found = list({one.id: one for one in found}.values())
    organizations = {one.organization_id for one in found}
    with acting_as(work.session, system("deletion", *organizations)):
        read = set(work.session.scalars(_READ, {"ids": [one.id for one in found]}))
    own = DeletableBody.model_fields.keys() - {"has_report"}
    return [DeletableBody(**{n: getattr(one, n) for n in own}, has_report=one.id in read) for one in found]


def _body(one: deletion.Deletion, study: DeletableBody, names: dict[UUID, str]) -> DeletionBody:
    row = one.rejection
    own = DeletionBody.model_fields.keys() - {"by", "restored_by", "study"}
    values: dict[str, Any] = {n: getattr(row, n) for n in own}
    return DeletionBody(
        **values,
        by=names.get(row.made_by) if row.made_by else None,
        restored_by=names.get(row.restored_by) if row.restored_by else None,
        study=study,
    )
