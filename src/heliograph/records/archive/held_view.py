"""What a held object says of itself, and how it differs from what is filed under its UID: for the person who decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydicom.datadict import dictionary_description, dictionary_has_tag
from sqlalchemy import select

from heliograph.kit.codecs.dicom import DicomError, dicom_json, json_text
from heliograph.kit.codecs.dicom.differ import Frames, same_pixels
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.errors import BytesMissing
from heliograph.records.archive.model import HeldObject, Instance
from heliograph.records.sites.queries import fallback_charset

MOST_BYTES = 64 << 20
"""Of a larger object only the beginning is looked at."""
_MOST_LINES = 600
_LONGEST = 200
_DEEPEST = 8
_FIRST_BYTES = 256


@dataclass(frozen=True, slots=True)
class Line:
    """One element: `tag` as eight hex digits, `depth` counts the sequences around it.

    `filed` is the filed object's value, where the two are compared.
    """

    tag: str
    name: str
    vr: str
    value: str = field(repr=False)
    depth: int = 0
    filed: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HeldView:
    """The elements of a held object, or `first_bytes` (hex and text) where it can't be read.

    `filed_study_id` is the study in which the same SOP Instance UID is filed, if it is; `differences` are the elements that differ,
    and `same_pixels` tells whether the frames are the same (None: at least one has none that can be told, or is too large to look).
    """

    lines: tuple[Line, ...] = field(repr=False)
    is_cut: bool
    first_bytes: tuple[str, ...] = field(default=(), repr=False)
    filed_study_id: UUID | None = None
    differences: tuple[Line, ...] = field(default=(), repr=False)
    same_pixels: bool | None = None


def view_held(work: Work, objects: Objects, held_id: UUID) -> HeldView:
    """Looks into a held object; the view is recorded.

    Raises:
        NotFound: no such object that waits, or not visible.
        BytesMissing
    """
    row = work.session.get(HeldObject, held_id)
    if row is None or row.resolved_at is not None:
        raise NotFound
    work.record("object.viewed", organization_id=row.organization_id, subject_kind="held_object", subject_id=row.id)
    data = held_bytes(objects, row.object_key, row.object_length)
    try:
        charset = fallback_charset(work.session, row.facility_id, row.caller_id) if row.facility_id else None
        document = dicom_json(data, fallback_charset=charset)
    except DicomError:
        return HeldView((), False, tuple(_hex_lines(data[:_FIRST_BYTES])))
    lines = list(_lines(document))
    filed = _filed(work.session, row.organization_id, row.sop_instance_uid)
    if filed is None:
        return HeldView(tuple(lines[:_MOST_LINES]), len(lines) > _MOST_LINES)
    return HeldView(
        tuple(lines[:_MOST_LINES]),
        len(lines) > _MOST_LINES,
        filed_study_id=filed.study_id,
        differences=tuple(_differences(filed.header, document))[:_MOST_LINES],
        same_pixels=_same_pixels(objects, filed, data) if row.object_length <= MOST_BYTES else None,
    )


def held_bytes(objects: Objects, key: str, length: int) -> bytes:
    """The object as it came, at most `MOST_BYTES` of it.

    Raises:
        BytesMissing
    """
    try:
        return objects.get_range(key, 0, min(length, MOST_BYTES)) if length else b""
    except FileNotFoundError as error:
        raise BytesMissing from error


def _filed(session: ActorSession, organization_id: UUID, uid: str | None) -> Instance | None:
    if uid is None:
        return None
    return session.scalar(
        select(Instance).where(Instance.organization_id == organization_id, Instance.sop_instance_uid == uid)
    )


def _lines(document: dict[str, Any], depth: int = 0) -> Iterator[Line]:
    for tag in sorted(document):
        element = document[tag]
        is_sequence = element.get("vr") == "SQ"
        items = element.get("Value") or []
        value = f"{len(items)} item{'' if len(items) == 1 else 's'}" if is_sequence else _words(element)
        yield Line(tag, _name(tag), str(element.get("vr", "UN")), value, depth)
        if is_sequence and depth < _DEEPEST:
            for item in items:
                yield from _lines(item, depth + 1)


def _differences(filed: dict[str, Any], held: dict[str, Any]) -> Iterator[Line]:
    for tag in sorted(filed.keys() | held.keys()):
        ours, theirs = filed.get(tag, {}), held.get(tag, {})
        # As text: the filed header went through the database, which keeps 1 and 1.0 apart no more.
        if json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True):
            continue
        vr = str((theirs or ours).get("vr", "UN"))
        yield Line(tag, _name(tag), vr, _words(theirs), filed=_words(ours))


def _same_pixels(objects: Objects, filed: Instance, held: bytes) -> bool | None:
    if filed.object_length > MOST_BYTES:
        return None
    return same_pixels(objects.get_range(filed.object_key, filed.object_offset, filed.object_length), held)


def frame_in(data: bytes, number: int) -> bytes | None:
    """A frame, numbered from 1, of a Part 10 file in memory, little endian where it is native; None if it has no such frame.

    Raises:
        DicomError: the file can't be read.
    """
    frames = Frames(memoryview(data))
    return frames.stored(number) if 1 <= number <= frames.count else None


def _words(element: dict[str, Any]) -> str:
    if "BulkDataURI" in element or "InlineBinary" in element:
        return "binary"
    if element.get("vr") == "SQ":
        return json.dumps(element.get("Value", []), ensure_ascii=False)[:_LONGEST]
    return json_text(element)[:_LONGEST]


def _name(tag: str) -> str:
    number = int(tag, 16)
    if dictionary_has_tag(number):
        return dictionary_description(number)
    return "Private" if number >> 16 & 1 else "Unknown"


def _hex_lines(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        shown = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        yield f"{at:04x}  {row.hex(' '):<47}  {shown}"
