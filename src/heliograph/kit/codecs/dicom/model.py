"""The DICOM JSON Model (PS3.18 Annex F) of a data set, without its bulk data.

Strict JSON comes out, whatever came in: an element whose value can't be expressed is given as text where
the standard allows it (DS, IS, SV and UV, F.2.3.1), and else left out; the rest stays. A DS or IS value is a
number where a double of 64 bits is exactly that number to its last written digit, and else its own text; FL
and FD without a number are "NaN", "inf" and "-inf".
"""

from __future__ import annotations

import base64
import io
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from pydicom import Dataset, dcmwrite

from heliograph.kit.codecs.dicom.errors import NotDicom, TooDeep, Truncated
from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.inflate import MAX_INFLATED, inflate
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_LITTLE
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.text import CharacterSet, PersonName
from heliograph.kit.codecs.dicom.walk import (
    MAX_DEPTH,
    PIXEL_TAGS,
    Element,
    Encoding,
    elements,
    encoding_of,
    implicit_vr,
    items,
)

Json: TypeAlias = dict[str, Any]

# Inline what a viewer needs at once (palettes, small tables); the rest is fetched by its URI.
MAX_INLINE = 1024
MAX_PRIVATE = 256

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_CODES = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})
_OF_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SINGLE = frozenset({"ST", "LT", "UT", "UR"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SAFE_INTEGER = 2**53


def default_bulk_uri(path: str) -> str:
    """Relative to the metadata resource: `bulkdata/7FE00010`, `bulkdata/00480105/0/00281201`."""
    return f"bulkdata/{path}"


def dicom_json(
    source: Source | Dataset,
    *,
    transfer_syntax_uid: str | None = None,
    bulk_uri: Callable[[str], str] = default_bulk_uri,
    fallback_charset: str | None = None,
    max_inflated: int = MAX_INFLATED,
) -> Json:
    """The data set of a DICOM file, or a bare one, in the DICOM JSON Model, tags ascending.

    `bulk_uri` makes the BulkDataURI from an element's path: tags, and item numbers from 0, joined by "/".
    Texts are in UTF-8 and Specific Character Set says so, also where the object says nothing and has text beyond ASCII; that is read
    in `fallback_charset` (defined terms), if given. Groups 0000 and 0002 and group lengths are
    left out. Binary values above 1024 bytes, private ones above 256, are referred to.

    Raises:
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`; never for an element's value.
    """
    if isinstance(source, Dataset):
        return dicom_json(_encoded(source), transfer_syntax_uid=EXPLICIT_LITTLE, bulk_uri=bulk_uri)
    with opened(source) as data:
        start, syntax = locate_data_set(data, transfer_syntax_uid)
        deflated = syntax in DEFLATED
        body = memoryview(inflate(data[start:], max_inflated=max_inflated)) if deflated else data
        try:
            maker = _Maker(body, bulk_uri, fallback_charset)
            made = maker.data_set(
                0 if deflated else start, len(body), encoding_of(syntax), CharacterSet(fallback=fallback_charset)
            )
        except RecursionError:
            raise TooDeep("sequences are nested too deeply") from None
    if maker.is_beyond_ascii and "00080005" not in made:
        made = dict(sorted({**made, "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}.items()))
    return made


def json_element(vr: str, text: str) -> Json:
    """An element of a textual VR with the value `text`: as in a data set, several values parted by backslashes, "" for none."""
    values = _values(text.encode(), vr, encoding_of(EXPLICIT_LITTLE), CharacterSet(b"ISO_IR 192"))
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def json_text(entry: Json) -> str:
    """The value of an element of a textual VR as `json_element` takes it."""
    return "\\".join(_text_of(value) for value in entry.get("Value", ()))


def _text_of(value: Any) -> str:
    if isinstance(value, dict):  # a person name (F.2.2)
        return "=".join(str(value.get(k, "")) for k in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if value is None else str(value)


def _encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
    content = buffer.getvalue()
    return content[locate_data_set(memoryview(content))[0] :] if content[128:132] == b"DICM" else content


class _Maker:
    def __init__(self, data: memoryview, bulk_uri: Callable[[str], str], fallback_charset: str | None) -> None:
        self.data = data
        self.bulk_uri = bulk_uri
        self.fallback_charset = fallback_charset
        self.is_beyond_ascii = False

    def data_set(
        self,
        start: int,
        stop: int,
        encoding: Encoding,
        charset: CharacterSet,
        *,
        depth: int = 0,
        path: str = "",
        delimited: bool = False,
        signed: bool = False,
    ) -> Json:
        if depth > MAX_DEPTH:
            raise TooDeep("sequences are nested too deeply")
        found: dict[int, Element] = {}
        for element in elements(self.data, start, stop + 8 * delimited, encoding, depth=depth, in_item=delimited):
            found.setdefault(element.tag, element)
        if 0x00080005 in found:
            charset = CharacterSet(self.raw(found[0x00080005]), fallback=self.fallback_charset)
        if 0x00280103 in found:
            signed = any(self.raw(found[0x00280103]))
        made: Json = {}
        for tag in sorted(found):
            if tag >> 16 in {0x0000, 0x0002} or not tag & 0xFFFF or tag >> 16 == 0xFFFC:
                continue
            element = found[tag]
            vr = _resolved(element, signed=signed)
            entry = (
                self.sequence(element, charset, depth, f"{path}{tag:08X}", signed=signed)
                if vr == "SQ"
                else self.entry(element, vr, encoding, charset, f"{path}{tag:08X}")
            )
            if entry is not None:
                made[f"{tag:08X}"] = entry
        if "00080005" in made:
            made["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        return made

    def raw(self, element: Element) -> bytes:
        return bytes(self.data[element.offset : element.offset + element.length])

    def sequence(self, element: Element, charset: CharacterSet, depth: int, path: str, *, signed: bool) -> Json | None:
        made: list[Json] = []
        try:
            for number, (start, stop, delimited) in enumerate(items(self.data, element, depth=depth + 1)):
                made.append(
                    self.data_set(
                        start,
                        stop,
                        element.inner,
                        charset,
                        depth=depth + 1,
                        path=f"{path}/{number}/",
                        delimited=delimited,
                        signed=signed,
                    )
                )
        except (NotDicom, Truncated):
            return None
        return {"vr": "SQ", "Value": made} if made else {"vr": "SQ"}

    def entry(self, element: Element, vr: str, encoding: Encoding, charset: CharacterSet, path: str) -> Json | None:
        private = element.tag >> 16 & 1
        if element.tag in PIXEL_TAGS or element.undefined:
            return {"vr": vr, "BulkDataURI": self.bulk_uri(path)}
        if element.length == 0:
            return {"vr": vr}
        if vr in _BINARY:
            if element.length > (MAX_PRIVATE if private else MAX_INLINE):
                return {"vr": vr, "BulkDataURI": self.bulk_uri(path)}
            return {"vr": vr, "InlineBinary": base64.b64encode(self._little(element, vr, encoding)).decode()}
        if vr in _NUMBERS and element.length > 16 * MAX_INLINE:
            return {"vr": vr, "BulkDataURI": self.bulk_uri(path)}
        raw = self.raw(element)
        values = _values(raw, vr, encoding, charset)
        if vr in _OF_CHARACTER_SET and (not raw.isascii() or b"\x1b" in raw):
            self.is_beyond_ascii = True
        if values is None:
            return None
        return {"vr": vr, "Value": values} if values else {"vr": vr}

    def _little(self, element: Element, vr: str, encoding: Encoding) -> bytes:
        """Binary values in JSON are little endian (PS3.18 F.2.7)."""
        value = self.raw(element)
        width = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}.get(vr, 1)
        if encoding.little or width == 1 or len(value) % width:
            return value
        return b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))


def _resolved(element: Element, *, signed: bool) -> str:
    """The value representation, where the dictionary leaves a choice (PS3.6) or the file says UN."""
    vr = element.vr
    if vr == "UN" and not element.tag >> 16 & 1 and not element.undefined:
        public = implicit_vr(element.tag)
        vr = public if public != "SQ" else "UN"
    if vr == "US or SS":
        return "SS" if signed else "US"
    if vr in {"US or OW", "US or SS or OW", "OB or OW"}:
        return "OW"
    return vr


def _values(raw: bytes, vr: str, encoding: Encoding, charset: CharacterSet) -> list[Any] | None:
    """The members of "Value"; empty if there is none; None if they can't be expressed."""
    if vr in _NUMBERS:
        return _binary_numbers(raw, vr, encoding)
    if vr == "AT":
        if len(raw) % 4:
            return None
        pairs = struct.unpack(f"{encoding.order}{len(raw) // 2}H", raw)
        return [f"{g:04X}{e:04X}" for g, e in zip(pairs[::2], pairs[1::2], strict=True)]
    if vr == "PN":
        return _or_empty([_name(n) if n else None for n in charset.names(raw)])
    if vr == "UC":  # leading spaces mean something
        return _or_empty([t.rstrip(" \0") or None for t in charset.decode(raw).split("\\")])
    if vr in _SINGLE:
        text = charset.decode(raw).rstrip(" \0")
        return [text] if text else []
    if vr in _CODES or vr in {"DS", "IS"}:
        texts = [t.strip(" \0") for t in raw.decode("latin-1").split("\\")]
        convert = {"DS": _decimal, "IS": _integer}.get(vr, str)
        return _or_empty([convert(t) if t else None for t in texts])
    return _or_empty([t or None for t in charset.values(raw)])


def _or_empty(values: list[Any]) -> list[Any]:
    return [] if all(v is None for v in values) else values


def _name(name: PersonName) -> dict[str, str]:
    groups = {
        "Alphabetic": name.alphabetic,
        "Ideographic": name.ideographic,
        "Phonetic": name.phonetic,
    }
    return {key: text for key, text in groups.items() if text}


def _decimal(text: str) -> float | int | str:
    """A DS value as a number, or as its text if that is no finite number."""
    if len(text) <= 17 and _INTEGER.fullmatch(text) and abs(int(text)) < _SAFE_INTEGER:
        return int(text)
    if not _DECIMAL.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    # Fifteen digits survive in a double; of more, and of very large and small ones, some do not.
    plain = len(text) <= 15 and "e" not in text and "E" not in text
    return number if plain or Decimal(text) == Decimal(repr(number)) else text


def _integer(text: str) -> int | str:
    """An IS value as a number, or as its text if that is no integer within 2^53."""
    if _INTEGER.fullmatch(text) and len(text) <= 17 and abs(int(text)) < _SAFE_INTEGER:
        return int(text)
    return text


def _binary_numbers(raw: bytes, vr: str, encoding: Encoding) -> list[Any] | None:
    code = _NUMBERS[vr]
    count, rest = divmod(len(raw), struct.calcsize(f"<{code}"))
    if rest:
        return None
    numbers = struct.unpack(f"{encoding.order}{count}{code}", raw)
    if vr in {"FL", "FD"}:
        return [n if math.isfinite(n) else _non_finite(n) for n in numbers]
    if vr in {"UV", "SV"}:
        return [n if abs(n) < _SAFE_INTEGER else str(n) for n in numbers]
    return list(numbers)


def _non_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "inf" if number > 0 else "-inf"
