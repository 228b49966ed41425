"""Identifiers of C-FIND responses: DICOM JSON elements as bytes or a data set, in a character set that can carry them (PS3.5 6.1)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydicom import DataElement, Dataset, config
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

from heliograph.kit.codecs.dicom.from_json import decimal_string
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, IMPLICIT_LITTLE
from heliograph.records.archive.search_attributes import vr_of

Json = dict[str, Any]

UTF_8: Final = "ISO_IR 192"
_LIMITED: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose text is in the Specific Character Set."""
_TEXT: Final = _LIMITED | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_ASCII: Final = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_LONGEST: Final = 0xFFFE


def answer(elements: Mapping[str, Any], asked: Mapping[str, Any], character_set: tuple[str, ...]) -> Json:
    """The elements by tag with each that was asked for, empty where there is no value.

    `asked` is a tree of tags; `character_set` is what the caller wrote in: it is answered in the same if that can carry the text,
    else in UTF-8, and never in question marks.
    """
    made = _whole(elements, asked)
    other = [text for text in _texts(made) if not text.isascii()]
    if not other and not character_set:
        return made
    same = bool(character_set) and all(_carries(character_set, text) for text in other)
    return {"00080005": {"vr": "CS", "Value": list(character_set) if same else [UTF_8]}, **made}


def data_set(elements: Mapping[str, Any]) -> Dataset:
    """The elements as a data set of pydicom's. Values are as the images have them, odd or not."""
    made = Dataset()
    for tag in sorted(elements):
        vr = elements[tag]["vr"]
        made[int(tag, 16)] = DataElement(
            int(tag, 16), vr, _pydicom_value(vr, elements[tag]), validation_mode=config.IGNORE
        )
    return made


def encoded(elements: Mapping[str, Any], transfer_syntax: str) -> bytes:
    """The elements as bytes; sequences and items with their lengths. Ten times as fast as by way of a data set."""
    terms = tuple(t or "" for t in elements.get("00080005", {}).get("Value", ()))
    order = ">" if transfer_syntax == EXPLICIT_BIG else "<"
    return _Encoder(order, transfer_syntax == IMPLICIT_LITTLE, terms).data_set(elements)


def _whole(elements: Mapping[str, Any], asked: Mapping[str, Any]) -> Json:
    made: Json = {}
    for tag in sorted({*elements, *asked}):
        entry = elements.get(tag)
        vr = entry["vr"] if entry else vr_of(tag)
        if not vr or tag == "00080005":
            continue
        if vr == "SQ":
            items = [_whole(item, asked.get(tag) or {}) for item in (entry or {}).get("Value", ())]
            entry = {"vr": vr, "Value": items}
        made[tag] = entry or {"vr": vr}
    return made


def _texts(elements: Mapping[str, Any]) -> Iterator[str]:
    for entry in elements.values():
        vr = entry["vr"]
        if vr == "SQ":
            for item in entry.get("Value", ()):
                yield from _texts(item)
        elif vr in _LIMITED:
            yield from _values(vr, entry)


def _values(vr: str, entry: Mapping[str, Any]) -> list[str]:
    """The values of an element of text."""
    values = entry.get("Value", ())
    if vr == "DS":
        return [_text(vr, value) for value in values]
    return [value if type(value) is str else _text(vr, value) for value in values]


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return "=".join(value.get(g, "") for g in _GROUPS).rstrip("=")
    text = str(value)
    return _decimal(text) if vr == "DS" and len(text) > 16 else text


def _decimal(text: str) -> str:
    """A longer number than DS may be (PS3.5 6.2), as near as 16 characters allow; what is no number stays as the images have it."""
    try:
        return decimal_string(float(text))
    except ValueError:
        return text


def _pydicom_value(vr: str, entry: Mapping[str, Any]) -> Any:
    if vr == "SQ":
        return [data_set(item) for item in entry.get("Value", ())]
    if "InlineBinary" in entry:
        return base64.b64decode(entry["InlineBinary"])
    values = _values(vr, entry) if vr in _TEXT else _numbers(vr, entry)
    return values if len(values) > 1 else values[0] if values else None


def _numbers(vr: str, entry: Mapping[str, Any]) -> list[Any]:
    values = entry.get("Value", ())
    if vr == "AT":
        return [int(v, 16) for v in values]
    return [float(v) if vr in {"FL", "FD"} else int(v) for v in values]  # what JSON has no number for is text


class _Encoder:
    """One data set's encoding: byte order, implicit or explicit VR, character sets (PS3.5 7.1)."""

    def __init__(self, order: str, implicit: bool, terms: tuple[str, ...]) -> None:
        self.order, self.implicit, self.terms = order, implicit, terms
        self.short, self.long = struct.Struct(f"{order}H").pack, struct.Struct(f"{order}I").pack

    def data_set(self, elements: Mapping[str, Any]) -> bytes:
        return b"".join([self.element(tag, elements[tag]) for tag in sorted(elements)])

    def element(self, tag: str, entry: Mapping[str, Any]) -> bytes:
        vr = entry["vr"]
        value = self.value(vr, entry) if len(entry) > 1 else b""
        if len(value) % 2:
            value += b"\0" if vr not in _TEXT or vr == "UI" else b" "
        if self.implicit:
            return _head(self.order, tag, "") + self.long(len(value)) + value
        if len(value) > _LONGEST and vr not in _LONG:
            vr = "UN"  # PS3.5 6.2.2
        return _head(self.order, tag, vr) + (self.long if vr in _LONG else self.short)(len(value)) + value

    def value(self, vr: str, entry: Mapping[str, Any]) -> bytes:
        if vr == "SQ":
            return b"".join(self.item(item) for item in entry.get("Value", ()))
        if vr in _TEXT:
            return (
                self.text("\\".join(_values(vr, entry)), is_name=vr == "PN")
                if vr in _LIMITED
                else self.plain(vr, entry)
            )
        if "InlineBinary" in entry:
            return self.turned(vr, base64.b64decode(entry["InlineBinary"]))
        numbers = _numbers(vr, entry)
        if vr == "AT":
            return b"".join(struct.pack(f"{self.order}HH", n >> 16, n & 0xFFFF) for n in numbers)
        return struct.pack(f"{self.order}{len(numbers)}{_NUMBERS[vr]}", *numbers) if vr in _NUMBERS else b""

    def plain(self, vr: str, entry: Mapping[str, Any]) -> bytes:
        return "\\".join(_values(vr, entry)).encode("ascii", "replace")

    def text(self, text: str, *, is_name: bool) -> bytes:
        if text.isascii():
            return text.encode()
        return _in_sets(self.terms, text, is_name=is_name)

    def item(self, elements: Mapping[str, Any]) -> bytes:
        body = self.data_set(elements)
        return struct.pack(f"{self.order}HHI", 0xFFFE, 0xE000, len(body)) + body

    def turned(self, vr: str, value: bytes) -> bytes:
        """Binary values are little endian in JSON (PS3.18 F.2.7)."""
        width = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}.get(vr, 1)
        if self.order == "<" or width == 1 or len(value) % width:
            return value
        return b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))


@lru_cache(maxsize=4096)
def _head(order: str, tag: str, vr: str) -> bytes:
    """An element's beginning until its length; without VR if that is implicit (PS3.5 7.1.2, 7.1.3)."""
    group, number = struct.pack(f"{order}H", int(tag[:4], 16)), struct.pack(f"{order}H", int(tag[4:], 16))
    return group + number + vr.encode() + (b"\0\0" if vr in _LONG else b"")


@lru_cache(maxsize=4096)
def _carries(terms: tuple[str, ...], text: str) -> bool:
    """Whether the text comes back as it is from these character sets: single ones and code extensions alike."""
    if not all(term in python_encoding for term in terms):
        return False
    if terms[0] in _ASCII and (len(terms) == 1 or any("\x80" <= c <= "\xff" for c in text)):
        return False  # pydicom would write Latin-1, which the default repertoire is not
    try:
        encodings = convert_encodings(list(terms))
        return all(
            decode_bytes(encode_string(p, encodings), encodings, set()) == p for p in _pieces(text, is_name=True)
        )
    except (LookupError, ValueError):
        return False


def _in_sets(terms: tuple[str, ...], text: str, *, is_name: bool) -> bytes:
    """Text in its character sets; each part of a name begins anew in the first of them (PS3.5 6.1.2.5.3)."""
    encodings = convert_encodings(list(terms))
    if len(encodings) == 1:
        return text.encode(encodings[0])
    return b"".join(
        piece.encode() if piece in _SEPARATORS else encode_string(piece, encodings)
        for piece in _pieces(text, is_name=is_name)
    )


_SEPARATORS: Final = frozenset("\\^=")


def _pieces(text: str, *, is_name: bool) -> list[str]:
    pieces = [""]
    for c in text:
        if c == "\\" or (is_name and c in _SEPARATORS):
            pieces += [c, ""]
        else:
            pieces[-1] += c
    return [p for p in pieces if p]
