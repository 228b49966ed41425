"""The DICOM JSON model: strict JSON out of whatever came in (PS3.18 F; field reports B03, B04)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from heliograph.kit.codecs.dicom import dicom_json
from tests.kit.codecs.dicom_bytes import data_set, element, encapsulated, file, image, text


def _value(entry: bytes, tag: str) -> Any:
    made = dicom_json(file(data_set(entry)))
    json.dumps(made, allow_nan=False)
    return made.get(tag, {}).get("Value")


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "MR_small.dcm", "JPEG2000.dcm"])
def test_it_works_as_pydicom_does(name: str) -> None:
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"pydicom does not ship {name}")
    path = Path(str(found))
    made = dicom_json(path)
    expected = pydicom.dcmread(path).to_json_dict(bulk_data_threshold=1, bulk_data_element_handler=lambda _: "x")
    for tag, entry in expected.items():
        if int(tag[:4], 16) % 2 or tag in {"FFFCFFFC", "00080005"} or "InlineBinary" in entry:
            continue
        if "BulkDataURI" in entry or entry["vr"] == "SQ":
            assert made[tag]["vr"] == entry["vr"]
        else:
            assert made[tag].get("Value") == entry.get("Value"), tag
    assert list(made) == sorted(made)
    assert made["7FE00010"]["BulkDataURI"] == "bulkdata/7FE00010" if "7FE00010" in made else True


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("1,5", ["1,5"]),
        ("1.0\\\\3.0", [1.0, None, 3.0]),
        ("NaN", ["NaN"]),
        ("1e400", ["1e400"]),
        (".002006091181818", [0.002006091181818]),
        ("1@", ["1@"]),
        ("7", [7]),
        ("", None),
        ("9" * 5000, ["9" * 5000]),
    ],
)
def test_decimal_strings(raw: str, expected: list[Any] | None) -> None:
    """Field reports B03 and B04."""
    assert _value(text(0x00101030, "DS", raw), "00101030") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("A1", ["A1"]), ("1.5", ["1.5"]), ("1" * 21, ["1" * 21]), ("+12", [12]), ("1\\\\2", [1, None, 2])],
)
def test_integer_strings(raw: str, expected: list[Any]) -> None:
    """Field report B04."""
    assert _value(text(0x00200013, "IS", raw), "00200013") == expected


def test_numbers_that_json_does_not_have_are_text() -> None:
    """Field report B04."""
    raw = struct.pack("<3d", float("nan"), float("inf"), 2.5)
    assert _value(element(0x00189087, "FD", raw), "00189087") == ["NaN", "inf", 2.5]
    assert _value(element(0x00080010, "UV", struct.pack("<Q", 2**60)), "00080010") == [str(2**60)]


def test_one_bad_element_costs_only_itself() -> None:
    """Field report B03."""
    body = data_set(element(0x00280010, "US", b"\1"), element(0x00091010, "FD", bytes(9)), text(0x00100020, "LO", "7"))
    made = dicom_json(file(body))
    assert "00280010" not in made
    assert made["00100020"]["Value"] == ["7"]


def test_a_damaged_sequence_of_known_length_costs_only_itself() -> None:
    made = dicom_json(file(data_set(element(0x00081140, "SQ", b"rubbish!"), text(0x00100020, "LO", "7"))))
    assert "00081140" not in made
    assert made["00100020"]["Value"] == ["7"]


def test_names_and_character_set() -> None:
    body = data_set(
        text(0x00080005, "CS", "ISO_IR 100"),
        text(0x00100010, "PN", "Müller^Jörg".encode("latin-1")),
        text(0x00080090, "PN", "A^B\\\\C"),
    )
    made = dicom_json(file(body))
    assert made["00080005"]["Value"] == ["ISO_IR 192"]
    assert made["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    assert made["00080090"]["Value"] == [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C"}]


def test_an_item_may_have_its_own_character_set() -> None:
    """Field report A07."""
    inner = text(0x00080005, "CS", "ISO_IR 192") + text(0x00080104, "LO", "Schädel")
    sequence = element(0x00081032, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    made = dicom_json(file(data_set(text(0x00080005, "CS", "ISO_IR 100"), sequence)))
    assert made["00081032"]["Value"][0]["00080104"]["Value"] == ["Schädel"]


def test_empty_elements_items_and_sequences() -> None:
    empty_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    body = data_set(text(0x00100030, "DA", ""), element(0x00081032, "SQ", empty_item), element(0x00081110, "SQ", b""))
    made = dicom_json(file(body))
    assert made["00100030"] == {"vr": "DA"}
    assert made["00081032"] == {"vr": "SQ", "Value": [{}]}
    assert made["00081110"] == {"vr": "SQ"}


def test_bulk_data_is_a_reference_that_of_makers_too() -> None:
    nested = element(0x00281201, "OW", bytes(4096))
    body = data_set(
        *image(2, 2),
        element(0x00091001, "OB", bytes(5000)),
        element(0x00091002, "UN", b"tiny"),
        element(0x00480105, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(nested)) + nested),
        element(0x00281203, "OW", bytes(8)),
    )
    made = dicom_json(file(body + encapsulated([b"\xff\xd8\xff\xe0"])), bulk_uri=lambda path: f"b/{path}")
    assert made["7FE00010"] == {"vr": "OB", "BulkDataURI": "b/7FE00010"}
    assert made["00480105"]["Value"][0]["00281201"] == {"vr": "OW", "BulkDataURI": "b/00480105/0/00281201"}
    assert made["00281203"] == {"vr": "OW", "InlineBinary": "AAAAAAAAAAA="}
    assert made["00091001"] == {"vr": "OB", "BulkDataURI": "b/00091001"}
    assert made["00091002"]["InlineBinary"] == "dGlueQ=="


def test_a_pydicom_data_set_is_taken_too() -> None:
    ds = pydicom.Dataset()
    ds.PatientID, ds.Rows = "7", 512
    assert dicom_json(ds) == {
        "00100020": {"vr": "LO", "Value": ["7"]},
        "00280010": {"vr": "US", "Value": [512]},
    }


def test_the_sign_of_pixels_decides_ambiguous_elements() -> None:
    made = dicom_json(
        Path(str(get_testdata_file("MR_small_implicit.dcm", download=False) or get_testdata_file("MR_small.dcm")))
    )
    assert made["00280106"]["vr"] == ("SS" if made["00280103"]["Value"] == [1] else "US")
