"""Data sets without preamble and file meta information (field report B08)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pydicom
import pytest

from heliograph.kit.codecs.dicom import read_file_meta, read_header
from heliograph.kit.codecs.dicom.bare import missing_header

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
CT = (FOLDER / "CT_small.dcm").read_bytes()
BODY = CT[read_file_meta(memoryview(CT)).data_set_offset :]


def implicit() -> bytes:
    """The same data set, Implicit VR Little Endian."""
    written = io.BytesIO()
    pydicom.dcmwrite(
        written, pydicom.dcmread(io.BytesIO(CT)), implicit_vr=True, little_endian=True, force_encoding=True
    )
    data = written.getvalue()
    return data[read_file_meta(memoryview(data)).data_set_offset :]


@pytest.mark.parametrize(
    ("bare", "syntax"),
    [
        (BODY, "1.2.840.10008.1.2.1"),
        (CT[132:], "1.2.840.10008.1.2.1"),
        (implicit(), "1.2.840.10008.1.2"),
        ((FOLDER / "ExplVR_BigEndNoMeta.dcm").read_bytes(), "1.2.840.10008.1.2.2"),
    ],
    ids=["no meta", "no preamble", "implicit", "big endian"],
)
def test_what_is_missing_is_put_before_it(bare: bytes, syntax: str) -> None:
    header = missing_header(bare)
    assert header is not None
    read = read_header(header + bare)
    assert read.transfer_syntax_uid == syntax
    assert read.study_instance_uid


@pytest.mark.parametrize(
    "data",
    [
        CT,
        b"",
        json.dumps({"00080016": {"vr": "UI"}}).encode(),
        b"%PDF-1.7\n%" + b"x" * 500,
        b"\x08\x00 8 bytes of something else",
        b"\x08\x00\x16\x00UI\x02\x001.\x08\x00\x18\x00UI\x02\x00ab" + bytes(200),
        BODY[:40],
        bytes(1000),
    ],
    ids=["a file", "empty", "JSON", "PDF", "text", "UIDs that are none", "too short", "zeros"],
)
def test_anything_else_is_not_taken_for_dicom(data: bytes) -> None:
    assert missing_header(data) is None
