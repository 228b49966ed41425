"""What is here: of objects that somebody names, and of a study that somebody wants to have."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.model import HeldObject, Instance, Series, Study
from heliograph.records.archive.overlay import Overlay, overlays


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its identity and place; its data set begins `dataset_offset` bytes behind `object_offset`.

    `overlay` is put right on the way out.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    object_key: str
    object_offset: int
    object_length: int
    dataset_offset: int
    overlay: Overlay | None = None


stored_columns = (
    Instance.sop_class_uid,
    Instance.sop_instance_uid,
    Instance.transfer_syntax_uid,
    Instance.object_key,
    Instance.object_offset,
    Instance.object_length,
    Instance.dataset_offset,
)
"""What a `StoredObject` is made of, but for its overlay."""


def digest_filed(session: ActorSession, organization_id: UUID, sop_instance_uid: str) -> bytes | None:
    """The SHA-256 of the data set that the organisation has filed under this UID, be it hidden. None: there is none."""
    return session.scalar(
        select(Instance.sha256).where(
            Instance.organization_id == organization_id, Instance.sop_instance_uid == sop_instance_uid
        )
    )


def present(session: ActorSession, organization_id: UUID, sop_instance_uids: Collection[str]) -> set[str]:
    """Those of these objects that the organisation has: filed, be it hidden, or held for a person to look at."""
    wanted = list(sop_instance_uids)
    found: set[str] = set()
    for at in range(0, len(wanted), 5000):
        some = wanted[at : at + 5000]
        for kind in (Instance, HeldObject):
            uid = kind.sop_instance_uid
            found.update(
                u
                for u in session.scalars(select(uid).where(kind.organization_id == organization_id, uid.in_(some)))
                if u
            )
    return found


def held_states(session: ActorSession, organization_id: UUID, study_instance_uids: Collection[str]) -> dict[str, str]:
    """The match state of those of these studies that are here."""
    rows = session.execute(
        select(Study.study_instance_uid, Study.match_state).where(
            Study.organization_id == organization_id, Study.study_instance_uid.in_(list(study_instance_uids))
        )
    )
    return {row.study_instance_uid: row.match_state for row in rows}


def count_of_study(session: ActorSession, organization_id: UUID, study_instance_uid: str) -> int:
    """How many objects of a study the organisation has, hidden ones included."""
    found = session.scalar(
        select(func.count(Instance.id))
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(
            Study.organization_id == organization_id,
            Study.study_instance_uid == study_instance_uid,
            Instance.is_made_here.is_(False),
        )
    )
    return found or 0


@dataclass(frozen=True, slots=True)
class Sought:
    """Objects by the unique keys of patient, study, series and instance; empty means any, and something must be given.

    `patient_id` is the one in the images.
    """

    patient_id: str | None
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """An object that was named, and the study that it is in."""

    study_id: UUID
    stored: StoredObject


def objects_named(session: ActorSession, organization_id: UUID, sought: Sought) -> list[Named]:
    """The organisation's filed objects that all the keys name, study by study, in the order of series and instance numbers.

    Without those of held studies: they may be somebody else's than they say, and a person has not looked yet. Without hidden ones, and
    without what we made for a study whose images are all hidden.
    """
    if not (sought.patient_id or sought.studies or sought.series or sought.instances):
        return []
    query = (
        select(Instance.study_id, *stored_columns)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(
            Instance.organization_id == organization_id,
            Study.match_state != "held",
            Study.number_of_series > 0,
            Instance.rejection_id.is_(None),
        )
        .order_by(Study.id, Series.series_number, Series.id, Instance.instance_number, Instance.sop_instance_uid)
    )
    if sought.patient_id:
        query = query.where(Study.dicom_patient_id == sought.patient_id)
    for column, uids in (
        (Study.study_instance_uid, sought.studies),
        (Series.series_instance_uid, sought.series),
        (Instance.sop_instance_uid, sought.instances),
    ):
        if uids:
            query = query.where(column.in_(uids))
    rows = session.execute(query).all()
    right = overlays(session, {row[0] for row in rows})
    return [Named(row[0], StoredObject(*row[1:], right.get(row[0]))) for row in rows]


def objects_of_study(session: ActorSession, study_id: UUID) -> list[StoredObject]:
    """All objects of a study that are not hidden, in the order of series and instance numbers."""
    rows = session.execute(
        select(*stored_columns)
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.study_id == study_id, Instance.rejection_id.is_(None))
        .order_by(Series.series_number, Series.id, Instance.instance_number, Instance.sop_instance_uid)
    )
    overlay = overlays(session, [study_id]).get(study_id)
    return [StoredObject(*row, overlay) for row in rows]
