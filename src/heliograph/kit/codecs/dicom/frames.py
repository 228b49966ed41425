"""Where each frame of an object is in its file: native, bit-packed or encapsulated (PS3.5 8, A.4)."""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from heliograph.kit.codecs.dicom.errors import FrameMissing, NotDicom, Truncated
from heliograph.kit.codecs.dicom.explicit import little
from heliograph.kit.codecs.dicom.header import frame_bits, locate_data_set
from heliograph.kit.codecs.dicom.inflate import MAX_INFLATED, inflate
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_BIG
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.walk import PIXEL_TAGS, Element, Encoding, elements, encoding_of, fragments

_RLE = "1.2.840.10008.1.2.5"
_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
# Video: all frames are one bit stream (PS3.5 A.4.5 and following), cut into fragments anywhere.
_VIDEO_PREFIXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in range(100, 109))
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")

Kind = Literal["native", "bits", "encapsulated", "stream"]


@dataclass(frozen=True, slots=True)
class FrameTable:
    """Offsets are bytes from the start of the file or, if deflated, of the inflated data set.

    Fragments lie one after another, each behind an 8-byte item header, so their lengths say where they
    are: `lengths[i]`, from `first` on. `groups[k]` = (first fragment, count) of frame k + 1; None where
    that frame's bytes are missing, and so are those of frames beyond the last group, however many the
    object says it has. For native and bit-packed frames `frame_bits` is the size of each.
    A `stream` (video) has one group that holds all frames.
    """

    kind: Kind
    transfer_syntax_uid: str
    frames: int
    first: int
    frame_bits: int = 0
    size: int = 0
    lengths: tuple[int, ...] = ()
    groups: tuple[tuple[int, int] | None, ...] = ()
    exact: tuple[int, ...] = ()
    deflated: bool = False

    @property
    def complete(self) -> bool:
        """Whether each frame that the object declares is there."""
        if self.kind in {"native", "bits"}:
            return self.frames * self.frame_bits <= self.size * 8
        groups = 1 if self.kind == "stream" else max(self.frames, 1)
        return len(self.groups) == groups and None not in self.groups

    @property
    def reach(self) -> int:
        """How many frames, from the first, can be there at most: bounded by the file, whatever the object declares."""
        if self.kind == "stream":
            return 1
        held = self.size * 8 // self.frame_bits if self.kind in {"native", "bits"} else len(self.groups)
        return min(self.frames, held)

    def locate(self, number: int) -> list[tuple[int, int]]:
        """The byte ranges (offset, length) of frame `number`, from 1; a frame is their concatenation.

        A bit-packed frame may begin and end inside a byte: `read_frame` cuts it out.

        Raises:
            FrameMissing: there is no such frame, or its bytes are not there.
        """
        if not 1 <= number <= self.frames:
            raise FrameMissing(number, "the object has no such frame")
        if self.kind in {"native", "bits"}:
            begin, end = (number - 1) * self.frame_bits, number * self.frame_bits
            if end > self.size * 8:
                raise FrameMissing(number, "the pixel data ends before it")
            return [(self.first + begin // 8, (end + 7) // 8 - begin // 8)]
        index = 0 if self.kind == "stream" else number - 1
        group = self.groups[index] if index < len(self.groups) else None
        if group is None:
            raise FrameMissing(number, "its fragments are missing or cannot be told apart")
        start, count = group
        at = self.first + sum(self.lengths[:start]) + 8 * start
        ranges = []
        for length in self.lengths[start : start + count]:
            ranges.append((at, length))
            at += length + 8
        if self.exact and count == 1:
            ranges = [(ranges[0][0], min(ranges[0][1], self.exact[number - 1]))]
        return ranges

    def to_bytes(self) -> bytes:
        """A compact form for storage; `from_bytes` reads it."""
        plain = all(group == (k, 1) for k, group in enumerate(self.groups))
        groups = len(self.groups) if plain else [list(g) if g else None for g in self.groups]
        facts = [self.kind, self.transfer_syntax_uid, self.frames, self.first, self.frame_bits, self.size]
        rest = [list(self.lengths), groups, list(self.exact), self.deflated]
        return zlib.compress(json.dumps([1, *facts, *rest], separators=(",", ":")).encode())

    @classmethod
    def from_bytes(cls, stored: bytes) -> FrameTable:
        """The table that `to_bytes` made."""
        version, kind, syntax, frames, first, bits, size, lengths, groups, exact, deflated = json.loads(
            zlib.decompress(stored)
        )
        if version != 1:
            raise ValueError("a frame table of an unknown version")
        if isinstance(groups, int):
            groups = [(k, 1) for k in range(groups)]
        made = tuple(tuple(g) if g else None for g in groups)
        return cls(kind, syntax, frames, first, bits, size, tuple(lengths), made, tuple(exact), deflated)


def read_frame(table: FrameTable, number: int, read: Callable[[int, int], bytes]) -> bytes:
    """The bytes of frame `number`, from 1; `read(offset, length)` gives bytes of the file.

    Bit-packed frames come out aligned, first pixel in the lowest bit of the first byte, zeros after the
    last one (PS3.5 8.2 packs them without regard to bytes).

    Raises:
        FrameMissing: there is no such frame, or its bytes are not there.
    """
    content = b"".join(read(offset, length) for offset, length in table.locate(number))
    if table.kind != "bits":
        return content
    shift = (number - 1) * table.frame_bits % 8
    if shift == 0 and table.frame_bits % 8 == 0:
        return content
    packed = int.from_bytes(content, "little") >> shift & (1 << table.frame_bits) - 1
    return packed.to_bytes((table.frame_bits + 7) // 8, "little")


def read_little_frame(
    table: FrameTable, number: int, bits_allocated: int | None, read: Callable[[int, int], bytes]
) -> bytes:
    """As `read_frame`, but natively stored samples are little endian whatever the object is (PS3.18 8.7.3.5).

    Explicit VR Big Endian keeps samples of one byte or less in words of two where the pixel data is OW (PS3.5 8.1.1, A.3); such words
    can be shared by two frames.

    Raises:
        FrameMissing: there is no such frame, or its bytes are not there.
    """
    if table.transfer_syntax_uid != EXPLICIT_BIG or table.kind not in {"native", "bits"}:
        return read_frame(table, number, read)
    width = (bits_allocated or 8) // 8
    if width < 2:  # the value representation stands 8 bytes before the value (PS3.5 7.1.2)
        width = 2 if read(table.first - 8, 2) == b"OW" else 1

    def turned(offset: int, length: int) -> bytes:
        begin = (offset - table.first) // width * width
        end = min(-(-(offset + length - table.first) // width) * width, table.size)
        skipped = offset - table.first - begin
        return little(read(table.first + begin, end - begin), width)[skipped : skipped + length]

    return read_frame(table, number, turned)


def frame_table(
    source: Source, *, transfer_syntax_uid: str | None = None, max_inflated: int = MAX_INFLATED
) -> FrameTable | None:
    """Where each frame of an object is, or None if it has no pixel data.

    A frame that can't be found makes the table incomplete, not unusable: `locate` raises for it alone.

    Raises:
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`.
    """
    with opened(source) as data:
        start, syntax = locate_data_set(data, transfer_syntax_uid)
        deflated = syntax in DEFLATED
        body = memoryview(inflate(data[start:], max_inflated=max_inflated)) if deflated else data
        encoding = encoding_of(syntax)
        found: dict[int, Element] = {}
        for element in elements(body, 0 if deflated else start, len(body), encoding):
            if element.tag >> 16 in {0x0028, 0x7FE0}:
                found.setdefault(element.tag, element)
        pixel = next((found[tag] for tag in PIXEL_TAGS if tag in found), None)
        if pixel is None:
            return None
        facts = _Facts(body, encoding, found)
        if pixel.undefined:
            return _encapsulated(facts, pixel, syntax)
        return _native(facts, pixel, syntax, deflated=deflated)


class _Facts:
    """Numbers of the image pixel module; 0 where absent or unreadable."""

    def __init__(self, data: memoryview, encoding: Encoding, found: dict[int, Element]) -> None:
        self.data, self.encoding, self.found = data, encoding, found
        self.byteorder: Literal["little", "big"] = "little" if encoding.little else "big"

    def raw(self, tag: int) -> bytes:
        element = self.found.get(tag)
        return bytes(self.data[element.offset : element.offset + element.length]) if element else b""

    def short(self, tag: int) -> int:
        value = self.raw(tag)
        return int.from_bytes(value[:2], self.byteorder) if len(value) >= 2 else 0

    @property
    def photometric(self) -> str:
        """As written; the retired YBR_PARTIAL_422 is laid out as YBR_FULL_422."""
        return self.raw(0x00280004).decode("ascii", "replace").strip(" \0").replace("YBR_PARTIAL_422", "YBR_FULL_422")

    @property
    def frames(self) -> int:
        try:
            return max(0, int(self.raw(0x00280008).split(b"\\")[0].strip(b" \0")))
        except ValueError:
            return 0


def _native(facts: _Facts, pixel: Element, syntax: str, *, deflated: bool) -> FrameTable:
    allocated = facts.short(0x00280100) or {0x7FE00008: 32, 0x7FE00009: 64}.get(pixel.tag, 0)
    photometric = facts.photometric
    rows, columns = facts.short(0x00280010), facts.short(0x00280011)
    bits = frame_bits(rows, columns, facts.short(0x00280002) or 1, allocated, photometric)
    if bits == 0:
        raise NotDicom("the pixel data has no rows, columns or bits")
    frames = facts.frames or max(1, pixel.length * 8 // bits)
    whole = rows * columns * 3 * allocated
    if bits < whole and photometric.endswith("_422") and 0 <= pixel.length * 8 - frames * whole < 16:
        bits = whole  # it only says that pixels share their colours
    kind: Kind = "bits" if bits % 8 or allocated == 1 else "native"
    return FrameTable(kind, syntax, frames, pixel.offset, bits, pixel.length, deflated=deflated)


def _encapsulated(facts: _Facts, pixel: Element, syntax: str) -> FrameTable:
    end = pixel.offset + pixel.length + 8
    found = [f for f in fragments(facts.data, pixel.offset, end, facts.encoding) if f[1] >= 0]
    if not found:
        raise Truncated("encapsulated pixel data has no offset table item")
    table_offset, table_length = found.pop(0)
    first = found[0][0] if found else table_offset + table_length + 8
    lengths = tuple(length for _offset, length in found)
    if syntax.startswith(_VIDEO_PREFIXES):
        whole = (0, len(found)) if found else None
        return FrameTable("stream", syntax, facts.frames or 1, first, lengths=lengths, groups=(whole,))
    # Offsets count from the first byte of the first fragment's item header (PS3.5 A.4).
    starts = list(accumulate((length + 8 for length in lengths[:-1]), initial=0)) if lengths else []
    extended = _integers(facts.raw(0x7FE00001), 8, facts.byteorder)
    basic = _integers(bytes(facts.data[table_offset : table_offset + table_length]), 4, facts.byteorder)
    offsets = extended or basic
    frames = facts.frames or len(offsets) or (len(found) if syntax == _RLE else _guess(facts, found))
    groups = _by_offsets(offsets, starts, frames) if offsets else None
    if groups is None:
        groups = _by_counting(facts, found, frames, rle=syntax == _RLE)
        extended = []
    exact = _integers(facts.raw(0x7FE00002), 8, facts.byteorder) if extended else []
    if syntax == _UNCOMPRESSED and len(groups) == frames:
        rows, columns, samples = facts.short(0x00280010), facts.short(0x00280011), facts.short(0x00280002) or 1
        size = (frame_bits(rows, columns, samples, facts.short(0x00280100), facts.photometric) + 7) // 8
        exact = [size] * frames
    return FrameTable(
        "encapsulated",
        syntax,
        frames,
        first,
        lengths=lengths,
        groups=tuple(groups),
        exact=tuple(exact) if len(exact) == frames else (),
    )


def _integers(value: bytes, width: int, byteorder: Literal["little", "big"]) -> list[int]:
    return [int.from_bytes(value[i : i + width], byteorder) for i in range(0, len(value) - width + 1, width)]


def _guess(facts: _Facts, found: Sequence[tuple[int, int]]) -> int:
    """Frames of an object that does not say how many it has."""
    return max(1, len(_beginnings(facts, found)))


def _beginnings(facts: _Facts, found: Sequence[tuple[int, int]]) -> list[int]:
    """The fragments that begin a JPEG, JPEG-LS or JPEG 2000 stream."""
    heads = ((k, bytes(facts.data[offset : offset + min(length, 8)])) for k, (offset, length) in enumerate(found))
    return [k for k, head in heads if head.startswith(_STARTS)]


def _by_offsets(offsets: list[int], starts: list[int], frames: int) -> list[tuple[int, int] | None] | None:
    """Groups by an offset table, or None if it does not fit the fragments (then it is not trusted)."""
    if len(offsets) != frames or offsets[0] != 0:
        return None
    firsts: list[int] = []
    for offset in offsets:
        k = bisect_left(starts, offset)
        if k == len(starts) or starts[k] != offset or (firsts and k <= firsts[-1]):
            return None
        firsts.append(k)
    return [(k, following - k) for k, following in zip(firsts, [*firsts[1:], len(starts)], strict=True)]


def _by_counting(
    facts: _Facts, found: Sequence[tuple[int, int]], frames: int, *, rle: bool
) -> list[tuple[int, int] | None]:
    """Groups without an offset table: one fragment a frame, one frame in all, or by stream beginnings.

    Never more than there are fragments: an object may say that it has a billion frames.
    """
    if len(found) == frames:
        return [(k, 1) for k in range(frames)]
    if frames == 1 and found:
        return [(0, len(found))]
    # An RLE frame is exactly one fragment (PS3.5 A.4.2), and nothing marks its beginning: with too many
    # fragments nobody can say which frame is which.
    firsts = list(range(len(found))) if rle else _beginnings(facts, found)
    if not firsts or firsts[0] != 0 or len(firsts) > frames:
        return []
    return [(k, following - k) for k, following in zip(firsts, [*firsts[1:], len(found)], strict=True)]
