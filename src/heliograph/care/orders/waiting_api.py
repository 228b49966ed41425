"""Routes for what waits at the door: the expected count of a study, a held study's release, and objects that could not be filed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
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
from heliograph.records.archive.held_view import view_held
from heliograph.records.archive.queries import study
from heliograph.records.sites import queries as sites

router = APIRouter(
    prefix="/api", tags=["images at the door"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


class Expected(BaseModel):
    """How many images the study will have."""

    instances: Annotated[int, Field(ge=1, le=100_000)]


class Because(BaseModel):
    """A reason, which the record keeps."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Decision(Because):
    """A reason; `all_alike` decides of all objects of the study that wait for the same reason."""

    all_alike: bool = False


class HeldBody(BaseModel):
    """An object that could not be filed. `reason` is correction, different_content, bad_identity or unreadable.

    `alike` counts the objects of its study that wait for the same reason, itself among them.
    """

    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    facility_name: str | None
    sop_instance_uid: str | None
    study_instance_uid: str | None
    length: int
    reason: str
    detail: str
    received_at: datetime
    alike: int


class LineBody(BaseModel):
    """One element of an object; `filed` is the filed object's value, where the two are compared."""

    tag: str
    name: str
    vr: str
    value: str
    depth: int
    filed: str | None


class HeldDetail(HeldBody):
    """A held object looked into: its elements, or its first bytes if it can't be read; and how it differs from the filed one."""

    lines: list[LineBody]
    is_cut: bool
    first_bytes: list[str]
    filed_study_id: UUID | None
    differences: list[LineBody]
    same_pixels: bool | None
    proposal: dict[str, str] | None


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
    """What waits for a person, newest first; objects of one study that wait for the same reason are one entry."""
    return [
        HeldBody(**_body(work, h, alike))
        for h, alike in held.held_groups(work.session)
        if may_coordinate(work, h.organization_id, h.facility_id)
    ]


@router.get("/held-objects/{held_id}")
def look(work: WorkDep, objects: ObjectsDep, held_id: UUID) -> HeldDetail:
    """Its elements and how it differs from what is filed under its UID. This is patient data: the view is recorded."""
    found = _require_held(work, held_id)
    view = view_held(work, objects, held_id)
    alike = len(held.held_alike(work.session, held_id))
    more = {**asdict(view), "first_bytes": list(view.first_bytes), "proposal": found.proposal}
    return HeldDetail(**_body(work, found, alike), **more)


@router.post("/held-objects/{held_id}/retry", status_code=204)
def retry(work: WorkDep, objects: ObjectsDep, settings: SettingsDep, held_id: UUID) -> Response:
    """Tries to file it again, as if it had just come."""
    _require_held(work, held_id)
    held.retry_held(work, objects, settings.spool_dir, held_id)
    return Response(status_code=204)


@router.post("/held-objects/{held_id}/dismiss", status_code=204)
def dismiss(work: WorkDep, held_id: UUID, decision: Decision) -> Response:
    """A person has decided that it is not to be filed, or all that are alike. The bytes are kept."""
    _require_held(work, held_id)
    for one in held.held_alike(work.session, held_id) if decision.all_alike else [held_id]:
        held.dismiss_held(work, one, decision.reason)
    return Response(status_code=204)


def _require_study(work: Work, study_id: UUID) -> None:
    found = study(work.session, study_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound


def _require_held(work: Work, held_id: UUID) -> held.HeldFacts:
    found = held.held_object(work.session, held_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound
    return found


def _body(work: Work, found: held.HeldFacts, alike: int) -> dict[str, Any]:
    own = ("length", "facility_name", "alike")
    facility = sites.facility(work.session, found.facility_id) if found.facility_id else None
    return {
        **{name: getattr(found, name) for name in HeldBody.model_fields if name not in own},
        "length": found.object_length,
        "alike": alike,
        "facility_name": facility.short_name if facility else None,
    }
