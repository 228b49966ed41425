"""Reading the archive. Row-level security decides what the actor sees; doors add what their roles may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal, cast
from uuid import UUID

from sqlalchemy import Select, column, select, table

from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.overlay import Overlay, overlays

__all__ = [
    "DicomPatient",
    "InstancePlace",
    "StudyBrief",
    "StudyFacts",
    "as_study_facts",
    "instance_places",
    "priors_of",
    "studies",
    "studies_of_patient",
    "study",
    "study_brief",
    "study_briefs",
    "study_by_uid",
    "unmatched_studies",
    "visible_studies",
]

_organizations = table("organizations", column("id"), column("slug"), schema="tenancy")

MatchState = Literal["unmatched", "matched", "not_needed", "held", "prior"]
"""Whether a study answers an order. `held`: somebody stopped it, or the patient differs; `prior`: sent to compare with, not to be read."""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A study as other rooms know it. Times are UTC; `study_time` and `timezone_offset` are as in the images.

    `id` is ours; `study_id` is the Study ID (0020,0010) that the images carry.
    """

    id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID | None
    study_instance_uid: str
    accession_number: str | None
    accession_issuer: str | None
    dicom_patient_id: str | None
    dicom_patient_issuer: str | None
    dicom_patient_name: str | None
    dicom_birth_date: date | None
    dicom_sex: str | None
    study_id: str | None
    referring_physician: str | None
    study_date: date | None
    study_time: str | None
    timezone_offset: str | None
    study_description: str | None
    body_part: str | None
    modalities: list[str]
    number_of_series: int
    number_of_instances: int
    expected_instances: int | None
    first_received_at: datetime
    last_received_at: datetime
    completed_at: datetime | None
    completed_by: str | None
    match_state: MatchState
    match_reason: str | None
    charset_suspect: bool = False


@dataclass(frozen=True, slots=True)
class DicomPatient:
    """The patient as the images name them."""

    name: str | None
    id: str | None
    birth_date: date | None
    sex: str | None


@dataclass(frozen=True, slots=True)
class StudyBrief:
    """A study as pages show it (`StudyBrief` of the HTTP interface)."""

    id: UUID
    study_instance_uid: str
    organization_slug: str
    description: str | None
    modalities: list[str]
    study_date: date | None
    number_of_series: int
    number_of_instances: int
    first_received_at: datetime
    last_received_at: datetime
    completed_at: datetime | None
    match_state: MatchState
    match_reason: str | None
    accession: str | None
    dicom_patient: DicomPatient
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID | None
    charset_suspect: bool = False


@dataclass(frozen=True, slots=True)
class InstancePlace:
    """Where an instance's bytes are: `object_length` bytes of `object_key` from `object_offset`; `overlay` is put right on the way out."""

    sop_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    object_key: str
    object_offset: int
    object_length: int
    frame_table: bytes | None
    sha256: bytes
    number_of_frames: int
    bits_allocated: int | None
    dataset_offset: int
    overlay: Overlay | None = None


def visible_studies() -> Select[Study]:
    """All studies that the actor may see; the database filters."""
    return select(Study)


def study(session: ActorSession, study_id: UUID) -> StudyFacts | None:
    """One study, or None: absent and forbidden look the same."""
    return next(iter(studies(session, [study_id]).values()), None)


def studies(session: ActorSession, study_ids: Iterable[UUID]) -> dict[UUID, StudyFacts]:
    """Studies by id, for lists."""
    rows = session.scalars(visible_studies().where(Study.id.in_(list(study_ids))))
    return {row.id: as_study_facts(row) for row in rows}


def study_by_uid(session: ActorSession, organization_id: UUID, uid: str) -> StudyFacts | None:
    """The organisation's study with this Study Instance UID."""
    row = session.scalar(
        visible_studies().where(Study.organization_id == organization_id, Study.study_instance_uid == uid)
    )
    return as_study_facts(row) if row is not None else None


def studies_of_patient(session: ActorSession, patient_id: UUID) -> list[StudyFacts]:
    """All studies of a patient, newest first."""
    rows = session.scalars(
        visible_studies()
        .where(Study.patient_id == patient_id)
        .order_by(Study.study_date.desc().nulls_last(), Study.first_received_at.desc())
    )
    return [as_study_facts(row) for row in rows]


def priors_of(session: ActorSession, patient_id: UUID, current: Sequence[UUID]) -> list[StudyFacts]:
    """The patient's earlier studies, newest first: with images, not held, and not examined after all of `current`."""
    found = studies_of_patient(session, patient_id)
    newest = max((_examined_at(facts) for facts in found if facts.id in current), default=None)
    return [
        facts
        for facts in found
        if facts.id not in current
        and facts.number_of_instances
        and facts.match_state != "held"
        and (newest is None or _examined_at(facts) <= newest)
    ]


def _examined_at(facts: StudyFacts) -> tuple[date, str]:
    """When the study says that it was made, on the site's clock; where it doesn't, the day on which it came."""
    return facts.study_date or facts.first_received_at.date(), facts.study_time or ""


def unmatched_studies(session: ActorSession, limit: int = 500) -> list[StudyFacts]:
    """Studies that wait for their order, oldest first."""
    rows = session.scalars(
        visible_studies()
        .where(Study.match_state.in_(("unmatched", "held")), Study.number_of_instances > 0)
        .order_by(Study.first_received_at)
        .limit(limit)
    )
    return [as_study_facts(row) for row in rows]


def study_brief(session: ActorSession, study_id: UUID) -> StudyBrief | None:
    """One study as a page shows it, or None."""
    return study_briefs(session, [study_id]).get(study_id)


def study_briefs(session: ActorSession, study_ids: Iterable[UUID]) -> dict[UUID, StudyBrief]:
    """Studies as pages show them, by id, in one statement."""
    rows = session.execute(
        select(Study, _organizations.c.slug)
        .join(_organizations, _organizations.c.id == Study.organization_id)
        .where(Study.id.in_(list(study_ids)))
    )
    return {row.id: _brief(row, slug) for row, slug in rows}


def instance_places(
    session: ActorSession,
    study_id: UUID,
    *,
    series_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
) -> list[InstancePlace]:
    """Where the bytes of a study's instances are, without hidden ones, in the order of series and instance numbers."""
    query = (
        select(
            Instance.sop_instance_uid,
            Series.series_instance_uid,
            Instance.transfer_syntax_uid,
            Instance.object_key,
            Instance.object_offset,
            Instance.object_length,
            Instance.frame_table,
            Instance.sha256,
            Instance.number_of_frames,
            Instance.bits_allocated,
            Instance.dataset_offset,
        )
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.study_id == study_id, Instance.rejection_id.is_(None))
        .order_by(Series.series_number, Series.id, Instance.instance_number, Instance.sop_instance_uid)
    )
    if series_instance_uid is not None:
        query = query.where(Series.series_instance_uid == series_instance_uid)
    if sop_instance_uid is not None:
        query = query.where(Instance.sop_instance_uid == sop_instance_uid)
    overlay = overlays(session, [study_id]).get(study_id)
    return [InstancePlace(*row, overlay=overlay) for row in session.execute(query)]


def as_study_facts(row: Study) -> StudyFacts:
    """The row as a value."""
    return StudyFacts(**{f.name: getattr(row, f.name) for f in fields(StudyFacts)})


def _brief(row: Study, slug: str) -> StudyBrief:
    return StudyBrief(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        organization_slug=slug,
        description=row.study_description,
        modalities=list(row.modalities),
        study_date=row.study_date,
        number_of_series=row.number_of_series,
        number_of_instances=row.number_of_instances,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        completed_at=row.completed_at,
        match_state=cast("MatchState", row.match_state),
        match_reason=row.match_reason,
        accession=row.accession_number,
        dicom_patient=DicomPatient(row.dicom_patient_name, row.dicom_patient_id, row.dicom_birth_date, row.dicom_sex),
        organization_id=row.organization_id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        charset_suspect=row.charset_suspect,
    )
