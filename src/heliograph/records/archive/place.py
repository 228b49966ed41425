"""Putting objects where they stay, durably and before the rows that name them are committed.

Keys come from the spool file's own id, so placing the same file again after a crash finds its first copy: nothing is doubled.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from heliograph.kit.objects import Objects
from heliograph.records.archive.spool import SpooledObject, make_folder, sync_folder


def key_for(file: SpooledObject, kind: str = "images") -> str:
    """The object key of a spool file: by organisation and minute, which keeps folders small and a study together."""
    at = file.received_at
    return f"{kind}/{file.organization_id}/{at:%Y%m%d}/{at:%H%M}/{file.id.hex}.dcm"


def place(objects: Objects, placed: list[tuple[str, Path]]) -> None:
    """Stores each (key, file): a hard link where objects live in a folder of the same disk, else a copy. Durable on return."""
    folders: set[Path] = set()
    for key, source in placed:
        target = objects.path_of(key)
        if target is None:
            objects.put(key, source)
            continue
        if target.parent not in folders and not target.parent.is_dir():
            make_folder(target.parent)
        folders.add(target.parent)
        try:
            os.link(source, target)
        except FileExistsError:
            if target.stat().st_size != source.stat().st_size:
                _copy(source, target)
        except OSError:  # another disk, or one without hard links
            _copy(source, target)
    for folder in folders:
        sync_folder(folder)


def write(objects: Objects, key: str, data: bytes) -> None:
    """Stores bytes under `key`. Durable on return."""
    target = objects.path_of(key)
    if target is None:
        objects.put(key, data)
        return
    make_folder(target.parent)
    with _replacing(target) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    sync_folder(target.parent)


def _copy(source: Path, target: Path) -> None:
    with _replacing(target) as temporary:
        with source.open("rb") as read, temporary.open("wb") as written:
            shutil.copyfileobj(read, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())
        temporary.rename(target)


class _replacing:  # noqa: N801 - reads as a word in `with`
    """A temporary name beside `target`, gone afterwards if it was not renamed."""

    def __init__(self, target: Path) -> None:
        self.temporary = target.with_name(f".{uuid4().hex}.part")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, *_exc: object) -> None:
        with suppress(FileNotFoundError):
            self.temporary.unlink()
