"""What the patient index announces to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.events import Event


@dataclass(frozen=True, slots=True)
class IdentityDoubted(Event):
    """A person must say whether two are one: see `doubts`."""

    organization_id: UUID
    doubt_id: UUID
    patient_id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class IdentitySettled(Event):
    """A person said so."""

    organization_id: UUID
    doubt_id: UUID


@dataclass(frozen=True, slots=True)
class PatientChanged(Event):
    """A site says something else of a patient than before. `fields`: names of columns."""

    organization_id: UUID
    patient_id: UUID
    fields: tuple[str, ...]
