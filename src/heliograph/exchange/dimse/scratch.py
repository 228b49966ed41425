"""Folders for what is decompressed on its way out. One that a killed process left is known by its lock, which nobody holds any more."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

OVERFLOW: Final = "overflow"
RETRIEVE, SEND = "retrieve-", "heliograph-send-"
_LOCK: Final = ".lock"
_GATE: Final = ".overflow.lock"


def overflow(spool_dir: Path) -> Path:
    """The folder of the spool for what is too large for memory; made where it is absent."""
    folder = spool_dir / OVERFLOW
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def scratch(spool_dir: Path, prefix: str) -> Iterator[Path]:
    """A folder of one's own that is gone afterwards, whatever is left in it. `prefix`: RETRIEVE or SEND."""
    above = overflow(spool_dir)
    with _locked(spool_dir / _GATE, fcntl.LOCK_SH):  # else a sweep could come between its making and its lock
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=above))
        mine = (folder / _LOCK).open("w")
        fcntl.flock(mine, fcntl.LOCK_EX)
    with mine:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(spool_dir: Path) -> int:
    """Deletes what killed processes left; what a living one of this host uses stays. Returns how many folders."""
    above = overflow(spool_dir)
    swept = 0
    with _locked(spool_dir / _GATE, fcntl.LOCK_EX):
        for folder in [f for prefix in (RETRIEVE, SEND) for f in above.glob(f"{prefix}*") if not f.is_symlink()]:
            with suppress(FileNotFoundError, BlockingIOError), _locked(folder / _LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(folder, ignore_errors=True)
                swept += not folder.exists()
    return swept


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, how)
        yield
