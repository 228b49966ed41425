"""An order from a site's system: made, changed, replaced or cancelled, and matched to images that wait for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from heliograph.care.orders import states, told
from heliograph.care.orders.cancel import STALE, cancel_by_message, replace_order
from heliograph.care.orders.errors import OrderForAnotherPatient, OrderUnknown
from heliograph.care.orders.find import (
    by_numbers,
    find_order,
    is_secondary,
    is_unheard_of,
    joinable,
    lock_numbers,
    refuse_other_patient,
    refuse_taken_filler,
)
from heliograph.care.orders.incoming import OrderMessage
from heliograph.care.orders.model import Order, OrderAlias
from heliograph.care.orders.procedures import add_procedures, end_procedures, merge_procedures, procedures_of
from heliograph.care.orders.recording import ReceivedOrder, announce_order, record_order
from heliograph.care.orders.rules import rank
from heliograph.kit.work import Work
from heliograph.records.patients.identify import Told, ToldIdentifier
from heliograph.records.patients.index import take, take_changes
from heliograph.records.sites.queries import FacilityFacts

__all__ = ["ReceivedOrder", "receive_order"]

_NUMBERS = {"placer_number": "placer", "filler_number": "filler", "accession_number": "accession"}
_COPIED = (*_NUMBERS, "priority", "indication", "notes", "referrer_name", "referrer_phone", "patient_class", "ordered_at")  # fmt: skip


def receive_order(work: Work, facility: FacilityFacts, message: OrderMessage) -> ReceivedOrder:
    """Makes or changes the order that `message` names by placer number, filler number or accession number.

    A value that was not sent leaves what is stored; one that the site said before what is stored does too. A further procedure under
    the accession number of a live order of the same patient is that order's. An order entered by hand, of the same patient with the
    same accession number, is the same order: it keeps its documents and counts as reconciled. Numbers that an order had before still
    find it. Every change is recorded with the names of the fields, a change of priority with both.

    Raises:
        OrderForAnotherPatient: the number is that of an order for another patient.
        FillerTaken: the filler number is, or was, that of another order.
        OrderUnknown: a cancellation of an order that was never here.
        NoIdentifier: the patient's identifier is empty or too long.
        IdentityInDoubt: family name and birth date both differ from what is known under the identifier.
    """
    issuer = message.accession_issuer or facility.accession_issuer
    lock_numbers(work, facility, message)
    is_new = is_unheard_of(work.session, facility, message)
    order = None if is_new else find_order(work.session, facility, message, issuer)
    if order is None and message.control == "cancelled":
        raise OrderUnknown
    of = Told(
        (ToldIdentifier(message.patient.value, message.patient.authority or facility.patient_id_authority),),
        message.patient.names,
        birth_date=message.patient.birth_date,
        sex=message.patient.sex,
        clear=message.patient.clear,
    )
    patient = take(work, facility.organization_id, of, change=False).patient
    if order is not None and order.patient_id != patient.id:
        raise OrderForAnotherPatient
    if not is_new:
        if order is None or message.control != "cancelled":
            refuse_other_patient(work, facility, message.accession_number, issuer, patient.id)
        order = order or joinable(work.session, facility, message, issuer, patient.id)
        refuse_taken_filler(work.session, facility, message, order)
    is_late = order is not None and told.is_older(order, told.NEWEST, told.stamp(message))
    if not patient.is_new and message.control != "cancelled" and not is_late:
        take_changes(work, patient, of)
    if order is None:
        return _make(work, facility, message, issuer, patient.id, patient.merge_id)
    if message.control == "cancelled":
        return cancel_by_message(work, order, message)
    if _moves_out(order, message):
        return _split(work, facility, order, message, issuer)
    return _change(work, order, message, issuer)


def _make(
    work: Work, facility: FacilityFacts, message: OrderMessage, issuer: str, patient_id: UUID, merge_id: UUID | None
) -> ReceivedOrder:
    at = told.stamp(message)
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
        told={},
    )
    told.note(order, [told.NEWEST, *_said(message)], at)
    work.session.add(order)
    work.session.flush()
    add_procedures(work, order, message.procedures, told=at)
    detail: dict[str, Any] = {"priority": order.priority, "source": "hl7"}
    if message.priority_defaulted:
        detail["priority_defaulted"] = True
    record_order(work, "order.received", order, detail)
    made = announce_order(work, order, "new", _remark(message))
    if message.replaces is not None:
        numbers = message.replaces
        old = by_numbers(work.session, facility, numbers.placer_number, numbers.filler_number)
        if old is not None and old.id != order.id and old.patient_id == patient_id:
            if old.accession_number and old.accession_number != order.accession_number:
                _add_alias(work, order, "accession", old.accession_number, old.accession_issuer)
            replace_order(work, old, order)
    return made


def _change(work: Work, order: Order, message: OrderMessage, issuer: str) -> ReceivedOrder:
    at, before = told.stamp(message), order.priority
    said = _said(message)
    late = [name for name in said if told.is_older(order, name, at)]
    kept = [name for name in said if name not in late and not (name in _NUMBERS and is_secondary(order, message))]
    changed = [name for name in kept if name != "status" and _take(work, order, message, name)]
    if "accession_number" in kept and order.accession_issuer != issuer:
        order.accession_issuer = issuer
        changed.append("accession_issuer")
    if "status" in kept and _take_status(order, message):
        changed.append("status")
    if merge_procedures(work, order, message, at):
        changed.append("procedures")
    told.note(order, kept if late else [told.NEWEST, *kept], at)
    reconciled = order.source == "manual" and order.reconciled_at is None
    if reconciled:
        order.reconciled_at = work.now
    remark = _remark(message, late)
    if not changed and not reconciled:
        work.session.flush()
        return ReceivedOrder(order.id, None, remark)
    order.updated_at = work.now
    work.session.flush()
    detail: dict[str, Any] = {"fields": changed}
    if order.priority != before:
        detail["priority"] = {"from": before, "to": order.priority}
    if message.priority_defaulted:
        detail["priority_defaulted"] = True
    if reconciled:
        detail["reconciled"] = True
    if late:
        detail["late"] = late
    record_order(work, "order.changed", order, detail)
    return announce_order(work, order, "updated", remark)


def _moves_out(order: Order, message: OrderMessage) -> bool:
    """Another procedure of the order than the first has another accession number now: it is an order of its own."""
    return (
        is_secondary(order, message)
        and None not in (order.accession_number, message.accession_number)
        and order.accession_number != message.accession_number
        and not told.is_older(order, "accession_number", told.stamp(message))
    )


def _split(work: Work, facility: FacilityFacts, order: Order, message: OrderMessage, issuer: str) -> ReceivedOrder:
    named = {message.placer_number, *(p.placer_number for p in message.procedures)}
    moved = [p for p in procedures_of(work, order.id) if p.placer_number in named]
    for procedure in moved:  # their numbers go with them
        procedure.placer_number = procedure.filler_number = None
    end_procedures(work, moved, told.stamp(message))
    order.updated_at = work.now
    work.session.flush()
    record_order(work, "order.changed", order, {"fields": ["procedures"], "moved_procedures": len(moved)})
    announce_order(work, order, "updated")
    other = joinable(work.session, facility, message, issuer, order.patient_id)
    if other is not None:
        return _change(work, other, message, issuer)
    return _make(work, facility, replace(message, control="new"), issuer, order.patient_id, order.merge_id)


def _said(message: OrderMessage) -> list[str]:
    """The fields of which the message says something."""
    names = [n for n in _COPIED if getattr(message, n) is not None or n in message.clear]
    if message.priority_defaulted:
        names.remove("priority")  # a code that nobody knows must not move a priority that somebody chose
    if message.status is not None or message.control == "new":
        names.append("status")
    return names


def _take(work: Work, order: Order, message: OrderMessage, name: str) -> bool:
    value, before = (None if name in message.clear else getattr(message, name)), getattr(order, name)
    if before is not None and is_secondary(order, message):
        value = _with_secondary(name, before, value)
    if value == before:
        return False
    if before is not None and name in _NUMBERS:
        issuer = order.accession_issuer if name == "accession_number" else None
        _add_alias(work, order, _NUMBERS[name], before, issuer)
    setattr(order, name, value)
    return True


def _with_secondary(name: str, before: Any, value: Any) -> Any:
    """What a further procedure of the order says beside what is known: it makes the order no less urgent, and its words are added."""
    if name == "priority":
        return min(before, value, key=rank)
    if name in ("indication", "notes"):
        return before if not value or value in before else f"{before}; {value}"
    return value


def _add_alias(work: Work, order: Order, kind: str, value: str, issuer: str | None) -> None:
    work.session.add(
        OrderAlias(
            organization_id=order.organization_id,
            order_id=order.id,
            kind=kind,
            value=value,
            issuer=issuer,
            ended_at=work.now,
        )
    )


def _take_status(order: Order, message: OrderMessage) -> bool:
    """A new placement revives a cancelled order; else only what the message says, as `states` allow, and never out of cancelled."""
    wanted, is_ended = message.status, order.status in ("cancelled", "cancel_requested")
    if message.control == "new":
        wanted = "scheduled" if is_ended else None
    elif is_ended:
        return False
    if wanted is None or not states.allows(order.status, wanted):
        return False
    order.status = wanted
    return True


def _remark(message: OrderMessage, late: list[str] | None = None) -> str | None:
    remarks = list(message.remarks)
    if late:
        remarks.append(STALE.format(", ".join(name.replace("_", " ") for name in late)))
    return " ".join(remarks) or None
