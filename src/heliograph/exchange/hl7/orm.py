"""ORM^O01 to orders (HL7 v2.3.1 4.4.1, v2.5.1 4.4.1; IHE RAD-2 to RAD-4 and RAD-13). Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from heliograph.care.orders.exam_classes import laterality_of
from heliograph.care.orders.incoming import Control, IncomingPatient, IncomingProcedure, OrderMessage
from heliograph.care.orders.rules import priority_of
from heliograph.kit.codecs.hl7 import (
    NULL,
    BadDtm,
    FieldMissing,
    Location,
    Message,
    OrderGroup,
    Precision,
    Repetition,
    Segment,
    parse_dtm,
)
from heliograph.kit.errors import Invalid

CONTROLS: dict[str, Control] = {
    # Table 0119, ORC-1.
    "NW": "new",
    "XO": "changed",
    "XX": "changed",
    "RO": "changed",
    "RP": "changed",
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
STATUSES = {
    # Table 0038, ORC-5.
    "SC": "scheduled",
    "HD": "scheduled",
    "IP": "in_progress",
    "A": "in_progress",
    "CM": "completed",
    "CA": "cancelled",
    "DC": "cancelled",
}
SEXES = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O"}
ACCESSION_LENGTH = 16
"""DICOM SH; a longer one could never be in an image."""


class BadOrder(Invalid):
    """A value of the order can't be taken. `fault` is of HL7 table 0357."""

    def __init__(self, fault: str, location: Location, detail: str) -> None:
        self.fault, self.location = fault, location
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Site:
    """What the reading of a message needs to know of its sender."""

    time_zone: str
    patient_id_authority: str


def order_messages(message: Message, site: Site) -> list[OrderMessage]:
    """The orders of a message. Groups (ORC, OBR) with one accession number are one order with several procedures.

    Raises:
        FieldMissing: PID, PID-3, ORC, ORC-1, OBR or OBR-4 is not there, or no number at all names the order.
        BadOrder: a value is not in its table or form, or ORC and OBR contradict each other.
    """
    patient = _patient(message.need("PID"), message, site)
    groups = list(message.groups())
    if not groups:
        raise FieldMissing("ORC")
    orders: list[OrderMessage] = []
    for group in groups:
        order = _order(group, patient, message, site)
        same = next((i for i, known in enumerate(orders) if _belong_together(known, order)), None)
        if same is None:
            orders.append(order)
        else:
            orders[same] = _joined(orders[same], order)
    return [_with_study_uid(order) for order in orders]


def _order(group: OrderGroup, patient: IncomingPatient, message: Message, site: Site) -> OrderMessage:
    if group.orc is None:
        raise FieldMissing("ORC")
    orc, obr = group.orc, group.obr
    control, status = _control(orc)
    placer = _number(group, 2)
    filler = _number(group, 3)
    accession = _accession(obr, filler)
    if not (placer or filler or accession):
        raise FieldMissing("ORC", orc.sequence, 2)
    if obr is None and control != "cancelled":
        raise FieldMissing("OBR")
    priority, defaulted = _priority(group)
    indication, is_null = _indication(obr)
    pv1 = message.segment("PV1")
    return OrderMessage(
        control=control,
        patient=patient,
        placer_number=placer,
        filler_number=filler,
        accession_number=accession,
        status=status,
        priority=priority,
        priority_defaulted=defaulted,
        indication=indication,
        referrer_name=_first(_person, orc.repetitions(12), obr.repetitions(16) if obr else ()),
        referrer_phone=_first(_phone, obr.repetitions(17) if obr else (), orc.repetitions(14)),
        patient_class=pv1.text(2) if pv1 else None,
        ordered_at=_time(orc.text(9), message, site),
        procedures=(_procedure(group, obr, placer, control),) if obr is not None else (),
        clear=frozenset({"indication"} if is_null else ()),
    )


def _control(orc: Segment) -> tuple[Control, str | None]:
    code = orc.require(1).strip().upper()
    control = CONTROLS.get(code)
    if control is None:
        raise BadOrder("103", Location("ORC", orc.sequence, 1), "ORC-1 is no order control that is taken here.")
    status = STATUSES.get((orc.text(5) or "").strip().upper())
    if status == "cancelled" and control in ("changed", "status"):
        return "cancelled", status  # IHE RAD-13 spells it both ways
    return control, None if status == "cancelled" and control == "new" else status


def _number(group: OrderGroup, field: int) -> str | None:
    """The entity id in ORC-2/OBR-2 or ORC-3/OBR-3; where both are sent they must be one."""
    of_orc = group.orc.text(field) if group.orc and not group.orc_shared else None
    of_obr = group.obr.text(field) if group.obr else None
    if of_orc and of_obr and of_orc != of_obr and group.obr:
        place = Location("OBR", group.obr.sequence, field)
        raise BadOrder("207", place, f"OBR-{field} differs from ORC-{field}.")
    return of_orc or of_obr


def _accession(obr: Segment | None, filler: str | None) -> str | None:
    """OBR-18 (IHE RAD-4), else the filler number where it can be one."""
    sent = (obr.text(18) or "").strip() if obr else ""
    if not sent:
        return filler if filler and len(filler) <= ACCESSION_LENGTH and "\\" not in filler else None
    place = Location("OBR", obr.sequence if obr else 1, 18)
    if len(sent) > ACCESSION_LENGTH:
        raise BadOrder("104", place, "OBR-18 is longer than the 16 characters of an accession number.")
    if "\\" in sent:
        raise BadOrder("102", place, "OBR-18 holds a backslash, which an accession number can't.")
    return sent


def _procedure(group: OrderGroup, obr: Segment, placer: str | None, control: Control) -> IncomingProcedure:
    code = obr.text(4) or obr.text(4, 4) or obr.text(44)
    description = obr.text(4, 2) or obr.text(4, 5) or obr.text(44, 2) or code
    if description is None and control == "new":
        raise FieldMissing("OBR", obr.sequence, 4)
    zds = group.segment("ZDS")
    sides = " ".join(r.text(n) or "" for r in obr.repetitions(45) for n in (1, 2))
    return IncomingProcedure(
        description=description or "",
        code=code,
        modality=obr.text(24),
        body_part=obr.text(15, 4),
        laterality=laterality_of(sides) or laterality_of(description),
        study_instance_uid=zds.text(1) if zds else None,
        placer_number=placer,
    )


def _priority(group: OrderGroup) -> tuple[str | None, bool]:
    """TQ1-9, ORC-7.6 and OBR-27.6, the most urgent; OBR-5, long deprecated, only where none of them is sent."""
    codes = [r.text() for tq1 in group.all("TQ1") for r in tq1.repetitions(9)]
    if group.orc is not None:
        codes += [r.text(6) for r in group.orc.repetitions(7)]
    if group.obr is not None:
        codes += [r.text(6) for r in group.obr.repetitions(27)]
        if not any(codes):
            codes = [group.obr.text(5)]
    return priority_of(codes)


def _indication(obr: Segment | None) -> tuple[str | None, bool]:
    """OBR-13 and OBR-31 as one text; whether the sender asks to delete it."""
    if obr is None:
        return None, False
    whole = [r.whole() for r in obr.repetitions(13)]
    reasons = [r.get(2) or r.get(1) for r in obr.repetitions(31)]
    texts = [t.strip() for t in [*whole, *reasons] if isinstance(t, str) and t.strip()]
    kept = [t for i, t in enumerate(texts) if t not in texts[:i]]
    return "; ".join(kept) or None, not kept and NULL in (*whole, *reasons)


def _patient(pid: Segment, message: Message, site: Site) -> IncomingPatient:
    value, authority = _identifier(pid, site)
    clear = tuple(n for n, field in (("birth_date", 7), ("sex", 8)) if pid.get(field) is NULL)
    return IncomingPatient(
        value=value,
        authority=authority,
        names=_names(pid.repetitions(5)),
        birth_date=_birth_date(pid, message, site),
        sex=SEXES.get((pid.text(8) or "").upper()),
        clear=clear,
    )


def _identifier(pid: Segment, site: Site) -> tuple[str, str | None]:
    """The site's own number from the list of PID-3: by authority and type, never by position (HL7 v2.5.1 3.4.2.3)."""
    found = [(r.text(1), r.text(4) or r.text(4, 2), (r.text(5) or "").upper()) for r in pid.repetitions(3)]
    listed = [(v.strip(), a, t) for v, a, t in found if v and v.strip()]
    if not listed:
        raise FieldMissing("PID", pid.sequence, 3)

    def preference(entry: tuple[str, str | None, str]) -> tuple[bool, bool, bool]:
        _, authority, kind = entry
        return (
            authority != site.patient_id_authority,
            authority is not None and kind not in ("MR", "PI", "PT", ""),
            kind != "MR",
        )

    value, authority, _ = min(listed, key=preference)
    return value, authority


def _names(repetitions: tuple[Repetition, ...]) -> tuple[str, str] | None:
    """Family and given names of the legal name in letters (XPN-7 `L`, XPN-8 `A`), else of the first."""
    usable = [r for r in repetitions if r.text(1) or r.text(2)]
    if not usable:
        return None
    best = min(usable, key=lambda r: ((r.text(8) or "A") != "A", (r.text(7) or "L") != "L"))
    given = " ".join(part.strip() for n in (2, 3) if (part := best.text(n)))
    return (best.text(1) or "").strip(), given


def _birth_date(pid: Segment, message: Message, site: Site) -> date | None:
    """PID-7; None where only a year or month is told, which is no date."""
    sent = pid.text(7)
    if sent is None:
        return None
    try:
        told = parse_dtm(sent, ZoneInfo(site.time_zone), message.zone)
    except BadDtm as error:
        raise BadOrder("102", Location("PID", pid.sequence, 7), "PID-7 is no date of the form YYYYMMDD.") from error
    return told.date if told.precision >= Precision.DAY else None


def _time(sent: str | None, message: Message, site: Site) -> datetime | None:
    """ORC-9; an unreadable one is no reason to refuse an order."""
    if sent is None:
        return None
    try:
        told = parse_dtm(sent, ZoneInfo(site.time_zone), message.zone)
    except BadDtm:
        return None
    return told.value if told.precision >= Precision.MINUTE else None


def _first(read: Callable[[Repetition], str | None], *lists: tuple[Repetition, ...]) -> str | None:
    return next((text for repetitions in lists for r in repetitions if (text := read(r))), None)


def _person(r: Repetition) -> str | None:
    """XCN as it is spoken: prefix, given, family; the bare id where no name is sent."""
    parts = [r.text(6), r.text(3), r.text(2)]
    return " ".join(p.strip() for p in parts if p and p.strip()) or r.text(1)


def _phone(r: Repetition) -> str | None:
    """XTN: the number as text, or its parts (HL7 v2.5.1 2.A.89)."""
    parts = [f"+{r.text(5)}" if r.text(5) else None, r.text(6), r.text(7)]
    return r.text(1) or r.text(12) or " ".join(p for p in parts if p) or None


def _belong_together(one: OrderMessage, other: OrderMessage) -> bool:
    if one.control != other.control:
        return False
    if one.accession_number or other.accession_number:
        return one.accession_number == other.accession_number
    return bool(one.placer_number) and one.placer_number == other.placer_number


def _joined(one: OrderMessage, other: OrderMessage) -> OrderMessage:
    urgent, _ = priority_of([one.priority, other.priority])
    texts = list(dict.fromkeys(t for t in (one.indication, other.indication) if t))
    return replace(
        one,
        priority=urgent,
        priority_defaulted=one.priority_defaulted and other.priority_defaulted,
        indication="; ".join(texts) or None,
        procedures=one.procedures + other.procedures,
    )


def _with_study_uid(order: OrderMessage) -> OrderMessage:
    """One ZDS stands behind the last group of an order and is meant for all of it (IHE RAD-4)."""
    uids = {p.study_instance_uid for p in order.procedures if p.study_instance_uid}
    if len(uids) != 1:
        return order
    (uid,) = uids
    return replace(order, procedures=tuple(replace(p, study_instance_uid=uid) for p in order.procedures))
