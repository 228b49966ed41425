"""An order from a site's system: made, changed or cancelled, and matched to images that wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from heliograph.care.orders import states
from heliograph.care.orders.errors import OrderForAnotherPatient, OrderUnknown
from heliograph.care.orders.events import Change, OrderChanged
from heliograph.care.orders.exam_classes import classify, laterality_of, modality_of
from heliograph.care.orders.incoming import IncomingProcedure, OrderMessage
from heliograph.care.orders.match import match_waiting
from heliograph.care.orders.model import Order, RequestedProcedure
from heliograph.kit.work import Work
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.patients.identify import identify, update_demographics
from heliograph.records.sites.queries import FacilityFacts

_COPIED = ("placer_number", "filler_number", "accession_number", "priority", "indication", "referrer_name",
           "referrer_phone", "patient_class", "ordered_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReceivedOrder:
    """What became of a message: `change` is None when it said nothing new."""

    id: UUID
    change: Change | None


def receive_order(work: Work, facility: FacilityFacts, message: OrderMessage) -> ReceivedOrder:
    """Makes or changes the order that `message` names by placer number, filler number or accession number.

    A value that was not sent leaves what is stored. An order entered by hand, of the same patient with the same accession number, is
    the same order: it keeps its documents and counts as reconciled. Every change is recorded with the names of the fields, a change
    of priority with both.

    Raises:
        OrderForAnotherPatient: the number is that of an order for another patient.
        OrderUnknown: a cancellation of an order that was never here.
        NoIdentifier: the patient's identifier is empty or too long.
    """
    issuer = message.accession_issuer or facility.accession_issuer
    _lock(work, facility, message)
    order = _find(work, facility, message, issuer)
    if order is None and message.control == "cancelled":
        raise OrderUnknown
    patient = identify(
        work,
        facility.organization_id,
        message.patient.authority or facility.patient_id_authority,
        message.patient.value,
        names=message.patient.names or ("", ""),
        birth_date=message.patient.birth_date,
        sex=message.patient.sex,
    )
    if order is not None and order.patient_id != patient.id:
        raise OrderForAnotherPatient
    if order is None or message.control != "cancelled":
        refuse_other_patient(work, facility, message.accession_number, issuer, patient.id)
    told = message.patient
    if not patient.is_new and message.control != "cancelled":
        update_demographics(
            work, patient.id, names=told.names, birth_date=told.birth_date, sex=told.sex, clear=told.clear
        )
    if order is None:
        return _make(work, facility, message, issuer, patient.id, patient.merge_id)
    if message.control == "cancelled":
        return _cancel(work, order, message)
    return _change(work, order, message, issuer)


def _make(
    work: Work, facility: FacilityFacts, message: OrderMessage, issuer: str, patient_id: UUID, merge_id: UUID | None
) -> ReceivedOrder:
    order = Order(
        organization_id=facility.organization_id,
        facility_id=facility.id,
        patient_id=patient_id,
        merge_id=merge_id,
        source="hl7",
        status=message.status or "scheduled",
        accession_issuer=issuer if message.accession_number else None,
        received_at=work.now,
        updated_at=work.now,
        **{name: getattr(message, name) for name in _COPIED if name != "priority"},
        priority=message.priority or "ROUTINE",
    )
    work.session.add(order)
    work.session.flush()
    add_procedures(work, order, message.procedures)
    detail: dict[str, Any] = {"priority": order.priority, "source": "hl7"}
    if message.priority_defaulted:
        detail["priority_defaulted"] = True
    _record(work, "order.received", order, detail)
    return _announce(work, order, "new")


def _change(work: Work, order: Order, message: OrderMessage, issuer: str) -> ReceivedOrder:
    before = order.priority
    changed = [name for name in _COPIED if _set(order, name, _wanted(order, message, name))]
    if message.accession_number and _set(order, "accession_issuer", issuer):
        changed.append("accession_issuer")
    if _take_status(order, message):
        changed.append("status")
    if _merge_procedures(work, order, message):
        changed.append("procedures")
    reconciled = order.source == "manual" and order.reconciled_at is None
    if reconciled:
        order.reconciled_at = work.now
    if not changed and not reconciled:
        return ReceivedOrder(order.id, None)
    order.updated_at = work.now
    work.session.flush()
    detail: dict[str, Any] = {"fields": changed}
    if order.priority != before:
        detail["priority"] = {"from": before, "to": order.priority}
    if message.priority_defaulted:
        detail["priority_defaulted"] = True
    if reconciled:
        detail["reconciled"] = True
    _record(work, "order.changed", order, detail)
    return _announce(work, order, "updated")


def _cancel(work: Work, order: Order, message: OrderMessage) -> ReceivedOrder:
    """Cancels the order, or, where it has several numbered procedures, those that the message names."""
    live = _procedures(work, order.id)
    named = {p.placer_number for p in message.procedures} | {message.placer_number}
    ended = [p for p in live if p.placer_number and p.placer_number in named]
    if ended and len(ended) < len(live):
        for procedure in ended:
            procedure.is_cancelled = True
        order.updated_at = work.now
        work.session.flush()
        _record(work, "order.changed", order, {"fields": ["procedures"], "cancelled_procedures": len(ended)})
        return _announce(work, order, "updated")
    if order.status == "cancelled":
        return ReceivedOrder(order.id, None)
    return cancel_order_row(work, order)


def cancel_order_row(work: Work, order: Order, reason: str | None = None) -> ReceivedOrder:
    """Marks the order as cancelled; images that answer it stay, and stay matched. Recorded and announced."""
    order.status, order.updated_at = "cancelled", work.now
    work.session.flush()
    _record(work, "order.cancelled", order, {}, reason)
    return _announce(work, order, "cancelled")


def add_procedures(work: Work, order: Order, procedures: Iterable[IncomingProcedure], start: int = 0) -> None:
    """Adds requested procedures, each with its exam class, at positions from `start`."""
    for position, incoming in enumerate(procedures, start):
        row = RequestedProcedure(organization_id=order.organization_id, order_id=order.id, position=position)
        for name, value in _procedure_values(incoming).items():
            setattr(row, name, value)
        work.session.add(row)
    work.session.flush()


def _procedure_values(incoming: IncomingProcedure) -> dict[str, str | None]:
    exam = classify(incoming.description, code=incoming.code, modality=incoming.modality, body_part=incoming.body_part)
    modality = modality_of(incoming.modality, incoming.description)
    return {
        "placer_number": incoming.placer_number,
        "code": incoming.code,
        "description": incoming.description or incoming.code or exam.name,
        "modality": modality,
        "exam_class": exam.id,
        "laterality": incoming.laterality or laterality_of(incoming.description),
        "study_instance_uid": incoming.study_instance_uid,
    }


def _merge_procedures(work: Work, order: Order, message: OrderMessage) -> bool:
    """Changes the procedures that the message names and adds the new ones. What it does not name stays: HL7 orders come one by one."""
    rows = _procedures(work, order.id, live_only=False)
    incoming = message.procedures
    changed, taken, fresh = False, set[UUID](), []
    for procedure in incoming:
        row = next((r for r in rows if r.id not in taken and _is_same(r, procedure)), None)
        if row is None and len(rows) == len(incoming) == 1:
            row = rows[0]
        if row is None:
            fresh.append(procedure)
            continue
        taken.add(row.id)
        for name, value in _procedure_values(procedure).items():
            changed |= value is not None and _set(row, name, value)
        if message.control == "new":
            changed |= _set(row, "is_cancelled", False)
    if fresh:
        add_procedures(work, order, fresh, start=max((r.position for r in rows), default=-1) + 1)
    work.session.flush()
    return changed or bool(fresh)


def _is_same(row: RequestedProcedure, incoming: IncomingProcedure) -> bool:
    if row.placer_number and incoming.placer_number:
        return row.placer_number == incoming.placer_number
    if row.code and incoming.code:
        return row.code == incoming.code
    return row.description == incoming.description


def _take_status(order: Order, message: OrderMessage) -> bool:
    """A new placement revives a cancelled order; else only what the message says, as `states` allow, and never out of cancelled."""
    wanted = message.status
    if message.control == "new":
        wanted = "scheduled" if order.status == "cancelled" else None
    elif order.status == "cancelled":
        return False
    if wanted is None or not states.allows(order.status, wanted):
        return False
    order.status = wanted
    return True


def _is_secondary(order: Order, message: OrderMessage) -> bool:
    """The message is about another procedure of the order than the first, with numbers of its own."""
    return None not in (order.placer_number, message.placer_number) and order.placer_number != message.placer_number


def _wanted(order: Order, message: OrderMessage, name: str) -> Any:
    if name in message.clear:
        return None
    if name in ("placer_number", "filler_number") and _is_secondary(order, message):
        return getattr(order, name)
    value = getattr(message, name)
    if name == "priority" and message.priority_defaulted:
        value = None  # a code that nobody knows must not move a priority that somebody chose
    return getattr(order, name) if value is None else value


def _set(row: Order | RequestedProcedure, name: str, value: Any) -> bool:
    if getattr(row, name) == value:
        return False
    setattr(row, name, value)
    return True


def _find(work: Work, facility: FacilityFacts, message: OrderMessage, issuer: str) -> Order | None:
    """The order that the message is about; live ones first, the newest first."""
    here = (Order.organization_id == facility.organization_id, Order.facility_id == facility.id)
    newest = (Order.status == "cancelled", Order.received_at.desc())
    if message.placer_number:
        by_procedure = select(RequestedProcedure.order_id).where(
            RequestedProcedure.organization_id == facility.organization_id,
            RequestedProcedure.placer_number == message.placer_number,
        )
        rows = work.session.scalars(
            select(Order)
            .where(*here, or_(Order.placer_number == message.placer_number, Order.id.in_(by_procedure)))
            .order_by(*newest)
        )
        found = next(
            (o for o in rows if _is_secondary(o, message) or _agree(o.filler_number, message.filler_number)), None
        )
        if found is not None:
            return found
    if message.filler_number:
        rows = work.session.scalars(
            select(Order).where(*here, Order.filler_number == message.filler_number).order_by(*newest)
        )
        found = next((o for o in rows if _agree(o.placer_number, message.placer_number)), None)
        if found is not None:
            return found
    if not message.accession_number:
        return None
    rows = work.session.scalars(
        select(Order).where(*_numbered(facility, message.accession_number, issuer)).order_by(*newest)
    )
    return next(
        (
            o
            for o in rows
            if _agree(o.placer_number, message.placer_number) and _agree(o.filler_number, message.filler_number)
        ),
        None,
    )


def _agree(stored: str | None, sent: str | None) -> bool:
    return stored is None or sent is None or stored == sent


def _numbered(facility: FacilityFacts, accession_number: str, issuer: str) -> tuple[Any, ...]:
    return (
        Order.organization_id == facility.organization_id,
        Order.accession_number == accession_number,
        or_(Order.accession_issuer.is_(None), Order.accession_issuer == issuer),
    )


def refuse_other_patient(
    work: Work, facility: FacilityFacts, accession_number: str | None, issuer: str, patient_id: UUID
) -> None:
    """Raises OrderForAnotherPatient when a live order of another patient has this accession number."""
    if not accession_number:
        return
    other = work.session.scalar(
        select(Order.id)
        .where(
            *_numbered(facility, accession_number, issuer),
            Order.patient_id != patient_id,
            Order.status != "cancelled",
        )
        .limit(1)
    )
    if other is not None:
        raise OrderForAnotherPatient


def _procedures(work: Work, order_id: UUID, *, live_only: bool = True) -> list[RequestedProcedure]:
    query = select(RequestedProcedure).where(RequestedProcedure.order_id == order_id)
    if live_only:
        query = query.where(RequestedProcedure.is_cancelled.is_(False))
    return list(work.session.scalars(query.order_by(RequestedProcedure.position)))


def _lock(work: Work, facility: FacilityFacts, message: OrderMessage) -> None:
    """Two messages about one order, on two connections, are taken one after the other; images of the same accession wait too."""
    for kind, number in (("placer", message.placer_number), ("filler", message.filler_number)):
        if number:
            key = func.hashtextextended(f"{kind}/{facility.id}/{number}", 0)
            work.session.execute(select(func.pg_advisory_xact_lock(key)))
    lock_accessions(work.session, facility.organization_id, [message.accession_number])


def _record(work: Work, action: str, order: Order, detail: dict[str, Any], reason: str | None = None) -> None:
    work.record(
        action,
        organization_id=order.organization_id,
        order_id=order.id,
        patient_id=order.patient_id,
        reason=reason,
        detail=detail,
    )


def _announce(work: Work, order: Order, change: Change) -> ReceivedOrder:
    work.touch("order", order.id, order.organization_id)
    work.announce(OrderChanged(order.organization_id, order.id, change))
    if change != "cancelled":
        match_waiting(work, order)
    return ReceivedOrder(order.id, change)
