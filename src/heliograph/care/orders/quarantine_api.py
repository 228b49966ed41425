"""Routes about the quarantine as a whole, and about whom its objects name."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from heliograph.care.orders.access import may_coordinate
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.governance.tenancy.queries import coordinated_clients, organizations
from heliograph.kit.errors import NotFound
from heliograph.kit.http import SettingsDep
from heliograph.records.archive.held import held_object
from heliograph.records.archive.proposals import Told, other_person
from heliograph.records.archive.quarantine import kept
from heliograph.records.patients.names import display_name
from heliograph.records.patients.queries import PatientFacts, identifier_of, patient

router = APIRouter(
    prefix="/api", tags=["images at the door"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


class Room(BaseModel):
    """What an organisation's quarantine keeps of objects that can't be read or identified, and how much it may; sizes in bytes.

    Beyond either bound what comes is refused without being kept.
    """

    organization_id: UUID
    organization_name: str
    objects: int
    most_objects: int
    size: int
    most_size: int


class Person(BaseModel):
    """Who a patient is. `sex` is M, F or O."""

    name: Annotated[str, Field(description="FAMILY, Given")]
    birth_date: date | None
    sex: str | None
    authority: str
    identifier: str


class OtherPerson(BaseModel):
    """Whom a held object names, and who is known here under that identifier."""

    told: Person
    known: Person


@router.get("/quarantine")
def room(work: ReadDep, settings: SettingsDep) -> list[Room]:
    """How full the quarantines are that the caller looks after, by the organisation's name."""
    ids = {*work.actor.organizations_with("site_staff", "coordinator")}
    groups = work.actor.organizations_with("coordinator")
    if groups:
        ids |= set(coordinated_clients(work.session, groups))
    found = []
    for organization in sorted(organizations(work.session, ids).values(), key=lambda o: o.name):
        if organization.kind == "reading_group":  # it has no images of its own
            continue
        now = kept(work.session, organization.id)
        found.append(
            Room(
                organization_id=organization.id,
                organization_name=organization.short_name,
                objects=now.objects,
                most_objects=settings.quarantine_objects,
                size=now.size,
                most_size=settings.quarantine_mb << 20,
            )
        )
    return found


@router.get("/held-objects/{held_id}/other-person")
def see_other_person(work: WorkDep, held_id: UUID) -> OtherPerson:
    """Both side by side, where accepting asks whether they are one person. The view is recorded."""
    held = held_object(work.session, held_id)
    if held is None or not may_coordinate(work, held.organization_id, held.facility_id):
        raise NotFound
    found = other_person(work.session, held_id)
    known = patient(work.session, found[1]) if found else None
    if found is None or known is None:
        raise NotFound
    told = found[0]
    work.record("patient.viewed", organization_id=held.organization_id, patient_id=known.id)
    work.record("object.viewed", organization_id=held.organization_id, subject_kind="held_object", subject_id=held_id)
    ours = identifier_of(work.session, known.id, told.authority)
    return OtherPerson(
        told=_person(told, told.authority, told.value),
        known=_person(known, ours.authority if ours else "", ours.value if ours else ""),
    )


def _person(one: Told | PatientFacts, authority: str, value: str) -> Person:
    return Person(name=display_name(one), birth_date=one.birth_date, sex=one.sex, authority=authority, identifier=value)
