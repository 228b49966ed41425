"""Which part of the body, and which side, the images of a study say that they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.codecs.dicom import json_text
from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.model import Instance, Series, Study

_SIDE: Final = ("00200062", "00200060")
"""Image Laterality (0020,0062), else Laterality (0020,0060) of the series."""
_MOST_SINGLE: Final = 64
"""Images of a study up to which each is asked for its side: radiographs and mammograms have several sides in one series."""


@dataclass(frozen=True, slots=True)
class SeriesAnatomy:
    """What a series of images shows. `sides` are of L, R and B, as its images say; unpaired (U) and what is not said is left out."""

    number: int | None
    description: str | None
    body_part: str | None
    sides: frozenset[str]


def anatomy_of(session: ActorSession, study_ids: Sequence[UUID]) -> dict[UUID, list[SeriesAnatomy]]:
    """study id -> its series that came from outside, by number. What is hidden does not count."""
    rows = session.execute(
        select(
            Series.id, Series.study_id, Series.series_number, Series.series_description, Series.body_part,
            Series.laterality, Study.number_of_instances,
        )
        .join(Study, Study.id == Series.study_id)
        .where(
            Series.study_id.in_(study_ids),
            select(Instance.id)
            .where(
                Instance.series_id == Series.id, Instance.is_made_here.is_(False), Instance.rejection_id.is_(None)
            )
            .exists(),
        )
        .order_by(Series.study_id, Series.series_number.nulls_last(), Series.id)
    ).all()  # fmt: skip
    sides = _sides(session, [r.id for r in rows if r.number_of_instances <= _MOST_SINGLE])
    found: dict[UUID, list[SeriesAnatomy]] = {}
    for r in rows:
        told = sides.get(r.id, set()) or {(r.laterality or "").strip().upper()}
        one = SeriesAnatomy(r.series_number, r.series_description, r.body_part, frozenset(told & {"L", "R", "B"}))
        found.setdefault(r.study_id, []).append(one)
    return found


def _sides(session: ActorSession, series_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """series id -> what its images say each."""
    columns = [Instance.header[tag].label(f"t{tag}") for tag in _SIDE]
    rows = session.execute(
        select(Instance.series_id, *columns)
        .where(Instance.series_id.in_(series_ids), Instance.is_made_here.is_(False), Instance.rejection_id.is_(None))
        .distinct()
    )
    found: dict[UUID, set[str]] = {}
    for series_id, *elements in rows:
        of_image, of_series = (json_text(element or {}).strip().upper() for element in elements)
        if side := of_image or of_series:
            found.setdefault(series_id, set()).add(side)
    return found
