"""What orders announce to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from heliograph.kit.events import Event

Change = Literal["new", "updated", "cancelled", "cancel_requested", "cancel_refused"]
"""`cancel_requested`: the site cancelled it after images came, so that a person decides. `cancel_refused`: after its report was signed;
it stays as it is."""


@dataclass(frozen=True, slots=True)
class OrderChanged(Event):
    """An order came, changed (priority, procedures, patient data), was cancelled, or the site wants it cancelled."""

    organization_id: UUID
    order_id: UUID
    change: Change


@dataclass(frozen=True, slots=True)
class StudyMatched(Event):
    """A study answers an order now: by rule, or by a person."""

    organization_id: UUID
    study_id: UUID
    order_id: UUID


@dataclass(frozen=True, slots=True)
class StudyUnmatched(Event):
    """A person said that a study does not answer an order after all."""

    organization_id: UUID
    study_id: UUID
    order_id: UUID


@dataclass(frozen=True, slots=True)
class StudyMoved(Event):
    """A study is another patient's than it was: by rule never, always by a person."""

    organization_id: UUID
    study_id: UUID
    patient_id: UUID


@dataclass(frozen=True, slots=True)
class PatientsMerged(Event):
    """What was `from_id`'s is `to_id`'s: two rows were found to be one human, or (`is_undone`) not to be."""

    organization_id: UUID
    merge_id: UUID
    to_id: UUID
    from_id: UUID
    is_undone: bool = False
