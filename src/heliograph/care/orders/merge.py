"""Patients who turn out to be one: their studies, orders and cases follow, and come back when that was wrong."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import case, func, update

from heliograph.care.orders.access import may_coordinate
from heliograph.care.orders.errors import ReasonNeeded
from heliograph.care.orders.events import PatientsMerged
from heliograph.care.orders.model import Order
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import corrections
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.archive.proposals import name_survivor
from heliograph.records.archive.queries import StudyFacts, studies_of_patient
from heliograph.records.patients import merge as patients
from heliograph.records.patients.queries import patient


def merge_patients(work: Work, survivor_id: UUID, merged_id: UUID, reason: str) -> UUID:
    """Merges `merged_id` into `survivor_id`; returns the merge's id. Studies name the survivor on their way out.

    Raises:
        NotFound, NotAllowed, ReasonNeeded, SelfMerge, MergedAlready
    """
    _check(work, survivor_id, reason)
    following = _locked_studies(work, merged_id)
    made, is_new = patients.merge(work, survivor_id, merged_id, reason.strip())
    if not is_new:
        return made.id
    for study in following:
        name_survivor(work, study.id, survivor_id, made.id, made.reason)
    moved = work.session.scalars(
        update(Order)
        .where(Order.patient_id == merged_id)
        .values(patient_id=survivor_id, merge_id=func.coalesce(Order.merge_id, made.id))
        .returning(Order.id)
    ).all()
    work.record(
        "patient.orders_moved",
        organization_id=made.organization_id,
        patient_id=survivor_id,
        subject_kind="merge",
        subject_id=made.id,
        detail={"studies": len(following), "orders": len(moved)},
    )
    work.announce(PatientsMerged(made.organization_id, made.id, survivor_id, merged_id))
    return made.id


def unmerge_patients(work: Work, merge_id: UUID, reason: str) -> None:
    """Takes a merge back: what followed it goes back, also studies and orders that came since under the identifiers of the one who was
    merged, or of those who were merged into them before.

    Raises:
        NotFound, NotAllowed, ReasonNeeded, MergeUndone, MergedFurther
    """
    made = patients.merge_of(work.session, merge_id)
    if made is None:
        raise NotFound
    _check(work, made.survivor_id, reason)
    theirs = _locked_studies(work, made.survivor_id)
    patients.undo_merge(work, merge_id, reason.strip())
    back = [study for study in theirs if corrections.take_out(work, study.id, merge_id, reason.strip())]
    through = [merge_id, *patients.merges_into(work.session, made.merged_id)]
    returned = work.session.scalars(
        update(Order)
        .where(Order.merge_id.in_(through), Order.patient_id == made.survivor_id)
        .values(patient_id=made.merged_id, merge_id=case((Order.merge_id != merge_id, Order.merge_id)))
        .returning(Order.id)
    ).all()
    work.record(
        "patient.orders_moved",
        organization_id=made.organization_id,
        patient_id=made.merged_id,
        subject_kind="merge",
        subject_id=made.id,
        detail={"studies": len(back), "orders": len(returned)},
    )
    work.announce(PatientsMerged(made.organization_id, made.id, made.merged_id, made.survivor_id, is_undone=True))


def _check(work: Work, patient_id: UUID, reason: str) -> None:
    found = patient(work.session, patient_id)
    if found is None:
        raise NotFound
    if not may_coordinate(work, found.organization_id, everywhere=True):
        raise NotAllowed(
            "This is for the organisation's staff and its coordinators.",
            action="patient.merged",
            organization_id=found.organization_id,
        )
    if not reason.strip():
        raise ReasonNeeded


def _locked_studies(work: Work, patient_id: UUID) -> list[StudyFacts]:
    """A patient's studies; nobody matches them until the end of the transaction."""
    known = studies_of_patient(work.session, patient_id)
    if known:
        lock_accessions(work.session, known[0].organization_id, [study.accession_number for study in known])
    return sorted(studies_of_patient(work.session, patient_id), key=lambda study: study.study_instance_uid)
