"""A received message: segments, repetitions, components, subcomponents, each by its number in the standard,
counting from 1.

Splitting is ours and lazy: python-hl7 collapses levels that hold one value, strips the payload and misreads a
short MSH, and an acknowledgement must be possible for exactly such messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum
from functools import cached_property
from typing import Final

from heliograph.kit.codecs.hl7.charset import read, trimmed
from heliograph.kit.codecs.hl7.dtm import zone_of
from heliograph.kit.codecs.hl7.errors import BadDtm, FieldMissing
from heliograph.kit.codecs.hl7.escape import Delimiters, unescape


class Null(Enum):
    """The type of `NULL`."""

    NULL = '""'

    def __repr__(self) -> str:
        return "NULL"


NULL: Final = Null.NULL
"""The two quote characters as a value: the sender asks to delete what is stored (HL7 v2.5.1 2.5.3)."""

Value = str | Null | None
"""Unescaped text; NULL; or None when nothing was sent, which leaves the stored value alone."""

_HEADERS = ("MSH", "FHS", "BHS")
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_PATH = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Coding:
    """How the text of one message is written."""

    delimiters: Delimiters
    codec: str

    def unescape(self, raw: str) -> str:
        """The text behind the escapes of one component."""
        return unescape(raw, self.delimiters, self.codec)


@dataclass(frozen=True)
class Repetition:
    """One repetition of a field."""

    raw: str
    coding: Coding

    def get(self, component: int = 1, subcomponent: int = 1) -> Value:
        """The value of a component, or of a subcomponent of it. A null field is null in each of its parts."""
        if self.raw == NULL.value:
            return NULL
        part = _nth(self.raw, self.coding.delimiters.component, component)
        if part == NULL.value:
            return NULL
        part = _nth(part, self.coding.delimiters.subcomponent, subcomponent)
        if part == NULL.value:
            return NULL
        return self.coding.unescape(part) or None

    def text(self, component: int = 1, subcomponent: int = 1) -> str | None:
        """As `get`, with None for NULL, for callers to whom both are nothing."""
        value = self.get(component, subcomponent)
        return value if isinstance(value, str) else None

    def whole(self) -> Value:
        """All of it as one text, for TX, FT and ST values: senders forget to escape `&` and `^` in prose."""
        if self.raw == NULL.value:
            return NULL
        return self.coding.unescape(self.raw) or None

    @property
    def components(self) -> int:
        """How many components were sent."""
        return self.raw.count(self.coding.delimiters.component) + 1 if self.raw else 0


@dataclass(frozen=True)
class Segment:
    """One segment; `sequence` counts the segments of this name in the message (ERR-2.2)."""

    name: str
    sequence: int
    raw: str
    coding: Coding

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The raw fields by their number; [0] is the name. In MSH the separator itself is field 1 (HL7 v2.5.1
        2.15.9.1)."""
        parts = self.raw.split(self.coding.delimiters.field)
        if self.name in _HEADERS:
            parts.insert(1, self.coding.delimiters.field)
        return tuple(parts)

    def field(self, field: int) -> str:
        """The raw text of a field; empty when it was not sent."""
        return self.fields[field] if 0 < field < len(self.fields) else ""

    def repetitions(self, field: int) -> tuple[Repetition, ...]:
        """The repetitions of a field, empty ones in the middle included; none when the field is empty."""
        raw = self.field(field)
        if not raw:
            return ()
        if self.name in _HEADERS and field <= 2:
            return (Repetition(raw, Coding(Delimiters("\0", "\1", "\2", "\3", "\4"), self.coding.codec)),)
        return tuple(Repetition(part, self.coding) for part in raw.split(self.coding.delimiters.repetition))

    def get(self, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1) -> Value:
        """A value, by default the first of the first."""
        found = self.repetitions(field)
        return found[repetition - 1].get(component, subcomponent) if 0 < repetition <= len(found) else None

    def text(self, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1) -> str | None:
        """As `get`, with None for NULL."""
        value = self.get(field, component, subcomponent, repetition=repetition)
        return value if isinstance(value, str) else None

    def require(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """A value that must be there.

        Raises:
            FieldMissing: empty or NULL.
        """
        value = self.text(field, component, subcomponent)
        if value is None:
            raise FieldMissing(self.name, self.sequence, field, component if component > 1 else None)
        return value


@dataclass(frozen=True)
class OrderGroup:
    """An order or result: ORC, OBR and what follows them up to the next.

    `orc_shared`: a further OBR under an ORC that came before an earlier one; its numbers belong to that first
    OBR, so they are not to be compared with this OBR's.
    """

    orc: Segment | None
    obr: Segment | None
    segments: tuple[Segment, ...]
    orc_shared: bool = False

    def segment(self, name: str) -> Segment | None:
        """The first segment of this name in the group."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def all(self, name: str) -> tuple[Segment, ...]:
        """All segments of this name in the group."""
        return tuple(segment for segment in self.segments if segment.name == name)


@dataclass(frozen=True)
class Message:
    """A parsed message; `payload` is what was received, byte for byte."""

    payload: bytes
    coding: Coding
    all_segments: tuple[Segment, ...]
    damaged: bool = False
    known_charset: bool = True

    def segment(self, name: str, sequence: int = 1) -> Segment | None:
        """The nth segment of this name."""
        found = (segment for segment in self.all_segments if segment.name == name)
        return next((segment for segment in found if segment.sequence == sequence), None)

    def segments(self, name: str) -> tuple[Segment, ...]:
        """All segments of this name, in order."""
        return tuple(segment for segment in self.all_segments if segment.name == name)

    def need(self, name: str) -> Segment:
        """The first segment of this name.

        Raises:
            FieldMissing
        """
        segment = self.segment(name)
        if segment is None:
            raise FieldMissing(name)
        return segment

    def get(self, path: str) -> Value:
        """The value at `PID-3[2].4.1`, `OBX[3]-5`, `PV1-19`: segment, field, component, subcomponent; all
        count from 1.

        Raises:
            ValueError: no such form of path, or a number is 0.
        """
        segment, field, repetition, component, subcomponent = self._at(path)
        if segment is None:
            return None
        return segment.get(field, component, subcomponent, repetition=repetition)

    def text(self, path: str) -> str | None:
        """As `get`, with None for NULL."""
        value = self.get(path)
        return value if isinstance(value, str) else None

    def require(self, path: str) -> str:
        """A value that must be there.

        Raises:
            FieldMissing: the segment is absent, or the value empty or NULL.
        """
        value = self.text(path)
        if value is None:
            found = _PATH.fullmatch(path)
            name, sequence, field, _, component, _ = found.groups() if found else (path, None, None, None, None, None)
            raise FieldMissing(name, int(sequence or 1), int(field or 1), int(component) if component else None)
        return value

    def groups(self) -> Iterator[OrderGroup]:
        """The order groups (ORM_O01, OMI_O23, OMG_O19, ORU_R01): each begins at an ORC, or at an OBR after
        another OBR."""
        orc: Segment | None = None
        obr: Segment | None = None
        shared = False
        held: list[Segment] = []
        for segment in self.all_segments:
            if segment.name == "ORC" or (segment.name == "OBR" and obr is not None):
                if held:
                    yield OrderGroup(orc, obr, tuple(held), shared)
                shared = segment.name == "OBR" and orc is not None
                orc = segment if segment.name == "ORC" else orc
                obr, held = None, []
            if segment.name == "OBR":
                obr = segment
            if held or segment.name in ("ORC", "OBR"):
                held.append(segment)
        if held:
            yield OrderGroup(orc, obr, tuple(held), shared)

    def _at(self, path: str) -> tuple[Segment | None, int, int, int, int]:
        found = _PATH.fullmatch(path)
        if found is None:
            raise ValueError(f"{path!r} is no HL7 path")
        name = found.group(1)
        sequence, field, repetition, component, subcomponent = (int(n or 1) for n in found.groups()[1:])
        if 0 in (sequence, field, repetition, component, subcomponent):
            raise ValueError(f"{path!r}: positions in HL7 count from 1")
        return self.segment(name, sequence), field, repetition, component, subcomponent

    @property
    def type(self) -> str | None:
        """MSH-9.1, `ORU`."""
        return self.text("MSH-9.1")

    @property
    def trigger(self) -> str | None:
        """MSH-9.2, `R01`."""
        return self.text("MSH-9.2")

    @property
    def control_id(self) -> str | None:
        """MSH-10 as it is written, escapes and all, as MSA-2 repeats it."""
        return self.all_segments[0].field(10) or None

    @property
    def processing_id(self) -> str | None:
        """MSH-11.1: P, T or D (table 0103)."""
        return self.text("MSH-11.1")

    @property
    def version(self) -> str | None:
        """MSH-12.1, `2.5.1`."""
        return self.text("MSH-12.1")

    @property
    def zone(self) -> tzinfo | None:
        """The offset in MSH-7, which is the message's default (HL7 v2.5.1 2.15.9.7)."""
        try:
            return zone_of(self.text("MSH-7") or "")
        except BadDtm:
            return None


def parse(payload: bytes, default_charset: str, *, override: str | None = None, utf8_first: bool = False) -> Message:
    """Decode (see `charset.read` for the arguments) and split a message.

    Raises:
        NotHl7: no MSH, or delimiters that can't be used.
        UnknownCharset: the feed's setting is unknown.
    """
    decoded = read(payload, default_charset, override=override, utf8_first=utf8_first)
    lines = split_segments(decoded.text)
    coding = Coding(Delimiters.of_header(lines[0]), decoded.codec)
    counts: dict[str, int] = {}
    segments: list[Segment] = []
    for line in _joined(lines, coding.delimiters.field):
        name = line[:3]
        counts[name] = counts.get(name, 0) + 1
        segments.append(Segment(name, counts[name], line, coding))
    return Message(trimmed(payload), coding, tuple(segments), decoded.damaged, decoded.known)


def split_segments(text: str) -> list[str]:
    """The lines of a message. The end of the first line says how it is written.

    With CR or CR LF there, a lone LF elsewhere is text, not the end of a segment; with LF there, any of the
    three ends one.
    """
    first = re.search(r"[\r\n]", text)
    ends = r"\r\n|\r|\n" if first is not None and first.group() == "\n" else r"\r\n|\r"
    return [line for line in re.split(ends, text) if line.strip()]


def _joined(lines: list[str], separator: str) -> list[str]:
    """Put back a line that is no segment onto the one before: a sender's raw line break in a text, kept as a
    line break."""
    whole: list[str] = []
    for line in lines:
        name = _SEGMENT_NAME.match(line)
        if not whole or (name is not None and line[3:4] in ("", separator)):
            whole.append(line)
        else:
            whole[-1] += "\n" + line
    return whole


def _nth(text: str, separator: str, position: int) -> str:
    parts = text.split(separator, position)
    return parts[position - 1] if 0 < position <= len(parts) else ""
