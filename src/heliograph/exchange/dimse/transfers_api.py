"""Routes of transfers from and to DICOM nodes, and the test of a node's connection."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from heliograph.care.orders.access import may_coordinate
from heliograph.care.worklist.access import case_for
from heliograph.governance.access.door import CurrentUser, ReadDep, WorkDep, require_roles
from heliograph.governance.access.narrowing import narrowed
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.errors import HeliographError, Invalid, NotFound
from heliograph.kit.http import SettingsDep, WorksDep
from heliograph.kit.net.dicom import AssociationError, Failed, NotConnected, Rejected, TimedOut, verify
from heliograph.kit.net.dicom.tls import TlsNotReady
from heliograph.kit.work import Work
from heliograph.records.archive.queries import studies_of_patient
from heliograph.records.archive.queries import study as study_of
from heliograph.records.patients.queries import banners
from heliograph.records.patients.queries import patient as patient_of
from heliograph.records.sites import transfers as keep
from heliograph.records.sites.calling import tls_context
from heliograph.records.sites.nodes import NodeFacts, node, nodes_of
from heliograph.records.sites.queries import facilities, facility
from heliograph.records.sites.transfers import Direction, TransferFacts, TransferState

router = APIRouter(prefix="/api", tags=["transfers"])
Administrator = Depends(require_roles("administrator"))
Coordinates = Depends(require_roles("coordinator", "site_staff"))
ECHO_SECONDS = 8.0
Uid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
Number = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^*?\\\x00-\x1f]+$")]
Why = Literal["refused", "unknown_host", "unreachable", "timed_out", "tls", "rejected", "gone", "failed"]


class NotForThis(Invalid):
    """This node is switched off, or is not for that."""


class Echo(BaseModel):
    """How a test of the connection ended. `seconds` from the call to the answer or the failure; `why` and `words` tell a failure."""

    is_ok: bool
    seconds: float
    why: Why | None = None
    words: str | None = None


class NodeBrief(BaseModel):
    """A node that transfers can be asked of."""

    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    name: str
    is_queried: bool
    is_sent_to: bool


class NewFetch(BaseModel):
    """What to fetch: studies of a patient, a study, or studies with an accession number."""

    node_id: UUID
    facility_id: UUID | None = None
    """Where it is filed and whose patient identifiers are asked by, for a node that belongs to no facility."""
    patient_id: UUID | None = None
    study_instance_uid: Uid | None = None
    accession_number: Number | None = None
    case_id: UUID | None = None


class NewSend(BaseModel):
    """A study to send."""

    node_id: UUID
    study_id: UUID
    case_id: UUID | None = None


class Asked(BaseModel):
    """The id of the transfer: a new one, or the same that waits or runs already."""

    id: UUID


class FoundStudy(BaseModel):
    """A study as the node describes it, and what of it is here."""

    uid: str
    date: str
    modalities: str
    expected: int
    received: int
    done: bool
    error: str | None


class TransferLine(BaseModel):
    """A transfer as its page shows it."""

    id: UUID
    organization_id: UUID
    node_id: UUID
    node_name: str
    facility_id: UUID
    facility_name: str
    direction: Direction
    state: TransferState
    patient_id: UUID | None
    patient_name: str | None
    study_id: UUID | None
    case_id: UUID | None
    accession_number: str | None
    studies: list[FoundStudy]
    expected: int | None
    received: int
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@router.post("/admin/nodes/{node_id}/echo", dependencies=[Administrator])
def echo_node(works: WorksDep, settings: SettingsDep, actor: CurrentUser, node_id: UUID) -> Echo:
    """Calls the node with a C-ECHO, for a few seconds at most. It is recorded."""
    with works.read(actor) as work:
        found = node(work.session, node_id)
        if found is None or not actor.holds("administrator", found.organization_id):
            raise NotFound
    started = time.monotonic()
    why, words = _call(found, settings)
    seconds = round(time.monotonic() - started, 3)
    with works.begin(actor) as work:
        work.record(
            "node.tested",
            organization_id=found.organization_id,
            subject_kind="node",
            subject_id=found.id,
            outcome="done" if why is None else "failed",
            reason=why,
        )
    return Echo(is_ok=why is None, seconds=seconds, why=why, words=words)


@router.get("/nodes", dependencies=[Coordinates])
def list_nodes(work: ReadDep) -> list[NodeBrief]:
    """The active nodes that you can fetch from or send to."""
    found = nodes_of(work.session, _organizations(work), active_only=True)
    usable = [n for n in found if n.is_queried or n.is_sent_to]
    return [NodeBrief.model_validate(n, from_attributes=True) for n in usable]


@router.post("/transfers/fetch", dependencies=[Coordinates], status_code=201)
def fetch(work: WorkDep, new: NewFetch) -> Asked:
    """Fetches studies from a node, as priors: they need no order and make no case."""
    found = _node(work, new.node_id)
    if not (new.patient_id or new.study_instance_uid or new.accession_number):
        raise Invalid("Say what to fetch: a patient, a study or an accession number.")
    place = found.facility_id or new.facility_id
    where = facility(work.session, place) if place else None
    if where is None or where.organization_id != found.organization_id:
        raise Invalid("Say which facility it is for: the node belongs to none.") if place is None else NotFound
    if not may_coordinate(work, found.organization_id, where.id):
        raise NotFound
    if new.patient_id is not None:
        _must_know(work, new.patient_id, found.organization_id)
    _must_be_of(work, new.case_id, found.organization_id)
    if not found.is_queried or not found.is_active:
        raise NotForThis
    what = new.model_dump(include={"patient_id", "study_instance_uid", "accession_number", "case_id"})
    return Asked(id=keep.add_transfer(work, found.organization_id, found.id, where.id, direction="fetch", **what))


@router.post("/transfers/send", dependencies=[Coordinates], status_code=201)
def send(work: WorkDep, new: NewSend) -> Asked:
    """Sends a study to a node of its organisation."""
    found = _node(work, new.node_id)
    study = study_of(work.session, new.study_id)
    if study is None or study.organization_id != found.organization_id:
        raise NotFound
    if not may_coordinate(work, study.organization_id, study.facility_id):
        raise NotFound
    _must_be_of(work, new.case_id, found.organization_id)
    if not found.is_sent_to or not found.is_active:
        raise NotForThis
    what = {"study_id": study.id, "patient_id": study.patient_id, "case_id": new.case_id}
    made = keep.add_transfer(work, found.organization_id, found.id, study.facility_id, direction="send", **what)
    return Asked(id=made)


@router.get("/transfers", dependencies=[Coordinates])
def list_transfers(
    work: ReadDep, case_id: UUID | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[TransferLine]:
    """The newest transfers, of all or of one case."""
    organizations = _organizations(work)
    found = keep.transfers_of(work.session, organizations, narrowed(work.actor), case_id=case_id, limit=limit)
    names = {n.id: n.name for n in nodes_of(work.session, organizations)}
    places = facilities(work.session, {t.facility_id for t in found})
    zones = {t.patient_id: places[t.facility_id].time_zone for t in found if t.patient_id is not None}
    patients = {id_: banner.display_name for id_, banner in banners(work.session, zones, work.now).items()}
    return [
        _line(
            t,
            names.get(t.node_id, ""),
            places[t.facility_id].short_name,
            patients.get(t.patient_id) if t.patient_id is not None else None,
        )
        for t in found
    ]


@router.post("/transfers/{transfer_id}/cancel", dependencies=[Coordinates], status_code=204)
def cancel(work: WorkDep, transfer_id: UUID) -> Response:
    """Ends a transfer that waits or runs; what has come or gone stays."""
    _mine(work, transfer_id)
    keep.cancel(work, transfer_id)
    return Response(status_code=204)


@router.post("/transfers/{transfer_id}/again", dependencies=[Coordinates], status_code=204)
def again(work: WorkDep, transfer_id: UUID) -> Response:
    """Tries once more what ended without being whole."""
    _mine(work, transfer_id)
    keep.again(work, transfer_id)
    return Response(status_code=204)


def _organizations(work: Work) -> list[UUID]:
    """Own as site staff or coordinator, and the clients that the group coordinates."""
    own = work.actor.organizations_with("site_staff", "coordinator")
    return [*own, *coordinated_clients(work.session, work.actor.organizations_with("coordinator"))]


def _node(work: Work, node_id: UUID) -> NodeFacts:
    found = node(work.session, node_id)
    if found is None or not may_coordinate(work, found.organization_id):
        raise NotFound
    return found


def _must_know(work: Work, patient_id: UUID, organization_id: UUID) -> None:
    """The patient is the organisation's, and, for staff of some facilities, has been at one of these."""
    who = patient_of(work.session, patient_id)
    if who is None or who.organization_id != organization_id:
        raise NotFound
    own = narrowed(work.actor)
    if organization_id in own.organizations and not any(
        own.lets_see(s.organization_id, s.facility_id) for s in studies_of_patient(work.session, patient_id)
    ):
        raise NotFound


def _must_be_of(work: Work, case_id: UUID | None, organization_id: UUID) -> None:
    if case_id is not None and case_for(work, case_id).organization_id != organization_id:
        raise NotFound


def _mine(work: Work, transfer_id: UUID) -> None:
    found = keep.transfer(work.session, transfer_id)
    if found is None or not may_coordinate(work, found.organization_id, found.facility_id):
        raise NotFound


def _line(facts: TransferFacts, node_name: str, facility_name: str, patient_name: str | None) -> TransferLine:
    values: dict[str, Any] = {name: getattr(facts, name) for name in TransferLine.model_fields if hasattr(facts, name)}
    return TransferLine(**values, node_name=node_name, facility_name=facility_name, patient_name=patient_name)


def _call(found: NodeFacts, settings: SettingsDep) -> tuple[Why | None, str | None]:
    try:
        verify(
            found.host,
            found.port,
            called=found.ae_title,
            calling=found.calling_ae,
            timeout=ECHO_SECONDS,
            tls=tls_context(settings, found.tls),
        )
    except HeliographError as error:
        words = str(error)
        return _why(error), words[:1].upper() + words[1:].rstrip(".") + "."
    return None, None


def _why(error: HeliographError) -> Why:
    match error:
        case NotConnected(why="refused" | "unknown_host" | "unreachable" | "timed_out" | "tls" as why):
            return why
        case TlsNotReady():
            return "tls"
        case TimedOut():
            return "timed_out"
        case Rejected():
            return "rejected"
        case Failed():
            return "failed"
        case AssociationError():
            return "gone"
    return "failed"
