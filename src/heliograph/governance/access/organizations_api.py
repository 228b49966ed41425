"""Administration of organisations. It stands in access, since tenancy below knows no sessions."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.governance.access.api import Made, administrator
from heliograph.governance.access.door import ReadDep, WorkDep
from heliograph.governance.tenancy.organizations import add_organization, all_organizations

router = APIRouter(prefix="/api/admin/organizations", tags=["administration"], dependencies=[Depends(administrator)])


class NewOrganization(BaseModel):
    """A client or a reading group. `slug` stands in DICOMweb addresses."""

    slug: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,60}$")
    name: str = Field(min_length=1, max_length=200)
    short_name: str = Field(min_length=1, max_length=60)
    kind: str


class OrganizationBody(NewOrganization):
    """An organisation."""

    id: UUID
    is_active: bool


@router.get("")
def list_organizations(work: ReadDep) -> list[OrganizationBody]:
    """All for the operator; else those that the actor administers."""
    mine = set(work.actor.organizations_with("administrator"))
    return [
        OrganizationBody(id=o.id, slug=o.slug, name=o.name, short_name=o.short_name, kind=o.kind, is_active=o.is_active)
        for o in all_organizations(work)
        if work.actor.is_operator or o.id in mine
    ]


@router.post("", status_code=201)
def add(body: NewOrganization, work: WorkDep) -> Made:
    """Adds an organisation."""
    return Made(id=add_organization(work, slug=body.slug, name=body.name, short_name=body.short_name, kind=body.kind))
