"""The loop that empties the spool: one process a host, by a lock on the spool."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.kit.actor import system
from heliograph.kit.log import log
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.examine import UNREADABLE, Examined, examine
from heliograph.records.archive.index import Indexed, index_examined
from heliograph.records.archive.spool import SpooledObject, drop_unfinished, forget, waiting

_log = log(__name__)

BATCH = 200
GATHER_SECONDS = 0.15
POLL_SECONDS = 0.05
LONGEST_WAIT = 60.0
_AWAY = (OperationalError, InterfaceError, PoolTimeout)


class DatabaseAway(Exception):
    """The database does not answer; the spool keeps what came."""


def run(works: WorkFactory, objects: Objects, settings: Settings, stop: threading.Event) -> None:
    """Indexes what is spooled until `stop` is set. Waits while another process of this host does so."""
    settings.spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(settings.spool_dir / ".indexer.lock", stop) as mine:
        if mine:
            drop_unfinished(settings.spool_dir)
            _run(works, objects, settings.spool_dir, stop)


def _run(works: WorkFactory, objects: Objects, spool_dir: Path, stop: threading.Event) -> None:
    later: dict[UUID, tuple[float, float]] = {}
    pause = 0.0
    while not stop.wait(pause):
        try:
            pause = 0.0 if empty_once(works, objects, spool_dir, later, stop) else POLL_SECONDS
        except DatabaseAway as error:
            pause = min(pause * 2 or 0.2, 5.0)
            _log.warning("the database does not answer; images stay in the spool", why=str(error))
        except OSError as error:
            pause = min(pause * 2 or 0.2, 5.0)
            _log.error("the spool or the object store does not answer", why=type(error).__name__)


def empty_once(
    works: WorkFactory,
    objects: Objects,
    spool_dir: Path,
    later: dict[UUID, tuple[float, float]] | None = None,
    stop: threading.Event | None = None,
    *,
    gather: float = GATHER_SECONDS,
) -> int:
    """Files what the spool holds now; returns how many files are dealt with.

    A few files that are younger than `gather` seconds are left to the next round, so that a stream makes few batches. `later` keeps
    files that failed for a reason other than their bytes: (when to try again, the wait after that), monotonic seconds.

    Raises:
        DatabaseAway: nothing more can be filed now.
    """
    later = {} if later is None else later
    now = time.monotonic()
    files = [file for file in waiting(spool_dir) if later.get(file.id, (0.0, 0.0))[0] <= now]
    by_organization = sorted(files, key=lambda file: file.organization_id)
    dealt = 0
    for _organization, group in groupby(by_organization, key=lambda file: file.organization_id):
        mine = sorted(group, key=lambda file: file.received_at)
        age = time.time() - mine[0].received_at.timestamp()
        if len(mine) < BATCH and 0 <= age < gather:
            continue
        for at in range(0, len(mine), BATCH):
            if stop is not None and stop.is_set():
                return dealt
            dealt += _file(works, objects, mine[at : at + BATCH], later)
    return dealt


def _file(
    works: WorkFactory, objects: Objects, files: Sequence[SpooledObject], later: dict[UUID, tuple[float, float]]
) -> int:
    examined = []
    for file in files:
        try:
            examined.append(examine(file))
        except FileNotFoundError:
            _log.warning("a spool file went away", spool_id=str(file.id))
        except (
            OSError
        ) as error:  # the disk's fault, or ours (too many open files): the others are filed, this one later
            _log.error("a spool file can't be read", spool_id=str(file.id), why=type(error).__name__, errno=error.errno)
            _postpone(file, later)
    return _commit(works, objects, examined, later) if examined else 0


def _commit(
    works: WorkFactory, objects: Objects, batch: Sequence[Examined], later: dict[UUID, tuple[float, float]]
) -> int:
    """One transaction; if it fails, halves of it, so that one bad file does not keep others from being filed."""
    try:
        with works.begin(system("archive", batch[0].file.organization_id)) as work:
            done: Indexed = index_examined(work, objects, batch)
    except _AWAY as error:
        raise DatabaseAway(type(error).__name__) from error
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others must be filed
        if len(batch) > 1:
            middle = len(batch) // 2
            return sum(_commit(works, objects, half, later) for half in (batch[:middle], batch[middle:]))
        return _set_aside(works, objects, batch[0], error, later)
    forget(done.finished)
    for file in done.finished:
        later.pop(file.id, None)
    return len(done.finished)


def _set_aside(
    works: WorkFactory,
    objects: Objects,
    entry: Examined,
    error: Exception,
    later: dict[UUID, tuple[float, float]],
) -> int:
    """A file that fails alone: held if the database refuses its values, else tried again, ever more seldom."""
    _log.error(
        "an object could not be filed",
        spool_id=str(entry.file.id),
        why=type(error).__name__,
        exc_info=None if isinstance(error, DataError) else error,
    )
    if isinstance(error, DataError) and entry.facts is not None:
        detail = "the index can't keep a value of this object"
        return _commit(works, objects, [Examined(entry.file, None, entry.sha256, UNREADABLE, detail)], later)
    _postpone(entry.file, later)
    return 0


def _postpone(file: SpooledObject, later: dict[UUID, tuple[float, float]]) -> None:
    wait = min(later.get(file.id, (0.0, 0.5))[1] * 2, LONGEST_WAIT)
    later[file.id] = (time.monotonic() + wait, wait)


@contextmanager
def _only_one(lock: Path, stop: threading.Event) -> Iterator[bool]:
    with lock.open("w") as file:
        while not stop.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                stop.wait(0.5)
        yield not stop.is_set()
