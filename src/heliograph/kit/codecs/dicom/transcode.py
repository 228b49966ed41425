"""A stored object in another transfer syntax (PS3.5 Annex A): natively, or compressed without loss. One frame in memory at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from heliograph.kit.codecs.dicom.explicit import element_bytes, explicit_little, head, pixel_value
from heliograph.kit.codecs.dicom.frames import FrameTable, frame_table, read_little_frame
from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.inflate import inflate
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_LITTLE, part10_header, read_file_meta
from heliograph.kit.codecs.dicom.pixels import (
    DECODABLE,
    ENCODABLE,
    ImageFacts,
    NotDecodable,
    decode,
    encode,
    image_facts,
    native_bytes,
    native_words,
)
from heliograph.kit.codecs.dicom.source import Source, opened
from heliograph.kit.codecs.dicom.walk import Element, Encoding, encoding_of

_PIECE = 1 << 20
_MOST_NATIVE = 2**32 - 2
# Extended offset tables (PS3.3 C.7.6.3.1.8) are of the fragments that were.
_OFFSETS = {0x7FE00001: b"", 0x7FE00002: b""}


def transcoded(source: Source, target: str) -> Iterator[bytes]:
    """A whole Part 10 file in `target`: Explicit VR Little Endian, or one of `pixels.ENCODABLE`. All but pixels stays as it is.

    The first frame is made before this returns, so that what can't be transcoded is refused at once.

    Raises:
        NotDecodable: a codec is missing, or frames are damaged or missing.
        NotDicom, Truncated, TooDeep, Bomb: as `read_header`.
    """
    with ExitStack() as held:
        data = held.enter_context(opened(source))
        made = _transcoded(data, target)
        first = next(made)
        rest = held.pop_all()

    def pieces() -> Iterator[bytes]:
        with rest:
            yield first
            yield from made

    return pieces()


def native_frame(facts: ImageFacts, frame: bytes, syntax: str) -> bytes:
    """A compressed frame as native little endian bytes. Raises NotDecodable."""
    words, _photometric = decode(facts, frame, syntax)
    return native_bytes(facts, words)


def encoded_frame(facts: ImageFacts, frame: bytes, syntax: str, target: str) -> bytes:
    """A stored frame compressed without loss as `target`. Raises NotDecodable."""
    words, photometric = decode(facts, frame, syntax) if syntax in DECODABLE else native_words(facts, frame)
    return encode(facts, words, photometric, target)[0]


def _transcoded(whole: memoryview, target: str) -> Iterator[bytes]:
    if target != EXPLICIT_LITTLE and target not in ENCODABLE:
        raise NotDecodable("this transfer syntax is not made here")
    start, syntax = locate_data_set(whole)
    meta = read_file_meta(whole)
    data = whole
    if syntax in DEFLATED:
        data, start = memoryview(inflate(whole[start:])), 0
    encoding = encoding_of(syntax)
    front = part10_header(meta.sop_class_uid, meta.sop_instance_uid, target)
    if syntax not in DECODABLE and target == EXPLICIT_LITTLE:
        # Natively stored, or without pixels: nothing can fail but the walk.
        yield front
        yield from _native_as_it_is(data, start, encoding)
        return
    table = frame_table(whole)
    if table is None and target == EXPLICIT_LITTLE:  # a document that was sent under the syntax of pictures
        yield front
        yield from _native_as_it_is(data, start, encoding)
        return
    if table is None:
        raise NotDecodable("the object has no pixels to compress")
    if not table.complete or (syntax not in DECODABLE and table.kind != "native"):
        raise NotDecodable("frames are missing, or in a form that can't be decoded here")
    facts = image_facts(data, start, encoding)

    def read(offset: int, length: int) -> bytes:
        return bytes(data[offset : offset + length])

    yield from _with_pixels(data, start, encoding, front, _Frames(facts, table, read, syntax, target))


class _Frames:
    """The frames of one object on their way; `photometric` is known after the first."""

    def __init__(
        self, facts: ImageFacts, table: FrameTable, read: Callable[[int, int], bytes], syntax: str, target: str
    ) -> None:
        self.facts, self.table, self.read, self.syntax, self.target = facts, table, read, syntax, target
        self.first, self.photometric = self._make(1)

    def _make(self, number: int) -> tuple[bytes, str]:
        frame = read_little_frame(self.table, number, self.facts.allocated, self.read)
        if self.syntax in DECODABLE:
            words, photometric = decode(self.facts, frame, self.syntax)
        else:
            words, photometric = native_words(self.facts, frame)
        if self.target in ENCODABLE:
            return encode(self.facts, words, photometric, self.target)
        return native_bytes(self.facts, words), photometric

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        for number in range(2, self.table.frames + 1):
            yield self._make(number)[0]


def _with_pixels(data: memoryview, start: int, encoding: Encoding, front: bytes, frames: _Frames) -> Iterator[bytes]:
    facts, compressed = frames.facts, frames.target in ENCODABLE
    replaced = dict(_OFFSETS)
    if frames.photometric != facts.photometric:
        replaced[0x00280004] = element_bytes(0x00280004, "CS", frames.photometric.encode())
    if compressed and facts.samples > 1:
        replaced[0x00280006] = element_bytes(0x00280006, "US", struct.pack("<H", 0))
    yield front
    for piece in explicit_little(data, start, encoding, replaced):
        if isinstance(piece, bytes):
            yield piece
        elif compressed:
            yield from _encapsulated(frames)
        else:
            size = (facts.rows * facts.columns * facts.samples * facts.allocated * frames.table.frames + 7) // 8
            if size > _MOST_NATIVE:
                raise NotDecodable("natively the pixel data is too long for one element")
            yield head(piece.tag, "OW" if facts.allocated > 8 else "OB", size + size % 2)
            yield from _packed(frames) if facts.allocated == 1 else frames
            yield b"\0" * (size % 2)


def _packed(frames: _Frames) -> Iterator[bytes]:
    """Frames of single bits, one right behind another without regard to bytes (PS3.5 8.1.1)."""
    bits, held, held_bits = frames.facts.rows * frames.facts.columns, 0, 0
    for frame in frames:
        held |= int.from_bytes(frame, "little") << held_bits
        held_bits += bits
        whole = held_bits // 8
        yield (held & (1 << 8 * whole) - 1).to_bytes(whole, "little")
        held, held_bits = held >> 8 * whole, held_bits % 8
    yield held.to_bytes((held_bits + 7) // 8, "little")


def _encapsulated(frames: _Frames) -> Iterator[bytes]:
    """One fragment a frame behind an empty offset table (PS3.5 A.4)."""
    yield head(0x7FE00010, "OB", 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    for frame in frames:
        yield struct.pack("<HHI", 0xFFFE, 0xE000, len(frame) + len(frame) % 2)
        yield frame
        yield b"\0" * (len(frame) % 2)
    yield struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _native_as_it_is(data: memoryview, start: int, encoding: Encoding) -> Iterator[bytes]:
    allocated = 16
    for piece in explicit_little(data, start, encoding, {}):
        if isinstance(piece, bytes):
            if piece[:4] == b"\x28\x00\x00\x01" and len(piece) >= 10:  # Bits Allocated
                allocated = int.from_bytes(piece[8:10], "little")
            yield piece
        else:
            yield from _pixel_element(data, piece, encoding, allocated)


def _pixel_element(data: memoryview, element: Element, encoding: Encoding, allocated: int) -> Iterator[bytes]:
    if element.undefined:
        raise NotDecodable("the pixel data is in a form that can't be decoded here")
    vr = element.vr if " " not in element.vr else {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(element.tag, "OW")
    yield head(element.tag, vr, element.length + element.length % 2)
    if not encoding.little:
        yield pixel_value(data, element, encoding, allocated)
    else:
        for at in range(element.offset, element.offset + element.length, _PIECE):
            yield bytes(data[at : min(at + _PIECE, element.offset + element.length)])
    yield b"\0" * (element.length % 2)
