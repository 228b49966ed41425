"""A data set from the DICOM JSON Model (PS3.18 Annex F), as Explicit VR Little Endian.

What `dicom_json` makes comes back as it was; what the standard does not allow is refused, and nothing is guessed. Texts are written
in UTF-8, and Specific Character Set says so.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from heliograph.kit.codecs.dicom.errors import NotDicom, TooDeep
from heliograph.kit.codecs.dicom.explicit import element_bytes, head
from heliograph.kit.codecs.dicom.walk import MAX_DEPTH, PIXEL_TAGS

_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,25}", re.ASCII)
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_SINGLE: Final = frozenset({"ST", "LT", "UT", "UR"})
_CODES: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})
_TEXTS: Final = frozenset({"LO", "SH", "UC"}) | _SINGLE
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_KNOWN: Final = _TEXTS | _CODES | _BINARY | frozenset(_NUMBERS) | {"AT", "DS", "IS", "PN", "SQ"}
_INVALID_GROUPS: Final = frozenset({1, 3, 5, 7, 0xFFFE, 0xFFFF})
_CHARSET: Final = 0x00080005
_ENDLESS: Final = 2**32 - 1
_ITEM, _ITEM_END, _SEQUENCE_END = (
    struct.pack("<HHI", 0xFFFE, n, s) for n, s in ((0xE000, _ENDLESS), (0xE00D, 0), (0xE0DD, 0))
)
_MOST_DECIMAL: Final = 16


class BadJson(NotDicom):
    """The JSON is not a data set of the DICOM JSON Model."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """Bulk data from elsewhere: its length in bytes, and its bytes."""

    length: int
    read: Callable[[], Iterable[bytes]]


FindBulk = Callable[[str], Sequence[Bulk]]
"""The bulk data that a BulkDataURI names; several are the frames of compressed pixel data. Empty: there is none."""


def no_bulk(_uri: str) -> Sequence[Bulk]:
    """Nothing has bulk data."""
    return ()


def from_json(
    document: Mapping[str, Any], find: FindBulk = no_bulk, *, is_encapsulated: bool = False
) -> Iterator[bytes]:
    """The bytes of the data set, element by element, tags ascending. Groups 0000 and 0002 and group lengths are left out.

    With `is_encapsulated`, bulk pixel data is compressed: each piece becomes a fragment (PS3.5 A.4).

    Raises:
        BadJson: no data set of the model, or bulk data that nobody sent. No text tells a value.
        TooDeep: sequences are nested deeper than 32.
    """
    return _Writer(find, is_encapsulated=is_encapsulated).data_set(document, 0)


class _Writer:
    def __init__(self, find: FindBulk, *, is_encapsulated: bool) -> None:
        self.find = find
        self.is_encapsulated = is_encapsulated

    def data_set(self, document: Any, depth: int) -> Iterator[bytes]:
        if depth > MAX_DEPTH:
            raise TooDeep("sequences are nested too deeply")
        if not isinstance(document, Mapping):
            raise BadJson("a data set is no JSON object")
        entries: dict[int, Any] = {}
        for key, entry in document.items():
            if not _TAG.fullmatch(key) or int(key[:4], 16) in _INVALID_GROUPS:
                raise BadJson("a key is no tag of a data element")
            if int(key, 16) in entries:
                raise BadJson("a tag stands twice")
            entries[int(key, 16)] = entry
        if _CHARSET in entries or (not depth and not _is_ascii(document)):
            entries[_CHARSET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        for tag in sorted(entries):
            if tag >> 16 not in {0x0000, 0x0002} and tag & 0xFFFF:
                yield from self.element(tag, entries[tag], depth)

    def element(self, tag: int, entry: Any, depth: int) -> Iterator[bytes]:
        vr = entry.get("vr") if isinstance(entry, Mapping) else None
        if not isinstance(vr, str) or vr not in _KNOWN:
            raise BadJson(f"{tag:08X} has no value representation of the standard")
        given = [name for name in ("Value", "BulkDataURI", "InlineBinary") if name in entry]
        if len(given) > 1:
            raise BadJson(f"{tag:08X} has its value twice")
        if given == ["BulkDataURI"]:
            yield from self.bulk(tag, vr, entry["BulkDataURI"])
        elif vr == "SQ":
            yield from self.sequence(tag, entry.get("Value"), depth)
        elif given == ["InlineBinary"]:
            yield element_bytes(tag, vr, _octets(tag, entry["InlineBinary"]))
        else:
            values = entry.get("Value", [])
            if not isinstance(values, list) or (values and vr in _BINARY):
                raise BadJson(f"{tag:08X} has a Value that does not fit its value representation")
            yield element_bytes(tag, vr, _value(tag, vr, values))

    def sequence(self, tag: int, items: Any, depth: int) -> Iterator[bytes]:
        if items is not None and not isinstance(items, list):
            raise BadJson(f"{tag:08X} is no list of items")
        yield head(tag, "SQ", _ENDLESS)
        for item in items or ():
            yield _ITEM
            yield from self.data_set(item if item is not None else {}, depth + 1)
            yield _ITEM_END
        yield _SEQUENCE_END

    def bulk(self, tag: int, vr: str, uri: Any) -> Iterator[bytes]:
        found = self.find(uri) if isinstance(uri, str) else ()
        if not found or vr == "SQ":
            raise BadJson(f"{tag:08X} names bulk data that did not come")
        if tag in PIXEL_TAGS and self.is_encapsulated:
            yield head(tag, "OB", _ENDLESS) + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
            for frame in found:
                yield struct.pack("<HHI", 0xFFFE, 0xE000, frame.length + frame.length % 2)
                yield from frame.read()
                yield bytes(frame.length % 2)
            yield _SEQUENCE_END
            return
        length = sum(one.length for one in found)
        if length + 1 >= _ENDLESS:
            raise BadJson(f"{tag:08X} is longer than a value can be")
        is_long = vr in _BINARY | {"UC", "UR", "UT", "SV", "UV"}
        yield head(tag, vr if is_long or length < 0xFFFF else "UN", length + length % 2)
        for one in found:
            yield from one.read()
        yield (b" " if vr in _TEXTS | {"PN", "DS", "IS"} else b"\0") * (length % 2)


def _is_ascii(document: Any) -> bool:
    """Whether no text of the document needs a character set. It may be nested as deeply as it likes."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not value.isascii():
                return False
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return True


def _octets(tag: int, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BadJson(f"{tag:08X} has an InlineBinary that is not base64") from None


def _value(tag: int, vr: str, values: list[Any]) -> bytes:
    try:
        if vr in _NUMBERS:
            return b"".join(_number(vr, value) for value in values)
        if vr == "AT":
            return b"".join(_tag(value) for value in values)
        if vr in _SINGLE and len(values) > 1:
            raise ValueError
        texts = [_text(vr, value) for value in values]
        if vr not in _SINGLE and any("\\" in text for text in texts):
            raise ValueError
        return "\\".join(texts).encode("ascii" if vr in _CODES | {"DS", "IS"} else "utf-8")
    except (ValueError, TypeError, OverflowError, struct.error):
        raise BadJson(f"{tag:08X} has a Value that does not fit its value representation") from None


def _number(vr: str, value: Any) -> bytes:
    if isinstance(value, bool):
        raise TypeError
    if vr in {"FL", "FD"}:
        number = float(value)
        return struct.pack(f"<{_NUMBERS[vr]}", number)
    return struct.pack(f"<{_NUMBERS[vr]}", _whole(value))


def _whole(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _tag(value: Any) -> bytes:
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise TypeError
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return _name(value)
    if isinstance(value, str):
        return value
    if vr == "IS":
        return str(_whole(value))
    if vr == "DS" and not isinstance(value, bool):
        return decimal_string(value)
    raise TypeError


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise TypeError
    groups = [value.get(name) or "" for name in ("Alphabetic", "Ideographic", "Phonetic")]
    if any("=" in group for group in groups):
        raise ValueError
    return "=".join(groups).rstrip("=")


def decimal_string(number: float) -> str:
    """A DS value: at most 16 characters (PS3.5 6.2), as near as they allow.

    Raises:
        ValueError: the number is not finite.
    """
    if not math.isfinite(number):
        raise ValueError
    text = re.sub(r"^(-?)0\.", r"\1.", repr(number).removesuffix(".0"))
    for digits in range(17, 7, -1):
        if len(text) <= _MOST_DECIMAL:
            break
        text = re.sub(r"^(-?)0\.", r"\1.", f"{number:.{digits}g}")
    return text
