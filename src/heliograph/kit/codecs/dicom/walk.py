"""A scanner of data elements (PS3.5 7): where each element of a data set is, without decoding values.

pydicom reads whole data sets and loses some damage silently (encapsulated pixel data that is cut off,
two different values of one tag). Ingest must notice both, quickly, for every object; hence this scanner.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VR

from heliograph.kit.codecs.dicom.errors import NotDicom, TooDeep, Truncated
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_BIG, IMPLICIT_LITTLE

MAX_DEPTH = 32
UNDEFINED = 0xFFFFFFFF
_NEAR = 1 << 20
"""Bytes within which the end of a damaged sequence is looked for."""
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

# VRs with a 16-bit length (PS3.5 Table 7.1-2); all others, also those yet to be invented, have 32 bits.
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT"}
    | {b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_NAMES = {vr: vr.decode() for vr in _SHORT.union(_LONG)}


class Encoding(NamedTuple):
    """How elements are laid out: explicit value representations or not, and byte order."""

    explicit: bool
    little: bool

    @property
    def order(self) -> str:
        """The struct prefix."""
        return "<" if self.little else ">"


IMPLICIT = Encoding(explicit=False, little=True)
EXPLICIT = Encoding(explicit=True, little=True)
BIG = Encoding(explicit=True, little=False)


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """The layout of a transfer syntax; all but two are Explicit VR Little Endian (PS3.5 10, A)."""
    if transfer_syntax_uid == IMPLICIT_LITTLE:
        return IMPLICIT
    return BIG if transfer_syntax_uid == EXPLICIT_BIG else EXPLICIT


class Element(NamedTuple):
    """One data element: `offset` and `length` of its value in bytes; `end` is where the next begins.

    `undefined` is true where the length was undefined; the delimiter then is not part of `length`.
    `inner` is how a sequence's items are laid out (a UN of undefined length is implicit, PS3.5 6.2.2).
    """

    tag: int
    vr: str
    offset: int
    length: int
    end: int
    undefined: bool
    inner: Encoding


@lru_cache(maxsize=8192)
def implicit_vr(tag: int) -> str:
    """The dictionary's value representation, `UN` if there is none; ambiguous ones as "US or SS"."""
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if not tag & 0xFFFF:
        return "UL"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def elements(  # noqa: C901, PLR0912, PLR0915 - the hot loop of ingest; calls would cost more than they explain
    data: memoryview, at: int, end: int, encoding: Encoding, *, depth: int = 0, in_item: bool = False
) -> Iterator[Element]:
    """The elements of one data set between `at` and `end`, in their order.

    A damaged sequence at the top costs only itself, if its end is found; `items` then says what is wrong with it.
    With `in_item` an item delimiter ends the data set, and is not given out.

    Raises:
        Truncated: an element runs beyond `end`, or a delimiter is missing.
        TooDeep: sequences are nested deeper than 32.
        NotDicom: delimiters where an element should be.
    """
    head = struct.Struct(encoding.order + "HH2sH").unpack_from
    pair = struct.Struct(encoding.order + "HHI").unpack_from
    wide = struct.Struct(encoding.order + "I").unpack_from
    while at < end:
        if at + 8 > end:
            # Odd padding after the last element is common and harmless (trailing zero bytes).
            if not in_item and not any(data[at:end]):
                return
            raise Truncated("the data set ends inside an element's header")
        group, number, raw_vr, length = head(data, at)
        tag = group << 16 | number
        if group == 0xFFFE:
            if tag == ITEM_END and in_item:
                return
            if tag in {ITEM_END, SEQUENCE_END} and not in_item and not pair(data, at)[2]:
                at += 8  # left behind by a writer that gave the length, too
                continue
            raise NotDicom("a delimiter stands where an element should be")
        inner = encoding
        if encoding.explicit and raw_vr in _SHORT:
            vr, value = _NAMES[raw_vr], at + 8
        elif encoding.explicit and raw_vr.isalpha() and raw_vr.isupper():
            if at + 12 > end:
                raise Truncated("the data set ends inside an element's header")
            vr, value, length = _NAMES.get(raw_vr, "UN"), at + 12, wide(data, at + 8)[0]
        else:  # implicit, or an implicit element inside an explicit data set, or an explicit one whose VR is rubbish
            whole, value, vr = pair(data, at)[2], at + 8, implicit_vr(tag)
            if encoding.explicit and _is_rubbish(data, tag, value + whole, value + length, end, encoding):
                vr = "UN" if vr == "SQ" else vr
            else:
                length, inner = whole, Encoding(explicit=False, little=encoding.little)
        if length == UNDEFINED:
            if tag in PIXEL_TAGS or vr in {"OB", "OW"}:  # an icon image may be encapsulated, too
                stop = _skip_fragments(data, value, end, encoding)
            else:
                inner = IMPLICIT if vr == "UN" else inner
                vr = "SQ"
                try:
                    stop, inner = _skip_items(data, value, end, inner, depth + 1)
                except (Truncated, NotDicom):
                    if depth or in_item or not (found := _end_of_damage(data, tag, value, end, encoding)):
                        raise
                    stop = found
            yield Element(tag, vr, value, stop - value, stop + 8, True, inner)
            at = stop + 8
            continue
        if length > end - value:
            raise Truncated("an element is longer than the bytes that are left")
        element = Element(tag, vr, value, length, value + length, False, inner)
        if vr == "UN" and length >= 8 and not group & 1 and implicit_vr(tag) == "SQ":
            element = _unveiled(data, element, depth)
        yield element
        at = value + length
    if in_item:
        raise Truncated("an item has no delimiter")


def _end_of_damage(data: memoryview, tag: int, at: int, end: int, encoding: Encoding) -> int | None:
    """Where the delimiter is of a sequence that can't be read: one behind which a later element begins, or the end. None: nowhere near."""
    mark = struct.pack(encoding.order + "HHI", SEQUENCE_END >> 16, SEQUENCE_END & 0xFFFF, 0)
    near = bytes(data[at : min(end, at + _NEAR)])
    found = near.find(mark)
    while found >= 0:
        after = at + found + 8
        if after == end:
            return at + found
        if after + 8 <= end:
            group, number, vr, _ = struct.unpack_from(encoding.order + "HH2sH", data, after)
            if group != 0xFFFE and group << 16 | number > tag and (vr in _NAMES or not encoding.explicit):
                return at + found
        found = near.find(mark, found + 8)
    return None


def _is_rubbish(data: memoryview, tag: int, implicit: int, explicit: int, end: int, encoding: Encoding) -> bool:
    """Whether an element goes on, of the two places where the next may begin, at that of the explicit form with two bytes of length."""

    def begins(at: int) -> int:
        """2: an element of a known VR, or the end; 1: at least a tag that may follow; 0: neither."""
        if at + 8 > end:
            return 2 * (at == end)
        group, number, vr, _ = struct.unpack_from(encoding.order + "HH2sH", data, at)
        return int(group << 16 | number > tag) * (2 if group == 0xFFFE or vr in _NAMES else 1)

    return begins(explicit) > begins(implicit)


def items(data: memoryview, sequence: Element, *, depth: int) -> Iterator[tuple[int, int, bool]]:
    """Each item of a sequence as (offset of its first element, end, whether a delimiter ends it)."""
    at, end, encoding = sequence.offset, sequence.offset + sequence.length, sequence.inner
    while at < end:
        tag, length = _item_head(data, at, end, encoding)
        if tag != ITEM:
            raise NotDicom("a sequence holds something that is not an item")
        if length == UNDEFINED:
            stop = _skip_item(data, at + 8, end, encoding, depth)
            yield at + 8, stop, True
            at = stop + 8
        else:
            if at + 8 + length > end:
                raise Truncated("an item is longer than its sequence")
            yield at + 8, at + 8 + length, False
            at += 8 + length


def _unveiled(data: memoryview, unknown: Element, depth: int) -> Element:
    """A sequence of the standard's that an older system passed on as UN: its items are implicit (PS3.5 6.2.2). UN if they are not."""
    sequence = unknown._replace(vr="SQ", inner=IMPLICIT)
    try:
        check_depth(data, sequence, depth + 1)
    except (Truncated, NotDicom):
        return unknown
    return sequence


def check_depth(data: memoryview, sequence: Element, depth: int) -> None:
    """Walk a sequence of defined length; raises TooDeep, or what `elements` raises for damage."""
    if depth > MAX_DEPTH:
        raise TooDeep("sequences are nested too deeply")
    for start, stop, _delimited in items(data, sequence, depth=depth):
        for element in elements(data, start, stop, sequence.inner, depth=depth):
            if element.vr == "SQ" and not element.undefined:
                check_depth(data, element, depth + 1)


def _item_head(data: memoryview, at: int, end: int, encoding: Encoding) -> tuple[int, int]:
    if at + 8 > end:
        raise Truncated("the data set ends inside a sequence")
    group, number, length = struct.unpack_from(encoding.order + "HHI", data, at)
    return group << 16 | number, length


def _skip_items(data: memoryview, at: int, end: int, encoding: Encoding, depth: int) -> tuple[int, Encoding]:
    """Where the sequence delimiter is. A UN of undefined length may, against the rule, be explicit."""
    if depth > MAX_DEPTH:
        raise TooDeep("sequences are nested too deeply")
    while True:
        tag, length = _item_head(data, at, end, encoding)
        if tag == SEQUENCE_END:
            return at, encoding
        if tag != ITEM:
            raise NotDicom("a sequence holds something that is not an item")
        if not encoding.explicit and at + 14 <= end and bytes(data[at + 12 : at + 14]) in _NAMES:
            encoding = Encoding(explicit=True, little=encoding.little)
        if length == UNDEFINED:
            at = _skip_item(data, at + 8, end, encoding, depth) + 8
        else:
            at += 8 + length


def _skip_item(data: memoryview, at: int, end: int, encoding: Encoding, depth: int) -> int:
    stop = at
    for element in elements(data, at, end, encoding, depth=depth, in_item=True):
        stop = element.end
    return stop


def _skip_fragments(data: memoryview, at: int, end: int, encoding: Encoding) -> int:
    for stop, _length in fragments(data, at, end, encoding):
        at = stop
    return at


def fragments(data: memoryview, at: int, end: int, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Each fragment of encapsulated pixel data (PS3.5 A.4), the offset table first.

    Gives (offset, length) of each value and, last, (offset of the sequence delimiter, -1).

    Raises:
        Truncated: the sequence delimiter is missing, or a fragment is cut off.
    """
    while True:
        if at + 8 > end:
            raise Truncated("encapsulated pixel data has no sequence delimiter")
        group, number, length = struct.unpack_from(encoding.order + "HHI", data, at)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            yield at, -1
            return
        if tag != ITEM or length > end - at - 8:
            raise Truncated("encapsulated pixel data is cut off or damaged")
        yield at + 8, length
        at += 8 + length
