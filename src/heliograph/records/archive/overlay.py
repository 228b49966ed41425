"""What is put right of a study's objects on their way out. They stay as they were stored; see `corrections` for who puts what right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.codecs.dicom import Correction, opened, rewritten
from heliograph.kit.db.session import ActorSession
from heliograph.kit.objects import Objects
from heliograph.records.archive import model
from heliograph.records.sites.queries import fallback_charset

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Overlay:
    """The correction in force of a study: `values` by tag, as `kit.codecs.dicom.rewritten` takes them."""

    id: UUID
    values: Mapping[int, str] = field(repr=False)
    correction: Correction = field(repr=False)
    fallback_charset: str | None = None
    """The character set of the study's images where they declare none."""


class Placed(Protocol):
    """Anything that knows where an object's file is, and what is put right of it."""

    @property
    def object_key(self) -> str: ...
    @property
    def object_offset(self) -> int: ...
    @property
    def object_length(self) -> int: ...
    @property
    def overlay(self) -> Overlay | None: ...


def overlays(session: ActorSession, study_ids: Iterable[UUID]) -> dict[UUID, Overlay]:
    """What is put right, by study; most studies are not in the answer."""
    rows = session.execute(
        select(model.Study.id, model.Study.facility_id, model.Correction)
        .join(model.Correction, model.Correction.id == model.Study.correction_id)
        .where(model.Study.id.in_(list(study_ids)))
    )
    return {
        study_id: overlay_from(row, _fallback_charset(session, study_id, facility_id))
        for study_id, facility_id, row in rows
    }


def _fallback_charset(session: ActorSession, study_id: UUID, facility_id: UUID) -> str | None:
    caller = select(model.Instance.caller_id).where(model.Instance.study_id == study_id).limit(1)
    return fallback_charset(session, facility_id, session.scalar(caller))


def overlay_from(row: model.Correction, charset: str | None) -> Overlay:
    """The row as a value. `charset`: see `Overlay.fallback_charset`."""
    values = {int(tag, 16): text for tag, text in row.values.items()}
    return Overlay(row.id, values, Correction(row.made_at, source=row.source), charset)


def whole_object(objects: Objects, placed: Placed) -> bytes:
    """The stored file, exactly."""
    return objects.get_range(placed.object_key, placed.object_offset, placed.object_length)


def source_of(objects: Objects, placed: Placed) -> Path | bytes:
    """The stored file, as a path where it is one (it need not be read whole), else its bytes."""
    path = objects.path_of(placed.object_key)
    return path if path is not None and placed.object_offset == 0 else whole_object(objects, placed)


def outgoing_file(objects: Objects, placed: Placed) -> Iterator[bytes | memoryview]:
    """The file as it goes out, in pieces, the next of which may only be asked for when the one before is done with.

    Raises:
        CannotRewrite, and what `rewritten` raises: before the first piece.
        FileNotFoundError: also later.
    """
    if placed.overlay is None:
        return _as_stored(objects, placed)
    with ExitStack() as stack:
        data = stack.enter_context(opened(source_of(objects, placed)))
        right = placed.overlay
        parts = rewritten(data, right.values, right.correction, fallback_charset=right.fallback_charset)
        kept = stack.pop_all()

    def pieces() -> Iterator[bytes | memoryview]:
        with kept:
            for part in parts:
                for at in range(0, len(part), _PIECE):
                    yield part[at : at + _PIECE]

    return pieces()


def _as_stored(objects: Objects, placed: Placed) -> Iterator[bytes]:
    for at in range(0, placed.object_length, _PIECE):
        size = min(_PIECE, placed.object_length - at)
        yield objects.get_range(placed.object_key, placed.object_offset + at, size)
