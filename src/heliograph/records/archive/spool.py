"""The spool: where a received object is durable before anybody is told so, and before it is indexed.

A file's place, `incoming/<organisation>/<facility>/<caller or none>/<time>-<uuid>.dcm`, is all that indexing needs to know of where
it came from; each part is made by us, so nothing from outside becomes a path. It works without the database. What a door refused and
what is to be kept in quarantine all the same stands in `refused/` instead, in the same folders.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from heliograph.records.archive.errors import OutOfSpace

_STAMP = "%Y%m%dT%H%M%S.%f"
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})-([0-9a-f]{32})\.dcm")
_NO_CALLER = "none"
_INCOMING, _REFUSED = "incoming", "refused"
_UNFINISHED = ".part"
_PIECE = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class SpooledObject:
    """A durable Part 10 file that waits to be indexed. `received_at` is when its last byte was written, UTC.

    `is_refused`: its sender was told that it is not stored, so it goes to quarantine, whatever it is.
    """

    path: Path
    organization_id: UUID
    facility_id: UUID
    caller_id: UUID | None
    received_at: datetime
    id: UUID
    length: int
    is_refused: bool = False


@dataclass
class Incoming:
    """An object that is being received: write to `descriptor`, then `commit`."""

    descriptor: int
    temporary: Path
    organization_id: UUID
    facility_id: UUID
    caller_id: UUID | None
    committed: SpooledObject | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Adds bytes of the Part 10 file.

        Raises:
            OutOfSpace: the disk is full.
        """
        with full_disk_named():
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]

    def commit(self, *, sync_name: bool = True, refused: bool = False) -> SpooledObject:
        """Makes the file durable under its final name: the file is synced, named, and its folder synced.

        Without `sync_name` the caller syncs the folder, once for several files, before anybody is told that they are stored.
        `refused`: it is kept for the quarantine alone.

        Raises:
            OutOfSpace: the disk is full. Nothing was kept.
        """
        with full_disk_named():
            os.fsync(self.descriptor)
            length = os.fstat(self.descriptor).st_size
            now, id_ = datetime.now(UTC), uuid4()
            folder = self.temporary.parent
            if refused:
                folder = folder.parents[3] / _REFUSED / folder.relative_to(folder.parents[2])
                make_folder(folder)
            final = folder / f"{now.strftime(_STAMP)}-{id_.hex}.dcm"
            self.temporary.rename(final)
            try:
                if sync_name:
                    sync_folder(folder)
            except OSError:
                final.unlink(missing_ok=True)
                raise
        self.committed = SpooledObject(
            final, self.organization_id, self.facility_id, self.caller_id, now, id_, length, refused
        )
        return self.committed

    def replace(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Writes the file anew; `pieces` may be views of what it held.

        Raises:
            OutOfSpace: the disk is full; the file stays as it was.
        """
        new = self.temporary.with_name(f".{uuid4().hex}{_UNFINISHED}")
        with full_disk_named():
            descriptor = _create(new.parent, new)
            try:
                for piece in pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[os.write(descriptor, view) :]
                new.rename(self.temporary)
                os.dup2(descriptor, self.descriptor, inheritable=False)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def incoming(
    spool_dir: Path,
    organization_id: UUID,
    facility_id: UUID,
    caller_id: UUID | None,
    *,
    min_free_mb: int = 0,
) -> Iterator[Incoming]:
    """Receives one object piece by piece. Leaving the block without `commit` leaves nothing behind.

    Raises:
        OutOfSpace: less than `min_free_mb` MiB are free.
    """
    folder = spool_dir / _INCOMING / str(organization_id) / str(facility_id) / str(caller_id or _NO_CALLER)
    with full_disk_named():
        temporary = folder / f".{uuid4().hex}{_UNFINISHED}"
        descriptor = _create(folder, temporary)
    entry = Incoming(descriptor, temporary, organization_id, facility_id, caller_id)
    try:
        free = os.fstatvfs(descriptor)
        if free.f_bavail * free.f_frsize < min_free_mb << 20:
            raise OutOfSpace
        yield entry
    finally:
        os.close(descriptor)
        if entry.committed is None:
            temporary.unlink(missing_ok=True)


def receive(
    spool_dir: Path,
    organization_id: UUID,
    facility_id: UUID,
    caller_id: UUID | None,
    part10_header: bytes,
    chunks: bytes | Iterable[bytes],
    *,
    min_free_mb: int = 0,
) -> SpooledObject:
    """Keeps one object: `part10_header` (empty if `chunks` begin with one) and the data set as it came. Durable on return.

    Raises:
        OutOfSpace: too little disk is free.
    """
    with incoming(spool_dir, organization_id, facility_id, caller_id, min_free_mb=min_free_mb) as entry:
        entry.write(part10_header)
        for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
            entry.write(chunk)
        return entry.commit()


def waiting(spool_dir: Path, limit: int = 1000) -> list[SpooledObject]:
    """Objects that wait to be indexed, oldest first, at most `limit` of each caller, so that none starves another."""
    found: list[SpooledObject] = []
    for organization in (*_folders(spool_dir / _INCOMING), *_folders(spool_dir / _REFUSED)):
        for facility in _folders(organization):
            for caller in _folders(facility):
                entries = (spooled(caller / name) for name in sorted(_names(caller))[:limit])
                found += [entry for entry in entries if entry is not None]
    return sorted(found, key=lambda entry: entry.received_at)


def refused(spool_dir: Path, organization_id: UUID) -> tuple[int, int]:
    """How many refused objects of an organisation wait to be put into quarantine, and their bytes."""
    count = size = 0
    for facility in _folders(spool_dir / _REFUSED / str(organization_id)):
        for caller in _folders(facility):
            for name in _names(caller):
                with contextlib.suppress(FileNotFoundError):
                    size += (caller / name).stat().st_size
                    count += 1
    return count, size


def spooled(path: Path) -> SpooledObject | None:
    """What a spool file's place says, or None for a file that is not ours or is gone."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    caller, facility, organization, kind = (p.name for p in list(path.parents)[:4])
    try:
        return SpooledObject(
            path=path,
            organization_id=UUID(organization),
            facility_id=UUID(facility),
            caller_id=None if caller == _NO_CALLER else UUID(caller),
            received_at=datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC),
            id=UUID(match[2]),
            length=path.stat().st_size,
            is_refused=kind == _REFUSED,
        )
    except (ValueError, FileNotFoundError):
        return None


def forget(files: Iterable[SpooledObject]) -> None:
    """Deletes spool files whose objects and rows are committed. One left behind by a crash is recognised by its content."""
    for file in files:
        file.path.unlink(missing_ok=True)


def drop_unfinished(spool_dir: Path, older_than: float = 86400.0) -> int:
    """Deletes what broken transfers left, when nobody has written to it for `older_than` seconds. Returns how many."""
    dropped = 0
    for path in (spool_dir / _INCOMING).glob(f"*/*/*/.*{_UNFINISHED}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > older_than:
                path.unlink()
                dropped += 1
    return dropped


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents, durably: a synced file in an unsynced folder can vanish."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for made in missing:
        sync_folder(made.parent)


def _create(folder: Path, temporary: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(temporary, flags, 0o600)
    except FileNotFoundError:
        make_folder(folder)
        return os.open(temporary, flags, 0o600)


def _folders(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [folder / e.name for e in entries if e.is_dir(follow_symlinks=False)]
    return []


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return [name for name in os.listdir(folder) if name.endswith(".dcm")]
    return []


@contextlib.contextmanager
def full_disk_named() -> Iterator[None]:
    """Raises OutOfSpace in the place of the operating system's error."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpace from error
        raise


def digest_of(descriptor: int, at: int = 0) -> bytes:
    """SHA-256 of an open file from `at`: of the data set that begins there, or of the whole file."""
    made = hashlib.sha256()
    while piece := os.pread(descriptor, _PIECE, at):
        made.update(piece)
        at += len(piece)
    return made.digest()
