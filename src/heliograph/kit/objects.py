"""Objects: bytes under keys, in a folder or a bucket. One interface by obstore.

Keys are made by us from ids and hashes; nothing from outside ever becomes a part of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from heliograph.kit.errors import Unavailable

MARK: Final = ".heliograph-objects"
"""A file in the folder that holds objects. Without it the folder is not the one that it was: its disk is not mounted, or it was moved."""
_RETRIES: Final = 2
_RETRY_SECONDS: Final = 10
_KEY = re.compile(r"^[a-z0-9][a-z0-9/_.-]{0,500}$")


class ObjectsAway(Unavailable, OSError):
    """The object store does not answer, or takes nothing; try again shortly."""


class ObjectMissing(Unavailable, FileNotFoundError):
    """These bytes are not in the object store. `heliograph archive fsck` lists all such."""


class Objects:
    """The object store of a region. Each method raises ObjectsAway where the store does not answer or is full."""

    def __init__(self, location: str, *, remembered: Path | None = None) -> None:
        """`location` is a folder's path or a file://, s3://, gs:// or az:// URL.

        `remembered` is a file outside the folder in which this host keeps what the folder's mark says. With it, nothing is written
        to a folder that has lost its mark: what came would be hidden as soon as its disk is mounted again.
        """
        parsed = urlparse(location)
        self.folder: Path | None = None
        self._mark: bytes | None = None
        self._opened: ObjectStore | None = None
        if parsed.scheme in ("", "file"):
            self.folder = Path(unquote(parsed.path))
            if remembered is not None:
                self._mark = _mark_of(self.folder, remembered)
            else:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif parsed.scheme == "memory":
            self._opened = from_url(location)
        else:  # who asks holds a transaction: it is better told soon, and tries again
            self._opened = from_url(
                location, retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
            )

    @property
    def _store(self) -> ObjectStore:
        """The folder is opened at its first use: it may be away while we start."""
        if self._opened is None:
            self._opened = LocalStore(prefix=str(self.folder))
        return self._opened

    def check(self) -> None:
        """Raises ObjectsAway if objects live in a folder and it is not the one that it was."""
        if self.folder is None or self._mark is None:
            return
        try:
            with _named():
                found = (self.folder / MARK).read_bytes()
        except FileNotFoundError:
            found = b""
        if found != self._mark:
            raise ObjectsAway(f"The objects' folder lacks its mark, {MARK}: its disk is not mounted, or it was moved.")

    def put(self, key: str, data: bytes | Path) -> None:
        """Stores `data` under `key`, replacing what was there. Durable when it returns on a bucket; see `sync` for folders."""
        self.check()
        with _named():
            obstore.put(self._store, _checked(key), data)

    def get(self, key: str) -> bytes:
        """All bytes under `key`. Raises ObjectMissing."""
        with _named():
            return bytes(obstore.get(self._store, _checked(key)).bytes())

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`: one read. Raises ObjectMissing."""
        with _named():
            return bytes(obstore.get_range(self._store, _checked(key), start=offset, length=length))

    def get_range_now(self, key: str, offset: int, length: int) -> bytes | None:
        """The same, if it can be had without waiting: from a folder, with all bytes in the system's memory. None: use `get_range`.

        For an event loop: at most the opening of the file touches a disk, never its bytes.
        """
        path = self.path_of(key)
        if path is None or not hasattr(os, "RWF_NOWAIT"):
            return None
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            room = bytearray(length)
            if os.preadv(descriptor, [room], offset, os.RWF_NOWAIT) == length:
                return bytes(room)
        except OSError:  # EAGAIN: to be read from disk; EOPNOTSUPP: the file system can't tell
            return None
        finally:
            os.close(descriptor)
        return None

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several (offset, length) ranges of one object. Raises ObjectMissing."""
        with _named():
            found = obstore.get_ranges(
                self._store, _checked(key), starts=[o for o, _ in ranges], lengths=[n for _, n in ranges]
            )
            return [bytes(b) for b in found]

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """How many bytes are under `key`. None: nothing is."""
        try:
            with _named():
                return int(obstore.head(self._store, _checked(key))["size"])
        except FileNotFoundError:
            return None

    def path_of(self, key: str) -> Path | None:
        """The file that holds `key` where objects live in a folder, else None."""
        return self.folder / _checked(key) if self.folder else None

    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(key, length in bytes) of each object below `prefix`, in no order. Unfinished writes are left out."""
        with _named():
            pages = iter(obstore.list(self._store, prefix=_checked(prefix), chunk_size=1000))
        while True:
            with _named():
                page = next(pages, None)
            if page is None:
                return
            for entry in page:
                if _KEY.match(entry["path"]) and not entry["path"].rsplit("/", 1)[-1].startswith("."):
                    yield entry["path"], entry["size"]

    def folders(self, prefix: str) -> list[str]:
        """The names of what is directly below `prefix` and holds objects itself, in order."""
        with _named():
            found = obstore.list_with_delimiter(self._store, prefix=_checked(prefix))["common_prefixes"]
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found)

    def delete(self, key: str) -> None:
        with _named():
            obstore.delete(self._store, _checked(key))


@contextmanager
def _named() -> Iterator[None]:
    """Raises ObjectMissing or ObjectsAway in the place of whatever a store raises."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing from error
    except (BaseError, OSError) as error:
        raise ObjectsAway from error


def _mark_of(folder: Path, remembered: Path) -> bytes:
    """What the folder's mark must say. The first time, folder and mark are made, and both are remembered."""
    mark = folder / MARK
    with suppress(FileNotFoundError):
        return remembered.read_bytes()
    for path in (folder, remembered.parent):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_once(mark, uuid4().hex.encode())
    _make_once(remembered, mark.read_bytes())
    return remembered.read_bytes()


def _make_once(path: Path, content: bytes) -> None:
    """Makes a file whole and durable, or leaves the one that is there, whoever else does the same."""
    if path.exists():
        return
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _checked(key: str) -> str:
    if not _KEY.match(key) or ".." in key:
        raise ValueError("an object key must be made of lower-case letters, digits and / _ . -")
    return key
