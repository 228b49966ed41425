"""What reading announces to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.events import Event


@dataclass(frozen=True, slots=True)
class ReportSigned(Event):
    """A version was signed. `kind`: preliminary, final, addendum or corrected."""

    organization_id: UUID
    case_id: UUID
    read_id: UUID
    report_id: UUID
    report_version_id: UUID
    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class ReportWithdrawn(Event):
    """A report was withdrawn, with all its versions. `report_version_id`: the newest."""

    organization_id: UUID
    case_id: UUID
    report_id: UUID
    report_version_id: UUID
    number: int
