"""Routes of people: readers under administration, and where a reader reads from now."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, Field

from heliograph.governance.access.door import CurrentUser, ReadDep, WorkDep, require_roles
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.people import administer as keep
from heliograph.records.people.queries import (
    PlaceFacts,
    ReaderFacts,
    facts_for_clients,
    facts_of_groups,
    reader_facts,
    reader_of_user,
)

router = APIRouter(prefix="/api", tags=["people"])
Administrator = Depends(require_roles("administrator"))
Text = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Za-z0-9-]{1,10})?$")]
Status = Literal["active", "suspended", "revoked"]


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class NewReader(BaseModel):
    """A user who becomes a reader of a group."""

    organization_id: UUID
    user_id: UUID
    given_name: Text
    family_name: Text
    title: str = Field("Dr", max_length=40)
    capacity: int = Field(10, ge=1, le=500)
    malpractice_jurisdictions: list[Code] = []


class ReaderChange(BaseModel):
    """What may change of a reader."""

    capacity: int | None = Field(None, ge=1, le=500)
    is_active: bool | None = None


class NewLicence(BaseModel):
    """A licence; `is_verified`: its register was looked at."""

    jurisdiction: Code
    number: Text
    scope: Text = "full"
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    is_verified: bool = False


class Change(BaseModel):
    """A new end or status of something that a reader holds."""

    valid_until: AwareDatetime | None = None
    status: Status | None = None
    is_verified: bool | None = None


class NewCertificate(BaseModel):
    """A board certificate."""

    subspecialty: Text
    board: Text
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None


class NewLanguage(BaseModel):
    """A language of reports (BCP 47)."""

    language: str = Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")


class NewPlace(BaseModel):
    """A place read from."""

    name: Text
    jurisdiction: Code
    time_zone: Text


class NewEngagement(BaseModel):
    """Work for a group."""

    organization_id: UUID
    is_locum: bool = False
    malpractice_jurisdictions: list[Code] = []
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None


class NewPrivilege(BaseModel):
    """A facility's leave to read for it; no subspecialties: all."""

    facility_id: UUID
    subspecialties: list[Text] = []
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None


class PlaceChoice(BaseModel):
    """Where the reader is now."""

    place_id: UUID


@router.get("/admin/readers", dependencies=[Administrator])
def list_readers(work: ReadDep) -> list[ReaderFacts]:
    """The readers whom your organisations engage, or who have privileges at your facilities."""
    mine = work.actor.organizations_with("administrator")
    found = {r.reader_id: r for r in facts_of_groups(work.session, mine)}
    found.update((r.reader_id, r) for r in facts_for_clients(work.session, mine))
    return sorted(found.values(), key=lambda r: (r.name, r.reader_id))


@router.post("/admin/readers", dependencies=[Administrator], status_code=201)
def add_reader(work: WorkDep, new: NewReader) -> Made:
    """Makes a user a reader and engages them."""
    return Made(
        id=keep.add_reader(
            work,
            new.organization_id,
            new.user_id,
            given_name=new.given_name,
            family_name=new.family_name,
            title=new.title,
            capacity=new.capacity,
            malpractice_jurisdictions=new.malpractice_jurisdictions,
        )
    )


@router.get("/admin/readers/{reader_id}", dependencies=[Administrator])
def one_reader(work: ReadDep, reader_id: UUID) -> ReaderFacts:
    """One reader with all that they hold."""
    return _seen(work, reader_id)


@router.patch("/admin/readers/{reader_id}", dependencies=[Administrator])
def change_reader(work: WorkDep, reader_id: UUID, change: ReaderChange) -> ReaderFacts:
    """Changes capacity or activity."""
    keep.change_reader(work, reader_id, capacity=change.capacity, is_active=change.is_active)
    work.session.flush()
    return _seen(work, reader_id)


@router.post("/admin/readers/{reader_id}/licences", dependencies=[Administrator], status_code=201)
def add_licence(work: WorkDep, reader_id: UUID, new: NewLicence) -> Made:
    """Adds a licence."""
    id_ = keep.add_licence(
        work,
        reader_id,
        jurisdiction_code=new.jurisdiction,
        number=new.number,
        scope=new.scope,
        valid_from=new.valid_from,
        valid_until=new.valid_until,
        is_verified=new.is_verified,
    )
    return Made(id=id_)


@router.patch("/admin/readers/{reader_id}/licences/{licence_id}", dependencies=[Administrator], status_code=204)
def change_licence(work: WorkDep, reader_id: UUID, licence_id: UUID, change: Change) -> None:
    """Ends, suspends, restores, renews or verifies a licence."""
    _belongs(licence_id, {x.id for x in _seen(work, reader_id).licences})
    keep.change_licence(
        work, licence_id, valid_until=change.valid_until, status=change.status, is_verified=change.is_verified
    )


@router.post("/admin/readers/{reader_id}/certificates", dependencies=[Administrator], status_code=201)
def add_certificate(work: WorkDep, reader_id: UUID, new: NewCertificate) -> Made:
    """Adds a certificate."""
    return Made(id=keep.add_certificate(work, reader_id, **new.model_dump()))


@router.patch("/admin/readers/{reader_id}/certificates/{certificate_id}", dependencies=[Administrator], status_code=204)
def change_certificate(work: WorkDep, reader_id: UUID, certificate_id: UUID, change: Change) -> None:
    """Moves the end of a certificate."""
    _belongs(certificate_id, {x.id for x in _seen(work, reader_id).certificates})
    keep.end_certificate(work, certificate_id, change.valid_until)


@router.post("/admin/readers/{reader_id}/languages", dependencies=[Administrator], status_code=204)
def add_language(work: WorkDep, reader_id: UUID, new: NewLanguage) -> None:
    """Adds a language."""
    keep.add_language(work, reader_id, new.language)


@router.delete("/admin/readers/{reader_id}/languages/{language}", dependencies=[Administrator], status_code=204)
def remove_language(work: WorkDep, reader_id: UUID, language: str) -> None:
    """Takes a language away."""
    keep.remove_language(work, reader_id, language)


@router.post("/admin/readers/{reader_id}/places", dependencies=[Administrator], status_code=201)
def add_place(work: WorkDep, reader_id: UUID, new: NewPlace) -> Made:
    """Adds a place read from."""
    id_ = keep.add_place(work, reader_id, name=new.name, jurisdiction_code=new.jurisdiction, time_zone=new.time_zone)
    return Made(id=id_)


@router.post("/admin/readers/{reader_id}/engagements", dependencies=[Administrator], status_code=201)
def add_engagement(work: WorkDep, reader_id: UUID, new: NewEngagement) -> Made:
    """Engages a reader for a group that you administer."""
    return Made(id=keep.add_engagement(work, reader_id, **new.model_dump()))


@router.patch("/admin/readers/{reader_id}/engagements/{engagement_id}", dependencies=[Administrator], status_code=204)
def change_engagement(work: WorkDep, reader_id: UUID, engagement_id: UUID, change: Change) -> None:
    """Moves the end of an engagement."""
    _belongs(engagement_id, {x.id for x in _seen(work, reader_id).engagements})
    keep.end_engagement(work, engagement_id, change.valid_until)


@router.post("/admin/readers/{reader_id}/privileges", dependencies=[Administrator], status_code=201)
def add_privilege(work: WorkDep, reader_id: UUID, new: NewPrivilege) -> Made:
    """Gives a privilege at a facility that you administer."""
    return Made(id=keep.add_privilege(work, reader_id, **new.model_dump()))


@router.patch("/admin/readers/{reader_id}/privileges/{privilege_id}", dependencies=[Administrator], status_code=204)
def change_privilege(work: WorkDep, reader_id: UUID, privilege_id: UUID, change: Change) -> None:
    """Ends, suspends or restores a privilege."""
    _belongs(privilege_id, {x.id for x in _seen(work, reader_id).privileges})
    keep.change_privilege(work, privilege_id, valid_until=change.valid_until, status=change.status)


@router.post("/session/place")
def set_place(work: WorkDep, actor: CurrentUser, choice: PlaceChoice) -> PlaceFacts:
    """Where you read from now."""
    reader_id = reader_of_user(work.session, actor.id)
    if reader_id is None:
        raise NotAllowed("Only readers have a place that they read from.")
    keep.set_place(work, reader_id, choice.place_id)
    work.session.flush()
    (facts,) = reader_facts(work.session, [reader_id])
    if facts.place is None:
        raise NotFound()
    return facts.place


def _seen(work: Work, reader_id: UUID) -> ReaderFacts:
    """The reader, if one of the actor's organisations engages them or gave them a privilege. Raises: NotFound."""
    mine = work.actor.organizations_with("administrator")
    for facts in reader_facts(work.session, [reader_id]):
        if {e.organization_id for e in facts.engagements} & set(mine):
            return facts
        if {p.organization_id for p in facts.privileges} & set(mine):
            return facts
    raise NotFound()


def _belongs(id_: UUID, held: set[UUID]) -> None:
    if id_ not in held:
        raise NotFound()
