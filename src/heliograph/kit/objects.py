"""Objects: bytes under keys, in a folder or a bucket. One interface by obstore.

Keys are made by us from ids and hashes; nothing from outside ever becomes a part of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlparse

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

_KEY = re.compile(r"^[a-z0-9][a-z0-9/_.-]{0,500}$")


class Objects:
    """The object store of a region."""

    def __init__(self, location: str) -> None:
        """`location` is a folder's path or a file://, s3://, gs:// or az:// URL."""
        parsed = urlparse(location)
        self.folder: Path | None = None
        self._store: ObjectStore
        if parsed.scheme in ("", "file"):
            self.folder = Path(unquote(parsed.path))
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = LocalStore(prefix=str(self.folder))
        else:
            self._store = from_url(location)

    def put(self, key: str, data: bytes | Path) -> None:
        """Stores `data` under `key`, replacing what was there. Durable when it returns on a bucket; see `sync` for folders."""
        obstore.put(self._store, _checked(key), data)

    def get(self, key: str) -> bytes:
        """All bytes under `key`. Raises FileNotFoundError."""
        return bytes(obstore.get(self._store, _checked(key)).bytes())

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`: one read."""
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
        """Several (offset, length) ranges of one object."""
        found = obstore.get_ranges(
            self._store, _checked(key), starts=[o for o, _ in ranges], lengths=[n for _, n in ranges]
        )
        return [bytes(b) for b in found]

    def exists(self, key: str) -> bool:
        try:
            obstore.head(self._store, _checked(key))
        except FileNotFoundError:
            return False
        return True

    def size(self, key: str) -> int | None:
        """How many bytes are under `key`. None: nothing is."""
        try:
            return int(obstore.head(self._store, _checked(key))["size"])
        except FileNotFoundError:
            return None

    def path_of(self, key: str) -> Path | None:
        """The file that holds `key` where objects live in a folder, else None."""
        return self.folder / _checked(key) if self.folder else None

    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(key, length in bytes) of each object below `prefix`, in no order. Unfinished writes are left out."""
        for page in obstore.list(self._store, prefix=_checked(prefix), chunk_size=1000):
            for entry in page:
                if _KEY.match(entry["path"]) and not entry["path"].rsplit("/", 1)[-1].startswith("."):
                    yield entry["path"], entry["size"]

    def folders(self, prefix: str) -> list[str]:
        """The names of what is directly below `prefix` and holds objects itself, in order."""
        found = obstore.list_with_delimiter(self._store, prefix=_checked(prefix))["common_prefixes"]
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found)

    def delete(self, key: str) -> None:
        obstore.delete(self._store, _checked(key))


def _checked(key: str) -> str:
    if not _KEY.match(key) or ".." in key:
        raise ValueError("an object key must be made of lower-case letters, digits and / _ . -")
    return key
