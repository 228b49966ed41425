"""Bytes to look at, from what a caller holds: bytes, an open file or a path. Files are mapped, not read."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

Source: TypeAlias = bytes | bytearray | memoryview | Path | BinaryIO


@contextmanager
def opened(source: Source) -> Iterator[memoryview]:
    """A read-only view of all bytes of `source`, valid inside the `with` block."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source).toreadonly().cast("B")
    elif isinstance(source, Path):
        with source.open("rb") as file, _mapped(file) as view:
            yield view
    else:
        with _mapped(source) as view:
            yield view


@contextmanager
def _mapped(file: BinaryIO) -> Iterator[memoryview]:
    try:
        number = file.fileno()
    except (OSError, AttributeError):  # io.BytesIO and its like
        position = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(position)
        yield memoryview(content)
        return
    if os.fstat(number).st_size == 0:  # mmap refuses an empty file
        yield memoryview(b"")
        return
    mapping = mmap.mmap(number, 0, access=mmap.ACCESS_READ)
    view = memoryview(mapping)
    try:
        yield view
    finally:
        try:
            view.release()
            mapping.close()
        except BufferError:  # an exception's traceback still holds a slice; freed with it
            pass
