"""Files from a folder or a ZIP into the spool, as if their facility had sent them. Indexing follows, as for all that comes.

No name of a file becomes a path of ours, and a ZIP in a ZIP is not opened.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO
from uuid import UUID

from heliograph.kit.codecs.dicom import DicomError, Header, NotDicom, dicom_json
from heliograph.kit.codecs.dicom.bare import BEGINNING, missing_header
from heliograph.kit.codecs.dicom.dicomdir import file_ids
from heliograph.records.archive import spool
from heliograph.records.archive.look import look

MOST_BYTES = 16 << 30
"""Of one file, unpacked."""
MOST_OF_DIRECTORY = 256 << 20
"""Bytes of a DICOMDIR that is looked into."""
_PIECE = 1 << 20
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to bring in: `name` is for messages, `open` gives its bytes from the beginning."""

    name: str
    open: Callable[[], IO[bytes]] = field(repr=False)


@dataclass
class BroughtIn:
    """What became of the files: `known` were filed already, with these very bytes; `others` are no DICOM objects (a DICOMDIR, a text, a
    viewer); `refused` is (name, reason); `missing` are files that a DICOMDIR names and that are not there."""

    stored: int = 0
    known: int = 0
    others: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


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
    filed: Callable[[str], bytes | None] = lambda _uid: None,
    on_each: Callable[[Source], None] = lambda _source: None,
    into: BroughtIn | None = None,
) -> BroughtIn:
    """Spools each DICOM object of `files`; each is durable when its `on_each` is called.

    A bare data set gets the file meta information that it lacks; its own bytes stay as they are. Elements of files inside a data set
    are left out, as at the other doors. What is in the archive already, by
    `filed` (SOP Instance UID -> SHA-256 of the filed data set), is passed over: who begins again goes on where it ended.

    `into` is told as it goes, so that the caller has it also when this raises.

    Raises:
        OutOfSpace: the disk is full; what was brought in before stays.
    """
    done = BroughtIn() if into is None else into
    done.missing += _missing(files)
    for source in files:
        try:
            with spool.incoming(spool_dir, organization_id, facility_id, caller_id, min_free_mb=min_free_mb) as entry:
                _copy(source, entry)
                looked = look(entry)
                if looked.header is None:
                    raise looked.error or NotDicom()
                header = looked.header
                if _is_filed(header, entry.temporary, filed):
                    done.known += 1
                elif header.sop_class_uid:
                    entry.commit()
                    done.stored += 1
        except NotDicom:
            done.others += 1
        except DicomError as error:
            if _is_directory(source):
                done.others += 1
            else:
                done.refused.append((source.name, error.detail))
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            # RuntimeError: a ZIP with a password; NotImplementedError: a compression that nobody has
            done.refused.append((source.name, str(error) or type(error).__name__))
        on_each(source)
    return done


def _copy(source: Source, entry: spool.Incoming) -> None:
    size = 0
    with source.open() as read:
        piece = read.read(_PIECE)
        header = missing_header(piece[:BEGINNING])
        if header is None and piece[128:132] != b"DICM":  # told before it is unpacked
            if piece[:4] == _ZIP and source.name.lower().endswith(".zip"):
                raise OSError("it is a ZIP itself: unpack it and bring it in by itself")
            raise NotDicom("there is no DICM prefix")
        entry.write(header or b"")
        while piece:
            size += len(piece)
            if size > MOST_BYTES:
                raise OSError("the file is too large")
            entry.write(piece)
            piece = read.read(_PIECE)


def _is_filed(header: Header, path: Path, filed: Callable[[str], bytes | None]) -> bool:
    wanted = filed(header.sop_instance_uid) if header.sop_instance_uid else None
    if wanted is None:
        return False
    with path.open("rb") as read:
        read.seek(header.data_set_offset)
        return hashlib.file_digest(read, "sha256").digest() == wanted


def _is_directory(source: Source) -> bool:
    """A DICOMDIR is an index of files (PS3.10 8), no object."""
    return Path(source.name).name.upper().startswith("DICOMDIR")


def _missing(files: list[Source]) -> list[str]:
    """The files that a DICOMDIR among `files` names and that are not there. Media write names in either case, and with a version."""
    there = {_plain(source.name) for source in files}
    missing = []
    for source in files:
        if PurePosixPath(source.name.replace("\\", "/")).name.upper() != "DICOMDIR":
            continue
        try:
            with source.open() as read:
                named = file_ids(dicom_json(read.read(MOST_OF_DIRECTORY)))
        except (DicomError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError):
            continue  # told when its turn comes, or its files come without it
        folder = PurePosixPath(source.name.replace("\\", "/")).parent
        wanted = [str(folder.joinpath(*parts)) for parts in named]
        missing += [name for name in wanted if _plain(name) not in there]
    return missing


def _plain(name: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(part.split(";")[0].rstrip(".").upper() for part in parts)
