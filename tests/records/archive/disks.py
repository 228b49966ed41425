"""Small disks that really are full, where a test may mount them."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _run(*command: str) -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


class SmallDisk:
    """A file system of its own at `at`."""

    def __init__(self, at: Path) -> None:
        self.at = at

    def fill(self) -> int:
        """Takes what is free, to the last byte; returns how many were."""
        taken = 0
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 10, 1):
                with contextlib.suppress(OSError):
                    while True:
                        taken += file.write(bytes(size))
        return taken

    def leave(self, size: int) -> None:
        """Fills it, but for `size` bytes."""
        self.fill()
        os.truncate(self._ballast, max(self._ballast.stat().st_size - size, 0))

    def take_names(self) -> None:
        """Takes every name (inode) that is free: no file and no folder can be made."""
        folder = self.at / ".names"
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            for number in range(1 << 20):
                folder.mkdir(exist_ok=True)
                (folder / str(number)).touch()

    def free(self) -> None:
        """Gives all of it back."""
        self._ballast.unlink(missing_ok=True)
        if (folder := self.at / ".names").is_dir():
            for name in folder.iterdir():
                name.unlink()
            folder.rmdir()

    @property
    def _ballast(self) -> Path:
        return self.at / ".ballast"


@contextlib.contextmanager
def small_disk(megabytes: int, at: Path | None = None, *, names: int = 20_000) -> Iterator[SmallDisk]:
    """A disk of `megabytes` with room for `names` files, at the folder `at` or a new one that every account may enter.

    Skips the test where we may not mount one.
    """
    folder = at or Path(tempfile.mkdtemp(prefix="heliograph-disk-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    options = f"size={megabytes}m,nr_inodes={names},mode=0755"
    if not _run("mount", "-t", "tmpfs", "-o", options, "heliograph-test", str(folder)):
        if at is None:
            folder.rmdir()
        pytest.skip("a small disk can't be mounted here: that needs root, and the right to mount")
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "-l", str(folder))
        if at is None:
            folder.rmdir()


@contextlib.contextmanager
def bound(source: Path, at: Path) -> Iterator[None]:
    """The folder `source` mounted at the folder `at`, as a disk that can be taken off. Skips the test where we may not."""
    source.mkdir(parents=True, exist_ok=True)
    at.mkdir(parents=True, exist_ok=True)
    if not _run("mount", "--bind", str(source), str(at)):
        pytest.skip("a folder can't be mounted here: that needs root, and the right to mount")
    try:
        yield
    finally:
        unmount(at)


def unmount(at: Path) -> None:
    """Takes the disk off, whoever holds files on it open."""
    _run("umount", "-l", str(at))


def mount_again(source: Path, at: Path) -> None:
    """Puts the disk on again."""
    assert _run("mount", "--bind", str(source), str(at))


def read_only(at: Path, *, yes: bool) -> None:
    """The disk of `at` takes nothing any more, as after a fault; or does again."""
    assert _run("mount", "-o", f"remount,bind,{'ro' if yes else 'rw'}", str(at))
