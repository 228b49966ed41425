"""What a door refuses because it can't be read or identified is kept for a person all the same, up to a quota for each organisation.

Nothing that is kept is deleted to make room: when the quota is reached, what comes is refused without being kept, and its sender, the
record and an alarm say so, until a person has dealt with what waits.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.kit.actor import system
from heliograph.kit.db.session import ActorSession
from heliograph.kit.log import log
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import spool
from heliograph.records.archive.events import QuarantineFull
from heliograph.records.archive.model import HeldObject

RECORD_EVERY_SECONDS: Final = 60.0
_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
_log = log(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Objects that wait in quarantine unread or unidentified: how many, and their bytes."""

    objects: int = 0
    size: int = 0

    def has_room(self, settings: Settings, size: int) -> bool:
        """Whether one more of `size` bytes stays within the quota."""
        return self.objects < settings.quarantine_objects and self.size + size <= settings.quarantine_mb << 20


def kept(session: ActorSession, organization_id: UUID) -> Kept:
    """What counts against an organisation's quota. What is held for its UID alone does not: its sender was told that it is durable."""
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(HeldObject.object_length), 0)).where(*_unread(organization_id))
    ).one()
    return Kept(count, int(size))


class Quarantine:
    """Keeps what doors refuse. One of a process; safe for several threads."""

    def __init__(self, works: WorkFactory, settings: Settings) -> None:
        self._works, self._settings = works, settings
        self._lock = threading.Lock()
        self._last: dict[UUID, Kept] = {}
        self._untold: dict[UUID, tuple[float, int]] = {}  # when the next may be recorded, how many since

    def keep(self, entry: spool.Incoming) -> bool:
        """Keeps a refused object durably; False if it is empty, or there is no room: that is recorded, and an alarm raised.

        The same bytes again are kept already. While the database is away, what it last said is believed.

        Raises:
            OutOfSpace: the disk is full.
        """
        size = os.fstat(entry.descriptor).st_size
        if not size:
            return False
        with self._lock:  # else many at once would exceed the quota together
            waiting = Kept(*spool.refused(self._settings.spool_dir, entry.organization_id))
            found, is_known = self._ask(entry)
            if is_known:
                return True
            all_ = Kept(found.objects + waiting.objects, found.size + waiting.size)
            if all_.has_room(self._settings, size):
                entry.commit(refused=True)
                return True
        self._tell_full(entry)
        return False

    def _ask(self, entry: spool.Incoming) -> tuple[Kept, bool]:
        """What is kept, and whether these bytes are among it."""
        id_ = entry.organization_id
        try:
            with self._works.read(system("archive", id_)) as work:
                self._last[id_] = kept(work.session, id_)
                same = select(HeldObject.id).where(
                    *_unread(id_), HeldObject.sha256 == spool.digest_of(entry.descriptor)
                )
                return self._last[id_], work.session.scalar(same.limit(1)) is not None
        except _AWAY:
            _log.warning("the database does not answer; the quarantine's room is believed as last known")
            return self._last.get(id_, Kept()), False

    def _tell_full(self, entry: spool.Incoming) -> None:
        """Records it and raises the alarm, at most once a minute for an organisation, with how many it was."""
        id_, now = entry.organization_id, time.monotonic()
        with self._lock:
            again, count = self._untold.get(id_, (0.0, 0))
            is_due = now >= again
            self._untold[id_] = (now + RECORD_EVERY_SECONDS, 0) if is_due else (again, count + 1)
        _log.error("an object was refused and not kept: the quarantine is full", caller_id=str(entry.caller_id))
        if not is_due:
            return
        try:
            with self._works.begin(system("archive", id_)) as work:
                work.record(
                    "object.refused",
                    organization_id=id_,
                    outcome="refused",
                    subject_kind="facility",
                    subject_id=entry.facility_id,
                    reason="quarantine_full",
                    detail={"objects": count + 1},
                )
                work.announce(QuarantineFull(id_, entry.facility_id))
        except _AWAY:
            _log.warning("a refusal could not be recorded: the database does not answer")


def _unread(organization_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        HeldObject.organization_id == organization_id,
        HeldObject.resolved_at.is_(None),
        HeldObject.sop_instance_uid.is_(None),
    )
