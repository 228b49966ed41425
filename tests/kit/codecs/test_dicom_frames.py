"""Frame tables: native, bit-packed and encapsulated, with and without offset tables (field reports F04, F12, B17)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from heliograph.kit.codecs.dicom import FrameMissing, FrameTable, frame_table, read_frame
from tests.kit.codecs.dicom_bytes import data_set, element, encapsulated, file, image, text

JPEG = b"\xff\xd8\xff\xe0"
RLE = "1.2.840.10008.1.2.5"
BASELINE = "1.2.840.10008.1.2.4.50"


def _frames(content: bytes) -> list[bytes | None]:
    table = frame_table(content)
    assert table is not None
    assert FrameTable.from_bytes(table.to_bytes()) == table
    made: list[bytes | None] = []
    for number in range(1, table.frames + 1):
        try:
            made.append(read_frame(table, number, lambda at, length: content[at : at + length]))
        except FrameMissing:
            made.append(None)
    assert table.complete is (None not in made)
    return made


def _encapsulated(
    frames: int, fragments: list[bytes], offsets: tuple[int, ...] = (), syntax: str = BASELINE, *more: bytes
) -> list[bytes | None]:
    pixels = encapsulated(fragments, list(offsets))
    return _frames(file(data_set(*image(2, 2, frames, 8), *more) + pixels, syntax))


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "examples_ybr_color.dcm", "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm"]
)
def test_it_works_as_pydicom_does(name: str) -> None:
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"pydicom does not ship {name}")
    content = Path(str(found)).read_bytes()
    ds = pydicom.dcmread(str(found))
    count = int(getattr(ds, "NumberOfFrames", 1))
    assert _frames(content) == list(generate_frames(ds.PixelData, number_of_frames=count))


def test_native_frames() -> None:
    pixels = bytes(range(96))
    assert _frames(file(data_set(*image(4, 4, 3)) + element(0x7FE00010, "OW", pixels))) == [
        pixels[:32],
        pixels[32:64],
        pixels[64:],
    ]


def test_native_frames_that_are_cut_off_cost_only_themselves() -> None:
    """Field report B17."""
    content = file(data_set(*image(4, 4, 3)) + element(0x7FE00010, "OW", bytes(94)))
    assert _frames(content) == [bytes(32), bytes(32), None]


@pytest.mark.parametrize(("declared", "frames"), [("", 3), ("0", 3), ("rubbish", 3), ("2", 2)])
def test_the_number_of_frames_may_be_missing_or_wrong(declared: str, frames: int) -> None:
    """Field report B17."""
    body = data_set(*image(4, 4), text(0x00280008, "IS", declared))
    assert len(_frames(file(body + element(0x7FE00010, "OW", bytes(96))))) == frames


def test_ybr_full_422_shares_colour_samples() -> None:
    parts = [part for part in image(2, 4, None, 8) if part[:4] not in (b"\x28\0\x02\0", b"\x28\0\x04\0")]
    body = data_set(*parts, element(0x00280002, "US", struct.pack("<H", 3)), text(0x00280004, "CS", "YBR_FULL_422"))
    assert _frames(file(body + element(0x7FE00010, "OB", bytes(range(16))))) == [bytes(range(16))]


def test_segmentation_frames_are_not_byte_aligned() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (8, 13 * 12)).astype(np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    assert len(packed) == 156
    frames = _frames(file(data_set(*image(13, 12, 8, 1)) + element(0x7FE00010, "OB", packed)))
    for expected, frame in zip(bits, frames, strict=True):
        assert frame is not None
        unpacked = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        assert (unpacked[: 13 * 12] == expected).all()
        assert not unpacked[13 * 12 :].any()


def test_one_fragment_a_frame_without_offset_table() -> None:
    assert _encapsulated(2, [JPEG + b"1111", JPEG + b"2222"]) == [JPEG + b"1111", JPEG + b"2222"]


def test_all_fragments_are_the_only_frame() -> None:
    assert _encapsulated(1, [JPEG, b"aaaa", b"bbbb"]) == [JPEG + b"aaaabbbb"]


def test_fragments_are_grouped_by_the_offset_table() -> None:
    fragments = [JPEG, b"aaaa", JPEG, b"bbbb"]
    assert _encapsulated(2, fragments, (0, 24)) == [JPEG + b"aaaa", JPEG + b"bbbb"]


@pytest.mark.parametrize("offsets", [(), (0, 25), (0, 8), (0,), (8, 24), (0, 4000)])
def test_a_wrong_or_empty_offset_table_falls_back_to_stream_beginnings(offsets: tuple[int, ...]) -> None:
    fragments = [JPEG, b"aaaa", JPEG, b"bbbb"]
    assert _encapsulated(2, fragments, offsets) == [JPEG + b"aaaa", JPEG + b"bbbb"]


def test_too_few_streams_are_an_error_for_the_missing_frame() -> None:
    assert _encapsulated(3, [JPEG, b"aaaa", JPEG, b"bbbb"]) == [JPEG + b"aaaa", JPEG + b"bbbb", None]


def test_more_streams_than_frames_are_not_guessed() -> None:
    assert _encapsulated(2, [JPEG, JPEG, JPEG]) == [None, None]


def test_rle_has_one_fragment_a_frame_and_no_beginnings() -> None:
    assert _encapsulated(3, [b"1111", b"2222"], (), RLE) == [b"1111", b"2222", None]
    assert _encapsulated(2, [b"1111", b"2222", b"3333"], (), RLE) == [None, None]


def test_the_extended_offset_table_gives_exact_lengths() -> None:
    extended = element(0x7FE00001, "OV", struct.pack("<2Q", 0, 16))
    lengths = element(0x7FE00002, "OV", struct.pack("<2Q", 7, 8))
    body = data_set(*image(2, 2, 2, 8)) + extended + lengths
    content = file(body + encapsulated([JPEG + b"111\0", JPEG + b"2222"]), BASELINE)
    assert _frames(content) == [JPEG + b"111", JPEG + b"2222"]


def test_video_is_one_stream() -> None:
    content = file(data_set(*image(2, 2, 50, 8)) + encapsulated([b"aaaa", b"bbbb"]), "1.2.840.10008.1.2.4.102")
    table = frame_table(content)
    assert table is not None
    assert (table.kind, table.frames) == ("stream", 50)
    assert read_frame(table, 7, lambda at, length: content[at : at + length]) == b"aaaabbbb"


def test_a_frame_that_the_object_does_not_have() -> None:
    table = frame_table(file(data_set(*image(4, 4, 1)) + element(0x7FE00010, "OW", bytes(32))))
    assert table is not None
    for number in (0, 2, -1):
        with pytest.raises(FrameMissing):
            table.locate(number)


def test_no_pixels_no_table() -> None:
    assert frame_table(file(data_set())) is None
