"""Routes for what waits at the door: the expected count of a study, a held study's release, and objects that could not be filed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from heliograph.care.orders.access import may_coordinate
from heliograph.care.orders.match import release_held
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep, SettingsDep
from heliograph.kit.work import Work
from heliograph.records.archive import held
from heliograph.records.archive.complete import expect_instances
from heliograph.records.archive.queries import study

router = APIRouter(
    prefix="/api", tags=["images at the door"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


class Expected(BaseModel):
    """How many images the study will have."""

    instances: Annotated[int, Field(ge=1, le=100_000)]


class Because(BaseModel):
    """A reason, which the record keeps."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class HeldBody(BaseModel):
    """An object that could not be filed. `reason` is different_content, bad_identity or unreadable."""

    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    sop_instance_uid: str | None
    study_instance_uid: str | None
    length: int
    reason: str
    detail: str
    received_at: datetime


@router.post("/studies/{study_id}/expect", status_code=204)
def expect(work: WorkDep, study_id: UUID, expected: Expected) -> Response:
    """The technologist says how many images there will be: the study is complete when they are here."""
    _require_study(work, study_id)
    expect_instances(work, study_id, expected.instances)
    return Response(status_code=204)


@router.post("/studies/{study_id}/release", status_code=204)
def release(work: WorkDep, study_id: UUID, because: Because) -> Response:
    """A person has looked at a held study: it waits to be matched like any other."""
    release_held(work, study_id, because.reason)
    return Response(status_code=204)


@router.get("/held-objects")
def list_held(work: ReadDep) -> list[HeldBody]:
    """Objects that wait for a person, newest first."""
    return [
        HeldBody(
            id=h.id,
            organization_id=h.organization_id,
            facility_id=h.facility_id,
            sop_instance_uid=h.sop_instance_uid,
            study_instance_uid=h.study_instance_uid,
            length=h.object_length,
            reason=h.reason,
            detail=h.detail,
            received_at=h.received_at,
        )
        for h in held.held_objects(work.session)
        if may_coordinate(work, h.organization_id, h.facility_id)
    ]


@router.post("/held-objects/{held_id}/retry", status_code=204)
def retry(work: WorkDep, objects: ObjectsDep, settings: SettingsDep, held_id: UUID) -> Response:
    """Tries to file it again, as if it had just come."""
    _require_held(work, held_id)
    held.retry_held(work, objects, settings.spool_dir, held_id)
    return Response(status_code=204)


@router.post("/held-objects/{held_id}/dismiss", status_code=204)
def dismiss(work: WorkDep, held_id: UUID, because: Because) -> Response:
    """A person has decided that it is not to be filed. Its bytes are kept."""
    _require_held(work, held_id)
    held.dismiss_held(work, held_id, because.reason)
    return Response(status_code=204)


def _require_study(work: Work, study_id: UUID) -> None:
    found = study(work.session, study_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound


def _require_held(work: Work, held_id: UUID) -> None:
    found = held.held_object(work.session, held_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound
