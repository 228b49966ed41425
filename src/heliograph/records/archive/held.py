"""Objects that can't be filed as they are: kept, visible, retryable."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import case, func, or_, select

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.errors import BytesMissing
from heliograph.records.archive.examine import Examined, clean
from heliograph.records.archive.model import HeldObject
from heliograph.records.archive.spool import receive

_ALIKE = ("organization_id", "facility_id", "study_instance_uid", "reason", "detail", "proposal")
"""What objects have in common of which a person decides at once."""


@dataclass(frozen=True, slots=True)
class HeldFacts:
    """A held object, without patient data. `reason` is correction, different_content, bad_identity or unreadable."""

    id: UUID
    organization_id: UUID
    facility_id: UUID | None
    sop_instance_uid: str | None
    study_instance_uid: str | None
    object_key: str
    object_length: int
    reason: str
    detail: str
    received_at: datetime
    resolved_at: datetime | None
    proposal: dict[str, str] | None = field(default=None, repr=False)
    """Of a `correction`: what it would put right. This is patient data."""


def hold(
    work: Work, entry: Examined, key: str, reason: str, detail: str, proposal: dict[str, str] | None = None
) -> bool:
    """Keeps an object aside under `key`, with what it proposes to put right.

    False if these very bytes are held already (a sender's retry, or a restart).
    """
    header = entry.facts.header if entry.facts else None
    file = entry.file
    uid = header.sop_instance_uid if header else None
    same = (HeldObject.sha256 == entry.sha256) & HeldObject.resolved_at.is_(None)
    if work.session.scalar(
        select(HeldObject.id).where(
            HeldObject.organization_id == file.organization_id, or_(same, HeldObject.object_key == key)
        )
    ):
        return False
    row = HeldObject(
        organization_id=file.organization_id,
        facility_id=file.facility_id,
        caller_id=file.caller_id,
        sop_instance_uid=uid,
        study_instance_uid=header.study_instance_uid if header else None,
        object_key=key,
        object_length=file.length,
        sha256=entry.sha256,
        reason=reason,
        proposal=proposal,
        detail=clean(detail) or reason,
        received_at=file.received_at,
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "object.held",
        organization_id=file.organization_id,
        outcome="failed",
        subject_kind="held_object",
        subject_id=row.id,
        reason=reason,
    )
    return True


def held_groups(session: ActorSession, limit: int = 200) -> list[tuple[HeldFacts, int]]:
    """What waits for a person, newest first: of objects of one study that wait for the same reason the newest, and how many they are."""
    alike = [getattr(HeldObject, name) for name in _ALIKE]
    one = case((HeldObject.study_instance_uid.is_(None), HeldObject.id))
    newest = (HeldObject.received_at.desc(), HeldObject.id.desc())
    numbered = (
        select(
            HeldObject.id,
            func.count().over(partition_by=[*alike, one]).label("alike"),
            func.row_number().over(partition_by=[*alike, one], order_by=newest).label("place"),
        )
        .where(HeldObject.resolved_at.is_(None))
        .subquery()
    )
    rows = session.execute(
        select(HeldObject, numbered.c.alike)
        .join(numbered, numbered.c.id == HeldObject.id)
        .where(numbered.c.place == 1)
        .order_by(HeldObject.received_at.desc())
        .limit(limit)
    )
    return [(_facts(row), number) for row, number in rows]


def held_alike(session: ActorSession, held_id: UUID) -> list[UUID]:
    """An object that waits and those of its study that wait for the same reason; empty: there is none such."""
    row = session.get(HeldObject, held_id)
    if row is None or row.resolved_at is not None:
        return []
    if row.study_instance_uid is None:
        return [row.id]
    same = [getattr(HeldObject, name).is_not_distinct_from(getattr(row, name)) for name in _ALIKE]
    query = select(HeldObject.id).where(HeldObject.resolved_at.is_(None), *same)
    return list(session.scalars(query.order_by(HeldObject.id)))


def held_object(session: ActorSession, held_id: UUID) -> HeldFacts | None:
    """One held object that waits, or None."""
    row = session.get(HeldObject, held_id)
    if row is None or row.resolved_at is not None:
        return None
    return _facts(row)


def _facts(row: HeldObject) -> HeldFacts:
    return HeldFacts(**{name: getattr(row, name) for name in HeldFacts.__dataclass_fields__})


def dismiss_held(work: Work, held_id: UUID, reason: str) -> None:
    """A person has decided that a held object is not to be filed. Its bytes are kept.

    Raises:
        NotFound: no such object, or not visible.
    """
    row = work.session.get(HeldObject, held_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    row.resolved_at = work.now
    work.session.flush()
    work.record(
        "object.dismissed",
        organization_id=row.organization_id,
        subject_kind="held_object",
        subject_id=row.id,
        reason=reason,
    )


def retry_held(work: Work, objects: Objects, spool_dir: Path, held_id: UUID) -> None:
    """Puts a held object into the spool again, as if it had just come. If it still can't be filed, it is held anew.

    Raises:
        NotFound: no such object, or not visible, or it is resolved.
        OutOfSpace: the disk is full.
        BytesMissing
    """
    row = work.session.get(HeldObject, held_id, with_for_update=ROW_LOCK)
    if row is None or row.resolved_at is not None or row.facility_id is None:
        raise NotFound
    row.resolved_at = work.now
    work.session.flush()
    work.record(
        "object.retried",
        organization_id=row.organization_id,
        subject_kind="held_object",
        subject_id=row.id,
        reason=row.reason,
    )
    try:
        data = objects.get(row.object_key)
    except FileNotFoundError as error:
        raise BytesMissing from error
    receive(spool_dir, row.organization_id, row.facility_id, row.caller_id, b"", data)
