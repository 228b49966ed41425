"""What the archive announces to the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
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
class StudyCompleted(Event):
    """A study is complete: quiet for long enough, as many images as expected, or the technologist said so."""

    organization_id: UUID
    study_id: UUID
