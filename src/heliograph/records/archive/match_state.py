"""Whether a study answers an order: what orders need to know of it, and the state that they set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.model import Study

_ACTIONS = {
    "matched": "study.matched",
    "unmatched": "study.unmatched",
    "not_needed": "study.match_not_needed",
    "held": "study.held",
}


@dataclass(frozen=True, slots=True)
class StudyIdentity:
    """Who and what a study says it is, as its images tell. Birth date, sex and name are the images', not the patient's."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID | None
    study_instance_uid: str
    accession_number: str | None
    accession_issuer: str | None
    dicom_patient_id: str | None
    dicom_patient_name: str | None
    dicom_birth_date: date | None
    dicom_sex: str | None
    modalities: tuple[str, ...]
    study_description: str | None
    first_received_at: datetime
    match_state: str
    match_reason: str | None


def study_identity(session: ActorSession, study_id: UUID) -> StudyIdentity | None:
    """The study, or None: absent and forbidden look the same."""
    row = session.get(Study, study_id, populate_existing=True)
    return _identity(row) if row is not None else None


def unmatched_studies(
    session: ActorSession, organization_id: UUID, accession_number: str, patient_id: UUID | None = None
) -> list[UUID]:
    """Unmatched studies of the organisation with this accession number (and patient)."""
    query = select(Study.id).where(
        Study.organization_id == organization_id,
        Study.accession_number == accession_number,
        Study.match_state == "unmatched",
    )
    if patient_id is not None:
        query = query.where(Study.patient_id == patient_id)
    return list(session.scalars(query.order_by(Study.id)))


def set_match(
    work: Work,
    study_id: UUID,
    state: str,
    reason: str | None,
    patient_id: UUID | None = None,
    *,
    order_id: UUID | None = None,
) -> bool:
    """Sets the state (unmatched, matched, held, not_needed) and why, in words without patient data.

    `patient_id` moves the study to that patient. Recorded; False when nothing changed.

    Raises:
        NotFound: no such study, or not visible.
    """
    row = work.session.get(Study, study_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    moved = patient_id is not None and row.patient_id != patient_id
    if (row.match_state, row.match_reason) == (state, reason) and not moved:
        return False
    row.match_state, row.match_reason = state, reason
    if moved:
        row.patient_id = patient_id
    work.session.flush()
    work.record(
        _ACTIONS[state],
        organization_id=row.organization_id,
        study_id=row.id,
        order_id=order_id,
        patient_id=row.patient_id,
        reason=reason,
        detail={"patient_moved": True} if moved else {},
    )
    work.touch("study", row.id, row.organization_id)
    return True


def _identity(row: Study) -> StudyIdentity:
    return StudyIdentity(
        id=row.id,
        organization_id=row.organization_id,
        facility_id=row.facility_id,
        patient_id=row.patient_id,
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        accession_issuer=row.accession_issuer,
        dicom_patient_id=row.dicom_patient_id,
        dicom_patient_name=row.dicom_patient_name,
        dicom_birth_date=row.dicom_birth_date,
        dicom_sex=row.dicom_sex,
        modalities=tuple(row.modalities or ()),
        study_description=row.study_description,
        first_received_at=row.first_received_at,
        match_state=row.match_state,
        match_reason=row.match_reason,
    )
