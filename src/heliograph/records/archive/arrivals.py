"""Whether other content is here already under a SOP Instance UID: asked before the sender is answered, and never at its cost.

What is filed the database knows: one indexed statement, while the object is being synced, or for several objects at once. What this
process received and the indexer has not filed yet is remembered. While the database is away or slow, the object is answered as any
other: it is held all the same when it is indexed, and the alarm comes then.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import Header
from heliograph.kit.db.quick import asked
from heliograph.kit.log import log
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.spool import Incoming, digest_of
from heliograph.records.sites.queries import facility

DEFAULT: Final = "warning"
"""What is answered where the facility can't be asked."""
_ASKING: Final = 4
_WAIT_SECONDS: Final = 2.0
_LEFT_ALONE_SECONDS: Final = 5.0
_MOST_REMEMBERED: Final = 20_000
_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout, TooSlow)
_FILED: Final = (
    "select sop_instance_uid, sha256 from archive.instances "
    "where organization_id = %(organization)s and sop_instance_uid = any(%(uids)s)"
)
_T = TypeVar("_T")
_log = log(__name__)


@dataclass(eq=False, slots=True)
class Arrival:
    """A received object; `differs` from what this process received under its UID before; `done` when it is durable, or has failed."""

    entry: Incoming
    sop_instance_uid: str
    data_set_offset: int
    differs: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class Arrivals:
    """Makes received objects durable and tells of each how its UID stands. One of a process; safe for several threads."""

    def __init__(self, works: WorkFactory) -> None:
        self._works = works
        self._pool = ThreadPoolExecutor(_ASKING, "same-uid")
        self._lock = threading.Lock()
        self._first: OrderedDict[tuple[UUID, str], Arrival] = OrderedDict()
        self._left_alone_until = 0.0

    def close(self) -> None:
        """No more objects come."""
        self._pool.shutdown(cancel_futures=True)

    def commit(self, entry: Incoming, header: Header) -> str | None:
        """Makes `entry` durable. Where other content is here under its UID: what the facility wants answered (`held_answer`), else None.

        Raises:
            OutOfSpace: the disk is full; nothing was kept.
        """
        mine = Arrival(entry, header.sop_instance_uid, header.data_set_offset)
        first = self._earlier(mine)
        question = self._begin(lambda: self._filed([mine]))  # while it is being synced
        self._make_durable(mine, first, sync_name=True)
        return self._told([mine], self._outcome(question, {}))[0]

    def durable(self, entry: Incoming, header: Header) -> Arrival:
        """Makes `entry` durable but for its name. What is answered is asked for several at once: `told`.

        Raises:
            OutOfSpace: the disk is full; nothing was kept.
        """
        mine = Arrival(entry, header.sop_instance_uid, header.data_set_offset)
        self._make_durable(mine, self._earlier(mine), sync_name=False)
        return mine

    def told(self, arrivals: Sequence[Arrival]) -> list[str | None]:
        """As `commit` says of each, all of one facility, their files still open: one question for all of them."""
        if not arrivals:
            return []
        return self._told(arrivals, self._outcome(self._begin(lambda: self._filed(arrivals)), {}))

    def _make_durable(self, mine: Arrival, first: Arrival | None, *, sync_name: bool) -> None:
        try:
            mine.differs = first is not None and _differs(first, mine)
            mine.entry.commit(sync_name=sync_name)
        finally:
            mine.done.set()

    def _told(self, arrivals: Sequence[Arrival], filed: Mapping[str, bytes]) -> list[str | None]:
        for one in arrivals:
            if (known := filed.get(one.sop_instance_uid)) is not None:
                one.differs = known != digest_of(one.entry.descriptor, one.data_set_offset)
        if not any(one.differs for one in arrivals):
            return [None] * len(arrivals)
        wanted = self._outcome(self._begin(lambda: self._wanted(arrivals[0].entry)), DEFAULT)
        return [wanted if one.differs else None for one in arrivals]

    def _earlier(self, mine: Arrival) -> Arrival | None:
        """The one that waits in the spool under this UID, durable by now; if there is none, `mine` is from now on."""
        key = (mine.entry.organization_id, mine.sop_instance_uid)
        gone: Arrival | None = None
        while True:
            with self._lock:
                first = self._first.get(key)
                if first is None or first is gone:
                    self._first[key] = mine
                    self._first.move_to_end(key)
                    if len(self._first) > _MOST_REMEMBERED:
                        self._first.popitem(last=False)
                    return None
            first.done.wait(_WAIT_SECONDS)  # what is indexed first is filed: mine shall come after it
            if first.entry.committed is not None and first.entry.committed.path.exists():
                return first
            gone = first

    def _begin(self, ask: Callable[[], _T]) -> Future[_T] | None:
        return self._pool.submit(ask) if time.monotonic() >= self._left_alone_until else None

    def _outcome(self, question: Future[_T] | None, otherwise: _T) -> _T:
        if question is None:
            return otherwise
        try:
            return question.result(_WAIT_SECONDS)
        except _AWAY:
            question.cancel()
            self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
            _log.warning("the database does not answer; whether UIDs are taken is not asked for a while")
            return otherwise

    def _filed(self, arrivals: Sequence[Arrival]) -> Mapping[str, bytes]:
        """The digests of the data sets that are filed under these UIDs, all of one organisation."""
        organization_id = arrivals[0].entry.organization_id
        values = {"organization": organization_id, "uids": [one.sop_instance_uid for one in arrivals]}
        rows = asked(self._works.sessions, system("archive", organization_id), _FILED, values)
        return {uid: bytes(digest) for uid, digest in rows}

    def _wanted(self, entry: Incoming) -> str:
        with self._works.read(system("archive", entry.organization_id)) as work:
            found = facility(work.session, entry.facility_id)
        return found.held_answer if found is not None else DEFAULT


def _differs(first: Arrival, mine: Arrival) -> bool:
    """Whether two objects of one UID have other data sets; False when the first is filed meanwhile: then the database knows."""
    made = first.entry.committed
    try:
        descriptor = os.open(made.path if made else first.entry.temporary, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return digest_of(descriptor, first.data_set_offset) != digest_of(mine.entry.descriptor, mine.data_set_offset)
    finally:
        os.close(descriptor)
