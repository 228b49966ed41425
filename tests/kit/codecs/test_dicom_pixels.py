"""Frames whose samples are known because they were made so: codecs, signs, colours, bits and byte order."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from heliograph.kit.codecs.dicom import FrameTable, frame_table
from heliograph.kit.codecs.dicom.frames import read_little_frame
from heliograph.kit.codecs.dicom.pixels import ENCODABLE, ImageFacts, NotDecodable, decode, encode, native_words
from heliograph.kit.codecs.dicom.transcode import transcoded
from tests.kit.codecs import dicom_bytes as wire
from tests.kit.codecs.jpeg_lossless import lossless_jpeg, wrapped_example
from tests.kit.codecs.test_dicom_transcode import compressed, ct, part10

_4 = "1.2.840.10008.1.2.4."
EVLE, BIG = str(ExplicitVRLittleEndian), str(ExplicitVRBigEndian)
RNG = np.random.default_rng(7)


def facts(
    samples: NDArray[Any], stored: int, photometric: str = "", *, signed: bool = False, planar: int = 0
) -> ImageFacts:
    rows, columns, count = samples.shape if samples.ndim == 3 else (*samples.shape, 1)
    named = photometric or ("RGB" if count == 3 else "MONOCHROME2")
    return ImageFacts(
        rows, columns, count, samples.itemsize * 8, stored, signed=signed, photometric=named, planar=planar
    )


def of(samples: NDArray[Any]) -> NDArray[Any]:
    return samples[..., None] if samples.ndim == 2 else samples


def native(file: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(b"".join(transcoded(file, EVLE))))


# ------------------------------------------------------------------ lossless JPEG


def test_a_predictor_wraps_modulo_65536() -> None:
    """F01: 128 after 52 coded as -180."""
    stream, samples = wrapped_example()
    for syntax in (f"{_4}57", f"{_4}70"):
        assert np.array_equal(decode(facts(samples, 8), stream, syntax)[0], of(samples))


@pytest.mark.parametrize("precision", [2, 4, 8, 9, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_each_predictor_at_each_precision(precision: int, predictor: int) -> None:
    """F01: all selection values of process 14, the long way round too; and a restart at every second row."""
    samples = RNG.integers(0, 1 << precision, (11, 13)).astype(np.uint8 if precision <= 8 else np.uint16)
    for more in ({}, {"long_way": True}, {"restart_rows": 2}):
        stream = lossless_jpeg(samples, precision=precision, predictor=predictor, **more)
        assert np.array_equal(decode(facts(samples, precision), stream, f"{_4}57")[0], of(samples)), more


def test_the_greatest_difference_has_a_category_of_its_own() -> None:
    """F01: 32768 is coded without further bits (T.81 Table H.2)."""
    samples = np.array([[0, 32768, 0, 32768], [65535, 32767, 1, 0]], np.uint16)
    for predictor in range(1, 8):
        stream = lossless_jpeg(samples, precision=16, predictor=predictor)
        assert np.array_equal(decode(facts(samples, 16), stream, f"{_4}70")[0], of(samples))


def test_a_point_transform_is_undone() -> None:
    samples = RNG.integers(0, 4096, (9, 8)).astype(np.uint16)
    made = decode(facts(samples, 12), lossless_jpeg(samples, precision=12, predictor=4, shift=2), f"{_4}57")[0]
    assert np.array_equal(made[..., 0], samples >> 2 << 2)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_colours_in_one_scan_or_in_three(precision: int, interleaved: bool) -> None:
    """No colour is converted, whatever the header calls them; three scans are three planes."""
    rgb = RNG.integers(0, 1 << precision, (7, 9, 3)).astype(np.uint8 if precision == 8 else np.uint16)
    stream = lossless_jpeg(rgb, precision=precision, predictor=4, interleaved=interleaved)
    for photometric, told in (("RGB", "RGB"), ("YBR_FULL", "YBR_FULL"), ("YBR_FULL_422", "YBR_FULL")):
        words, made = decode(facts(rgb, precision, photometric), stream, f"{_4}57")
        assert (made, np.array_equal(words, rgb)) == (told, True)


# ------------------------------------------------------------------ streams that are cut off


GREY = (np.cumsum(RNG.integers(-30, 31, (64, 64)), axis=1) + 2000).clip(0, 4095).astype(np.uint16)


@pytest.mark.parametrize(
    ("syntax", "stream"),
    [
        (f"{_4}50", lambda: bytes(imagecodecs.jpeg8_encode((GREY >> 4).astype(np.uint8), level=90))),
        (f"{_4}70", lambda: lossless_jpeg(GREY, precision=12)),
        (f"{_4}80", lambda: bytes(imagecodecs.jpegls_encode(GREY))),
        (f"{_4}90", lambda: encode(facts(GREY, 12), of(GREY), "MONOCHROME2", f"{_4}90")[0]),
        (f"{_4}201", lambda: encode(facts(GREY, 12), of(GREY), "MONOCHROME2", f"{_4}201")[0]),
        ("1.2.840.10008.1.2.5", lambda: encode(facts(GREY, 12), of(GREY), "MONOCHROME2", "1.2.840.10008.1.2.5")[0]),
    ],
)
def test_a_stream_that_is_cut_off_is_never_made_whole(syntax: str, stream: Any) -> None:
    """Decoders that fill the rest say nothing; a lossless copy of that would be a lie. A picture may show what there is."""
    whole = stream()
    told = facts(GREY if syntax != f"{_4}50" else (GREY >> 4).astype(np.uint8), 12 if syntax != f"{_4}50" else 8)
    decode(told, whole, syntax)
    for kept in (len(whole) // 3, len(whole) * 3 // 4, len(whole) - 30):
        with pytest.raises(NotDecodable):
            decode(told, whole[:kept], syntax)
    if syntax in {f"{_4}50", f"{_4}70", f"{_4}201"}:
        decode(told, whole[: len(whole) * 3 // 4], syntax, strictly=False)


# ------------------------------------------------------------------ signs and precision


@pytest.mark.parametrize("syntax", [f"{_4}90", f"{_4}70"])
@pytest.mark.parametrize("stored", [10, 13, 16])
def test_negative_values_in_streams_that_know_no_sign(syntax: str, stored: int) -> None:
    """F02: Pixel Representation 1, a stream of Bits Stored bits in two's complement."""
    low = -(1 << (stored - 1))
    values = RNG.integers(low, -low, (16, 12)).astype(np.int16)
    values[0, :2] = low, -low - 1
    raw = (values.view(np.uint16) & ((1 << stored) - 1)).astype(np.uint16)
    if syntax == f"{_4}70":
        stream = lossless_jpeg(raw, precision=stored)
    else:
        stream = bytes(
            imagecodecs.jpeg2k_encode(raw, level=0, reversible=True, codecformat="J2K", bitspersample=stored)
        )
    words, _ = decode(facts(values, stored, signed=True), stream, syntax)
    assert np.array_equal(words[..., 0].view("<i2"), values)


@pytest.mark.parametrize("target", ENCODABLE)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_what_we_compress_is_read_by_us_and_by_the_header(target: str, dtype: type) -> None:
    """Every bit pattern comes back, old overlays above Bits Stored too."""
    info = np.iinfo(dtype)
    values = RNG.integers(info.min, info.max, (40, 33), endpoint=True, dtype=dtype)
    file = part10(ct(values, BitsStored=info.bits - 4, HighBit=info.bits - 5), EVLE)
    made = b"".join(transcoded(file, target))
    assert native(made).PixelData == values.tobytes() + b"\0" * (values.nbytes % 2)


# ------------------------------------------------------------------ colours


def coloured(rgb: NDArray[Any], photometric: str, stream: bytes, syntax: str = f"{_4}50", planar: int = 0) -> Dataset:
    ds = ct(rgb, PhotometricInterpretation=photometric, PlanarConfiguration=planar)
    return native(compressed(ds, stream, syntax))


SMOOTH = np.stack(
    [np.add.outer(np.arange(32) * 3, np.arange(32) * 2), np.full((32, 32), 90), np.add.outer(np.arange(32), np.arange(32) * 5)], axis=-1
).clip(0, 255).astype(np.uint8)  # fmt: skip


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422", "YBR_ICT", "RGB"])
def test_jpeg_colours_are_converted_once(photometric: str, subsampling: str) -> None:
    """F06: a header that says RGB of a stream with fewer colour samples is wrong: only colour differences are worth less."""
    stream = bytes(
        imagecodecs.jpeg8_encode(SMOOTH, level=100, subsampling=subsampling, colorspace="RGB", outcolorspace="YCBCR")
    )
    made = coloured(SMOOTH, photometric, stream)
    assert made.PhotometricInterpretation == "RGB"
    error = np.abs(made.pixel_array.astype(int) - SMOOTH)
    if photometric == "RGB" and subsampling == "444":
        assert error.max() > 50  # nothing contradicts the header: what it calls RGB stays as it is
    else:
        assert (error.max() <= 12, error.mean() < 1.5) == (True, True)


def test_an_rgb_stream_says_so_itself() -> None:
    """Component names R, G, B, or Adobe's transform 0, know better than a header that says YBR_FULL."""
    stream = bytearray(imagecodecs.jpeg8_encode(SMOOTH, level=100, colorspace="RGB", outcolorspace="RGB"))
    made = coloured(SMOOTH, "YBR_FULL", bytes(stream))
    assert np.abs(made.pixel_array.astype(int) - SMOOTH).max() <= 4


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    ("transformed", "photometric", "told"),
    [
        (True, "YBR_RCT", "RGB"),
        (False, "YBR_FULL", "YBR_FULL"),
        (False, "RGB", "RGB"),
        (False, "YBR_FULL_422", "YBR_FULL"),
    ],
)
def test_jpeg_2000_colours(transformed: bool, photometric: str, told: str, planar: int) -> None:
    """F06: the codec's transform is undone and no other; a wrong planar configuration lays out, but mixes nothing."""
    stream = bytes(imagecodecs.jpeg2k_encode(SMOOTH, level=0, reversible=True, codecformat="J2K", mct=transformed))
    made = coloured(SMOOTH, photometric, stream, f"{_4}90", planar)
    assert made.PhotometricInterpretation == told
    laid_out = SMOOTH.transpose(2, 0, 1) if planar else SMOOTH
    assert made.PixelData == np.ascontiguousarray(laid_out).tobytes()


SHARED = bytes([10, 20, 100, 200, 30, 40, 110, 210, 50, 60, 120, 220, 70, 80, 130, 230])
UNSHARED = [
    [10, 100, 200],
    [20, 100, 200],
    [30, 110, 210],
    [40, 110, 210],
    [50, 120, 220],
    [60, 120, 220],
    [70, 130, 230],
    [80, 130, 230],
]


def test_native_colours_that_two_pixels_share() -> None:
    """F06: 2 by 4 pixels of YBR_FULL_422 are 16 bytes; compressed, each pixel has its own."""
    blank = np.zeros((2, 4, 3), np.uint8)
    words, told = native_words(facts(blank, 8, "YBR_FULL_422"), SHARED)
    assert (words.reshape(8, 3).tolist(), told) == (UNSHARED, "YBR_FULL")
    file = part10(ct(blank, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0, PixelData=SHARED), EVLE)
    for target in ENCODABLE:
        made = native(b"".join(transcoded(file, target)))
        assert (made.PhotometricInterpretation, made.PixelData) == ("YBR_FULL", bytes(np.ravel(UNSHARED).tolist()))


def test_colours_that_only_say_that_they_are_shared() -> None:
    """F06: a decompressor left YBR_FULL_422 above pixels of three samples each."""
    full = bytes(np.ravel(UNSHARED).tolist())
    for frames in (1, 2):
        ds = ct(
            np.zeros((2, 4, 3), np.uint8),
            PhotometricInterpretation="YBR_FULL_422",
            PixelData=full * frames,
            NumberOfFrames=frames,
        )
        table = frame_table(part10(ds, EVLE))
        assert table is not None
        assert (table.frame_bits, table.frames, table.complete) == (24 * 8, frames, True)
    assert (
        native_words(facts(np.zeros((2, 4, 3), np.uint8), 8, "YBR_FULL_422"), full)[0].reshape(8, 3).tolist()
        == UNSHARED
    )


# ------------------------------------------------------------------ bits, deflated frames, uncompressed fragments


def frames_of(file: bytes, bits: int | None) -> list[bytes]:
    table = frame_table(file)
    assert table is not None
    assert FrameTable.from_bytes(table.to_bytes()) == table
    return [
        read_little_frame(table, n, bits, lambda at, length: file[at : at + length]) for n in range(1, table.frames + 1)
    ]


def test_deflated_frames_of_single_bits() -> None:
    """PS3.5 8.2.16: each frame begins a byte; natively the frames are packed without regard to bytes (F12)."""
    bits = RNG.integers(0, 2, (8, 13, 12)).astype(np.uint8)
    fragments = []
    for frame in bits:
        deflate = zlib.compressobj(wbits=-15)
        raw = deflate.compress(np.packbits(frame.ravel(), bitorder="little").tobytes()) + deflate.flush()
        fragments.append(raw + b"\0" * (len(raw) % 2))
    body = wire.data_set(*wire.image(13, 12, 8, 1)) + wire.encapsulated(fragments)
    made = native(wire.file(body, "1.2.840.10008.1.2.8.1"))
    assert made.PixelData == np.packbits(bits.ravel(), bitorder="little").tobytes()


def test_a_deflated_frame_never_fills_more_than_a_frame() -> None:
    bomb = zlib.compressobj(wbits=-15)
    raw = bomb.compress(bytes(50 << 20)) + bomb.flush()
    body = wire.data_set(*wire.image(64, 64)) + wire.encapsulated([raw + b"\0" * (len(raw) % 2)])
    assert native(wire.file(body, "1.2.840.10008.1.2.8.1")).PixelData == bytes(64 * 64 * 2)


def test_uncompressed_fragments_of_odd_length_lose_their_padding() -> None:
    rgb = RNG.integers(0, 256, (3, 3, 3, 3)).astype(np.uint8)
    ds = ct(rgb[0], NumberOfFrames=3, PlanarConfiguration=0)
    ds.PixelData = encapsulate([frame.tobytes() for frame in rgb])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    file = part10(ds, "1.2.840.10008.1.2.1.98")
    assert frames_of(file, 8) == [frame.tobytes() for frame in rgb]
    assert native(file).PixelData == rgb.tobytes() + b"\0"


# ------------------------------------------------------------------ big endian


def big(pixels: bytes, vr: str, bits: int, rows: int, columns: int, frames: int) -> bytes:
    """Explicit VR Big Endian by hand: pixel data as it stands in the file."""
    made = b""
    for tag, kind, value in (
        (0x00080016, "UI", wire.CT.encode()),
        (0x00080018, "UI", b"1.2.3"),
        (0x00280002, "US", struct.pack(">H", 1)),
        (0x00280004, "CS", b"MONOCHROME2"),
        (0x00280008, "IS", str(frames).encode()),
        (0x00280010, "US", struct.pack(">H", rows)),
        (0x00280011, "US", struct.pack(">H", columns)),
        (0x00280100, "US", struct.pack(">H", bits)),
        (0x00280101, "US", struct.pack(">H", bits)),
        (0x00280103, "US", struct.pack(">H", 0)),
    ):
        padded = value + (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
        made += struct.pack(">HH2sH", tag >> 16, tag & 0xFFFF, kind.encode(), len(padded)) + padded
    made += struct.pack(">HH2s2xI", 0x7FE0, 0x0010, vr.encode(), len(pixels)) + pixels
    return wire.file(made, BIG)


@pytest.mark.parametrize("target", [EVLE, *ENCODABLE])
def test_big_endian_bytes_in_words_that_frames_share(target: str) -> None:
    """B15: three frames of 3 by 3 bytes in OW: words of two are turned, across the bounds of frames."""
    samples = np.arange(27, dtype=np.uint8)
    turned = np.append(samples, np.uint8(0)).reshape(-1, 2)[:, ::-1].tobytes()
    file = big(turned, "OW", 8, 3, 3, 3)
    assert frames_of(file, 8) == [samples[k : k + 9].tobytes() for k in (0, 9, 18)]
    assert native(b"".join(transcoded(file, target))).PixelData[:27] == samples.tobytes()
    as_bytes = big(samples.tobytes() + b"\0", "OB", 8, 3, 3, 3)
    assert frames_of(as_bytes, 8) == [samples[k : k + 9].tobytes() for k in (0, 9, 18)]


@pytest.mark.parametrize("target", [EVLE, *ENCODABLE])
def test_a_big_endian_ramp_stays_a_ramp(target: str) -> None:
    """B15: pixel 1 must not become 256."""
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    file = big(ramp.astype(">u2").tobytes(), "OW", 16, 64, 64, 1)
    assert native(b"".join(transcoded(file, target))).PixelData == ramp.tobytes()


def test_big_endian_bits_in_words() -> None:
    """F12, B15: frames of 13 by 12 bits in OW."""
    bits = RNG.integers(0, 2, (8, 156)).astype(np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little")
    file = big(packed.reshape(-1, 2)[:, ::-1].tobytes(), "OW", 1, 13, 12, 8)
    for expected, frame in zip(bits, frames_of(file, 1), strict=True):
        assert np.array_equal(np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little", count=156), expected)


# ------------------------------------------------------------------ frames without a number


def test_rle_frames_are_counted_by_their_fragments() -> None:
    """B17, F04: without a number of frames and without offsets, each RLE fragment is a frame (PS3.5 A.4.2)."""
    file = wire.file(
        wire.data_set(*wire.image(2, 2, None, 8)) + wire.encapsulated([b"1111", b"2222"]), "1.2.840.10008.1.2.5"
    )
    table = frame_table(file)
    assert table is not None
    assert (table.frames, table.complete) == (2, True)
