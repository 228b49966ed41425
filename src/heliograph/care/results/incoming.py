"""A report as a site sends it, free of the wire's form. The HL7 door makes these; `receive_report` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heliograph.care.results.rules import Section, Status
from heliograph.records.patients.identify import Told


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A document that came with a report. `data` was checked: not too large, and what `media_type` says."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class IncomingReport:
    """What one message says of one examination."""

    patient: Told
    status: Status
    result_code: str
    description: str
    sections: tuple[Section, ...] = ()
    placer_number: str | None = None
    filler_number: str | None = None
    accession_number: str | None = None
    accession_issuer: str | None = None
    """None: the facility's own."""
    author: str | None = None
    is_critical: bool = False
    examined_at: datetime | None = None
    reported_at: datetime | None = None
    sent_at: datetime | None = None
    control_id: str | None = None
    files: tuple[IncomingFile, ...] = ()
