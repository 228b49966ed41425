"""Deletion by an administrator: a study is hidden at once, can be restored for some days, and is then gone, rows first, then bytes.

Administrators see no patients: what they are told of a study is its UID, date, modalities and counts. The role is checked here; the
act itself runs with the platform's rights and stands in the record as the administrator's. The row of the study stays, without images,
since orders, cases and signed reports refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.db.session import acting_as
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive.metadata import folder_of
from heliograph.records.archive.model import DiscardedObject, Instance, Rejection, Series, Study
from heliograph.records.archive.rejections import (
    NothingToHide,
    RejectionFacts,
    WaitsForDeletion,
    as_facts,
    begin,
    changed,
    deletion_of,
    hide,
    locked_study,
    recount,
    show,
)

CONFIRMED_BY: Final = 4
"""How many characters at the end of the Study Instance UID are typed."""
_MOST_FOUND: Final = 20
_MOST_LISTED: Final = 500
_AT_ONCE: Final = 200


class NotConfirmed(Invalid):
    """Type the last four characters of the Study Instance UID."""


@dataclass(frozen=True, slots=True)
class Deletable:
    """A study as an administrator sees it: nothing that names the patient. `hidden` counts images that are hidden already."""

    id: UUID
    organization_id: UUID
    study_instance_uid: str
    study_date: date | None
    modalities: list[str]
    number_of_series: int
    number_of_instances: int
    hidden: int
    first_received_at: datetime
    waits: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion with its study: of what was restored or purged, too."""

    rejection: RejectionFacts
    study: Deletable


def find(
    work: Work, organization_id: UUID, *, study_instance_uid: str | None = None, accession_number: str | None = None
) -> list[Deletable]:
    """The organisation's studies with this UID or accession number that hold images. The look is recorded.

    Raises:
        NotAllowed: not an administrator of the organisation.
    """
    with _administrating(work, organization_id):
        if study_instance_uid:
            named: ColumnElement[bool] = Study.study_instance_uid == study_instance_uid
        else:
            named = Study.accession_number == accession_number
        rows = work.session.scalars(
            select(Study)
            .where(Study.organization_id == organization_id, named)
            .order_by(Study.first_received_at.desc())
            .limit(_MOST_FOUND)
        ).all()
        found = [one for row in rows if (one := _deletable(work, row)).number_of_instances + one.hidden]
    for one in found:
        work.record("study.looked_up", organization_id=organization_id, study_id=one.id)
    return found


def delete_study(
    work: Work, organization_id: UUID, study_id: UUID, reason: str, *, confirmed: str, keep_for: timedelta
) -> UUID:
    """Hides a study; it is gone after `keep_for`. Images that come later are others, and stay. Returns the deletion.

    Raises:
        NotAllowed: not an administrator of the organisation.
        NotFound: no such study of the organisation.
        ReasonMissing, NotConfirmed, NothingToHide
        WaitsForDeletion: it does so already.
    """
    with _administrating(work, organization_id, study_id):
        study = _study_of(work, organization_id, study_id)
        if deletion_of(work.session, study.id) is not None:
            raise WaitsForDeletion
        if confirmed.strip() != study.study_instance_uid[-CONFIRMED_BY:]:
            raise NotConfirmed
        row = begin(work, study, "deletion", reason)
        hide(work.session, row)
        if not _images(work, study):
            raise NothingToHide
        row.purge_at = work.now + keep_for
        changed(work, study, "study.deleted", row, reason=row.reason)
    return row.id


def undo(work: Work, organization_id: UUID, rejection_id: UUID, reason: str) -> int:
    """Shows the study again as it was before it was deleted; returns how many images.

    Raises:
        NotAllowed: not an administrator of the organisation.
        NotFound: no such deletion of the organisation.
        ReasonMissing
        AlreadyRestored: it is undone, or the images are gone.
    """
    with _administrating(work, organization_id):
        found = work.session.get(Rejection, rejection_id)
        if found is None or found.organization_id != organization_id or found.kind != "deletion":
            raise NotFound
        study = _study_of(work, organization_id, found.study_id)
        return show(work, study, rejection_id, "study.deletion_undone", reason)


def deletions(work: Work) -> list[Deletion]:
    """Those of the organisations that the actor administers, newest first."""
    mine = work.actor.organizations_with("administrator")
    with acting_as(work.session, system("deletion", *mine)):
        rows = work.session.execute(
            select(Rejection, Study)
            .join(Study, Study.id == Rejection.study_id)
            .where(Rejection.kind == "deletion", Rejection.organization_id.in_(mine))
            .order_by(Rejection.made_at.desc(), Rejection.id.desc())
            .limit(_MOST_LISTED)
        ).all()
        return [Deletion(as_facts(row), _deletable(work, study)) for row, study in rows]


@contextmanager
def _administrating(work: Work, organization_id: UUID, study_id: UUID | None = None) -> Iterator[None]:
    """Inside, the session has the platform's rights in the organisation. Raises NotAllowed."""
    if not work.actor.holds("administrator", organization_id):
        raise NotAllowed(
            "This is for administrators of that organisation.",
            action="study.deleted",
            organization_id=organization_id,
            study_id=study_id,
        )
    with acting_as(work.session, system("deletion", organization_id)):
        yield


def _study_of(work: Work, organization_id: UUID, study_id: UUID) -> Study:
    study = locked_study(work, study_id)
    if study.organization_id != organization_id:
        raise NotFound
    return study


def _deletable(work: Work, row: Study) -> Deletable:
    return Deletable(
        row.id,
        row.organization_id,
        row.study_instance_uid,
        row.study_date,
        _modalities(work, row),
        row.number_of_series,
        row.number_of_instances,
        _images(work, row) - row.number_of_instances,
        row.first_received_at,
        deletion_of(work.session, row.id) is not None,
    )


def _modalities(work: Work, study: Study) -> list[str]:
    """Of all its series, hidden ones too, as long as there are any."""
    kinds = work.session.scalars(select(Series.modality).where(Series.study_id == study.id).distinct())
    return sorted({k for k in kinds if k} | set(study.modalities))


def _images(work: Work, study: Study) -> int:
    """How many images of the study are kept, hidden ones and notes included."""
    query = select(func.count(Instance.id)).join(Series, Series.id == Instance.series_id)
    return work.session.scalar(query.where(Series.study_id == study.id, Instance.is_made_here.is_(False))) or 0


# After the days of grace ---------------------------------------------------------------------------------------------------


def purge_due(works: WorkFactory, objects: Objects, *, now: datetime | None = None) -> int:
    """Purges what was deleted long enough ago, and takes away bytes that a purge, maybe interrupted, left. Returns how many studies."""
    with works.read(system("deletion")) as work:
        organizations = [o.id for o in active_organizations(work.session)]
    if not organizations:
        return 0
    with works.read(system("deletion", *organizations)) as work:
        due = work.session.execute(
            select(Rejection.id, Rejection.organization_id)
            .where(Rejection.purge_at <= (now or works.clock.now()), _still_waits())
            .order_by(Rejection.purge_at)
            .limit(_AT_ONCE)
        ).all()
    done = 0
    for rejection_id, organization_id in due:
        with works.begin(system("deletion", organization_id)) as work:
            done += purge(work, rejection_id, now=now)
    remove_discarded(works, objects, *organizations)
    return done


def purge(work: Work, rejection_id: UUID, *, now: datetime | None = None) -> bool:
    """Takes a deleted study's rows out of the index; its objects are written down to be removed. False if it is not due any more."""
    session = work.session
    found = session.get_one(Rejection, rejection_id)
    study = locked_study(work, found.study_id)
    row = session.scalar(
        select(Rejection)
        .where(Rejection.id == rejection_id, Rejection.purge_at <= (now or work.now), _still_waits())
        .execution_options(populate_existing=True)
    )
    if row is None:
        return False
    # What was hidden before, by notes or persons, goes with the study; only the deletion was not counted for it.
    ended = session.scalars(
        update(Rejection)
        .where(
            Rejection.study_id == study.id,
            or_(Rejection.id == row.id, Rejection.made_at <= row.made_at),
            Rejection.purged_at.is_(None),
        )
        .values(purged_at=work.now)
        .returning(Rejection.id)
        .execution_options(synchronize_session=False)
    ).all()
    series = session.scalars(select(Series.id).where(Series.study_id == study.id)).all()
    gone = session.execute(
        delete(Instance)
        .where(Instance.series_id.in_(series), Instance.rejection_id.in_(ended), Instance.is_made_here.is_(False))
        .returning(Instance.object_key)
        .execution_options(synchronize_session=False)
    ).all()
    _discard(work, row, sorted({key for (key,) in gone}), [folder_of(id_) for id_ in series])
    left = select(Instance.id).where(Instance.series_id == Series.id).exists()
    session.execute(
        delete(Series).where(Series.study_id == study.id, ~left).execution_options(synchronize_session=False)
    )
    session.expire_all()
    row = session.get_one(Rejection, rejection_id)
    row.number_of_instances = len(gone)
    study = session.get_one(Study, row.study_id)
    recount(session, study)
    study.revision += 1
    _record(work, "study.purged", row, patient_id=study.patient_id, detail={"instances": len(gone)})
    work.touch("study", row.study_id, row.organization_id)
    return True


def remove_discarded(works: WorkFactory, objects: Objects, *organizations: UUID) -> int:
    """Removes bytes whose rows are gone; what can't be removed now is tried again next time. Returns how many objects."""
    done = 0
    for organization_id in organizations:
        while True:
            with works.read(system("deletion", organization_id)) as work:
                some = work.session.scalars(
                    select(DiscardedObject).order_by(DiscardedObject.rejection_id, DiscardedObject.id).limit(_AT_ONCE)
                ).all()
            if not some:
                break
            for one in some:
                _remove(objects, one)
            for rejection_id, group in groupby(some, key=lambda one: one.rejection_id):
                ids = [one.id for one in group]
                with works.begin(system("deletion", organization_id)) as work:
                    work.session.execute(delete(DiscardedObject).where(DiscardedObject.id.in_(ids)))
                    row = work.session.get_one(Rejection, rejection_id)
                    _record(work, "study.bytes_removed", row, detail={"objects": len(ids)})
            done += len(some)
    return done


def _still_waits() -> ColumnElement[bool]:
    return (Rejection.kind == "deletion") & Rejection.restored_at.is_(None) & Rejection.purged_at.is_(None)


def _discard(work: Work, row: Rejection, keys: list[str], folders: list[str]) -> None:
    values: list[dict[str, Any]] = [
        {
            "organization_id": row.organization_id,
            "rejection_id": row.id,
            "object_key": key,
            "is_folder": is_folder,
        }
        for is_folder, names in ((False, keys), (True, folders))
        for key in names
    ]
    if values:
        work.session.execute(insert(DiscardedObject), values)


def _remove(objects: Objects, one: DiscardedObject) -> None:
    for key in [key for key, _ in objects.below(one.object_key)] if one.is_folder else [one.object_key]:
        with suppress(FileNotFoundError):  # a purge that was interrupted took it
            objects.delete(key)


def _record(work: Work, action: str, row: Rejection, **subject: Any) -> None:
    work.session.flush()
    work.record(
        action,
        organization_id=row.organization_id,
        study_id=row.study_id,
        subject_kind="rejection",
        subject_id=row.id,
        reason=row.reason,
        **subject,
    )
