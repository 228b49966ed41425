"""Routes of sites: facilities, callers and endpoints under administration."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.kit.work import Work
from heliograph.records.sites import administer as keep
from heliograph.records.sites import queries
from heliograph.records.sites.kinds import EndpointKind
from heliograph.records.sites.queries import EndpointFacts, FacilityFacts, KnownCaller

router = APIRouter(prefix="/api", tags=["sites"])
Administrator = Depends(require_roles("administrator"))
Text = Annotated[str, Field(min_length=1, max_length=200)]
MaybeText = Annotated[str, Field(max_length=200)]
Title = Annotated[str, Field(min_length=1, max_length=16)]
Fingerprint = Annotated[
    str, Field(max_length=200, description="SHA-256 of the certificate's DER, in hex; colons may be.")
]
Port = Annotated[int, Field(ge=1, le=65535)]
Charset = Annotated[
    str,
    Field(max_length=200, description="Defined terms of Specific Character Set, for images that declare none."),
]
HeldAnswer = Annotated[
    Literal["warning", "success", "failure"],
    Field(description="What a sender is told whose object is held since other content is here under its UID."),
]


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class NewFacility(BaseModel):
    """A place where images are made."""

    organization_id: UUID
    code: Text
    name: Text
    short_name: Text
    jurisdiction: Text
    time_zone: Text
    report_languages: list[Text] = Field(min_length=1)
    patient_id_authority: Text
    accession_issuer: Text
    phone: Text | None = None
    quiet_seconds: int | None = Field(None, ge=1, le=86_400)
    is_images_only: bool = False
    held_answer: HeldAnswer = "warning"
    fallback_charset: Charset | None = None


class FacilityChange(BaseModel):
    """What may change of a facility; what is left out stays."""

    code: Text | None = None
    name: Text | None = None
    short_name: Text | None = None
    jurisdiction: Text | None = None
    time_zone: Text | None = None
    report_languages: list[Text] | None = Field(None, min_length=1)
    patient_id_authority: Text | None = None
    accession_issuer: Text | None = None
    phone: Text | None = None
    quiet_seconds: int | None = Field(None, ge=1, le=86_400)
    is_images_only: bool | None = None
    held_answer: HeldAnswer | None = None
    fallback_charset: Charset | None = None
    is_active: bool | None = None


class NewCaller(BaseModel):
    """A DICOM application entity of a facility."""

    facility_id: UUID
    called_ae: Title
    calling_ae: Title
    address: Text | None = None
    description: Text | None = None
    sends_priors: bool = False
    tls_required: bool = False
    certificate_sha256: Fingerprint | None = None
    fallback_charset: Charset | None = None


class CallerChange(BaseModel):
    """What may change of a caller; what is left out stays."""

    facility_id: UUID | None = None
    called_ae: Title | None = None
    calling_ae: Title | None = None
    address: Text | None = None
    description: Text | None = None
    sends_priors: bool | None = None
    tls_required: bool | None = None
    certificate_sha256: Fingerprint | None = None
    fallback_charset: Charset | None = None
    is_active: bool | None = None


class NewEndpoint(BaseModel):
    """An HL7 feed (`hl7_in`) or a destination of reports of a facility. `settings`: what is particular to its kind."""

    facility_id: UUID
    kind: EndpointKind
    name: Text
    application: MaybeText = ""
    facility_name: MaybeText = ""
    host: Text | None = None
    port: Port | None = None
    charset: Text = "UNICODE UTF-8"
    mapping: dict[str, Any] = {}
    repeats_control_ids: bool = False
    ignored: list[Text] = []
    order_answer: Literal["ack", "order_response"] = "ack"
    tls_required: bool = False
    certificate_sha256: Fingerprint | None = None
    reply_host: Text | None = None
    reply_port: Port | None = None
    takes_files: bool = False
    settings: dict[str, Any] = {}


class EndpointChange(BaseModel):
    """What may change of an endpoint; what is left out stays."""

    facility_id: UUID | None = None
    name: Text | None = None
    application: MaybeText | None = None
    facility_name: MaybeText | None = None
    host: Text | None = None
    port: Port | None = None
    charset: Text | None = None
    mapping: dict[str, Any] | None = None
    repeats_control_ids: bool | None = None
    ignored: list[Text] | None = None
    order_answer: Literal["ack", "order_response"] | None = None
    tls_required: bool | None = None
    certificate_sha256: Fingerprint | None = None
    reply_host: Text | None = None
    reply_port: Port | None = None
    takes_files: bool | None = None
    settings: dict[str, Any] | None = None
    is_active: bool | None = None


_NULLABLE = frozenset(
    {"phone", "quiet_seconds", "address", "description", "host", "port", "certificate_sha256", "fallback_charset", "reply_host",
     "reply_port"}
)  # fmt: skip


def _changes(change: BaseModel) -> dict[str, Any]:
    """What was sent; null empties only what may be empty."""
    sent = change.model_dump(exclude_unset=True)
    return {name: value for name, value in sent.items() if value is not None or name in _NULLABLE}


def _administered(work: Work) -> tuple[UUID, ...]:
    return work.actor.organizations_with("administrator")


@router.get("/admin/facilities", dependencies=[Administrator])
def list_facilities(work: ReadDep) -> list[FacilityFacts]:
    """The facilities of the organisations that you administer, active or not."""
    return queries.facilities_of(work.session, _administered(work), active_only=False)


@router.post("/admin/facilities", dependencies=[Administrator], status_code=201)
def make_facility(work: WorkDep, new: NewFacility) -> Made:
    """Makes a facility."""
    values = new.model_dump()
    return Made(id=keep.add_facility(work, values.pop("organization_id"), values))


@router.patch("/admin/facilities/{facility_id}", dependencies=[Administrator], status_code=204)
def change_facility(work: WorkDep, facility_id: UUID, change: FacilityChange) -> Response:
    """Changes a facility."""
    keep.change_facility(work, facility_id, _changes(change))
    return Response(status_code=204)


@router.get("/admin/callers", dependencies=[Administrator])
def list_callers(work: ReadDep) -> list[KnownCaller]:
    """The DICOM callers of the organisations that you administer."""
    return queries.callers_of(work.session, _administered(work))


@router.post("/admin/callers", dependencies=[Administrator], status_code=201)
def make_caller(work: WorkDep, new: NewCaller) -> Made:
    """Makes a caller known."""
    values = new.model_dump()
    return Made(id=keep.add_caller(work, values.pop("facility_id"), values))


@router.patch("/admin/callers/{caller_id}", dependencies=[Administrator], status_code=204)
def change_caller(work: WorkDep, caller_id: UUID, change: CallerChange) -> Response:
    """Changes a caller."""
    keep.change_caller(work, caller_id, _changes(change))
    return Response(status_code=204)


@router.get("/admin/endpoints", dependencies=[Administrator])
def list_endpoints(work: ReadDep) -> list[EndpointFacts]:
    """The HL7 endpoints of the organisations that you administer."""
    return queries.endpoints_of(work.session, _administered(work))


@router.post("/admin/endpoints", dependencies=[Administrator], status_code=201)
def make_endpoint(work: WorkDep, new: NewEndpoint) -> Made:
    """Makes an HL7 feed or destination."""
    values = new.model_dump()
    return Made(id=keep.add_endpoint(work, values.pop("facility_id"), values))


@router.patch("/admin/endpoints/{endpoint_id}", dependencies=[Administrator], status_code=204)
def change_endpoint(work: WorkDep, endpoint_id: UUID, change: EndpointChange) -> Response:
    """Changes an endpoint."""
    keep.change_endpoint(work, endpoint_id, _changes(change))
    return Response(status_code=204)
