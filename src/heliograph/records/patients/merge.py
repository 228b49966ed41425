"""Two rows that are one human: merged, with history, and taken apart again. What belongs to patients follows in the rooms above."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import Conflict, NotFound
from heliograph.kit.work import Work
from heliograph.records.patients.model import Merge, Patient
from heliograph.records.patients.queries import survivor_of


class SelfMerge(Conflict):
    """A patient can't be merged with themself: the two identifiers name one patient already."""


class MergedAlready(Conflict):
    """One of the two was merged before, with somebody else; merge the patients who go on."""


class MergedFurther(Conflict):
    """The patient who goes on was merged since; take that merge back first."""


class MergeUndone(Conflict):
    """This merge was undone already."""


@dataclass(frozen=True, slots=True)
class MergeFacts:
    """A merge: `merged_id` goes on as `survivor_id`, until it was undone."""

    id: UUID
    organization_id: UUID
    survivor_id: UUID
    merged_id: UUID
    reason: str
    made_by: UUID | None
    made_at: datetime
    undone_by: UUID | None
    undone_at: datetime | None
    undo_reason: str | None


def merge(work: Work, survivor_id: UUID, merged_id: UUID, reason: str) -> tuple[MergeFacts, bool]:
    """From now on `merged_id` and its identifiers mean `survivor_id`. The same merge again changes nothing: then the second is False.

    Only patients who were not merged themselves take part, so there are no circles.

    Raises:
        NotFound: one is absent or not visible, or they are of different organisations.
        SelfMerge, MergedAlready
    """
    if survivor_id == merged_id:
        raise SelfMerge
    found = {row.id: row for row in _locked(work.session, survivor_id, merged_id)}
    if len(found) < 2 or len({row.organization_id for row in found.values()}) > 1:
        raise NotFound
    survivor, merged = found[survivor_id], found[merged_id]
    known = work.session.scalar(
        select(Merge).where(Merge.merged_id == merged_id, Merge.survivor_id == survivor_id, Merge.undone_at.is_(None))
    )
    if known is not None:
        return _facts(known), False
    if survivor_of(work.session, survivor).id == survivor_of(work.session, merged).id:
        raise SelfMerge
    if survivor.merged_into_id is not None or merged.merged_into_id is not None:
        raise MergedAlready
    row = Merge(
        organization_id=survivor.organization_id,
        survivor_id=survivor_id,
        merged_id=merged_id,
        reason=reason,
        made_by=work.actor.id,
        made_at=work.now,
    )
    work.session.add(row)
    merged.merged_into_id = survivor_id
    merged.updated_at = work.now
    work.session.flush()
    for patient_id in (survivor_id, merged_id):
        work.record(
            "patient.merged",
            organization_id=row.organization_id,
            patient_id=patient_id,
            subject_kind="merge",
            subject_id=row.id,
            reason=reason,
        )
    return _facts(row), True


def undo_merge(work: Work, merge_id: UUID, reason: str) -> MergeFacts:
    """The two are two again.

    Raises:
        NotFound: no such merge, or not visible.
        MergeUndone, MergedFurther
    """
    row = work.session.get(Merge, merge_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    if row.undone_at is not None:
        raise MergeUndone
    found = {one.id: one for one in _locked(work.session, row.survivor_id, row.merged_id)}
    if found[row.survivor_id].merged_into_id is not None:
        raise MergedFurther
    found[row.merged_id].merged_into_id = None
    found[row.merged_id].updated_at = work.now
    row.undone_at, row.undone_by, row.undo_reason = work.now, work.actor.id, reason
    work.session.flush()
    for patient_id in (row.survivor_id, row.merged_id):
        work.record(
            "patient.merge_undone",
            organization_id=row.organization_id,
            patient_id=patient_id,
            subject_kind="merge",
            subject_id=row.id,
            reason=reason,
        )
    return _facts(row)


def merge_of(session: ActorSession, merge_id: UUID) -> MergeFacts | None:
    """One merge, or None: absent and forbidden look the same."""
    row = session.get(Merge, merge_id)
    return _facts(row) if row is not None else None


def merges_of(session: ActorSession, patient_id: UUID) -> list[MergeFacts]:
    """The merges that a patient took part in, newest first."""
    rows = session.scalars(
        select(Merge)
        .where(or_(Merge.survivor_id == patient_id, Merge.merged_id == patient_id))
        .order_by(Merge.made_at.desc(), Merge.id.desc())
    )
    return [_facts(row) for row in rows]


def merges_into(session: ActorSession, patient_id: UUID) -> list[UUID]:
    """The merges in force by which others are this patient, also by way of others."""
    found: list[UUID] = []
    survivors = [patient_id]
    while survivors:
        query = select(Merge.id, Merge.merged_id).where(Merge.survivor_id.in_(survivors), Merge.undone_at.is_(None))
        rows = session.execute(query).all()
        found += [row.id for row in rows]
        survivors = [row.merged_id for row in rows]
    return found


def _locked(session: ActorSession, *patient_ids: UUID) -> list[Patient]:
    query = select(Patient).where(Patient.id.in_(patient_ids)).order_by(Patient.id)
    return list(session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)))


def _facts(row: Merge) -> MergeFacts:
    return MergeFacts(**{name: getattr(row, name) for name in MergeFacts.__dataclass_fields__})
