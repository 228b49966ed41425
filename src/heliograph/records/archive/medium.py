"""Where an export goes: a new folder or ZIP, under its name only when it is whole. A failure leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from heliograph.kit.errors import Conflict
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.export import Medium
from heliograph.records.archive.spool import full_disk_named, sync_folder

_SPARE = 1 << 20
"""For the directory, and a little more for each file."""


class AlreadyThere(Conflict):
    """There is something under this name already; nothing is overwritten."""


@contextmanager
def new_medium(path: Path, size: int) -> Iterator[Medium]:
    """A medium for about `size` bytes at `path`: a ZIP if its name ends so, else a folder, which may be there and empty.

    Raises:
        AlreadyThere
        OutOfSpace: there is too little free disk, before or while writing.
        OSError
    """
    if not _is_free(path):
        raise AlreadyThere
    if shutil.disk_usage(path.parent).free < size + _SPARE:
        raise OutOfSpace
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with full_disk_named():
            if path.suffix.lower() == ".zip":
                with zipfile.ZipFile(temporary, "x") as archive:
                    yield _Zip(archive)
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
            else:
                temporary.mkdir()
                yield _Folder(temporary)
                os.sync()  # one for all files
            if not _is_free(path):
                raise AlreadyThere
            temporary.rename(path)
            sync_folder(path.parent)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    if path.is_symlink() or path.is_file():
        return False
    if path.suffix.lower() == ".zip":
        return not path.exists()
    return not path.exists() or not any(path.iterdir())


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, name: str) -> IO[bytes]:
        path = self._path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def create(self, name: str) -> IO[bytes]:
        return self._archive.open(name, "w", force_zip64=True)
