"""What the archive announces to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from heliograph.kit.events import Event


@dataclass(frozen=True, slots=True)
class ImagesIndexed(Event):
    """Images from outside were filed: once a study and batch. `number_of_instances` is how many were new."""

    organization_id: UUID
    study_id: UUID
    facility_id: UUID
    number_of_instances: int
    is_new_study: bool


@dataclass(frozen=True, slots=True)
class ImagesHidden(Event):
    """The last images of a study that were shown are rejected, or wait for deletion. That they are shown again is told as
    `ImagesIndexed`."""

    organization_id: UUID
    study_id: UUID


@dataclass(frozen=True, slots=True)
class ObjectsHeld(Event):
    """Objects of a facility came that can't be filed as they are, and wait for a person: once a facility and batch."""

    organization_id: UUID
    facility_id: UUID
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class QuarantineFull(Event):
    """What could not be read was refused without being kept: the organisation's quota is reached."""

    organization_id: UUID
    facility_id: UUID


@dataclass(frozen=True, slots=True)
class StudyCompleted(Event):
    """A study is complete: quiet for long enough, as many images as expected, or the technologist said so."""

    organization_id: UUID
    study_id: UUID
