"""ORM^O01, OMI^O23 and OMG^O19 to orders (HL7 v2.3.1 4.4.1, v2.5.1 4.4; IHE RAD-2 to RAD-4, RAD-13, SWF.b), by the feed's mapping. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from heliograph.care.orders.exam_classes import laterality_of
from heliograph.care.orders.incoming import Control, IncomingPatient, IncomingProcedure, OrderMessage, OrderNumbers
from heliograph.care.orders.rules import priority_of
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.mapped import Found, Scope, read
from heliograph.exchange.hl7.pid import Site, patient_of
from heliograph.kit.codecs.hl7 import (
    BadDtm,
    FieldMissing,
    Location,
    Message,
    OrderGroup,
    Precision,
    Segment,
    parse_dtm,
)

__all__ = ["BadOrder", "Site", "order_messages", "side_of"]

CONTROLS: Final[dict[str, Control]] = {
    # Table 0119, ORC-1.
    "NW": "new",
    "CH": "new",
    "XO": "changed",
    "XX": "changed",
    "XR": "changed",
    "RO": "changed",
    "RP": "changed",
    "RU": "changed",
    "SC": "status",
    "SN": "status",
    "NA": "status",
    "CA": "cancelled",
    "OC": "cancelled",
    "CR": "cancelled",
    "DC": "cancelled",
    "OD": "cancelled",
    "DR": "cancelled",
}
REPLACED: Final = frozenset({"RP", "RU"})
"""The order that is replaced: groups with RO behind it take its place (HL7 v2.5.1 4.4.1.1, RP and RO). Without RO it is a change."""
STATUSES: Final = {
    # Table 0038, ORC-5.
    "SC": "scheduled",
    "HD": "scheduled",
    "IP": "in_progress",
    "A": "in_progress",
    "CM": "completed",
    "CA": "cancelled",
    "DC": "cancelled",
}
ACCESSION_LENGTH: Final = 16
"""DICOM SH; a longer one could never be in an image."""
_UID = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
_NULLABLE: Final = ("indication", "notes", "referrer_name", "referrer_phone", "patient_class")
"""What a sender may ask to delete; a number or a priority is changed, never taken away."""


@dataclass(frozen=True, slots=True)
class _Group:
    """One group as an order, with its ORC-1 and what ORC-8 calls its parent."""

    code: str
    order: OrderMessage
    parent: OrderNumbers | None


def order_messages(message: Message, site: Site) -> list[OrderMessage]:
    """The orders of a message. Groups (ORC, OBR) with one accession number are one order with several procedures.

    Raises:
        FieldMissing: PID, PID-3, ORC, ORC-1, OBR or OBR-4 is not there, or no number at all names the order.
        BadOrder: a value is not in its table or form, or two places that must agree contradict each other.
    """
    patient = patient_of(message.need("PID"), message, site)
    groups = list(message.groups())
    if not groups:
        raise FieldMissing("ORC")
    orders: list[OrderMessage] = []
    read_groups = [_group(number, group, patient, message, site) for number, group in enumerate(groups)]
    for order in _replacing(read_groups):
        same = next((i for i, known in enumerate(orders) if _belong_together(known, order)), None)
        if same is None:
            orders.append(order)
        else:
            orders[same] = _joined(orders[same], order)
    return [_with_study_uid(order) for order in orders]


def _group(position: int, group: OrderGroup, patient: IncomingPatient, message: Message, site: Site) -> _Group:
    if group.orc is None:
        raise FieldMissing("ORC")
    orc, obr, scope = group.orc, group.obr, Scope(message, group)
    found = {name: read(value, scope) for name, value in site.mapping.values.items() if value.reads != "identifier"}
    control, status = _control(orc)
    placer, filler = found["placer_number"].text, found["filler_number"].text
    accession = _accession(found["accession_number"], site)
    if not (placer or filler or accession):
        raise FieldMissing("ORC", orc.sequence, 2)
    if obr is None and control != "cancelled":
        raise FieldMissing("OBR")
    priority, defaulted = priority_of(found["priority"].texts, site.mapping.priorities)
    sent_at = _time(message.text("MSH-7"), message, site, is_order=True)
    uid, remark = _study_uid(found["study_instance_uid"])
    order = OrderMessage(
        control=control,
        patient=patient,
        placer_number=placer,
        filler_number=filler,
        accession_number=accession,
        accession_issuer=found["accession_issuer"].text,
        status=status,
        priority=priority,
        priority_defaulted=defaulted,
        indication=found["indication"].text,
        notes=found["notes"].text,
        referrer_name=found["referrer_name"].text,
        referrer_phone=found["referrer_phone"].text,
        patient_class=found["patient_class"].text,
        ordered_at=_time(found["ordered_at"].text, message, site),
        procedures=(_procedure(obr, control, found, uid, site),) if obr is not None else (),
        clear=frozenset(name for name in _NULLABLE if found[name].is_null),
        said_at=_time(orc.text(9), message, site, is_order=True) or sent_at,
        sent_at=sent_at,
        remarks=(remark,) if remark else (),
        positions=(position,),
    )
    return _Group(orc.require(1).strip().upper(), order, _parent(orc))


def _control(orc: Segment) -> tuple[Control, str | None]:
    code = orc.require(1).strip().upper()
    control = CONTROLS.get(code)
    if control is None:
        raise BadOrder("103", Location("ORC", orc.sequence, 1), "ORC-1 is no order control that is taken here.")
    status = STATUSES.get((orc.text(5) or "").strip().upper())
    if status == "cancelled" and control in ("changed", "status"):
        return "cancelled", status  # IHE RAD-13 spells it both ways
    return control, None if status == "cancelled" and control == "new" else status


def _parent(orc: Segment) -> OrderNumbers | None:
    """ORC-8 (EIP): the placer's and the filler's number of the order that this one comes from; each an EI in subcomponents."""
    placer, filler = orc.text(8), orc.text(8, 2)
    return OrderNumbers(placer, filler) if placer or filler else None


def _replacing(groups: list[_Group]) -> list[OrderMessage]:
    """Replacements (RO) name the order that they stand for: the RP or RU before them, else ORC-8. The replaced one is no order."""
    made: list[OrderMessage] = []
    replaced: OrderNumbers | None = None
    for number, group in enumerate(groups):
        if group.code in REPLACED and number + 1 < len(groups) and groups[number + 1].code == "RO":
            replaced = OrderNumbers(group.order.placer_number, group.order.filler_number)
        elif group.code == "RO" and (old := replaced or group.parent) is not None and not _is_named(group.order, old):
            made.append(replace(group.order, control="new", replaces=old))
        else:
            replaced = None
            made.append(group.order)
    return made


def _is_named(order: OrderMessage, numbers: OrderNumbers) -> bool:
    """The order bears these numbers itself."""
    return (numbers.placer_number, numbers.filler_number) in (
        (order.placer_number, order.filler_number),
        (order.placer_number, None),
        (None, order.filler_number),
    )


def _accession(found: Found, site: Site) -> str | None:
    sent, place = found.text, found.location
    if not sent or place is None:
        return None
    is_long, is_barred = len(sent) > ACCESSION_LENGTH, "\\" in sent
    if not (is_long or is_barred):
        return sent
    if found.path in {p.text for p in site.mapping.values["accession_number"].otherwise}:
        return None  # a filler number that can't be one
    if is_long:
        raise BadOrder("104", place, f"{found.path} is longer than the 16 characters of an accession number.")
    raise BadOrder("102", place, f"{found.path} holds a backslash, which an accession number can't.")


def _procedure(
    obr: Segment, control: Control, found: dict[str, Found], uid: str | None, site: Site
) -> IncomingProcedure:
    code = found["procedure_code"].text
    description = found["procedure"].text or code
    if description is None and control == "new":
        raise FieldMissing("OBR", obr.sequence, 4)
    modality, side = found["modality"].text, found["laterality"]
    return IncomingProcedure(
        description=description or "",
        code=code,
        modality=site.mapping.modalities.get((modality or "").upper(), modality),
        body_part=found["body_part"].text,
        laterality=side_of(side.texts) or (None if side.is_null else laterality_of(description)),
        study_instance_uid=uid,
        placer_number=found["placer_number"].text,
        filler_number=found["filler_number"].text,
        requested_procedure_id=found["requested_procedure_id"].text,
        clear=frozenset({"laterality"} if side.is_null else ()),
    )


def side_of(texts: tuple[str, ...]) -> str | None:
    """L, R or B of the codes and words for a side; 50 is both (table 0495)."""
    words = " ".join("bilateral" if text.strip() == "50" else text for text in texts)
    return laterality_of(words)


def _study_uid(found: Found) -> tuple[str | None, str | None]:
    """The UID, and a remark when what stands there is none: no reason to refuse an order."""
    if found.text is None or _UID.fullmatch(found.text):
        return found.text, None
    return None, f"{found.path} is no UID; it was left out."


def _time(sent: str | None, message: Message, site: Site, *, is_order: bool = False) -> datetime | None:
    """A time; an unreadable one is no reason to refuse an order. `is_order`: for telling which of two messages is the newer; None in
    the hour that the clock shows twice."""
    if sent is None:
        return None
    try:
        told = parse_dtm(sent, ZoneInfo(site.time_zone), message.zone)
    except BadDtm:
        return None
    if is_order and (told.ambiguous or told.nonexistent):
        return None
    return told.value if told.precision >= Precision.MINUTE else None


def _belong_together(one: OrderMessage, other: OrderMessage) -> bool:
    if one.control != other.control or one.replaces != other.replaces:
        return False
    if one.accession_number or other.accession_number:
        return one.accession_number == other.accession_number
    return bool(one.placer_number) and one.placer_number == other.placer_number


def _joined(one: OrderMessage, other: OrderMessage) -> OrderMessage:
    urgent, _ = priority_of([one.priority, other.priority])

    def texts(*given: str | None) -> str | None:
        return "; ".join(dict.fromkeys(t for t in given if t)) or None

    return replace(
        one,
        priority=urgent,
        priority_defaulted=one.priority_defaulted and other.priority_defaulted,
        indication=texts(one.indication, other.indication),
        notes=texts(one.notes, other.notes),
        procedures=one.procedures + other.procedures,
        clear=one.clear & other.clear,
        remarks=tuple(dict.fromkeys((*one.remarks, *other.remarks))),
        positions=one.positions + other.positions,
    )


def _with_study_uid(order: OrderMessage) -> OrderMessage:
    """One ZDS stands behind the last group of an order and is meant for all of it (IHE RAD-4)."""
    uids = {p.study_instance_uid for p in order.procedures if p.study_instance_uid}
    if len(uids) != 1:
        return order
    (uid,) = uids
    return replace(order, procedures=tuple(replace(p, study_instance_uid=uid) for p in order.procedures))
