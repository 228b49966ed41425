"""Batches by folder: `<HELIOGRAPH_HL7_FILES_DIR>/<id of the feed>/in`, its answers in `answers`, what was taken in `done`, what was refused
as a whole in `refused`.

A file is moved only after all that it says is committed and its answer is on the disk. One that was cut off by a crash is taken again, and
each message in it that was processed is then known by its control id and bytes.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from heliograph.care.worklist.alarms import clear_alarm
from heliograph.exchange.hl7.afterwards import process_feed
from heliograph.exchange.hl7.batches import REFUSED_FILE, answer_batch, refuse_batch
from heliograph.exchange.hl7.feed import Feed
from heliograph.exchange.hl7.senders import Sent, sent_by
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7.batch import BadBatch, split_batch
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import WorkFactory
from heliograph.records.sites import queries as sites
from heliograph.records.sites.received import file_feeds

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 2.0
SETTLED_SECONDS: Final = 3.0
"""A file is taken when it has not changed for so long: senders that can should write under another name ending and rename."""
UNFINISHED: Final = (".tmp", ".part", ".filepart", ".writing")
FOLDERS: Final = ("in", "answers", "done", "refused")
_FROM_A_FILE = Peer("folder", 0)


class TooLarge(BadBatch):
    """The file is larger than is taken here."""


class Files:
    """The thread that looks into the folders. Without a folder (None) it does nothing."""

    def __init__(self, works: WorkFactory, root: Path | None, max_bytes: int) -> None:
        self._works, self._root, self._max_bytes = works, root, max_bytes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hl7-files", daemon=True)

    def start(self) -> None:
        if self._root is not None:
            self._thread.start()

    def stop(self) -> None:
        """The message in hand is finished; its file is taken again later."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        while self._root is not None and not self._stop.is_set():
            try:
                take_files(self._works, self._root, self._max_bytes)
            except Exception as error:  # noqa: BLE001 (the database or the disk is away: the files stay)
                log.warning("hl7.files_interrupted", error=type(error).__name__)
            self._stop.wait(LOOK_SECONDS)


def take_files(works: WorkFactory, root: Path, max_bytes: int, settled_seconds: float = SETTLED_SECONDS) -> int:
    """Takes what lies in the folders of all feeds that leave files, those of a feed by their names; how many files.

    Raises: what says that database or disk are away; the file in hand stays where it is.
    """
    with works.read(system("hl7")) as work:
        ids = file_feeds(work.session)
    number = 0
    for endpoint_id in ids:
        with works.read(system("hl7")) as work:
            endpoint = sites.endpoint(work.session, endpoint_id)
            facility = sites.facility(work.session, endpoint.facility_id) if endpoint else None
        if endpoint is None or facility is None:
            continue
        folder = root / str(UUID(str(endpoint_id)))
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o770)
        with _alone(folder) as is_ours:
            if is_ours:
                number += _take_folder(works, Feed(endpoint, facility), folder, max_bytes, settled_seconds)
    return number


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Of several processes one works in a folder."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _take_folder(works: WorkFactory, feed: Feed, folder: Path, max_bytes: int, settled_seconds: float) -> int:
    number = 0
    for path in _ready(folder / "in", settled_seconds):
        _take_file(works, feed, folder, path, max_bytes)
        number += 1
    if number == 0 and not any((folder / "refused").iterdir()):
        with works.begin(system("hl7", feed.endpoint.organization_id)) as work:
            clear_alarm(work, REFUSED_FILE, feed.endpoint.id)
    return number


def _ready(folder: Path, settled_seconds: float) -> list[Path]:
    """Whole files, by their names. Neither links nor anything else that is no file is followed."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            told = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(told.st_mode) and abs(time.time() - told.st_mtime) >= settled_seconds:
                found.append(folder / entry.name)
    return sorted(found)


def _take_file(works: WorkFactory, feed: Feed, folder: Path, path: Path, max_bytes: int) -> None:
    payload = b""
    try:
        payload = _content(path, max_bytes)
        batch = split_batch(payload)
    except BadBatch as error:
        answer = refuse_batch(works, Sent(payload, None, feed, _FROM_A_FILE), error, is_file=True)
        goal = "refused"
        log.warning("hl7.file_refused", endpoint=str(feed.endpoint.id), why=error.detail)
    else:
        answer = answer_batch(
            works, batch, lambda one: sent_by(feed, one, _FROM_A_FILE), later=_nothing, first=process_feed
        )
        goal = "done"
    _write(folder / "answers" / f"{path.name}.ack", answer)
    _move(path, folder / goal)


def _nothing(_endpoint_id: UUID, _organization_id: UUID) -> None:
    """In a file no message is taken over without being processed."""


def _content(path: Path, max_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise TooLarge("FHS", 1, None, f"The file is larger than {max_bytes >> 20} MiB.")
    return content


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.tmp")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _move(path: Path, folder: Path) -> None:
    goal = folder / path.name
    if goal.exists():
        goal = folder / f"{path.name}.{time.time_ns()}"
    path.rename(goal)
    _sync(folder)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems know no fsync of a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
