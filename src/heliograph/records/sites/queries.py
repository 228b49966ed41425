"""Reading facilities, callers and endpoints. They hold no patient data: callers name the organisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, column, func, select, table

from heliograph.kit.db.session import ActorSession
from heliograph.records.sites.model import Caller, Endpoint, Facility, Node
from heliograph.records.sites.rules import most_specific

_T = TypeVar("_T")
_organizations = table("organizations", column("id"), column("is_active"), schema="tenancy")


@dataclass(frozen=True, slots=True)
class FacilityFacts:
    """A place where images are made."""

    id: UUID
    organization_id: UUID
    code: str
    name: str
    short_name: str
    jurisdiction: str
    time_zone: str
    report_languages: list[str]
    patient_id_authority: str
    accession_issuer: str
    phone: str | None
    quiet_seconds: int | None
    is_images_only: bool
    is_active: bool
    held_answer: str = "warning"
    fallback_charset: str | None = None
    """What is told of an object that is held since other content is here under its UID: warning, success or failure."""


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """A DICOM application entity known to us."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    called_ae: str
    calling_ae: str
    address: str | None
    description: str | None
    sends_priors: bool
    is_active: bool
    tls_required: bool = False
    certificate_sha256: str | None = None
    """Of the DER of the one client certificate that it may show, in lower-case hex; None: it needs none."""
    fallback_charset: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """An HL7 feed (`hl7_in`) or a destination of reports (see `kinds.KINDS`); see the table."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    kind: str
    name: str
    host: str | None
    port: int | None
    application: str
    facility_name: str
    charset: str
    is_active: bool
    mapping: Mapping[str, Any]
    repeats_control_ids: bool
    ignored: list[str]
    order_answer: str
    tls_required: bool
    certificate_sha256: str | None
    reply_host: str | None
    reply_port: int | None
    takes_files: bool
    settings: Mapping[str, Any]


def facts(kind: type[_T], row: object) -> _T:
    """The columns of `row` that the dataclass `kind` names."""
    return kind(**{f.name: getattr(row, f.name) for f in fields(kind)})  # type: ignore[arg-type]


def facility(session: ActorSession, facility_id: UUID) -> FacilityFacts | None:
    """One facility, active or not."""
    row = session.get(Facility, facility_id)
    return facts(FacilityFacts, row) if row is not None else None


def facilities(session: ActorSession, facility_ids: Iterable[UUID]) -> dict[UUID, FacilityFacts]:
    """Facilities by id, for lists."""
    rows = session.scalars(select(Facility).where(Facility.id.in_(list(facility_ids))))
    return {row.id: facts(FacilityFacts, row) for row in rows}


def facilities_of(
    session: ActorSession, organizations: Iterable[UUID], *, active_only: bool = True
) -> list[FacilityFacts]:
    """The facilities of organisations, by name."""
    query = select(Facility).where(Facility.organization_id.in_(list(organizations))).order_by(Facility.name)
    if active_only:
        query = query.where(Facility.is_active)
    return [facts(FacilityFacts, row) for row in session.scalars(query)]


def caller_for(session: ActorSession, called_ae: str, calling_ae: str, address: str) -> KnownCaller | None:
    """Who calls: the active caller with these titles whose address fits best.

    Spaces around a title mean nothing (PS3.5 6.2). A caller without an address fits any.
    None: unknown, or its facility or organisation is not active.
    """
    rows = session.scalars(
        select(Caller)
        .join(Facility, Facility.id == Caller.facility_id)
        .where(
            Caller.called_ae == called_ae.strip(),
            Caller.calling_ae == calling_ae.strip(),
            Caller.is_active,
            Facility.is_active,
            Caller.organization_id.in_(_active_clients()),
        )
    )
    found = most_specific(rows, lambda c: c.address, address)
    return facts(KnownCaller, found) if found is not None else None


def endpoint_for_sender(
    session: ActorSession, application: str, facility_name: str, address: str
) -> EndpointFacts | None:
    """The HL7 feed whose sender (MSH-3, MSH-4) this is, with the best fitting address (`host`).

    None: unknown, or two fit equally well.
    """
    rows = session.scalars(
        select(Endpoint)
        .join(Facility, Facility.id == Endpoint.facility_id)
        .where(
            Endpoint.kind == "hl7_in",
            Endpoint.application == application.strip(),
            Endpoint.facility_name == facility_name.strip(),
            Endpoint.is_active,
            Facility.is_active,
            Endpoint.organization_id.in_(_active_clients()),
        )
    )
    found = most_specific(rows, lambda e: e.host, address)
    return facts(EndpointFacts, found) if found is not None else None


def endpoint(session: ActorSession, endpoint_id: UUID) -> EndpointFacts | None:
    """One endpoint, active or not."""
    row = session.get(Endpoint, endpoint_id)
    return facts(EndpointFacts, row) if row is not None else None


def endpoints_of_facility(session: ActorSession, facility_id: UUID, kinds: Iterable[str]) -> list[EndpointFacts]:
    """The active endpoints of a facility of these kinds."""
    rows = session.scalars(
        select(Endpoint)
        .where(Endpoint.facility_id == facility_id, Endpoint.kind.in_(list(kinds)), Endpoint.is_active)
        .order_by(Endpoint.id)
    )
    return [facts(EndpointFacts, row) for row in rows]


def endpoints_of(session: ActorSession, organizations: Iterable[UUID]) -> list[EndpointFacts]:
    """All endpoints of organisations, for administration."""
    query = select(Endpoint).where(Endpoint.organization_id.in_(list(organizations))).order_by(Endpoint.name)
    return [facts(EndpointFacts, row) for row in session.scalars(query)]


def callers_of_facilities(session: ActorSession, facility_ids: Iterable[UUID]) -> list[KnownCaller]:
    """The active callers of facilities."""
    query = select(Caller).where(Caller.facility_id.in_(list(facility_ids)), Caller.is_active).order_by(Caller.id)
    return [facts(KnownCaller, row) for row in session.scalars(query)]


def sends_priors(session: ActorSession, caller_id: UUID | None) -> bool:
    """Whether what came from there is for comparison only: no order, no case. True of a caller that is said to send
    priors, and of a node, since nothing comes by a node's id but what we fetched from it."""
    if caller_id is None:
        return False
    priors = select(Caller.sends_priors).where(Caller.id == caller_id)
    return bool(session.scalar(priors)) or session.get(Node, caller_id) is not None


def fallback_charset(session: ActorSession, facility_id: UUID, caller_id: UUID | None) -> str | None:
    """The character set of what came from there and declares none, as defined terms: the caller's, else the facility's."""
    of_caller = select(Caller.fallback_charset).where(Caller.id == caller_id).scalar_subquery()
    of_facility = select(Facility.fallback_charset).where(Facility.id == facility_id).scalar_subquery()
    found: str | None = session.scalar(select(func.coalesce(of_caller, of_facility)))
    return found


def callers_of(session: ActorSession, organizations: Iterable[UUID]) -> list[KnownCaller]:
    """All callers of organisations, for administration."""
    query = select(Caller).where(Caller.organization_id.in_(list(organizations))).order_by(Caller.calling_ae, Caller.id)
    return [facts(KnownCaller, row) for row in session.scalars(query)]


def _active_clients() -> Select[tuple[UUID]]:
    return select(_organizations.c.id).where(_organizations.c.is_active)
