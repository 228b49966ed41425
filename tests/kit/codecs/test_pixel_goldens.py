"""Each image that pydicom and pydicom-data bring, decoded to the words that others decode.

`pixel_goldens.json` was made without our decoder: by DCMTK 3.6.7 (`dcmdjpeg`, `dcmdjpls`, `dcmdrle`, `dcmconv`), by GDCM 3.2.6 for JPEG
2000 (whose code is OpenJPEG, as ours; the uncompressed variants beside most of these streams come from elsewhere), by hand from native
little endian pixel data ("as stored"), or it is that of another file ("by" is its name). Digests are of (frame, row, column, sample) as
unsigned little endian words of Bits Allocated; a bit is a byte; colours that native pixels share are given to each; colour transforms
of codecs are undone. Lossy streams have them too: both decoders round alike.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from heliograph.kit.codecs.dicom import frame_table, inflate, locate_data_set
from heliograph.kit.codecs.dicom.frames import read_little_frame
from heliograph.kit.codecs.dicom.part10 import DEFLATED
from heliograph.kit.codecs.dicom.pixels import DECODABLE, decode, image_facts, native_words
from heliograph.kit.codecs.dicom.walk import encoding_of

FOLDERS = {
    "pydicom": Path(pydicom.__file__).parent / "data" / "test_files",
    "pydicom-data": Path(data_store.__file__).parent / "data",
}
GOLDENS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("pixel_goldens.json").read_text())
NOT_DECODED = {
    "JPEG2000-embedded-sequence-delimiter.dcm",  # what stands for its frame is no codestream
    "OT-PAL-8-face.dcm",  # a bare data set; the doors give it the header that it lacks
}
NO_FILE = {
    "MR_truncated.dcm",
    "no_meta.dcm",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
    "ExplVR_BigEndNoMeta.dcm",
    "ExplVR_LitEndNoMeta.dcm",
}
"""Cut off, or without the header of a file."""


def path_of(name: str) -> Path:
    """Where a packaged file is."""
    return next(found for folder in FOLDERS.values() for found in [*folder.rglob(name)])


def decoded(path: Path) -> tuple[NDArray[Any], str]:
    """(frames, rows, columns, samples) words of a stored file, and their photometric interpretation, frame by frame as we read it."""
    data = memoryview(path.read_bytes())
    table = frame_table(path)
    assert table is not None
    assert table.complete
    start, syntax = locate_data_set(data)
    if syntax in DEFLATED:
        data, start = memoryview(inflate(data[start:])), 0
    facts = image_facts(data, start, encoding_of(syntax))
    words, photometric = [], ""
    for number in range(1, table.frames + 1):
        frame = read_little_frame(table, number, facts.allocated, lambda at, length: bytes(data[at : at + length]))
        made, photometric = decode(facts, frame, syntax) if syntax in DECODABLE else native_words(facts, frame)
        words.append(made)
    return np.stack(words), photometric


@lru_cache(maxsize=4)
def numbers(name: str) -> NDArray[np.int64]:
    """The samples of a packaged file as the numbers that they are."""
    path = path_of(name)
    words, _photometric = decoded(path)
    signed = pydicom.dcmread(path, stop_before_pixels=True).PixelRepresentation == 1
    return words.view(words.dtype.str.replace("u", "i") if signed else words.dtype).astype(np.int64)


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: Path(golden["file"]).stem)
def test_the_words_are_those_of_another_decoder(golden: dict[str, Any]) -> None:
    """B15 (big endian), F01 (lossless JPEG), F02 (signs of JPEG 2000), F06 (YBR_FULL_422), F12 (bits) and B17 among others."""
    (path,) = FOLDERS[golden["from"]].rglob(golden["file"])
    words, photometric = decoded(path)
    assert (list(words.shape), words.dtype.itemsize) == (golden["shape"], golden["bytes"])
    assert photometric == golden["photometric"]
    for frame, row, column, samples in golden["points"]:
        assert words[frame, row, column].tolist() == samples, (frame, row, column)
    assert round(float(words.astype(np.float64).mean()), 4) == golden["mean"]
    assert hashlib.sha256(np.ascontiguousarray(words).tobytes()).hexdigest() == golden["sha256"]


def test_each_packaged_image_has_a_golden() -> None:
    have = {golden["file"] for golden in GOLDENS} | NOT_DECODED | NO_FILE
    without = set()
    for folder in FOLDERS.values():
        for path in folder.rglob("*.dcm"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = pydicom.dcmread(path, force=True, specific_tags=["Rows", "PixelData"])
                if "PixelData" in found and "Rows" in found and path.name not in have:
                    without.add(path.name)
    assert not without


LOSSLESS = [
    ("MR_small_RLE", "MR_small"),
    ("MR_small_bigendian", "MR_small"),
    ("MR_small_expb", "MR_small"),
    ("MR_small_implicit", "MR_small"),
    ("MR_small_jp2klossless", "MR_small"),
    ("MR_small_jpeg_ls_lossless", "MR_small"),
    ("MR_small_padded", "MR_small"),
    ("emri_small_RLE", "emri_small"),
    ("emri_small_big_endian", "emri_small"),
    ("emri_small_jpeg_2k_lossless", "emri_small"),
    ("emri_small_jpeg_ls_lossless", "emri_small"),
    ("rtdose_rle", "rtdose"),
    ("rtdose_expb", "rtdose"),
    ("liver_expb", "liver"),
    ("OBXXXX1A_expb", "OBXXXX1A"),
    ("OBXXXX1A_expb_2frame", "OBXXXX1A_2frame"),
    ("OBXXXX1A_rle", "OBXXXX1A"),
    ("OBXXXX1A_rle_2frame", "OBXXXX1A_2frame"),
    ("gdcm-US-ALOKA-16_big", "gdcm-US-ALOKA-16"),
    ("color-pl", "color-px"),
    ("SC_rgb_rle", "SC_rgb"),
    ("SC_rgb_rle_2frame", "SC_rgb_2frame"),
    ("SC_rgb_rle_16bit", "SC_rgb_16bit"),
    ("SC_rgb_rle_16bit_2frame", "SC_rgb_16bit_2frame"),
    ("SC_rgb_rle_32bit", "SC_rgb_32bit"),
    ("SC_rgb_rle_32bit_2frame", "SC_rgb_32bit_2frame"),
    ("SC_rgb_expb", "SC_rgb"),
    ("SC_rgb_expb_2frame", "SC_rgb_2frame"),
    ("SC_rgb_expb_16bit", "SC_rgb_16bit"),
    ("SC_rgb_expb_16bit_2frame", "SC_rgb_16bit_2frame"),
    ("SC_rgb_expb_32bit", "SC_rgb_32bit"),
    ("SC_rgb_expb_32bit_2frame", "SC_rgb_32bit_2frame"),
    ("SC_rgb_small_odd_big_endian", "SC_rgb_small_odd"),
    ("SC_rgb_jpeg_gdcm", "SC_rgb"),
    ("SC_rgb_gdcm_KY", "SC_rgb"),
    ("SC_ybr_full_422_uncompressed", "SC_ybr_full_uncompressed"),
    ("693_J2KR", "693_UNCR"),
    ("MR2_J2KR", "MR2_UNCR"),
    ("RG1_J2KR", "RG1_UNCR"),
    ("RG3_J2KR", "RG3_UNCR"),
    ("examples_jpeg2k", "US1_UNCR"),
]


@pytest.mark.parametrize(("variant", "reference"), LOSSLESS, ids=[variant for variant, _ in LOSSLESS])
def test_lossless_variants_equal_their_reference(variant: str, reference: str) -> None:
    assert np.array_equal(numbers(f"{variant}.dcm"), numbers(f"{reference}.dcm"))


# (lossy, reference, greatest error, mean error in units of the samples). What another decoder made of the same stream is equal; what the
# stream was made from differs by the coder's own loss, which is stated here.
LOSSY = [
    ("693_J2KI", "693_UNCI", 0, 0.0),
    ("MR2_J2KI", "MR2_UNCI", 0, 0.0),
    ("RG1_J2KI", "RG1_UNCI", 0, 0.0),
    ("RG3_J2KI", "RG3_UNCI", 0, 0.0),
    ("US1_J2KI", "US1_UNCI", 0, 0.0),
    ("JPEG2000", "JPEG2000_UNC", 0, 0.0),
    ("MR2_J2KI", "MR2_UNCR", 32, 3.94),
    ("RG1_J2KI", "RG1_UNCR", 403, 50.15),
    ("RG3_J2KI", "RG3_UNCR", 9, 0.78),
    ("US1_J2KI", "US1_UNCR", 124, 1.70),
    ("SC_rgb_dcmtk_+eb+cr", "SC_rgb_dcmtk_ebcr_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_dcmtk_ebcyn1_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cy+n2", "SC_rgb_dcmtk_ebcyn2_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cy+np", "SC_rgb_dcmtk_ebcynp_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cy+s2", "SC_rgb_dcmtk_ebcys2_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cy+s4", "SC_rgb_dcmtk_ebcys4_dcmd", 0, 0.0),
    ("SC_rgb_dcmtk_+eb+cr", "SC_rgb", 2, 0.15),
    ("SC_rgb_dcmtk_+eb+cy+s4", "SC_rgb", 6, 0.57),
    ("SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb", 77, 2.83),
    ("SC_rgb_jpeg_dcmtk", "SC_rgb", 6, 0.57),
    ("SC_rgb_jpeg_lossy_gdcm", "SC_rgb", 75, 2.61),
    ("SC_rgb_jpeg", "SC_rgb_jpeg_dcmd", 0, 0.0),
    ("SC_rgb_jls_lossy_line", "SC_rgb", 2, 0.70),
    ("SC_rgb_jls_lossy_sample", "SC_rgb", 2, 0.70),
    ("SC_rgb_small_odd_jpeg", "SC_rgb_small_odd", 4, 1.56),
]


@pytest.mark.parametrize(("variant", "reference", "peak", "mean"), LOSSY)
def test_lossy_variants_stay_within_their_bound(variant: str, reference: str, peak: int, mean: float) -> None:
    error = np.abs(numbers(f"{variant}.dcm") - numbers(f"{reference}.dcm"))
    assert int(error.max()) <= peak
    assert float(error.mean()) <= mean
