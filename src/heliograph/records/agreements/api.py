"""Routes of agreements."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.records.agreements.new_version import new_version
from heliograph.records.agreements.queries import AgreementFacts, agreements_of

router = APIRouter(prefix="/api", tags=["agreements"])
Administrator = Depends(require_roles("administrator"))


class NewAgreement(BaseModel):
    """A new version of the agreement between a client and a reading group."""

    organization_id: UUID
    group_organization_id: UUID
    promises: dict[str, Annotated[int, Field(ge=1, le=100_000)]]
    exam_classes: list[str] = []
    read_kind: Literal["final", "preliminary"] = "final"
    viewing_places: list[str] = []
    includes_coordination: bool = True
    allows_provisional_stat: bool = True
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None


class Made(BaseModel):
    """The id of the new version."""

    id: UUID


@router.get("/admin/agreements", dependencies=[Administrator])
def list_agreements(work: ReadDep) -> list[AgreementFacts]:
    """All versions in which your organisations are client or group."""
    return agreements_of(work.session, work.actor.organizations_with("administrator"))


@router.post("/admin/agreements", dependencies=[Administrator], status_code=201)
def make_version(work: WorkDep, new: NewAgreement) -> Made:
    """Agrees anew."""
    values = new.model_dump()
    return Made(id=new_version(work, values.pop("organization_id"), values.pop("group_organization_id"), **values))
