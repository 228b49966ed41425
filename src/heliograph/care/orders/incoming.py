"""An order as a site sends it, free of the wire's form. The HL7 door makes these; `receive_order` takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Control = Literal["new", "changed", "status", "cancelled"]


@dataclass(frozen=True, slots=True)
class IncomingProcedure:
    """One procedure asked for. None leaves what is stored alone; `clear` names what the sender asks to delete."""

    description: str
    code: str | None = None
    modality: str | None = None
    """DICOM Modality or HL7 section id (OBR-24)."""
    body_part: str | None = None
    laterality: str | None = None
    """L, R or B."""
    study_instance_uid: str | None = None
    placer_number: str | None = None
    filler_number: str | None = None
    requested_procedure_id: str | None = None
    clear: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IncomingPatient:
    """Whom the order is for. `clear` names demographics that the sender asks to delete."""

    value: str
    authority: str | None = None
    """None: the facility's own."""
    names: tuple[str, str] | None = None
    """Family and given name."""
    birth_date: date | None = None
    sex: str | None = None
    clear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderNumbers:
    """The numbers of another order that a message names."""

    placer_number: str | None = None
    filler_number: str | None = None


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """What one message says of one order. None leaves what is stored alone; `clear` names what the sender asks to delete."""

    control: Control
    patient: IncomingPatient
    placer_number: str | None = None
    filler_number: str | None = None
    accession_number: str | None = None
    accession_issuer: str | None = None
    """None: the facility's own."""
    status: str | None = None
    priority: str | None = None
    priority_defaulted: bool = False
    """A code came that nobody knows, so `priority` is the default."""
    indication: str | None = None
    notes: str | None = None
    referrer_name: str | None = None
    referrer_phone: str | None = None
    patient_class: str | None = None
    ordered_at: datetime | None = None
    procedures: tuple[IncomingProcedure, ...] = ()
    clear: frozenset[str] = field(default_factory=frozenset)
    said_at: datetime | None = None
    """When the site said so (ORC-9, else MSH-7); None: not told, so it counts as the newest."""
    sent_at: datetime | None = None
    """When the message was made (MSH-7): tells two of one `said_at` apart."""
    replaces: OrderNumbers | None = None
    """The order in whose place this one stands."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the message though it is taken, without patient data."""
    positions: tuple[int, ...] = ()
    """Which order groups of its message speak of it, from 0."""
