"""Images that are hidden, by a note or by a person: they are in no answer, no count and no search until they are restored.

Their bytes and their rows stay. What we made ourselves (reports) is never hidden: it goes out with its study or not at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import func, select, update

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import Conflict, Invalid, NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.events import ImagesHidden, ImagesIndexed
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.archive.model import Instance, Rejection, Series, Study

Kind = Literal["quality", "safety", "worklist", "retention"]
"""Why images are rejected (IHE RAD TF-3 4.66): their quality, the patient's safety, a wrong worklist entry, the end of their keeping."""

_IDS_AT_ONCE: Final = 5000


class ReasonMissing(Invalid):
    """Say why."""


class NothingToHide(Conflict):
    """There are no such images, or they are hidden already."""


class AlreadyRestored(Conflict):
    """These images are restored already, or gone."""


class WaitsForDeletion(Conflict):
    """The study waits to be deleted: only an administrator can undo that."""


@dataclass(frozen=True, slots=True)
class RejectionFacts:
    """Hidden images of a study; see the table. Over when `restored_at` or `purged_at` is set."""

    id: UUID
    organization_id: UUID
    study_id: UUID
    kind: str
    note_uid: str | None
    reason: str
    number_of_instances: int
    made_by: UUID | None
    made_at: datetime
    purge_at: datetime | None
    purged_at: datetime | None
    restored_at: datetime | None
    restored_by: UUID | None
    restore_reason: str | None


def rejections_of(session: ActorSession, study_id: UUID) -> list[RejectionFacts]:
    """All rejections of a study, restored ones included, newest first."""
    rows = session.scalars(
        select(Rejection).where(Rejection.study_id == study_id).order_by(Rejection.made_at.desc(), Rejection.id.desc())
    )
    return [as_facts(row) for row in rows]


def rejection(session: ActorSession, rejection_id: UUID) -> RejectionFacts | None:
    """One, or None: absent and forbidden look the same."""
    row = session.get(Rejection, rejection_id)
    return as_facts(row) if row is not None else None


def as_facts(row: Rejection) -> RejectionFacts:
    """The row as a value."""
    return RejectionFacts(**{f.name: getattr(row, f.name) for f in fields(RejectionFacts)})


def reject(
    work: Work,
    study_id: UUID,
    kind: Kind,
    reason: str,
    *,
    series_instance_uid: str | None = None,
    sop_instance_uids: Collection[str] | None = None,
) -> UUID:
    """A person hides a study, one of its series, or some of its instances; returns the rejection.

    Raises:
        NotFound: no such study, or not visible.
        ReasonMissing, NothingToHide
    """
    study = locked_study(work, study_id)
    row = begin(work, study, kind, reason)
    if not hide(work.session, row, series_instance_uid=series_instance_uid, sop_instance_uids=sop_instance_uids):
        raise NothingToHide
    changed(work, study, "images.rejected", row, reason=row.reason)
    return row.id


def restore(work: Work, rejection_id: UUID, reason: str) -> int:
    """Shows again what a rejection hides; returns how many images. A note stays hidden and has no effect any more.

    Raises:
        NotFound: no such rejection, or not visible.
        ReasonMissing, AlreadyRestored
        WaitsForDeletion: the whole study does, or this is that deletion (see `deletion.undo`).
    """
    found = work.session.get(Rejection, rejection_id)
    if found is None:
        raise NotFound
    study = locked_study(work, found.study_id)
    if deletion_of(work.session, study.id) is not None:
        raise WaitsForDeletion
    return show(work, study, rejection_id, "images.restored", reason)


def begin(work: Work, study: Study, kind: str, reason: str, *, note_uid: str | None = None) -> Rejection:
    """The row of a rejection that hides nothing yet. Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing
    row = Rejection(
        organization_id=study.organization_id,
        study_id=study.id,
        kind=kind,
        note_uid=note_uid,
        reason=reason.strip(),
        number_of_instances=0,
        made_by=work.actor.id if work.actor.kind == "user" else None,
        made_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    return row


def hide(
    session: ActorSession,
    row: Rejection,
    *,
    series_instance_uid: str | None = None,
    sop_instance_uids: Collection[str] | None = None,
) -> set[str]:
    """Hides those of the study's images that are shown now: all, those of a series, or those named. Returns their UIDs.

    The study is locked, and counted anew afterwards (`recount`).
    """
    of_study = select(Series.id).where(Series.study_id == row.study_id)
    if series_instance_uid is not None:
        of_study = of_study.where(Series.series_instance_uid == series_instance_uid)
    wanted = (
        update(Instance)
        .where(Instance.series_id.in_(of_study), Instance.rejection_id.is_(None), Instance.is_made_here.is_(False))
        .values(rejection_id=row.id)
        .returning(Instance.sop_instance_uid)
        .execution_options(synchronize_session=False)
    )
    if sop_instance_uids is None:
        hidden = set(session.scalars(wanted))
    else:
        hidden, uids = set(), list(sop_instance_uids)
        for at in range(0, len(uids), _IDS_AT_ONCE):
            some = uids[at : at + _IDS_AT_ONCE]
            hidden.update(session.scalars(wanted.where(Instance.sop_instance_uid == func.any(some))))
    row.number_of_instances += len(hidden)
    return hidden


def show(work: Work, study: Study, rejection_id: UUID, action: str, reason: str) -> int:
    """Ends a rejection of a locked study: its images are shown again, and rooms above hear of them as of images that come.

    Raises:
        ReasonMissing, AlreadyRestored
    """
    if not reason.strip():
        raise ReasonMissing
    session = work.session
    row = session.get_one(Rejection, rejection_id, populate_existing=True)
    if row.restored_at is not None or row.purged_at is not None:
        raise AlreadyRestored
    notes = select(Rejection.note_uid).where(Rejection.study_id == study.id, Rejection.note_uid.is_not(None))
    back = session.scalars(
        update(Instance)
        .where(Instance.rejection_id == row.id, Instance.sop_instance_uid.not_in(notes))
        .values(rejection_id=None)
        .returning(Instance.id)
        .execution_options(synchronize_session=False)
    ).all()
    row.restored_at, row.restore_reason, row.purge_at = work.now, reason.strip(), None
    row.restored_by = work.actor.id if work.actor.kind == "user" else None
    changed(work, study, action, row, reason=row.restore_reason)
    if back:
        work.announce(ImagesIndexed(study.organization_id, study.id, study.facility_id, len(back), is_new_study=False))
    return len(back)


def changed(work: Work, study: Study, action: str, row: Rejection, **subject: Any) -> None:
    """After images of a locked study were hidden or shown: counts, revision, record, and live pages."""
    recount(work.session, study)
    study.revision += 1
    work.session.flush()
    work.record(
        action,
        organization_id=study.organization_id,
        study_id=study.id,
        patient_id=study.patient_id,
        **{"subject_kind": "rejection", "subject_id": row.id, **subject},
        detail={"kind": row.kind, "instances": row.number_of_instances, "by_note": row.note_uid is not None},
    )
    work.touch("study", study.id, study.organization_id)
    if not study.number_of_instances:
        work.announce(ImagesHidden(study.organization_id, study.id))


def recount(session: ActorSession, study: Study) -> None:
    """Counts a locked study anew: what is hidden does not count."""
    session.flush()
    number = (
        select(func.count())
        .where(Instance.series_id == Series.id, Instance.rejection_id.is_(None))
        .correlate(Series)
        .scalar_subquery()
    )
    session.execute(
        update(Series)
        .where(Series.study_id == study.id, Series.number_of_instances != number)
        .values(number_of_instances=number)
        .execution_options(synchronize_session=False)
    )
    for of in session.identity_map.values():
        if isinstance(of, Series) and of.study_id == study.id:
            session.expire(of, ["number_of_instances"])
    series, instances, modalities = session.execute(
        select(
            func.count(Series.id.distinct()),
            func.count(),
            func.array_agg(Series.modality.distinct()),
        )
        .join(Instance, Instance.series_id == Series.id)
        .where(Series.study_id == study.id, Instance.rejection_id.is_(None), Instance.is_made_here.is_(False))
    ).one()
    study.number_of_series, study.number_of_instances = series, instances
    study.modalities = sorted(m for m in modalities or () if m)
    session.flush()


def locked_study(work: Work, study_id: UUID) -> Study:
    """The study, locked and as it is now: also against matching, which images that are shown again set off. Raises NotFound."""
    number = work.session.execute(
        select(Study.organization_id, Study.accession_number).where(Study.id == study_id)
    ).one_or_none()
    if number is None:
        raise NotFound
    lock_accessions(work.session, number[0], [number[1]])
    study = work.session.get(Study, study_id, with_for_update=ROW_LOCK, populate_existing=True)
    if study is None:
        raise NotFound
    return study


def deletion_of(session: ActorSession, study_id: UUID) -> RejectionFacts | None:
    """The deletion that a study waits for, if it does."""
    row = session.scalar(
        select(Rejection).where(
            Rejection.study_id == study_id,
            Rejection.kind == "deletion",
            Rejection.restored_at.is_(None),
            Rejection.purged_at.is_(None),
        )
    )
    return as_facts(row) if row is not None else None
