"""Text attributes of an object put right on its way out (PS3.3 C.12.1.1.9), every other byte as it was stored.

Only elements at the top of the data set change; each is written in the object's own transfer syntax. What stood there before goes,
byte for byte, into an item of the Original Attributes Sequence (0400,0561).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from heliograph.kit.codecs.dicom.errors import DicomError, TooDeep
from heliograph.kit.codecs.dicom.explicit import WIDTHS
from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.inflate import inflate
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.text import CharacterSet
from heliograph.kit.codecs.dicom.walk import (
    ITEM,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Encoding,
    elements,
    encoding_of,
    items,
)

_CHARACTER_SET, _ORIGINALS = 0x0008_0005, 0x0400_0561
_UTF8 = b"ISO_IR 192"
_OF_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_ASCII = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"})
_LONG = frozenset({"SQ", "UC", "UT", "UN"})
# Codecs of CharacterSet in which text needs no escapes, and a backslash stays one.
_SIMPLE = frozenset(
    {"UTF8", "GB18030", "GBK", "latin_1", "iso8859_2", "iso8859_3", "iso8859_4"}
    | {f"iso_ir_{number}" for number in (126, 127, 138, 144, 148, 166)}
)
_STEP = 1 << 20
_PIXEL_GROUP = 0x7FE0_0000


class CannotRewrite(DicomError):
    """This object can't bear the correction: a value doesn't fit its character set or representation."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Who changes what: `reason` is a value of Reason for the Attribute Modification (0400,0565), COERCE or CORRECT.

    `source` is where the previous values came from, as far as known (0400,0564); `at` bears its time zone.
    """

    at: datetime
    system: str = "HELIOGRAPH"
    source: str = ""
    reason: str = "CORRECT"


def moment_of(correction: Correction) -> str:
    """When, as a DT value (PS3.5 6.2)."""
    return correction.at.strftime("%Y%m%d%H%M%S.%f%z")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Elements and items in one encoding."""

    encoding: Encoding

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        order, group, number = self.encoding.order, tag >> 16, tag & 0xFFFF
        if len(value) % 2:
            value += b"\0" if vr in {"UI", "OB", "UN"} or vr in WIDTHS else b" "
        if not self.encoding.explicit:
            return struct.pack(order + "HHI", group, number, len(value)) + value
        if vr in _LONG:
            return struct.pack(order + "HH2s2xI", group, number, vr.encode(), len(value)) + value
        if len(value) > 0xFFFE:
            raise CannotRewrite("a value is longer than its representation allows")
        return struct.pack(order + "HH2sH", group, number, vr.encode(), len(value)) + value

    def item(self, inside: bytes) -> bytes:
        return struct.pack(self.encoding.order + "HHI", ITEM >> 16, ITEM & 0xFFFF, len(inside)) + inside


def rewritten(
    source: bytes | memoryview,
    values: Mapping[int, str],
    correction: Correction,
    *,
    fallback_charset: str | None = None,
) -> Iterator[bytes | memoryview]:
    """A Part 10 file (or bare data set) with the text elements `values`, in pieces; what stays is given as views, not copied.

    `values` is by tag: text as in the data set, several values parted by backslashes, "" for an empty element. A value that the
    object's character set can't say turns all text of the object to ISO_IR 192 (only what hides in a UN stays); text that declares
    no set is then read in `fallback_charset` (defined terms). Group lengths (retired) of changed groups are left out. Without
    `values` the file is given as it is.

    Raises:
        CannotRewrite: before anything is given: a value doesn't fit, or its tag is no text attribute of the dictionary.
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`.
    """
    data = memoryview(source)
    if not values:
        return iter([data])
    try:
        start, syntax = locate_data_set(data)
        if syntax not in DEFLATED:
            pieces = _pieces(data, start, encoding_of(syntax), values, correction, fallback_charset)
            return iter([data[:start], *pieces])
        body = memoryview(inflate(data[start:]))
        return _deflated(data[:start], _pieces(body, 0, encoding_of(syntax), values, correction, fallback_charset))
    except RecursionError:
        raise TooDeep("sequences are nested too deeply") from None


def _deflated(meta: memoryview, pieces: list[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Deflated again (PS3.5 A.5), padded to an even length."""
    yield meta
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for piece in pieces:
        for at in range(0, len(piece), _STEP):
            part = stream.compress(piece[at : at + _STEP])
            size += len(part)
            yield part
    part = stream.flush()
    yield part + b"\0" if (size + len(part)) % 2 else part


def _pieces(
    data: memoryview,
    start: int,
    encoding: Encoding,
    values: Mapping[int, str],
    correction: Correction,
    fallback: str | None,
) -> list[bytes | memoryview]:
    layout = _Layout(encoding)
    found = list(elements(data, start, len(data), encoding))
    if not _can_say(data, found, values):
        # Text stands before the pixels, which are not copied.
        cut = next(
            (end for end, e in _begins(start, found) if e.tag >= _PIXEL_GROUP), found[-1].end if found else start
        )
        text = [e for e in found if e.end <= cut]
        charset = CharacterSet(fallback=fallback)
        whole = memoryview(b"".join(_in_utf8(data, text, start, layout, charset, 0, fallback)))
        return [*_pieces(whole, 0, encoding, values, correction, None), data[cut:]]
    first: dict[int, tuple[int, Element]] = {}
    at = start
    for element in found:
        first.setdefault(element.tag, (at, element))
        at = element.end
    written = _written(data, first, layout, values)
    written[_ORIGINALS] = _originals(data, first, layout, sorted(written), correction)
    groups = {tag >> 16 for tag in written}
    waiting = sorted(written)
    pieces: list[bytes | memoryview] = []
    at = kept = start
    for element in found:
        begin, at = at, element.end
        # One that is there, if out of order, is written where it stands.
        due = [tag for tag in waiting if tag == element.tag or (tag < element.tag and tag not in first)]
        is_gone = element.tag in written or (not element.tag & 0xFFFF and element.tag >> 16 in groups)
        if due or is_gone:
            pieces.append(data[kept:begin])
            pieces += [written[tag] for tag in due]
            waiting = [tag for tag in waiting if tag not in due]
            kept = at if is_gone else begin
    if waiting:
        pieces.append(data[kept:at])
        pieces += [written[tag] for tag in waiting]
        kept = at
    pieces.append(data[kept:])
    return pieces


def _written(
    data: memoryview,
    first: Mapping[int, tuple[int, Element]],
    layout: _Layout,
    values: Mapping[int, str],
) -> dict[int, bytes]:
    """The new elements; with them the character set, if it must change."""
    declared = first.get(_CHARACTER_SET)
    charset = CharacterSet(_value(data, declared[1]) if declared else None)
    codec = _codec(charset)
    texts = [text for tag, text in values.items() if _vr(tag) in _OF_CHARACTER_SET]
    written: dict[int, bytes] = {}
    if not all(_fits(text, codec) for text in texts):  # and all other text is ASCII: see `_can_say`
        codec = "utf-8"
        written[_CHARACTER_SET] = layout.element(_CHARACTER_SET, "CS", _UTF8)
    for tag, text in values.items():
        vr = _vr(tag)
        try:
            value = text.encode(codec if vr in _OF_CHARACTER_SET else "ascii")
        except UnicodeEncodeError:
            raise CannotRewrite("a value of a representation without character sets is not ASCII") from None
        written[tag] = layout.element(tag, vr, value)
    return written


def _originals(
    data: memoryview,
    first: Mapping[int, tuple[int, Element]],
    layout: _Layout,
    changed: list[int],
    correction: Correction,
) -> bytes:
    """The Original Attributes Sequence, with one more item; an absent attribute is told as an empty one (PS3.3 C.12.1.1.9)."""
    outer = layout
    begin, present = first.get(_ORIGINALS, (0, None))
    if present is not None:
        if present.vr != "SQ":
            raise CannotRewrite("the Original Attributes Sequence of the object can't be read")
        layout = _Layout(present.inner)
    before = []
    for tag in changed:
        at, element = first.get(tag, (0, None))
        if element is None:
            before.append(layout.element(tag, _vr(tag), b""))
        elif element.inner == layout.encoding:
            before.append(bytes(data[at : element.end]))
        else:
            before.append(layout.element(tag, _vr(tag), _value(data, element)))
    item = layout.item(
        layout.element(0x0400_0550, "SQ", layout.item(b"".join(before)))
        + layout.element(0x0400_0562, "DT", moment_of(correction).encode("ascii"))
        + layout.element(0x0400_0563, "LO", correction.system.encode("ascii", "replace"))
        + layout.element(0x0400_0564, "LO", correction.source.encode("ascii", "replace"))
        + layout.element(0x0400_0565, "CS", correction.reason.encode("ascii"))
    )
    if present is None:
        return outer.element(_ORIGINALS, "SQ", item)
    stop = present.offset + present.length
    if present.undefined:
        return bytes(data[begin:stop]) + item + bytes(data[stop : present.end])
    if present.length + len(item) >= UNDEFINED:
        raise CannotRewrite("a value is longer than its representation allows")
    vr = "SQ" if present.inner == outer.encoding else "UN"  # an older system passed it on as UN: its items are implicit
    return outer.element(_ORIGINALS, vr, bytes(data[present.offset : stop]) + item)


def _value(data: memoryview, element: Element) -> bytes:
    return bytes(data[element.offset : element.offset + element.length])


def _vr(tag: int) -> str:
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else ""
    if vr not in _OF_CHARACTER_SET and vr not in _ASCII:
        raise CannotRewrite("only text attributes of the dictionary can be corrected")
    return vr


def _codec(charset: CharacterSet) -> str:
    """The codec for new text: that of the object where it is simple, else ASCII, which every character set holds."""
    name = charset.encodings[0]
    is_simple = len(charset.encodings) == 1 and name in _SIMPLE
    return name if is_simple else "ascii"


def _fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _can_say(data: memoryview, found: list[Element], values: Mapping[int, str]) -> bool:
    """Whether the new values can be written without changing other text."""
    declared = next((e for e in found if e.tag == _CHARACTER_SET), None)
    charset = CharacterSet(_value(data, declared) if declared else None)
    codec = _codec(charset)
    texts = [text for tag, text in values.items() if _vr(tag) in _OF_CHARACTER_SET]
    return all(_fits(text, codec) for text in texts) or _is_plain(data, found, charset, 0)


def _begins(start: int, found: list[Element]) -> Iterator[tuple[int, Element]]:
    """Each element with where it begins."""
    for element in found:
        yield start, element
        start = element.end


def _in_utf8(
    data: memoryview,
    found: list[Element],
    start: int,
    layout: _Layout,
    charset: CharacterSet,
    depth: int,
    fallback: str | None,
) -> Iterator[bytes | memoryview]:
    """The elements with all text in UTF-8, which they say; group lengths (retired) are left out."""
    declared = next((e for e in found if e.tag == _CHARACTER_SET), None)
    if declared is not None:
        charset = CharacterSet(_value(data, declared), fallback=fallback)
    is_said = depth > 0 and declared is None  # an item without a set of its own has that of what is around it
    for begin, element in _begins(start, found):
        if not is_said and element.tag >= _CHARACTER_SET:
            yield layout.element(_CHARACTER_SET, "CS", _UTF8)
            is_said = True
        if element.tag == _CHARACTER_SET or not element.tag & 0xFFFF:
            continue
        if element.vr == "SQ" and element.inner == layout.encoding:
            parts = []
            for at, stop, delimited in items(data, element, depth=depth + 1):
                inside = list(
                    elements(data, at, stop + 8 * delimited, element.inner, depth=depth + 1, in_item=delimited)
                )
                parts.append(layout.item(b"".join(_in_utf8(data, inside, at, layout, charset, depth + 1, fallback))))
            yield layout.element(element.tag, "SQ", b"".join(parts))
        elif element.vr in _OF_CHARACTER_SET and element.length:
            text = charset.decode(_value(data, element), name=element.vr == "PN").rstrip(" \0")
            yield layout.element(element.tag, element.vr, text.encode("utf-8", "replace"))
        else:
            yield data[begin : element.end]
    if not is_said:
        yield layout.element(_CHARACTER_SET, "CS", _UTF8)


def _is_plain(data: memoryview, found: list[Element], charset: CharacterSet, depth: int) -> bool:
    """Whether all text is the same bytes in UTF-8: ASCII, without escapes; JIS X 0201 draws a tilde as an overline."""
    for element in found:
        if element.tag in PIXEL_TAGS or not element.length:
            continue
        if element.vr == "SQ":
            for start, stop, delimited in items(data, element, depth=depth + 1):
                end = stop + 8 * delimited
                inside = list(elements(data, start, end, element.inner, depth=depth + 1, in_item=delimited))
                if not _is_plain(data, inside, charset, depth + 1):
                    return False
        elif element.vr in _OF_CHARACTER_SET or element.vr == "UN":
            value = _value(data, element)
            if not value.isascii() or b"\x1b" in value or (b"~" in value and charset.encodings[0] == "shift_jis"):
                return False
    return True
