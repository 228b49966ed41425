"""Routes of orders: entering, seeing, cancelling, attaching, and matching studies by hand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from pydantic import BaseModel, Field

from heliograph.care.orders import documents, queries
from heliograph.care.orders.access import may_coordinate, may_see_order
from heliograph.care.orders.cancel import cancel_order, decide_cancel
from heliograph.care.orders.enter import enter_order
from heliograph.care.orders.errors import BadDocument
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure
from heliograph.care.orders.match import match_by_hand
from heliograph.care.orders.model import Order
from heliograph.care.orders.queries import Candidate
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.kit.errors import NotFound
from heliograph.kit.http import ObjectsDep
from heliograph.records.agreements.rules import Priority
from heliograph.records.archive.complete import complete_study
from heliograph.records.archive.queries import study
from heliograph.records.patients.queries import banner
from heliograph.records.sites.queries import facility

router = APIRouter(prefix="/api", tags=["orders"])
SiteStaff = Depends(require_roles("site_staff"))
Matcher = Depends(require_roles("site_staff", "coordinator"))
Text = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(max_length=100)]


class PatientEntered(BaseModel):
    """A patient as typed; `authority` empty: the facility's own."""

    identifier: Annotated[str, Field(min_length=1, max_length=64)]
    authority: Name | None = None
    family_name: Annotated[str, Field(min_length=1, max_length=100)]
    given_name: Name = ""
    birth_date: date | None = None
    sex: Literal["M", "F", "O"] | None = None


class ProcedureEntered(BaseModel):
    """A procedure as typed."""

    description: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(max_length=64)] | None = None
    modality: Annotated[str, Field(max_length=16)] | None = None
    laterality: Literal["L", "R", "B"] | None = None


class NewOrder(BaseModel):
    """An order entered by hand. `confirm_patient`: the identifier is known under another name, and it is the same person."""

    facility_id: UUID
    patient: PatientEntered
    accession: Annotated[str, Field(max_length=16)] | None = None
    priority: Priority = "ROUTINE"
    indication: Annotated[str, Field(max_length=4000)] | None = None
    referrer_name: Text | None = None
    referrer_phone: Annotated[str, Field(max_length=40)] | None = None
    procedures: Annotated[list[ProcedureEntered], Field(min_length=1, max_length=20)]
    confirm_patient: bool = False


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class Reason(BaseModel):
    """Why; kept in the record."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CancelDecision(Reason):
    """`keep`: the order goes on; else it ends."""

    keep: bool


class MatchChoice(Reason):
    """Which order the study answers. `confirm_other_patient`: the images carry another patient's identity, and they are this one's."""

    order_id: UUID
    confirm_other_patient: bool = False


@router.get("/orders/{order_id}")
def see_order(work: WorkDep, order_id: UUID) -> dict[str, Any]:
    """An order with its patient; that you saw it is recorded."""
    row, brief = work.session.get(Order, order_id), queries.order(work.session, order_id)
    if row is None or brief is None or not may_see_order(work, row):
        raise NotFound
    work.record("order.viewed", organization_id=brief.organization_id, order_id=brief.id, patient_id=brief.patient_id)
    place = facility(work.session, brief.facility_id)
    shown = banner(work.session, brief.patient_id, place.time_zone if place else "UTC", work.now)
    return {**asdict(brief), "patient": asdict(shown) if shown else None}


@router.post("/orders", dependencies=[SiteStaff], status_code=201)
def make_order(work: WorkDep, new: NewOrder) -> Made:
    """Enters an order by hand."""
    told = new.patient
    patient = IncomingPatient(
        value=told.identifier,
        authority=told.authority,
        names=(told.family_name.strip(), told.given_name.strip()),
        birth_date=told.birth_date,
        sex=told.sex,
    )
    order_id = enter_order(
        work,
        new.facility_id,
        patient,
        [IncomingProcedure(**p.model_dump()) for p in new.procedures],
        priority=new.priority,
        accession_number=new.accession,
        indication=new.indication,
        referrer_name=new.referrer_name,
        referrer_phone=new.referrer_phone,
        confirm_patient=new.confirm_patient,
    )
    return Made(id=order_id)


@router.post("/orders/{order_id}/cancel", dependencies=[SiteStaff], status_code=204)
def cancel(work: WorkDep, order_id: UUID, why: Reason) -> Response:
    """Cancels an order."""
    cancel_order(work, order_id, why.reason)
    return Response(status_code=204)


@router.post("/orders/{order_id}/cancellation", dependencies=[Matcher], status_code=204)
def decide(work: WorkDep, order_id: UUID, decision: CancelDecision) -> Response:
    """Decides on an order that its site cancelled after images came: it ends, or goes on."""
    decide_cancel(work, order_id, decision.reason, keep=decision.keep)
    return Response(status_code=204)


@router.post("/orders/{order_id}/documents", dependencies=[SiteStaff], status_code=201)
def attach(
    work: WorkDep,
    objects: ObjectsDep,
    order_id: UUID,
    file: Annotated[UploadFile, File()],
    kind: Annotated[Literal["requisition", "worksheet", "other"], Form()] = "requisition",
) -> Made:
    """Attaches a PDF, PNG or JPEG of up to 25 MiB."""
    data = file.file.read(documents.LARGEST + 1)
    if len(data) > documents.LARGEST:
        raise BadDocument
    return Made(id=documents.attach_document(work, objects, order_id, kind, file.filename or "", data))


@router.get("/orders/{order_id}/documents/{document_id}")
def download(work: WorkDep, objects: ObjectsDep, order_id: UUID, document_id: UUID) -> Response:
    """A document; that you saw it is recorded. It opens in the page, never as a page of its own with our rights."""
    found = documents.read_document(work, objects, order_id, document_id)
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(found.name)}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(found.data, media_type=found.media_type, headers=headers)


@router.get("/studies/{study_id}/candidates", dependencies=[Matcher])
def see_candidates(work: WorkDep, study_id: UUID) -> list[Candidate]:
    """Orders that a waiting study may answer, with what differs; that you looked is recorded."""
    waiting = study(work.session, study_id)
    if waiting is None or not may_coordinate(work, waiting.organization_id, waiting.facility_id):
        raise NotFound
    found = queries.candidates(work.session, study_id) or []
    work.record(
        "candidates.viewed",
        organization_id=waiting.organization_id,
        study_id=study_id,
        patient_id=waiting.patient_id,
        detail={"orders": [str(c.order.id) for c in found]},
    )
    return found


@router.post("/studies/{study_id}/match", dependencies=[Matcher], status_code=204)
def match(work: WorkDep, study_id: UUID, choice: MatchChoice) -> Response:
    """Says which order the study answers."""
    match_by_hand(
        work,
        study_id,
        choice.order_id,
        choice.reason,
        confirm_other_patient=choice.confirm_other_patient,
    )
    return Response(status_code=204)


@router.post("/studies/{study_id}/complete", dependencies=[Matcher], status_code=204)
def complete(work: WorkDep, study_id: UUID) -> Response:
    """The technologist says that all images are here."""
    sent = study(work.session, study_id)
    if sent is None or not may_coordinate(work, sent.organization_id, sent.facility_id):
        raise NotFound
    complete_study(work, study_id, by="technologist")
    return Response(status_code=204)
