"""An HL7 message as lines and fields for a page, with patient data masked or not. Pure.

Masked is the rule and clear the exception: of a segment or field that is not named here nothing is shown but its structure, so that what
a vendor puts into a Z segment, or a later version of the standard adds, is not shown by oversight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from heliograph.kit.codecs.hl7 import NULL, Message, NotHl7, Segment, UnknownCharset, decode, parse
from heliograph.kit.codecs.hl7.names import field_name, segment_title

_ALL: Final = frozenset(range(1, 200))

_CLEAR: Final[Mapping[str, frozenset[int]]] = {
    # About the message itself, the order, and who asked for it. Numbers of orders and studies are ids, which the log shows anyway.
    "MSH": _ALL,
    "MSA": _ALL - {3},
    "ERR": _ALL - {5, 6, 7, 8},
    "EVN": _ALL,
    "PID": frozenset({1}),
    "PV1": frozenset({1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 17, 18, 36, 39, 41}),
    "NK1": frozenset({1}),
    "GT1": frozenset({1}),
    "IN1": frozenset({1}),
    "AL1": frozenset({1, 2}),
    "DG1": frozenset({1, 2, 5, 6}),
    "ORC": _ALL - {14, 16, 23, 24},
    "OBR": _ALL - {10, 12, 13, 15, 17, 18, 19, 31, 39, 43, 46, 47},
    "TQ1": _ALL - {10, 11},
    "OBX": frozenset({1, 2, 3, 4, 11, 14, 15, 16, 17, 18, 19}),
    "NTE": frozenset({1, 2, 4}),
    "TXA": frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20}),
    "ZDS": _ALL,
    "IPC": _ALL,
    "SFT": _ALL,
    "BHS": _ALL - {10},
    "BTS": _ALL - {2},
    "FHS": _ALL - {10},
    "FTS": _ALL - {2},
}
"""Of each segment the fields that hold no patient data."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field as it was sent, escapes and separators included. `name` is None where the standard's name is not known here."""

    number: int
    name: str | None
    value: str
    is_masked: bool


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment: `line` as a whole, and its fields that were sent."""

    name: str
    title: str | None
    line: str
    fields: list[FieldView]


def view(payload: bytes, charset: str = "UNICODE UTF-8", *, masked: bool) -> list[SegmentView]:
    """The segments of a message. Masked, each value that may be patient data is `***`; separators, empty values and `""` stay.

    What is no HL7 message is one line without a name; masked, nothing of it is shown but its length in bytes.
    """
    message = _parsed(payload, charset)
    if message is None:
        text = f"*** {len(payload)} bytes" if masked else _readable(payload, charset)
        return [SegmentView("", None, text, [])]
    return [_segment(segment, masked=masked) for segment in message.all_segments]


def _parsed(payload: bytes, charset: str) -> Message | None:
    for said in (charset, "UNICODE UTF-8"):
        try:
            return parse(payload, said)
        except NotHl7:
            return None
        except UnknownCharset:  # the feed's setting is wrong; UTF-8 reads every ASCII message
            continue
    return None


def _readable(payload: bytes, charset: str) -> str:
    try:
        text = decode(payload, charset)
    except (NotHl7, UnknownCharset):
        text = payload.decode("utf-8", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _segment(segment: Segment, *, masked: bool) -> SegmentView:
    fields = list(segment.fields)
    clear = _CLEAR.get(segment.name, frozenset())
    views = []
    for number in range(1, len(fields)):
        hidden = masked and number not in clear
        value = _mask(fields[number], segment) if hidden else fields[number].replace("\0", "")
        views.append(FieldView(number, field_name(segment.name, number), value, hidden and value != fields[number]))
    separator = segment.coding.delimiters.field
    header = segment.name in ("MSH", "FHS", "BHS")
    line = separator.join([fields[0].replace("\0", ""), *(v.value for v in (views[1:] if header else views))])
    return SegmentView(segment.name, segment_title(segment.name), line, [v for v in views if v.value])


def _mask(raw: str, segment: Segment) -> str:
    """Each value of a field as `***`. An escape sequence is part of its value."""
    d = segment.coding.delimiters
    stars = "***" if "*" not in (d.component, d.subcomponent, d.repetition, d.escape, d.field) else "XXX"
    separators = re.escape(d.repetition + d.component + d.subcomponent)
    parts = re.split(f"([{separators}])", raw)
    return "".join(part if index % 2 or part in ("", NULL.value) else stars for index, part in enumerate(parts))
