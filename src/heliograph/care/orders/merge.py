"""Patients who turn out to be one: their studies, orders and cases follow, and come back when that was wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from heliograph.records.patients.doubts import IdentityInDoubt, raise_doubt, settle_pair
from heliograph.records.patients.identify import Told
from heliograph.records.patients.index import take
from heliograph.records.patients.names import is_another
from heliograph.records.patients.queries import find, patient


def merge_patients(work: Work, survivor_id: UUID, merged_id: UUID, reason: str) -> UUID:
    """Merges `merged_id` into `survivor_id`; returns the merge's id. Studies name the survivor on their way out.

    Raises:
        NotFound, NotAllowed, ReasonNeeded, SelfMerge, MergedAlready
    """
    _check(work, survivor_id, reason)
    return _merge(work, survivor_id, merged_id, reason.strip())


@dataclass(frozen=True, slots=True)
class ToldMerge:
    """What came of a merge that a site told: the patient who goes on, and the merge, None where the two were one already."""

    survivor_id: UUID
    merge_id: UUID | None


def merge_told(work: Work, organization_id: UUID, survivor: Told, retired: Told, reason: str) -> ToldMerge:
    """A site says that the patient of `retired` is the one of `survivor` (HL7 A40 and its elders). It decides over its own identifiers.

    One that is not known yet is made, so that what comes later under it finds the survivor. Two that are one already, also when the
    site now names the other of them as the survivor, stay as they are: merges make no circles. Where family name and birth date both
    differ it is done, and a person is asked to look.

    Raises:
        SelfMerge: both lists begin with the same identifier.
        IdentityInDoubt: the survivor is known under another name and birth date; or the retired identifier was merged with somebody
            else before, which a person must put right.
        NoIdentifier
    """
    kept, gone = survivor.identifiers[0], retired.identifiers[0]
    if (kept.authority, kept.value) == (gone.authority, gone.value):
        raise patients.SelfMerge
    rest = tuple(i for i in survivor.identifiers[1:] if (i.authority, i.value) != (gone.authority, gone.value))
    to = take(work, organization_id, replace(survivor, identifiers=(kept, *rest))).patient
    known = find(work.session, organization_id, gone.authority, gone.value)
    if known is not None and known.id == to.id:
        return ToldMerge(to.id, None)
    if known is not None and known.merge_id is not None:
        raise IdentityInDoubt(
            organization_id,
            to.id,
            other_id=known.id,
            detail="The retired identifier was merged with another patient before; a person must decide.",
        )
    named = {(i.authority, i.value) for i in (kept, *rest)}
    own = (gone, *(i for i in retired.identifiers[1:] if (i.authority, i.value) not in named))
    merged = take(work, organization_id, replace(retired, identifiers=own), change=False).patient
    merge_id = _merge(work, to.id, merged.id, reason)
    if is_another(to, merged.family_name, merged.birth_date):
        raise_doubt(work, organization_id, to.id, "merged_differ", other_id=merged.id, merge_id=merge_id)
    return ToldMerge(to.id, merge_id)


def rename_told(work: Work, organization_id: UUID, patient: Told, former: Told) -> UUID:
    """A site gave a patient another identifier (HL7 A47): the same patient bears both. Nothing is merged. Returns the patient.

    Raises: IdentityInDoubt, where the two identifiers name two patients or name and birth date differ; NoIdentifier.
    """
    now, before = patient.identifiers[0], former.identifiers[0]
    holder = find(work.session, organization_id, before.authority, before.value)
    bearer = find(work.session, organization_id, now.authority, now.value)
    if holder is not None and bearer is not None and holder.id != bearer.id:
        words = (
            "The new identifier and the former one name two patients here; a person must decide whether they are one."
        )
        raise IdentityInDoubt(organization_id, bearer.id, other_id=holder.id, detail=words)
    first = before if holder is not None and bearer is None else now
    given = dict.fromkeys((first, *patient.identifiers, *former.identifiers))
    return take(work, organization_id, replace(patient, identifiers=tuple(given))).patient.id


def _merge(work: Work, survivor_id: UUID, merged_id: UUID, reason: str) -> UUID:
    following = _locked_studies(work, merged_id)
    made, is_new = patients.merge(work, survivor_id, merged_id, reason)
    if not is_new:
        return made.id
    settle_pair(work, survivor_id, merged_id, reason)
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
