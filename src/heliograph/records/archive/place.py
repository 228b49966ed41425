"""Putting objects where they stay, durably and before the rows that name them are committed.

Keys come from the spool file's own place, so placing the same file again after a crash finds its first copy: nothing is doubled. They
say where an object came from and when, which is all that the index can't tell from its bytes: see `rebuild`.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from heliograph.kit.objects import Objects
from heliograph.records.archive.spool import SpooledObject, make_folder, sync_folder

_NO_CALLER = "none"
_KEY = re.compile(
    r"(images|made|held)/([0-9a-f-]{36})/(\d{8})/(\d{4})/"
    r"(?:(\d{8})-([0-9a-f]{32})-([0-9a-f]{32})-([0-9a-f]{32}|none)|([0-9a-f]{32}))\.dcm"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a key says of its object. Keys from before they bore a facility tell neither it nor the caller, and the minute only."""

    kind: str
    """images, made (by us) or held."""
    organization_id: UUID
    facility_id: UUID | None
    caller_id: UUID | None
    received_at: datetime
    id: UUID


def key_for(file: SpooledObject, kind: str = "images") -> str:
    """The object key of a spool file: by organisation and minute, which keeps folders small and a study together.

    The name bears the rest of the time, the file's own id, the facility and the caller; `origin_of` reads it.
    """
    at = file.received_at.astimezone(UTC)
    caller = file.caller_id.hex if file.caller_id else _NO_CALLER
    name = f"{at:%S%f}-{file.id.hex}-{file.facility_id.hex}-{caller}.dcm"
    return f"{kind}/{file.organization_id}/{at:%Y%m%d}/{at:%H%M}/{name}"


def origin_of(key: str) -> Origin | None:
    """What `key` says of its object. None: it is none of ours."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    kind, organization, day, minute, rest, id_, facility, caller, bare_id = match.groups()
    try:
        return Origin(
            kind,
            UUID(organization),
            UUID(facility) if facility else None,
            UUID(caller) if caller and caller != _NO_CALLER else None,
            datetime.strptime(f"{day}{minute}{rest or '00000000'}", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC),
            UUID(id_ or bare_id),
        )
    except ValueError:
        return None


def place(objects: Objects, placed: list[tuple[str, Path]]) -> None:
    """Stores each (key, file): a hard link where objects live in a folder of the same disk, else a copy. Durable on return."""
    if not placed:
        return
    objects.check()
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
    objects.check()
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
