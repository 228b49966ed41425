"""Frames decoded to native samples, and samples encoded without loss (PS3.5 8.2, Annex A), word for word.

Loads numpy and the codecs: import it where pixels are handled, never from the package's front.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.encoders.base import RLELosslessEncoder

from heliograph.kit.codecs.dicom.errors import DicomError, Truncated
from heliograph.kit.codecs.dicom.walk import Element, Encoding, elements

Words = NDArray[Any]

_4 = "1.2.840.10008.1.2.4."
RLE = "1.2.840.10008.1.2.5"
# Processes 1, 2 and 4; and the progressive ones that some old equipment wrote (6, 8, 10, 12; retired).
JPEG = frozenset({f"{_4}50", f"{_4}51", f"{_4}53", f"{_4}55"})
JPEG_LOSSLESS = frozenset({f"{_4}57", f"{_4}70"})
JPEG_LS = frozenset({f"{_4}80", f"{_4}81"})
JPEG_2000 = frozenset({f"{_4}90", f"{_4}91"})
HTJ2K = frozenset({f"{_4}201", f"{_4}202", f"{_4}203"})
ENCAPSULATED_NATIVE = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
"""Each frame is a deflate stream of its native form (PS3.5 8.2.16)."""
J2K_LOSSLESS, HTJ2K_LOSSLESS = f"{_4}90", f"{_4}201"
DECODABLE = JPEG | JPEG_LOSSLESS | JPEG_LS | JPEG_2000 | HTJ2K | {RLE, ENCAPSULATED_NATIVE, DEFLATED_FRAMES}
ENCODABLE = (HTJ2K_LOSSLESS, J2K_LOSSLESS, RLE)
"""What we make without loss, best first."""

MOST_SAMPLES = 150_000_000
# What codecs undo, and colours that were shared between pixels in native form only.
_COLOUR = {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "YBR_FULL_422": "YBR_FULL"}
_SHARED = {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "YBR_PARTIAL"}
"""Natively two pixels share their colour samples: Y Y Cb Cr (PS3.3 C.7.6.3.1.2)."""


class NotDecodable(DicomError):
    """The pixel data is damaged, or in a form that can't be decoded here."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The image pixel module (PS3.3 C.7.6.3): rows and columns in pixels, bits per sample."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.rows, self.columns, self.samples

    @property
    def frame_bytes(self) -> int:
        """Length of a native frame whose colours are not shared between pixels, from its first byte on."""
        return (self.rows * self.columns * self.samples * self.allocated + 7) // 8


def image_facts(data: memoryview, start: int, encoding: Encoding) -> ImageFacts:
    """The image pixel module of a data set. Raises NotDecodable if it can't describe a picture."""
    shorts: dict[int, int] = {}
    photometric = ""
    order = "little" if encoding.little else "big"
    for element in _described(data, start, encoding):
        value = bytes(data[element.offset : element.offset + min(element.length, 64)])
        if element.tag == 0x00280004:
            photometric = value.decode("ascii", "replace").strip(" \0")
        elif len(value) >= 2:
            shorts.setdefault(element.tag, int.from_bytes(value[:2], order))  # type: ignore[arg-type]
    allocated = shorts.get(0x00280100, 0)
    facts = ImageFacts(
        shorts.get(0x00280010, 0),
        shorts.get(0x00280011, 0),
        shorts.get(0x00280002, 1),
        allocated,
        min(shorts.get(0x00280101) or allocated, allocated),
        shorts.get(0x00280103, 0) == 1,
        photometric or "MONOCHROME2",
        shorts.get(0x00280006, 0),
    )
    if not 0 < facts.rows * facts.columns * facts.samples <= MOST_SAMPLES or facts.samples > 4:
        raise NotDecodable("rows, columns and samples describe no picture that can be decoded here")
    return facts


def _described(data: memoryview, start: int, encoding: Encoding) -> Iterator[Element]:
    """The elements of group 0028; `data` may end where the pixel data begins."""
    try:
        for element in elements(data, start, len(data), encoding):
            if element.tag >= 0x00290000:
                return
            if element.tag >> 16 == 0x0028:
                yield element
    except Truncated:
        return


def decode(facts: ImageFacts, frame: bytes, syntax: str, *, strictly: bool = True) -> tuple[Words, str]:
    """(rows, columns, samples) unsigned words as wide as Bits Allocated, and their photometric interpretation.

    Samples that a codec keeps with fewer bits are widened with their sign. Colours become RGB where the codec transformed
    them (JPEG's YCbCr, the colour transforms of JPEG 2000); what was encoded as it is, stays (PS3.5 8.2).

    Some decoders fill the rest of a stream that is cut off, and say nothing: `strictly` refuses one that does not end.

    Raises:
        NotDecodable
    """
    if syntax == DEFLATED_FRAMES:
        frame = _inflated(facts, frame)
    if syntax in {DEFLATED_FRAMES, ENCAPSULATED_NATIVE}:
        return native_words(facts, frame)
    if facts.allocated not in {8, 16, 32}:
        raise NotDecodable("pixels of this width are not decoded here")
    if strictly and not _ends(frame, syntax):
        raise NotDecodable("a frame's compressed bytes are cut off")
    try:
        return _decode(facts, frame, syntax)
    except NotDecodable:
        raise
    except Exception as error:  # codecs raise what they like
        raise NotDecodable("a frame's compressed bytes are damaged") from error


def _decode(facts: ImageFacts, frame: bytes, syntax: str) -> tuple[Words, str]:
    word = np.dtype(f"<u{facts.allocated // 8}")
    photometric = _COLOUR.get(facts.photometric, facts.photometric)
    if syntax == RLE:
        planes = np.frombuffer(imagecodecs.dicomrle_decode(frame, word, out=facts.frame_bytes), word)
        return planes.reshape(facts.samples, facts.rows, facts.columns).transpose(1, 2, 0), photometric
    told = stream_facts(frame)
    if (told.rows, told.columns, told.samples) != facts.shape:
        raise NotDecodable("a frame's compressed bytes describe another picture than their header")
    if syntax in JPEG:
        pixels, photometric = _jpeg(facts, frame)
    elif syntax in JPEG_LOSSLESS:
        pixels = _lossless(facts, frame)
    elif syntax in JPEG_LS:
        pixels = imagecodecs.jpegls_decode(frame)
    elif syntax in JPEG_2000:
        pixels = imagecodecs.jpeg2k_decode(frame)
    elif syntax in HTJ2K:
        pixels = imagecodecs.htj2k_decode(frame, planar=False)
    else:
        raise NotDecodable("this transfer syntax is not decoded here")
    return _widened(facts, np.asarray(pixels).reshape(facts.shape), told), photometric


def _inflated(facts: ImageFacts, frame: bytes) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return stream.decompress(frame, facts.frame_bytes + 1)
    except zlib.error as error:
        raise NotDecodable("a frame's compressed bytes are damaged") from error


def _jpeg(facts: ImageFacts, frame: bytes) -> tuple[Words, str]:
    if facts.samples != 3:
        return imagecodecs.jpeg_decode(frame), facts.photometric
    in_stream = _coded_as(frame)
    is_ycc = facts.photometric.startswith("YBR") if in_stream is None else in_stream == "YBR"
    return imagecodecs.jpeg_decode(frame, colorspace="YCBCR" if is_ycc else "RGB", outcolorspace="RGB"), "RGB"


def _coded_as(frame: bytes) -> str | None:
    """How a JPEG stream of three components says its colours are coded; None if only the header can tell."""
    transform = _adobe_transform(frame)
    if transform is not None:
        return "YBR" if transform else "RGB"
    for marker, at, length in _segments(frame):
        if _is_frame(marker) and length >= 15:
            if frame[at + 6 : at + 15 : 3] == b"RGB":
                return "RGB"
            sampling = frame[at + 7 : at + 15 : 3]
            if len(set(sampling)) > 1:  # only colour differences are worth less than the rest
                return "YBR"
    return None


def _lossless(facts: ImageFacts, frame: bytes) -> Words:
    # libjpeg-turbo alone gets all of it right: wrapping predictors, point transforms, restarts, a scan for each component. The other
    # decoders at hand (liblj92, jpegsof3) give wrong samples for the last three, and say nothing.
    as_they_are = "RGB" if facts.samples == 3 else None
    return np.asarray(imagecodecs.jpeg8_decode(frame, colorspace=as_they_are, outcolorspace=as_they_are))


def _ends(frame: bytes, syntax: str) -> bool:
    """Whether a stream whose decoder would not notice has its end marker, which can't occur before in its data."""
    if syntax in HTJ2K:
        return b"\xff\xd9" in frame
    if syntax not in JPEG | JPEG_LOSSLESS:
        return True
    scan = next((at for marker, at, _length in _segments(frame) if marker == 0xDA), len(frame))
    return frame.find(b"\xff\xd9", scan) >= 0


def _widened(facts: ImageFacts, pixels: Words, told: StreamFacts) -> Words:
    """Words as wide as Bits Allocated, with the sign of Pixel Representation where the stream holds only Bits Stored."""
    bits, word = told.precision, np.dtype(f"<u{facts.allocated // 8}")
    if facts.samples > 1 or bits >= facts.allocated:
        return np.ascontiguousarray(pixels).astype(word, casting="unsafe", copy=False)
    wide = pixels.astype(np.int64)
    if facts.signed and not told.signed:
        limit = 1 << (min(bits, facts.stored) - 1)
        wide = np.where(wide >= limit, wide - 2 * limit, wide)
    elif told.signed and not facts.signed:
        wide &= (1 << facts.stored) - 1
    return wide.astype(word)


def _laid_out(facts: ImageFacts, words: Words) -> Words:
    """Native words as (rows, columns, samples), whatever the planar configuration."""
    if facts.samples > 1 and facts.planar == 1:
        return words.reshape(facts.samples, facts.rows, facts.columns).transpose(1, 2, 0)
    return words.reshape(facts.shape)


def native_words(facts: ImageFacts, frame: bytes) -> tuple[Words, str]:
    """A little endian native frame as `decode` gives it; its padding is left off.

    Bits of single-bit pixels come as bytes of 0 and 1; colours that pixels share are given to each. Raises NotDecodable.
    """
    pixels = facts.rows * facts.columns
    if facts.allocated == 1 and facts.samples == 1 and len(frame) >= facts.frame_bytes:
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little", count=pixels)
        return bits.reshape(facts.shape), facts.photometric
    if facts.allocated in {8, 16, 32, 64}:
        word = np.dtype(f"<u{facts.allocated // 8}")
        if len(frame) >= facts.frame_bytes:
            words = _laid_out(facts, np.frombuffer(frame, word, pixels * facts.samples))
            return words, _SHARED.get(facts.photometric, facts.photometric)
        if facts.photometric in _SHARED and facts.samples == 3 and len(frame) >= pixels * 2 * word.itemsize:
            return _unshared(facts, np.frombuffer(frame, word, pixels * 2))
    raise NotDecodable("this native frame is not one of whole words")


def _unshared(facts: ImageFacts, words: Words) -> tuple[Words, str]:
    if facts.columns % 2:
        raise NotDecodable("pixels of an odd row can't share their colours")
    return words.reshape(-1, 4)[:, [0, 2, 3, 1, 2, 3]].reshape(facts.shape), _SHARED[facts.photometric]


def native_bytes(facts: ImageFacts, words: Words) -> bytes:
    """(rows, columns, samples) words as a native little endian frame in the data set's planar configuration."""
    if facts.allocated == 1:
        return np.packbits(words.ravel(), bitorder="little").tobytes()
    if facts.samples > 1 and facts.planar == 1:
        words = words.transpose(2, 0, 1)
    return np.ascontiguousarray(words).tobytes()


def encode(facts: ImageFacts, words: Words, photometric: str, syntax: str) -> tuple[bytes, str]:
    """(compressed frame, photometric interpretation) without loss, in one of `ENCODABLE`.

    Raises:
        NotDecodable: pixels of a width that these codecs don't keep exactly.
    """
    if facts.allocated not in {8, 16} or photometric.startswith("YBR_PARTIAL"):
        raise NotDecodable("pixels of this width or colour are not compressed here")
    if syntax == RLE:
        return _rle(facts, words), photometric
    pixels = np.ascontiguousarray(words[..., 0] if facts.samples == 1 else words)
    if facts.signed:
        pixels = pixels.view(f"<i{facts.allocated // 8}")
    transformed = photometric == "RGB"
    least = min(facts.rows, facts.columns)
    levels = max(0, min(5, least.bit_length() - 6))
    if syntax == J2K_LOSSLESS:
        made: bytes | bytearray = imagecodecs.jpeg2k_encode(
            pixels, level=0, reversible=True, codecformat="J2K", mct=transformed, resolutions=levels + 1
        )
    elif syntax == HTJ2K_LOSSLESS:
        made = imagecodecs.htj2k_encode(
            pixels, reversible=True, planar=False, rgb=transformed if facts.samples > 1 else None, resolutions=levels
        )
    else:
        raise NotDecodable("this transfer syntax is not made here")
    return bytes(made), "YBR_RCT" if transformed else photometric


def _rle(facts: ImageFacts, words: Words) -> bytes:
    return bytes(
        RLELosslessEncoder.encode(
            np.ascontiguousarray(words).tobytes(),
            encoding_plugin="pydicom",
            rows=facts.rows,
            columns=facts.columns,
            number_of_frames=1,
            samples_per_pixel=facts.samples,
            bits_allocated=facts.allocated,
            bits_stored=facts.allocated,
            photometric_interpretation="RGB" if facts.samples == 3 else "MONOCHROME2",
            pixel_representation=int(facts.signed),
            planar_configuration=0,
        )
    )


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a compressed frame says of itself."""

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool


def stream_facts(frame: bytes) -> StreamFacts:
    """From the frame header (ITU T.81 B.2.2, T.87 C.2.2) or the SIZ segment (T.800 A.5.1). Raises NotDecodable."""
    if frame[:2] == b"\xff\xd8":
        return _jpeg_facts(frame)
    at = frame.find(b"\xff\x4f\xff\x51", 0, 4096)  # behind a JP2 header, or at once
    if at < 0 or len(frame) < at + 45:
        raise NotDecodable("a frame has no header that is known here")
    width, height, left, top = struct.unpack_from(">4I", frame, at + 8)
    samples, size = struct.unpack_from(">HB", frame, at + 40)
    return StreamFacts(height - top, width - left, samples, (size & 0x7F) + 1, bool(size & 0x80))


def _segments(frame: bytes) -> list[tuple[int, int, int]]:
    """(marker, offset of its content, length of its content) up to the first scan."""
    found, at = [], 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        found.append((marker, at + 4, length - 2))
        if marker == 0xDA or length < 2:
            break
        at += 2 + length
    return found


def _jpeg_facts(frame: bytes) -> StreamFacts:
    for marker, at, length in _segments(frame):
        if _is_frame(marker) and length >= 6 and at + 6 <= len(frame):
            precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at)
            return StreamFacts(rows, columns, samples, precision, signed=False)
    raise NotDecodable("a frame has no header that is known here")


def _is_frame(marker: int) -> bool:
    """Whether a marker begins a frame header (ITU T.81 Table B.1, T.87 C.1.1)."""
    return (0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}) or marker == 0xF7


def _adobe_transform(frame: bytes) -> int | None:
    for marker, at, length in _segments(frame):
        if marker == 0xEE and length >= 12 and frame[at : at + 5] == b"Adobe":
            return frame[at + 11]
    return None
