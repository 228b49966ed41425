"""A data set of any transfer syntax as Explicit VR Little Endian (PS3.5 A.2), element by element.

What is Explicit VR Little Endian already is copied as it stands; only what must change does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from heliograph.kit.codecs.dicom.errors import NotDicom, Truncated
from heliograph.kit.codecs.dicom.walk import EXPLICIT, PIXEL_TAGS, Element, Encoding, elements, items

WIDTHS = {
    **dict.fromkeys(("AT", "OW", "US", "SS"), 2),
    **dict.fromkeys(("OL", "OF", "UL", "SL", "FL"), 4),
    **dict.fromkeys(("OD", "OV", "FD", "UV", "SV"), 8),
}
"""Bytes of one number of each value representation whose byte order matters."""

_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_NUL_PADDED = frozenset({"UI", "OB", "UN"})
_ITEM, _ITEM_END, _SEQUENCE_END = (
    struct.pack("<HHI", 0xFFFE, n, s) for n, s in ((0xE000, 2**32 - 1), (0xE00D, 0), (0xE0DD, 0))
)


def head(tag: int, vr: str, length: int) -> bytes:
    """An element's tag, value representation and length; 2**32 - 1 is an undefined length."""
    if vr in _LONG:
        return struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)


def element_bytes(tag: int, vr: str, value: bytes) -> bytes:
    """A whole element, padded to an even length; one too long for its representation goes as UN (PS3.5 6.2.2)."""
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED or vr in WIDTHS else b" "
    if vr not in _LONG and len(value) > 0xFFFE:
        vr = "UN"
    return head(tag, vr, len(value)) + value


def little(value: bytes, width: int) -> bytes:
    """Big endian numbers of `width` bytes as little endian ones; a value that holds no whole numbers stays."""
    if width < 2 or len(value) % width:
        return value
    turned = bytearray(len(value))
    for byte in range(width):
        turned[byte::width] = value[width - 1 - byte :: width]
    return bytes(turned)


def explicit_little(
    data: memoryview, start: int, encoding: Encoding, replaced: Mapping[int, bytes]
) -> Iterator[bytes | Element]:
    """The data set between `start` and the end of `data`, in pieces.

    `replaced` gives whole elements in the place of those of these tags; empty bytes leave one out. Pixel data comes out as the
    Element that it is, for the caller to write.

    Raises:
        Truncated, NotDicom, TooDeep: as `elements`.
    """
    signed = False
    at = start
    for element in elements(data, start, len(data), encoding):
        begin, at = at, element.end
        if element.tag in PIXEL_TAGS and element.tag not in replaced:
            yield element
        elif element.tag in replaced:
            yield replaced[element.tag]
        elif encoding == EXPLICIT and element.inner == EXPLICIT:
            yield bytes(data[begin : element.end])
        else:
            if element.tag == 0x00280103:
                signed = any(data[element.offset : element.offset + element.length])
            yield b"".join(_converted(data, element, encoding, 0, signed=signed))


def pixel_value(data: memoryview, element: Element, encoding: Encoding, bits_allocated: int) -> bytes:
    """Native pixel data, little endian."""
    value = bytes(data[element.offset : element.offset + element.length])
    if encoding.little:
        return value
    return little(value, bits_allocated // 8 if bits_allocated > 8 else WIDTHS.get(element.vr, 1))


def resolved(vr: str, *, signed: bool) -> str:
    """A value representation that the dictionary leaves open (PS3.6), chosen as PS3.5 A.2 does."""
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OW" if " or " in vr else vr


def _sequence(data: memoryview, element: Element, depth: int, *, signed: bool) -> Iterator[bytes]:
    yield head(element.tag, "SQ", 2**32 - 1)
    for start, stop, delimited in items(data, element, depth=depth + 1):
        yield _ITEM
        inside = elements(data, start, stop + 8 * delimited, element.inner, depth=depth + 1, in_item=delimited)
        for inner in inside:
            yield from _converted(data, inner, element.inner, depth + 1, signed=signed)
        yield _ITEM_END
    yield _SEQUENCE_END


def _converted(data: memoryview, element: Element, encoding: Encoding, depth: int, *, signed: bool) -> Iterator[bytes]:
    if not element.tag & 0xFFFF:  # group lengths no longer fit
        return
    if element.vr == "SQ":
        try:
            made = list(_sequence(data, element, depth, signed=signed))
        except (NotDicom, Truncated):  # what can't be read as a sequence goes as the bytes that it is
            made = [element_bytes(element.tag, "UN", bytes(data[element.offset : element.offset + element.length]))]
        yield from made
        return
    vr = resolved(element.vr, signed=signed)
    value = bytes(data[element.offset : element.offset + element.length])
    if not encoding.little:
        value = little(value, WIDTHS.get(vr, 1))
    yield element_bytes(element.tag, vr, value)
