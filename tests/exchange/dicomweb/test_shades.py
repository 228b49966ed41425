"""Pictures against the formulas of PS3.3, written out here for each pixel: one sample, tables, palettes, colours, and broken headers."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from heliograph.exchange.dicomweb.luts import palette_in, table_in
from heliograph.exchange.dicomweb.render import NotRenderable, drawn, header_of
from heliograph.exchange.dicomweb.render_options import Picture, Window
from heliograph.kit.codecs.dicom import frame_table
from heliograph.kit.codecs.dicom.frames import read_little_frame
from tests.kit.codecs.dicom_bytes import text
from tests.kit.codecs.test_dicom_transcode import ct, part10

EVLE = str(ExplicitVRLittleEndian)
PACKAGED = Path(data_store.__file__).parent / "data"
RAMP = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


def picture(file: bytes, number: int = 1, window: Window | None = None) -> NDArray[Any]:
    table = frame_table(file)
    assert table is not None
    dataset = header_of(file[: table.first])
    frame = read_little_frame(table, number, dataset.get("BitsAllocated"), lambda at, length: file[at : at + length])
    return np.asarray(drawn(dataset, frame, table.transfer_syntax_uid, Picture(window), number=number))


def shade(x: float, center: float, width: float, function: str) -> float:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3 with output from 0 to 255."""
    if function == "sigmoid":
        return 255 / (1 + np.exp(-4 * (x - center) / width))
    if function == "linear-exact":
        if x <= center - width / 2:
            return 0.0
        return 255.0 if x > center + width / 2 else ((x - center) / width + 0.5) * 255
    if x <= center - 0.5 - (width - 1) / 2:
        return 0.0
    if x > center - 0.5 + (width - 1) / 2:
        return 255.0
    return ((x - (center - 0.5)) / (width - 1) + 0.5) * 255


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, -1024), (-2, 17)])
@pytest.mark.parametrize(
    ("function", "center", "width"),
    [
        ("linear", 40, 400),
        ("linear", 0, 1),
        ("linear", 100.5, 2),
        ("linear-exact", 40, 400),
        ("linear-exact", 0.25, 0.5),
        ("sigmoid", -300, 900),
    ],
)
def test_each_function_pixel_by_pixel(
    function: Any, center: float, width: float, slope: float, intercept: float, photometric: str
) -> None:
    """F08: a width of 1, and MONOCHROME1 white at its least value after the window; by the object's window and by the caller's."""
    ds = ct(
        RAMP,
        BitsStored=12,
        HighBit=11,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        PhotometricInterpretation=photometric,
    )
    asked = picture(part10(ds, EVLE), window=Window(center, width, function))
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = [center, 1], [width, 2], FUNCTIONS[function]
    own = picture(part10(ds, EVLE))
    expected = np.array([shade(slope * float(x) + intercept, center, width, function) for x in RAMP.ravel()])
    expected = expected if photometric == "MONOCHROME2" else 255 - expected
    assert np.abs(own.ravel() - expected).max() <= 0.51
    assert np.array_equal(asked, own)


@pytest.mark.parametrize("syntax", [EVLE, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("width", [0, -5, 0.5])
def test_a_window_of_no_width_is_none(width: float, syntax: str) -> None:
    """F08: WW <= 0 is ignored, as is a linear one below 1."""
    pixels = RAMP.astype(">i2") if syntax == ExplicitVRBigEndian else RAMP
    ds = ct(RAMP, WindowCenter=0, WindowWidth=width, PixelData=pixels.tobytes())
    made = picture(part10(ds, syntax)).ravel().astype(int)
    assert (made[0], made[-1], bool((np.diff(made) >= 0).all())) == (0, 255, True)


def test_padding_says_nothing_about_contrast() -> None:
    """C.7.5.1.1.2: -2000 to -1990 around a picture of 0 to 100."""
    values = np.full((64, 64), -2000, np.int16)
    values[::7] = -1990
    values[:, 16:] = np.arange(48) * 100 // 47
    ds = ct(values, PixelPaddingValue=-2000)
    assert picture(part10(ds, EVLE))[1, 16:].max() - int(picture(part10(ds, EVLE))[1, 16]) < 40
    ds.PixelPaddingRangeLimit = -1990
    made = picture(part10(ds, EVLE))[1]
    assert (made[0], made[16], made[-1]) == (0, 0, 255)


def test_enhanced_frames_have_their_own_rescaling_and_window() -> None:
    """F10: frames in an order of their own; each is shown with what stands in its place, not in its neighbour's."""
    ds = ct(np.tile(RAMP, (1, 1)), NumberOfFrames=3, PixelData=RAMP.tobytes() * 3)
    shared, groups = Dataset(), []
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = 0, 100
    shared.FrameVOILUTSequence = Sequence([voi])
    for intercept in (1000, -500, 0):
        rescale, group = Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, intercept, "HU"
        group.PixelValueTransformationSequence = Sequence([rescale])
        groups.append(group)
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(groups)
    for number, intercept in enumerate((1000, -500, 0), 1):
        expected = [shade(float(x) + intercept, 0, 100, "linear") for x in RAMP.ravel()]
        assert np.abs(picture(part10(ds, EVLE), number).ravel() - expected).max() <= 0.51


# ------------------------------------------------------------------ tables


def table(first: int, entries: list[int], bits: int, *, as_bytes: bool = False) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first % 65536, bits])
    item.LUTData = struct.pack(f"<{len(entries)}H", *entries) if as_bytes else entries
    item["LUTData"].VR = "OW" if as_bytes else "US"
    return item


@pytest.mark.parametrize("as_bytes", [True, False])
@pytest.mark.parametrize("syntax", [EVLE, ImplicitVRLittleEndian])
def test_modality_and_voi_tables(syntax: str, as_bytes: bool) -> None:
    """C.11.1, C.11.2: inputs beyond either end get the entry there; the first input may be negative, though written as unsigned."""
    stored = list(range(0, 4000, 20))
    ds = ct(RAMP, BitsStored=12, HighBit=11)
    ds.ModalityLUTSequence = Sequence([table(-100, stored, 16, as_bytes=as_bytes)])
    ds.VOILUTSequence = Sequence([table(1000, [0, 1023, 4095], 12, as_bytes=as_bytes)])
    modality = [stored[min(max(x + 100, 0), 199)] for x in RAMP.ravel().tolist()]
    expected = [[0, 1023, 4095][min(max(m - 1000, 0), 2)] / 4095 * 255 for m in modality]
    assert np.abs(picture(part10(ds, syntax)).ravel() - expected).max() <= 0.51
    # The caller's window is of the modality's output, and takes the table's place.
    made = picture(part10(ds, syntax), window=Window(2000, 1000))
    assert np.abs(made.ravel() - [shade(m, 2000, 1000, "linear") for m in modality]).max() <= 0.51


def test_packaged_tables() -> None:
    """Modality and VOI tables of real files, looked up here from their bytes."""
    ds = pydicom.dcmread(PACKAGED / "vlut_04.dcm")
    item = ds.VOILUTSequence[0]
    count, first, bits = item.LUTDescriptor
    entries = np.asarray(item.LUTData if not isinstance(item.LUTData, bytes) else np.frombuffer(item.LUTData, "<u2"))
    expected = entries[np.clip(ds.pixel_array.astype(int) - first, 0, (count or 65536) - 1)] / ((1 << bits) - 1) * 255
    made = picture((PACKAGED / "vlut_04.dcm").read_bytes())
    assert np.abs(made - expected).max() <= 0.51
    ds = pydicom.dcmread(PACKAGED / "mlut_18.dcm")
    item = ds.ModalityLUTSequence[0]
    count, first, _bits = item.LUTDescriptor
    entries = np.asarray(item.LUTData if not isinstance(item.LUTData, bytes) else np.frombuffer(item.LUTData, "<u2"))
    values = entries[np.clip(ds.pixel_array.astype(int) - first, 0, (count or 65536) - 1)]
    window = Window(float(np.median(values)), 500)
    made = picture((PACKAGED / "mlut_18.dcm").read_bytes(), window=window)
    one_by_one = np.vectorize(lambda x: shade(x, window.center, window.width, "linear"))(values)
    assert np.abs(made - one_by_one).max() <= 0.51


# ------------------------------------------------------------------ palettes


def palette(ds: Dataset, first: int, channels: list[list[int]], bits: int, *, words: bool = False) -> Dataset:
    for name, entries in zip(("Red", "Green", "Blue"), channels, strict=True):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [len(entries) % 65536, first, bits])
        packed = struct.pack(f"<{len(entries)}{'H' if bits > 8 or words else 'B'}", *entries)
        setattr(ds, f"{name}PaletteColorLookupTableData", packed + b"\0" * (len(packed) % 2))
    ds.PhotometricInterpretation = "PALETTE COLOR"
    return ds


@pytest.mark.parametrize(("bits", "words", "scale"), [(8, False, 1), (8, True, 1), (16, False, 256), (16, False, 1)])
def test_palettes_of_8_and_16_bits(bits: int, words: bool, scale: int) -> None:
    """C.7.6.3.1.5; 8 bits in words, and 16 that hold only 8, are as common as they are wrong."""
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = [[k * scale for k in range(200)], [(199 - k) * scale for k in range(200)], [7 * scale] * 200]
    made = picture(part10(palette(ct(indices), 20, colours, bits, words=words), EVLE))
    expected = [[k, 199 - k, 7] for k in (min(max(int(i) - 20, 0), 199) for i in indices.ravel())]
    assert np.array_equal(made.reshape(-1, 3), expected)


def test_a_palette_of_negative_indices() -> None:
    """Pixel Representation 1: the first index is -10."""
    indices = np.arange(-12, 13, dtype=np.int16).reshape(5, 5)
    ds = ct(indices)
    for name in ("Red", "Green", "Blue"):
        ds.add_new(f"{name}PaletteColorLookupTableDescriptor", "SS", [20, -10, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", struct.pack("<20H", *range(0, 20 * 2560, 2560)))
    ds.PhotometricInterpretation = "PALETTE COLOR"
    expected = [min(max(i + 10, 0), 19) * 10 for i in indices.ravel().tolist()]
    assert picture(part10(ds, EVLE))[..., 0].ravel().tolist() == expected


@pytest.mark.parametrize("bits", [8, 16])
def test_segmented_palettes(bits: int) -> None:
    """C.7.9.2: discrete, linear and indirect segments; an indirect one names its beginning in bytes."""
    width, unit = bits // 8, 1 if bits == 8 else 256
    codes = [0, 2, 10 * unit, 20 * unit, 1, 5, 70 * unit, 2, 1]
    tail = struct.pack("<I", 4 * width)  # again the linear segment, now from 70 to 70
    packed = struct.pack(f"<{len(codes)}{'B' if bits == 8 else 'H'}", *codes) + tail
    ds = Dataset()
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [12, 0, bits])
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", packed + b"\0" * (len(packed) % 2))
    tables = palette_in(ds, signed=False)
    assert tables is not None
    assert tables[0].entries.tolist() == [10, 20, 30, 40, 50, 60, 70, 70, 70, 70, 70, 70]


def test_a_segmented_palette_that_repeats_itself_comes_to_an_end() -> None:
    ds = Dataset()
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [0, 0, 16])
        codes = [0, 1, 5] + [2, 0xFFFF, 0, 0] * 200 + [1, 0xFFFF, 9] * 200
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", struct.pack(f"<{len(codes)}H", *codes))
    tables = palette_in(ds, signed=False)
    assert tables is not None
    assert all(len(one.entries) <= 65536 for one in tables)


@pytest.mark.parametrize(
    ("big", "little"),
    [
        ("OBXXXX1A_expb", "OBXXXX1A"),
        ("OBXXXX1A_rle", "OBXXXX1A"),
        ("gdcm-US-ALOKA-16_big", "gdcm-US-ALOKA-16"),
        ("liver_expb", "liver"),
        ("emri_small_big_endian", "emri_small"),
        ("SC_rgb_expb_16bit", "SC_rgb_16bit"),
        ("color-pl", "color-px"),
    ],
)
def test_variants_of_one_picture_look_the_same(big: str, little: str) -> None:
    """B15: also 8 bits in words of two, and palettes of 16 bits."""
    one, other = ((PACKAGED / f"{name}.dcm").read_bytes() for name in (big, little))
    assert np.array_equal(picture(one), picture(other))


# ------------------------------------------------------------------ colours and other pixels


YBR = np.stack([*np.meshgrid(np.arange(0, 256, 15), np.arange(0, 256, 15)), np.full((18, 18), 90)], axis=-1).astype(
    np.uint8
)


def rgb_of(ybr: NDArray[Any], photometric: str) -> NDArray[Any]:
    """C.7.6.3.1.2, solved for red, green and blue."""
    y, cb, cr = (ybr[..., k].astype(float) for k in range(3))
    if photometric == "YBR_PARTIAL_422":
        forward = np.array([[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]])
        offset = np.array([16, 128, 128])
    else:
        forward = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5000], [0.5000, -0.4187, -0.0813]])
        offset = np.array([0, 128, 128])
    return np.clip((np.stack([y, cb, cr], axis=-1) - offset) @ np.linalg.inv(forward).T, 0, 255)


def test_luminance_and_colour_differences() -> None:
    """F06: the picture matches the equations within 2 levels."""
    made = picture(part10(ct(YBR, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=0), EVLE))
    assert np.abs(made - rgb_of(YBR, "YBR_FULL")).max() <= 2
    planes = ct(
        YBR, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=1, PixelData=YBR.transpose(2, 0, 1).tobytes()
    )
    assert np.array_equal(picture(part10(planes, EVLE)), made)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_shared_colour_differences(photometric: str) -> None:
    """F06: Y Y Cb Cr of two pixels."""
    pairs = YBR.reshape(-1, 2, 3)
    shared = np.concatenate([pairs[:, :, 0], pairs[:, 0, 1:]], axis=1).astype(np.uint8)
    ds = ct(YBR, PhotometricInterpretation=photometric, PlanarConfiguration=0, PixelData=shared.tobytes())
    given = np.stack([YBR[..., 0], *(np.repeat(pairs[:, 0, k], 2).reshape(18, 18) for k in (1, 2))], axis=-1)
    assert np.abs(picture(part10(ds, EVLE)) - rgb_of(given, photometric)).max() <= 2


def test_rgb_of_16_bits_shows_the_highest_8() -> None:
    rgb = (np.arange(8 * 8 * 3).reshape(8, 8, 3) * 300 % 4096).astype(np.uint16)
    made = picture(part10(ct(rgb, BitsStored=12, HighBit=11, PlanarConfiguration=0), EVLE))
    assert np.array_equal(made, rgb >> 4)


def test_colours_that_are_not_shown_are_refused_in_words() -> None:
    with pytest.raises(NotRenderable, match="Colours of this kind"):
        picture(part10(ct(YBR, PhotometricInterpretation="HSV", PlanarConfiguration=0), EVLE))


@pytest.mark.parametrize(("name", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels(name: str, dtype: str) -> None:
    """C.7.6.24, C.7.6.25: numbers, not words; what is no number is shown as 0."""
    values = np.linspace(-1.5, 2.5, 64).astype(dtype).reshape(8, 8)
    values[0, 0] = np.nan
    ds = ct(np.zeros((8, 8), np.uint16))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = values.itemsize * 8
    setattr(ds, name, values.tobytes())
    made = picture(part10(ds, EVLE), window=Window(0.5, 2, "linear-exact"))
    expected = [shade(x, 0.5, 2, "linear-exact") for x in np.nan_to_num(values.astype(float)).ravel()]
    assert np.abs(made.ravel() - expected).max() <= 0.51


def test_samples_in_the_high_bits() -> None:
    """High Bit 15 of 12 stored bits, as equipment of old wrote."""
    low = ct(np.arange(4096, dtype=np.uint16).reshape(64, 64), BitsStored=12, HighBit=11)
    high = ct((np.arange(4096, dtype=np.uint16) << 4).reshape(64, 64), BitsStored=12, HighBit=15)
    assert np.array_equal(picture(part10(low, EVLE)), picture(part10(high, EVLE)))


def test_32_bits_are_windowed_without_loss() -> None:
    values = (np.uint32(4_000_000_000) + np.arange(64, dtype=np.uint32)).reshape(8, 8)
    made = picture(part10(ct(values), EVLE), window=Window(4_000_000_032, 65, "linear"))
    expected = [shade(float(x), 4_000_000_032, 65, "linear") for x in values.ravel()]
    assert np.abs(made.ravel() - expected).max() <= 0.51


# ------------------------------------------------------------------ broken headers


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00281050, "DS", "1,5"),
        (0x00281050, "DS", "\\\\3.0"),
        (0x00281051, "DS", "NaN"),
        (0x00281051, "DS", "1e400"),
        (0x00281052, "DS", "abc"),
        (0x00281053, "DS", "0"),
        (0x00281053, "DS", "1,0"),
        (0x00280008, "IS", "A1"),
        (0x00180060, "DS", "1,5"),
    ],
)
def test_one_bad_element_hides_no_picture(tag: int, vr: str, value: str) -> None:
    """B03, B04: what can't be read counts as absent."""
    plain = ct(np.arange(4096, dtype=np.uint16).reshape(64, 64), RescaleSlope="1", RescaleIntercept="0")
    if tag in (0x00281050, 0x00281051):
        plain.WindowCenter, plain.WindowWidth = "5", "7"
    file = part10(plain, EVLE)
    bad = text(tag, vr, value)
    ds = pydicom.dcmread(io.BytesIO(file))
    if tag in ds:
        at = file.index(struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode()))
        length = int.from_bytes(file[at + 6 : at + 8], "little")
        file = file[:at] + bad + file[at + 8 + length :]
    else:
        at = min(file.index(struct.pack("<HH", t >> 16, t & 0xFFFF), 132) for t in (0x00280002,))
        file = file[:at] + bad + file[at:]
    made = picture(file).ravel().astype(int)
    assert (made.min(), made.max(), bool((np.diff(made) >= 0).all())) == (0, 255, True)


def test_a_table_that_says_nothing_is_none() -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 0]
    item.add_new("LUTData", "US", [1, 2, 3, 4])
    assert table_in(item, signed=False) is None
    del item.LUTData
    item.LUTDescriptor = [4, 0, 16]
    assert table_in(item, signed=False) is None
