"""Reading orders. Row-level security decides what the actor sees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Select, exists, or_, select

from heliograph.care.orders.model import Order, OrderDocument, OrderStudy, RequestedProcedure
from heliograph.care.orders.states import OrderSource, OrderStatus
from heliograph.kit.db.session import ActorSession
from heliograph.records.agreements.rules import Priority
from heliograph.records.archive.queries import StudyFacts, study
from heliograph.records.patients.names import normalised
from heliograph.records.patients.queries import PatientBanner, banners
from heliograph.records.sites.queries import facilities


@dataclass(frozen=True, slots=True)
class ProcedureBrief:
    """A requested procedure that is not cancelled."""

    id: UUID
    description: str
    code: str | None
    modality: str | None
    exam_class: str
    laterality: str | None
    study_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentBrief:
    """A document attached to an order."""

    id: UUID
    name: str
    kind: str
    media_type: str


@dataclass(frozen=True, slots=True)
class OrderBrief:
    """An order as pages show it."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID
    accession: str | None
    accession_issuer: str | None
    placer_number: str | None
    filler_number: str | None
    priority: Priority
    status: OrderStatus
    source: OrderSource
    indication: str | None
    referrer_name: str | None
    referrer_phone: str | None
    patient_class: str | None
    ordered_at: datetime | None
    received_at: datetime
    reconciled_at: datetime | None
    procedures: tuple[ProcedureBrief, ...]
    documents: tuple[DocumentBrief, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an order and the images disagree; None: not told."""

    field: str
    in_order: str | None
    in_images: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that a waiting study may answer, and what speaks against it."""

    order: OrderBrief
    patient: PatientBanner
    differences: tuple[Difference, ...]


def visible_orders() -> Select[Order]:
    """All orders that the actor may see; the database filters."""
    return select(Order)


def order(session: ActorSession, order_id: UUID) -> OrderBrief | None:
    """One order, or None: absent and forbidden look the same."""
    return orders(session, [order_id]).get(order_id)


def orders(session: ActorSession, order_ids: Iterable[UUID]) -> dict[UUID, OrderBrief]:
    """Orders by id with procedures and documents, in three statements."""
    rows = list(session.scalars(visible_orders().where(Order.id.in_(list(order_ids)))))
    procedures: dict[UUID, list[ProcedureBrief]] = {}
    for p in session.scalars(
        select(RequestedProcedure)
        .where(RequestedProcedure.order_id.in_([r.id for r in rows]), RequestedProcedure.is_cancelled.is_(False))
        .order_by(RequestedProcedure.position)
    ):
        brief = ProcedureBrief(
            p.id, p.description, p.code, p.modality, p.exam_class, p.laterality, p.study_instance_uid
        )
        procedures.setdefault(p.order_id, []).append(brief)
    documents: dict[UUID, list[DocumentBrief]] = {}
    for d in session.scalars(
        select(OrderDocument).where(OrderDocument.order_id.in_([r.id for r in rows])).order_by(OrderDocument.id)
    ):
        documents.setdefault(d.order_id, []).append(DocumentBrief(d.id, d.name, d.kind, d.media_type))
    return {r.id: _brief(r, procedures.get(r.id, []), documents.get(r.id, [])) for r in rows}


def orders_of_studies(session: ActorSession, study_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """study id -> ids of the orders that it answers."""
    found: dict[UUID, list[UUID]] = {}
    rows = session.execute(
        select(OrderStudy.study_id, OrderStudy.order_id)
        .where(OrderStudy.study_id.in_(list(study_ids)))
        .order_by(OrderStudy.matched_at)
    )
    for study_id, order_id in rows:
        found.setdefault(study_id, []).append(order_id)
    return found


def studies_of_orders(session: ActorSession, order_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """order id -> ids of the studies that answer it."""
    found: dict[UUID, list[UUID]] = {}
    rows = session.execute(
        select(OrderStudy.order_id, OrderStudy.study_id)
        .where(OrderStudy.order_id.in_(list(order_ids)))
        .order_by(OrderStudy.matched_at)
    )
    for order_id, study_id in rows:
        found.setdefault(order_id, []).append(study_id)
    return found


def open_orders_of(session: ActorSession, organizations: Iterable[UUID], limit: int = 500) -> list[UUID]:
    """Orders of organisations that no study answers yet, newest first: a site's list of what is expected."""
    rows = session.scalars(
        select(Order.id)
        .where(
            Order.organization_id.in_(list(organizations)),
            Order.status != "cancelled",
            ~exists().where(OrderStudy.order_id == Order.id),
        )
        .order_by(Order.received_at.desc())
        .limit(limit)
    )
    return list(rows)


def candidates(session: ActorSession, study_id: UUID, limit: int = 20) -> list[Candidate] | None:
    """Orders of its organisation that a waiting study may answer, the likeliest first. None: no such study, or not visible.

    Those with its accession number, those of its patient, and those of its facility that no study answers yet.
    """
    waiting = study(session, study_id)
    if waiting is None:
        return None
    likely = [Order.facility_id == waiting.facility_id]
    if waiting.accession_number:
        likely.append(Order.accession_number == waiting.accession_number)
    if waiting.patient_id:
        likely.append(Order.patient_id == waiting.patient_id)
    answered = exists().where(OrderStudy.order_id == Order.id)
    numbered = Order.accession_number == (waiting.accession_number or "")
    rows = list(
        session.scalars(
            visible_orders()
            .where(
                Order.organization_id == waiting.organization_id,
                Order.status != "cancelled",
                or_(*likely),
                ~answered | numbered,
            )
            .order_by(
                (Order.accession_number == (waiting.accession_number or "")).desc().nulls_last(),
                (Order.patient_id == waiting.patient_id).desc().nulls_last(),
                Order.received_at.desc(),
            )
            .limit(limit)
        )
    )
    briefs = orders(session, [r.id for r in rows])
    places = facilities(session, {waiting.facility_id, *(r.facility_id for r in rows)})
    here = places.get(waiting.facility_id)
    authority = waiting.dicom_patient_issuer or (here.patient_id_authority if here else None)
    shown = banners(session, {r.patient_id: places[r.facility_id].time_zone for r in rows})
    return [
        Candidate(briefs[r.id], shown[r.patient_id], differences(briefs[r.id], shown[r.patient_id], waiting, authority))
        for r in rows
        if r.patient_id in shown
    ]


def differences(
    brief: OrderBrief, patient: PatientBanner, images: StudyFacts, authority: str | None
) -> tuple[Difference, ...]:
    """Where the order's patient and number are not those in the images; what the images don't tell is a difference too.

    `authority` assigned the images' patient identifier: the same number of another authority is another patient's.
    """
    ids = [i.value for i in patient.identifiers]
    assigned = [i.authority for i in patient.identifiers if i.value == images.dicom_patient_id]
    name = (images.dicom_patient_name or "").split("=")[0].replace("^", " ")
    same_name = sorted(normalised(name).split()) == sorted(
        normalised(f"{patient.family_name} {patient.given_name}").split()
    )
    birth = patient.birth_date.isoformat() if patient.birth_date else None
    born = images.dicom_birth_date.isoformat() if images.dicom_birth_date else None
    compared = (
        ("name", patient.display_name, name.strip() or None, same_name),
        ("birth_date", birth, born, birth == born),
        ("sex", patient.sex, images.dicom_sex, patient.sex == images.dicom_sex),
        ("patient_id", ids[0] if ids else None, images.dicom_patient_id, images.dicom_patient_id in ids),
        ("patient_id_issuer", assigned[0] if assigned else None, authority, not assigned or authority in assigned),
        ("accession", brief.accession, images.accession_number, brief.accession == images.accession_number),
    )
    return tuple(Difference(field, ordered, imaged) for field, ordered, imaged, same in compared if not same)


def _brief(row: Order, procedures: list[ProcedureBrief], documents: list[DocumentBrief]) -> OrderBrief:
    return OrderBrief(
        id=row.id,
        organization_id=row.organization_id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        accession=row.accession_number,
        accession_issuer=row.accession_issuer,
        placer_number=row.placer_number,
        filler_number=row.filler_number,
        priority=cast("Priority", row.priority),
        status=cast("OrderStatus", row.status),
        source=cast("OrderSource", row.source),
        indication=row.indication,
        referrer_name=row.referrer_name,
        referrer_phone=row.referrer_phone,
        patient_class=row.patient_class,
        ordered_at=row.ordered_at,
        received_at=row.received_at,
        reconciled_at=row.reconciled_at,
        procedures=tuple(procedures),
        documents=tuple(documents),
    )
