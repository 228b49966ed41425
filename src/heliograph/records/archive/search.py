"""Finding studies, series and instances by their attributes, for QIDO-RS and its like.

Row-level security decides what is seen. `only` is a further condition of the door on the studies (aliased `studies`), with its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, cast, func, literal, select

from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.queries import StudyFacts, as_study_facts

MOST = 1000


@dataclass(frozen=True, slots=True)
class StudyFilter:
    """What to look for; empty means any. Texts may hold the wildcards * and ? (PS3.4 C.2.2.2.4)."""

    study_instance_uids: tuple[str, ...] = ()
    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    study_description: str = ""
    study_id: str = ""
    referring_physician: str = ""
    study_date_from: date | None = None
    study_date_until: date | None = None
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A series of a study; `number_of_instances` counts all of it. `more` holds further elements as DICOM JSON."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str | None
    series_number: int | None
    series_description: str | None
    body_part: str | None
    laterality: str | None
    number_of_instances: int
    more: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """An instance; `more` holds further elements as DICOM JSON."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str | None
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    instance_number: int | None
    rows: int | None
    columns: int | None
    bits_allocated: int | None
    number_of_frames: int
    more: dict[str, Any] = field(repr=False)


def find_studies(
    session: ActorSession,
    organization_id: UUID,
    wanted: StudyFilter,
    *,
    only: ColumnElement[bool] | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[StudyFacts]:
    """The organisation's studies that hold images and match, newest first."""
    query = select(Study).where(Study.organization_id == organization_id, Study.number_of_series > 0)
    if only is not None:
        query = query.where(only)
    if wanted.study_instance_uids:
        query = query.where(Study.study_instance_uid.in_(wanted.study_instance_uids))
    if wanted.modalities:
        query = query.where(Study.modalities.op("&&")(cast(list(wanted.modalities), ARRAY(Text))))
    if wanted.study_date_from:
        query = query.where(Study.study_date >= wanted.study_date_from)
    if wanted.study_date_until:
        query = query.where(Study.study_date <= wanted.study_date_until)
    for column, value in (
        (Study.dicom_patient_id, wanted.patient_id),
        (Study.accession_number, wanted.accession_number),
        (Study.study_description, wanted.study_description),
        (Study.study_id, wanted.study_id),
    ):
        query = _matching(query, column, value)
    # Person names match without case (PS3.4 C.2.2.2.1 allows it), and a family name alone finds its bearers.
    query = _matching(query, func.lower(Study.dicom_patient_name), _name_pattern(wanted.patient_name))
    query = _matching(query, func.lower(Study.referring_physician), _name_pattern(wanted.referring_physician))
    query = query.order_by(Study.study_date.desc().nulls_last(), Study.first_received_at.desc(), Study.id)
    rows = session.scalars(query.limit(min(limit, MOST)).offset(offset))
    return [as_study_facts(row) for row in rows]


def find_series(
    session: ActorSession,
    study_id: UUID,
    *,
    series_instance_uid: str = "",
    modality: str = "",
    series_number: int | None = None,
    tags: Sequence[str] = (),
    limit: int = MOST,
    offset: int = 0,
) -> list[SeriesFacts]:
    """The series of a study, by number. `tags` are elements wanted besides, taken from one of its instances."""
    first = select(_picked(tags)).where(Instance.series_id == Series.id).limit(1).correlate(Series).scalar_subquery()
    query = (
        select(
            Study.study_instance_uid,
            Series.series_instance_uid,
            Series.modality,
            Series.series_number,
            Series.series_description,
            Series.body_part,
            Series.laterality,
            Series.number_of_instances,
            func.coalesce(first, func.jsonb_build_object()),
        )
        .join(Study, Study.id == Series.study_id)
        .where(Series.study_id == study_id, Series.number_of_instances > 0)
        .order_by(Series.series_number, Series.id)
        .limit(min(limit, MOST))
        .offset(offset)
    )
    if series_instance_uid:
        query = query.where(Series.series_instance_uid == series_instance_uid)
    if modality:
        query = query.where(Series.modality == modality)
    if series_number is not None:
        query = query.where(Series.series_number == series_number)
    return [SeriesFacts(*row) for row in session.execute(query)]


def find_instances(
    session: ActorSession,
    study_id: UUID,
    *,
    series_instance_uid: str = "",
    sop_instance_uid: str = "",
    sop_class_uid: str = "",
    instance_number: int | None = None,
    tags: Sequence[str] = (),
    whole_header: bool = False,
    limit: int = MOST,
    offset: int = 0,
) -> list[InstanceFacts]:
    """The instances of a study or series, by number. `tags` (or `whole_header`) are elements wanted besides."""
    query = (
        select(
            Study.study_instance_uid,
            Series.series_instance_uid,
            Series.modality,
            Instance.sop_class_uid,
            Instance.sop_instance_uid,
            Instance.transfer_syntax_uid,
            Instance.instance_number,
            Instance.rows,
            Instance.columns,
            Instance.bits_allocated,
            Instance.number_of_frames,
            Instance.header if whole_header else _picked(tags),
        )
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(Instance.study_id == study_id)
        .order_by(Series.series_number, Series.id, Instance.instance_number, Instance.sop_instance_uid)
        .limit(limit)
        .offset(offset)
    )
    if series_instance_uid:
        query = query.where(Series.series_instance_uid == series_instance_uid)
    if sop_instance_uid:
        query = query.where(Instance.sop_instance_uid == sop_instance_uid)
    if sop_class_uid:
        query = query.where(Instance.sop_class_uid == sop_class_uid)
    if instance_number is not None:
        query = query.where(Instance.instance_number == instance_number)
    return [InstanceFacts(*tuple(row)) for row in session.execute(query)]


def _picked(tags: Sequence[str]) -> ColumnElement[Any]:
    """Elements of an instance's header as a JSON object, absent ones left out."""
    pairs = [part for tag in tags for part in (literal(tag), Instance.header[tag])]
    return func.jsonb_strip_nulls(func.jsonb_build_object(*pairs)) if pairs else func.jsonb_build_object()


def _name_pattern(text: str) -> str:
    text = text.lower()
    return text if not text or set(text) & {"*", "?", "^"} else f"{text}*"


def _matching(query: Select[Any], column: Any, value: str) -> Select[Any]:
    if not value or value == "*":
        return query
    if not set(value) & {"*", "?"}:
        return query.where(column == value)
    pattern = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return query.where(column.like(pattern.replace("*", "%").replace("?", "_"), escape="\\"))
