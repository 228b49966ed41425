"""Field reports B03-B06, B14, B17: damaged and odd data sets through every door. One bad element never hides the rest."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom import part10_header
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.odd import Archive, image
from tests.kit.codecs import dicom_bytes as wire
from tests.records.archive import files

ABSENT = object()
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
ENDS = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
NAME = wire.text(0x00100010, "PN", "Larsen^Kari")


@pytest.fixture
def archive(context: Context, cast: Cast, served: Served) -> Archive:
    return Archive(context, cast, served.client(cast.eirik))


def vr(tag: int, code: bytes, value: bytes) -> bytes:
    """An element whose value representation is these two bytes, of the short form."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, code, len(value)) + value


# Each bad element with what metadata has for it: a Value, or ABSENT where nothing can be said.
BAD: list[tuple[bytes, Any]] = [
    (wire.element(0x00280010, "US", b"\1"), ABSENT),
    (wire.element(0x00091010, "FD", bytes(9)), ABSENT),
    (wire.element(0x00280009, "AT", b"\x18\0\x63"), ABSENT),
    (wire.element(0x00186020, "SL", b"\1\0\0"), ABSENT),
    (wire.text(0x00180050, "DS", "1,5"), ["1,5"]),
    (wire.text(0x00200032, "DS", "1.0\\\\3.0"), [1.0, None, 3.0]),
    (wire.text(0x00181110, "DS", "1@"), ["1@"]),
    (wire.text(0x00181111, "DS", "NaN"), ["NaN"]),
    (wire.text(0x00180060, "DS", "1e400"), ["1e400"]),
    (wire.text(0x00281050, "DS", "-Infinity\\inf"), ["-Infinity", "inf"]),
    (wire.text(0x00180088, "DS", "1.234567890123456789"), ["1.234567890123456789"]),
    (wire.text(0x00281053, "DS", ".002006091181818"), [0.002006091181818]),
    (wire.text(0x00281052, "DS", "0x10"), ["0x10"]),
    (wire.text(0x00181151, "IS", "1_0"), ["1_0"]),
    (wire.text(0x00200013, "IS", "A1"), ["A1"]),
    (wire.text(0x00200012, "IS", "1.5"), ["1.5"]),
    (wire.text(0x00181150, "IS", "1" * 21), ["1" * 21]),
    (wire.text(0x00200011, "IS", "9" * 5000), ["9" * 5000]),
    (wire.text(0x00201002, "IS", "\u0663"), ["\u00d9\u00a3"]),
    (wire.element(0x00189087, "FD", struct.pack("<3d", float("nan"), float("-inf"), 1.5)), ["NaN", "-inf", 1.5]),
    (wire.element(0x00189217, "FL", struct.pack("<f", float("inf"))), ["inf"]),
    (wire.text(0x00080022, "DA", "2026-13-45"), ["2026-13-45"]),
    (wire.text(0x00080030, "TM", "noon"), ["noon"]),
    (wire.text(0x00080201, "SH", "Oslo"), ["Oslo"]),
    (wire.text(0x00100030, "DA", "unknown"), ["unknown"]),
    (wire.text(0x00081155, "UI", "not.a.uid"), ["not.a.uid"]),
    (wire.text(0x00081030, "LO", b"a\0b\xed\xa0\x80"), ["ab\ufffd\ufffd\ufffd"]),
    (wire.element(0x00081140, "SQ", b"rubbish!"), ABSENT),
    (wire.items(0x00081115, wire.text(0x0020000E, "UI", "1.2"), b"\x08\0"), ABSENT),
    # Of undefined length: an element too long, no item at all, an item longer than all; and delimiters that end nothing.
    (wire.element(0x00082112, "SQ", ITEM + wire.element(0x00081150, "UI", b"1.2\0", 900) + ENDS, 0xFFFFFFFF), ABSENT),
    (wire.element(0x00082218, "SQ", b"garbage!" + ENDS[8:], 0xFFFFFFFF), ABSENT),
    (wire.element(0x00400275, "SQ", ITEM[:4] + b"\0\1\0\0" + ENDS[8:], 0xFFFFFFFF), ABSENT),
    (ENDS[:8], ABSENT),
    (ENDS[8:], ABSENT),
    (vr(0x00181000, b"LO", b""), None),
    (vr(0x00181002, b"\0\0", b"1.2.3\0"), ["1.2.3"]),
    (vr(0x00181020, b"  ", b"v1"), ["v1"]),
    (vr(0x00181030, b"??", b"head"), ["head"]),
    (vr(0x00280002, b"us", b"\1\0"), [1]),
    (struct.pack("<HHI", 0x0028, 0x0103, 2) + b"\0\0", [0]),  # implicit, in an explicit data set
]


def tag_of(part: bytes) -> str:
    return "{:04X}{:04X}".format(*struct.unpack_from("<HH", part))


def test_bad_elements_cost_only_themselves(archive: Archive, tmp_path: Path) -> None:
    """Field reports B03 and B04: the study's other objects, and the object's other elements, are told at every door; JSON is strict."""
    bad = image("1.2.7", "ISO_IR 192", NAME, *(part for part, _ in BAD), number=2)
    first, last = (image("1.2.7", "ISO_IR 192", NAME, number=n) for n in (1, 3))
    assert archive.send(tmp_path, first, bad, last) == [0, 0, 0]
    told = {made["00080018"]["Value"][0]: made for made in archive.get("studies/1.2.7/metadata")}
    assert told.keys() == {"1.2.7.1.1", "1.2.7.1.2", "1.2.7.1.3"}
    assert {uid: made["00100010"]["Value"][0]["Alphabetic"] for uid, made in told.items()} == dict.fromkeys(
        told, "Larsen^Kari"
    )
    made = told["1.2.7.1.2"]
    for part, value in BAD:
        if value is ABSENT:
            assert tag_of(part) not in made
        else:
            assert made[tag_of(part)].get("Value") == value, tag_of(part)
    assert files.body(archive.kept("1.2.7", 2)) == files.body(bad)
    assert archive.rows("select match_state, number_of_instances from archive.studies") == [("unmatched", 3)]
    assert archive.rows("select count(*) from archive.held_objects") == [(0,)]
    everything = archive.get("studies/1.2.7/instances", includefield="all")
    assert [found["00080018"]["Value"] for found in everything] == [["1.2.7.1.1"], ["1.2.7.1.3"], ["1.2.7.1.2"]]
    assert everything[2]["00180050"]["Value"] == ["1,5"]


QUERIES = [
    {"SliceThickness": "1.5"},
    {"AcquisitionNumber": "1"},
    {"ImagePositionPatient": "1"},
    {"StudyTime": "0800-1000"},
    {"StudyDate": "20261101-", "StudyTime": "0800-"},
    {"TimezoneOffsetFromUTC": "+0100", "StudyDate": "20261125"},
    {"PatientBirthDate": "19000101-20300101"},
    {"AcquisitionDate": "20260101-20261231"},
    {"SeriesDescription": "a*"},
    {"KVP": "120"},
    {"InstanceNumber": "1"},
    {"SeriesNumber": "2"},
    {"ReferencedSOPInstanceUID": "1.2"},
    {"SoftwareVersions": "*"},
]


def test_a_search_by_a_bad_value_finds_the_others(archive: Archive) -> None:
    """Field report B03: no search fails for what one object says, by QIDO-RS or by C-FIND."""
    birth, time = wire.text(0x00100030, "DA", "19480312"), wire.text(0x00080030, "TM", "0900")
    archive.store(
        image("1.2.8", "ISO_IR 192", NAME, birth, time, wire.text(0x00180050, "DS", "1.5")),
        image("1.2.7", "ISO_IR 192", NAME, *(part for part, _ in BAD)),
    )
    for query in QUERIES:
        for resource in ("studies", "series", "instances"):
            archive.get(resource, **query, includefield="all")
        keys = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.7.1", **query}
        archive.find(level="IMAGE", **{k: v for k, v in keys.items() if k != "TimezoneOffsetFromUTC"})
    assert [s["0020000D"]["Value"] for s in archive.studies(StudyTime="0800-1000")] == [["1.2.8"]]
    assert [s["0020000D"]["Value"] for s in archive.get("instances", SliceThickness="1.5")] == [["1.2.8"]]
    keys = dict.fromkeys([pydicom.datadict.keyword_for_tag(int(tag_of(p), 16)) for p, _ in BAD if tag_of(p) < "7"], "")
    keys.pop("", None)
    found = archive.find(
        level="IMAGE",
        StudyInstanceUID="1.2.7",
        SeriesInstanceUID="1.2.7.1",
        SOPInstanceUID="",
        **{
            k: v
            for k, v in keys.items()
            if k
            not in {
                "ReferencedImageSequence",
                "ReferencedSeriesSequence",
                "SourceImageSequence",
                "AnatomicRegionSequence",
                "RequestAttributesSequence",
            }
        },
    )
    assert [str(answer.SOPInstanceUID) for answer in found] == ["1.2.7.1.1"]
    with pydicom.config.disable_value_validation():
        assert (
            found[0]["SliceThickness"].repval.strip("'") == "1,5" or b"1,5" in found[0].get_item("SliceThickness").value
        )


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def test_an_object_with_a_damaged_sequence_is_given_in_another_syntax(archive: Archive) -> None:
    """Field report B03: what can't be read as a sequence goes as the bytes that it is, and all the rest as it should."""
    body = b"".join(
        (
            implicit(0x00080016, b"1.2.840.10008.5.1.4.1.1.2\0"),
            implicit(0x00080018, b"1.2.7.1.1\0"),
            implicit(0x00081115, b"rubbish!"),
            implicit(0x00081140, b"garbage!" + ENDS[8:], 0xFFFFFFFF),
            implicit(0x00100010, b"Larsen^Kari "),
            implicit(0x0020000D, b"1.2.7\0"),
            implicit(0x0020000E, b"1.2.7.1\0"),
            *(implicit(tag, b"\1\0") for tag in (0x00280002, 0x00280010, 0x00280011)),
            *(implicit(tag, b"\x10\0") for tag in (0x00280100, 0x00280101)),
            implicit(0x00280103, b"\0\0"),
            implicit(0x7FE00010, b"\1\0"),
        )
    )
    archive.store(part10_header(wire.CT, "1.2.7.1.1", "1.2.840.10008.1.2") + body)
    assert files.body(archive.kept("1.2.7")) == body
    made = archive.metadata("1.2.7")
    assert made["00100010"]["Value"] == [{"Alphabetic": "Larsen^Kari"}]
    assert {"00081115", "00081140"}.isdisjoint(made)
    plain = archive.client.get(
        "/dicomweb/norfjord/studies/1.2.7/series/1.2.7.1/instances/1.2.7.1.1",
        headers={"Accept": f"application/dicom; transfer-syntax={wire.EXPLICIT}"},
    )
    assert plain.status_code == 200
    read = pydicom.dcmread(io.BytesIO(plain.content))
    assert (str(read.PatientName), read.Rows, read.PixelData) == ("Larsen^Kari", 1, b"\1\0")
    assert b"rubbish!" in plain.content


@pytest.mark.parametrize(
    ("kept", "answered"),
    [
        ("1.234567890123456789", "1.23456789012346"),
        ("-0.0012345678901234567", "-.00123456789012"),
        (".002006091181818", ".002006091181818"),
        ("1.2e-7", "1.2e-07"),
        ("1,234567890123456789", "1,234567890123456789"),
    ],
)
def test_a_decimal_string_is_never_written_anew_longer_than_it_may_be(
    archive: Archive, kept: str, answered: str
) -> None:
    """Field report B04: in answers at most 16 characters; in metadata the exact number or its text; in the object its bytes."""
    archive.store(image("1.2.7", None, wire.text(0x00180088, "DS", kept)))
    keys = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.7.1", "SpacingBetweenSlices": ""}
    (answer,) = archive.find(level="IMAGE", **keys)
    with pydicom.config.disable_value_validation():
        raw = answer.get_item("SpacingBetweenSlices")
    text = str(getattr(raw.value, "original_string", raw.value))
    assert len(text) <= 16 or not text.replace(".", "").isdigit()
    assert text == answered
    value = archive.metadata("1.2.7")["00180088"]["Value"][0]
    assert value == kept or str(value) == str(float(kept))
    assert kept.encode() in archive.kept("1.2.7")


@pytest.mark.parametrize("explicit_inside", [False, True])
@pytest.mark.parametrize("length", [0xFFFFFFFF, None])
def test_a_private_sequence_as_un_of_undefined_length(
    archive: Archive, explicit_inside: bool, length: int | None
) -> None:
    """Field report B05: it is a sequence, implicit by rule and explicit against it; what follows it is read (PS3.5 6.2.2)."""
    inside = (
        wire.text(0x00080104, "LO", "hidden") if explicit_inside else struct.pack("<HHI", 0x0008, 0x0104, 6) + b"hidden"
    )
    size = len(inside) if length is None else length
    item = struct.pack("<HHI", 0xFFFE, 0xE000, size) + inside
    item += struct.pack("<HHI", 0xFFFE, 0xE00D, 0) if length is not None else b""
    private = wire.element(0x20011080, "UN", item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF)
    data = image("1.2.7", None, wire.text(0x20010010, "LO", "MAKER"), private)
    archive.store(data)
    made = archive.metadata("1.2.7")
    assert made["20011080"] == {"vr": "SQ", "Value": [{"00080104": {"vr": "LO", "Value": ["hidden"]}}]}
    assert made["00280010"]["Value"] == [1]
    assert archive.frame("1.2.7", 1).content == b"\1\0"
    assert files.body(archive.kept("1.2.7")) == files.body(data)


def test_un_of_defined_length(archive: Archive) -> None:
    """Field report B06: a private one stays bytes, given whole; a sequence of the standard's that came as UN is one again."""
    inside = struct.pack("<HHI", 0x0010, 0x0010, 10) + b"Hidden^One"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    utf8 = struct.pack("<HHI", 0x0040, 0x0031, 4) + b"NORF"
    issuer = struct.pack("<HHI", 0xFFFE, 0xE000, len(utf8)) + utf8
    big = item * 20
    data = image(
        "1.2.7",
        None,
        wire.text(0x00080050, "SH", "A1"),
        wire.element(0x00080051, "UN", issuer),
        wire.element(0x00081140, "UN", b"no items"),
        wire.element(0x00180050, "UN", b"2.5 "),
        wire.text(0x20010010, "LO", "MAKER"),
        wire.element(0x20011081, "UN", item),
        wire.element(0x20011082, "UN", big),
    )
    archive.store(data)
    made = archive.metadata("1.2.7")
    assert made["20011081"] == {"vr": "UN", "InlineBinary": base64.b64encode(item).decode()}
    assert made["00080051"] == {"vr": "SQ", "Value": [{"00400031": {"vr": "UT", "Value": ["NORF"]}}]}
    assert made["00081140"] == {"vr": "UN", "InlineBinary": base64.b64encode(b"no items").decode()}
    assert made["00180050"] == {"vr": "DS", "Value": [2.5]}
    assert archive.rows("select accession_number, accession_issuer from archive.studies") == [("A1", "NORF")]
    uri = f"/dicomweb/norfjord/studies/1.2.7/{made['20011082']['BulkDataURI']}"
    bulk = archive.client.get(uri, headers={"Accept": "application/octet-stream"})
    assert (bulk.status_code, bulk.content) == (200, big)
    assert b"Hidden" not in str(archive.studies(PatientName="Hidden*")).encode()
    assert archive.studies(PatientName="Hidden*") == []


DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")


def deflated(study: str, *, wrapped: bool = False, even: bool = False) -> bytes:
    """A deflated object whose stream has an odd length, unless `even`."""
    for number in range(200):
        name = wire.text(0x00100010, "PN", "Larsen^Kari" + "x" * number)
        body = files.body(image(study, "ISO_IR 192", name))
        packer = zlib.compressobj(9, zlib.DEFLATED, 15 if wrapped else -15)
        packed = packer.compress(body) + packer.flush()
        if (len(packed) % 2 == 0) == even:
            return part10_header(wire.CT, f"{study}.1.1", DEFLATED[0]) + packed
    raise AssertionError


@pytest.mark.parametrize(("wrapped", "even"), [(False, False), (False, True), (True, False)])
def test_deflated_objects(archive: Archive, tmp_path: Path, wrapped: bool, even: bool) -> None:
    """Field report B14: read whatever its length, kept as it came, given plain to who asks for that; a zlib wrapper is forgiven."""
    data = deflated("1.2.7", wrapped=wrapped, even=even)
    assert archive.send(tmp_path, data) == [0]
    assert files.body(archive.kept("1.2.7")) == files.body(data)
    assert archive.metadata("1.2.7")["00280010"]["Value"] == [1]
    assert archive.frame("1.2.7", 1).content == b"\1\0"
    plain = archive.client.get(
        "/dicomweb/norfjord/studies/1.2.7/series/1.2.7.1/instances/1.2.7.1.1",
        headers={"Accept": f"application/dicom; transfer-syntax={wire.EXPLICIT}"},
    )
    read = pydicom.dcmread(io.BytesIO(plain.content))
    assert (read.file_meta.TransferSyntaxUID, read.PixelData) == (wire.EXPLICIT, b"\1\0")
    assert str(read.PatientName).startswith("Larsen^Kari")


@pytest.mark.parametrize("syntax", DEFLATED[1:])
def test_the_other_deflated_syntaxes_are_read_too(archive: Archive, syntax: str) -> None:
    """Field report B14: three transfer syntaxes deflate the whole data set."""
    body = wire.data_set(wire.text(0x00100020, "LO", "NF-77"), NAME, sop="1.2.7.1.1", study="1.2.7", series="1.2.7.1")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = part10_header(wire.CT, "1.2.7.1.1", syntax) + packer.compress(body) + packer.flush()
    archive.store(data)
    assert archive.metadata("1.2.7")["00100010"]["Value"] == [{"Alphabetic": "Larsen^Kari"}]
    assert files.body(archive.kept("1.2.7")) == files.body(data)


FRAMES = [  # declared, bytes of pixels, answers of frames 1 to 4: 2 bytes a frame
    (None, 2, [200, 404, 404, 404]),
    (None, 6, [200, 200, 200, 404]),
    ("", 2, [200, 404, 404, 404]),
    ("0", 2, [200, 404, 404, 404]),
    ("0", 6, [200, 200, 200, 404]),
    ("rubbish", 4, [200, 200, 404, 404]),
    ("-1", 2, [200, 404, 404, 404]),
    ("2", 4, [200, 200, 404, 404]),
    ("2", 7, [200, 200, 404, 404]),
    ("2", 8, [200, 200, 404, 404]),
    ("3", 4, [200, 200, 404, 404]),
    ("3", 5, [200, 200, 404, 404]),
    ("2000000000", 4, [200, 200, 404, 404]),
]


@pytest.mark.parametrize(("declared", "size", "answers"), FRAMES)
def test_a_wrong_number_of_frames_costs_no_frame_that_is_there(
    archive: Archive, declared: str | None, size: int, answers: list[int]
) -> None:
    """Field report B17: frames within the data are served, what is beyond is told, what trails is ignored (PS3.5 8.1.1)."""
    more = [wire.text(0x00280008, "IS", declared)] if declared is not None else []
    archive.store(
        image("1.2.7", None, *more, wire.element(0x7FE00010, "OW", bytes(range(size)))), image("1.2.7", None, number=2)
    )
    got = [archive.frame("1.2.7", n) for n in range(1, 5)]
    assert [answer.status_code for answer in got] == answers
    for number, answer in enumerate(got):
        if answer.status_code == 200:
            assert answer.content == bytes(range(size))[number * 2 : number * 2 + 2]
    assert len(archive.get("studies/1.2.7/metadata")) == 2
    assert archive.frame("1.2.7", 1, instance=2).content == b"\1\0"
