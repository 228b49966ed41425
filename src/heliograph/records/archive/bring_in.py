"""Files from a folder or a ZIP into the spool, as if their facility had sent them. Indexing follows, as for all that comes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from uuid import UUID

from heliograph.kit.codecs.dicom import DicomError, NotDicom, read_header
from heliograph.kit.codecs.dicom.bare import BEGINNING, missing_header
from heliograph.records.archive import spool

MOST_BYTES = 16 << 30
"""Of one file, unpacked."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file to bring in: `name` is for messages, `open` gives its bytes from the beginning."""

    name: str
    open: Callable[[], IO[bytes]] = field(repr=False)


@dataclass
class BroughtIn:
    """What became of the files: `refused` is (name, reason); `others` are no DICOM objects (a DICOMDIR, a text, a viewer)."""

    stored: int = 0
    others: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def sources(path: Path) -> Iterator[list[Source]]:
    """The files of a folder (and its folders), a ZIP, or the one file; a DICOMDIR stands for its folder.

    Raises:
        zipfile.BadZipFile, OSError
    """
    if path.name.upper() == "DICOMDIR" and path.is_file():
        path = path.parent
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        yield [Source(str(p.relative_to(path)), lambda p=p: p.open("rb")) for p in found]  # type: ignore[misc]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            yield [Source(m.filename, lambda m=m: archive.open(m)) for m in members]  # type: ignore[misc]
    else:
        yield [Source(path.name, lambda: path.open("rb"))]


def bring_in(
    spool_dir: Path,
    organization_id: UUID,
    facility_id: UUID,
    caller_id: UUID | None,
    files: list[Source],
    *,
    min_free_mb: int = 0,
    on_each: Callable[[Source], None] = lambda _source: None,
) -> BroughtIn:
    """Spools each DICOM object of `files`; each is durable when its `on_each` is called.

    A bare data set gets the file meta information that it lacks; its own bytes stay as they are.

    Raises:
        OutOfSpace: the disk is full; what was brought in before stays.
    """
    done = BroughtIn()
    for source in files:
        try:
            with spool.incoming(spool_dir, organization_id, facility_id, caller_id, min_free_mb=min_free_mb) as entry:
                _copy(source, entry)
                header = read_header(entry.temporary)
                if header.sop_class_uid:
                    entry.commit()
                    done.stored += 1
        except NotDicom:
            done.others += 1
        except DicomError as error:
            if _is_directory(source):
                done.others += 1
            else:
                done.refused.append((source.name, error.detail))
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:  # RuntimeError: a ZIP with a password
            done.refused.append((source.name, str(error) or type(error).__name__))
        on_each(source)
    return done


def _copy(source: Source, entry: spool.Incoming) -> None:
    size = 0
    with source.open() as read:
        piece = read.read(_PIECE)
        entry.write(missing_header(piece[:BEGINNING]) or b"")
        while piece:
            size += len(piece)
            if size > MOST_BYTES:
                raise OSError("the file is too large")
            entry.write(piece)
            piece = read.read(_PIECE)


def _is_directory(source: Source) -> bool:
    """A DICOMDIR is an index of files (PS3.10 8), no object."""
    return Path(source.name).name.upper().startswith("DICOMDIR")
