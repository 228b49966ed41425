"""What the worklist announces to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.events import Event


@dataclass(frozen=True, slots=True)
class CaseReady(Event):
    """A case's read is ready: its images are complete, or it may be read while they arrive."""

    organization_id: UUID
    case_id: UUID


@dataclass(frozen=True, slots=True)
class ReadAssigned(Event):
    """A read has its reader."""

    organization_id: UUID
    case_id: UUID
    read_id: UUID
    reader_id: UUID
