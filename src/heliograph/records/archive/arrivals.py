"""Whether other content is here already under a SOP Instance UID: asked before the sender is answered, and never at its cost.

What is filed the database knows: one indexed statement, while the object is being synced. What this process received and the indexer has
not filed yet is remembered. While the database is away or slow, the object is answered as any other: it is held all the same when it is
indexed, and the alarm comes then.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
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
    "select sha256 from archive.instances where organization_id = %(organization)s and sop_instance_uid = %(uid)s"
)
_T = TypeVar("_T")
_log = log(__name__)


@dataclass(eq=False, slots=True)
class _First:
    """The first object of this process with its UID; `done` when it is durable, or has failed."""

    entry: Incoming
    data_set_offset: int
    done: threading.Event = field(default_factory=threading.Event)


class Arrivals:
    """Makes received objects durable and tells of each how its UID stands. One of a process; safe for several threads."""

    def __init__(self, works: WorkFactory) -> None:
        self._works = works
        self._pool = ThreadPoolExecutor(_ASKING, "same-uid")
        self._lock = threading.Lock()
        self._first: OrderedDict[tuple[UUID, str], _First] = OrderedDict()
        self._left_alone_until = 0.0

    def close(self) -> None:
        """No more objects come."""
        self._pool.shutdown(cancel_futures=True)

    def commit(self, entry: Incoming, header: Header, *, sync_name: bool = True) -> str | None:
        """Makes `entry` durable. Where other content is here under its UID: what the facility wants answered (`held_answer`), else None.

        Raises:
            OutOfSpace: the disk is full; nothing was kept.
        """
        key = (entry.organization_id, header.sop_instance_uid)
        mine = _First(entry, header.data_set_offset)
        first = self._earlier(key, mine)
        question = self._begin(lambda: self._filed(*key))
        try:
            differs = first is not None and _differs(first, mine)
            entry.commit(sync_name=sync_name)
        finally:
            mine.done.set()
        filed = self._outcome(question, None)
        if filed is not None:
            differs = filed != digest_of(entry.descriptor, header.data_set_offset)
        if not differs:
            return None
        return self._outcome(self._begin(lambda: self._wanted(entry)), DEFAULT)

    def _earlier(self, key: tuple[UUID, str], mine: _First) -> _First | None:
        """The one that waits in the spool under this UID, durable by now; if there is none, `mine` is from now on."""
        gone: _First | None = None
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

    def _filed(self, organization_id: UUID, sop_instance_uid: str) -> bytes | None:
        """The digest of the data set that is filed under this UID."""
        values = {"organization": organization_id, "uid": sop_instance_uid}
        rows = asked(self._works.sessions, system("archive", organization_id), _FILED, values)
        return bytes(rows[0][0]) if rows else None

    def _wanted(self, entry: Incoming) -> str:
        with self._works.read(system("archive", entry.organization_id)) as work:
            found = facility(work.session, entry.facility_id)
        return found.held_answer if found is not None else DEFAULT


def _differs(first: _First, mine: _First) -> bool:
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
