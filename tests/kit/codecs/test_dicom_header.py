"""`read_header` on good, damaged and hostile objects (field reports B, J; the kind of fault in each name)."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from heliograph.kit.codecs.dicom import (
    BadIdentity,
    Bomb,
    DicomError,
    NotDicom,
    TooDeep,
    Truncated,
    part10_header,
    read_file_meta,
    read_header,
)
from tests.kit.codecs.dicom_bytes import CT, EXPLICIT, data_set, element, encapsulated, file, image, text

DEFLATED = "1.2.840.10008.1.2.1.99"


def test_it_works() -> None:
    path = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    header = read_header(path)
    ds = pydicom.dcmread(path)
    assert header.sop_instance_uid == ds.SOPInstanceUID
    assert header.study_instance_uid == ds.StudyInstanceUID
    assert header.patient_id == ds.PatientID
    assert header.patient_name.alphabetic == str(ds.PatientName)
    assert (header.rows, header.columns, header.bits_stored) == (128, 128, 16)
    assert header.modality == "CT"
    assert header.has_pixels
    assert not header.pixels_short
    assert not header.bad_elements
    assert path.read_bytes()[header.data_set_offset :][:2] == b"\x08\x00"


def test_file_bytes_and_open_file_give_the_same(tmp_path: Path) -> None:
    content = file(data_set())
    (tmp_path / "a").write_bytes(content)
    with (tmp_path / "a").open("rb") as opened:
        assert read_header(opened) == read_header(content) == read_header(io.BytesIO(content))


def test_part10_header_is_read_by_pydicom_and_keeps_the_data_set() -> None:
    body = data_set(text(0x00100010, "PN", "Doe^Jane"))
    content = part10_header(CT, "1.2.3", EXPLICIT, source_ae_title="CT1", receiving_ae_title="HELIO") + body
    ds = pydicom.dcmread(io.BytesIO(content))
    assert ds.file_meta.TransferSyntaxUID == EXPLICIT
    assert ds.file_meta.SourceApplicationEntityTitle == "CT1"
    assert ds.file_meta.FileMetaInformationGroupLength == len(content) - len(body) - 144
    assert content[read_file_meta(memoryview(content)).data_set_offset :] == body


@pytest.mark.parametrize("uid", ["", "1.2.a", "1." * 33 + "1", "../../etc/x", "1..2", "1.2.", "/etc/x", "1.2\n"])
def test_an_invalid_uid_is_refused_and_not_repeated(uid: str) -> None:
    """Field reports B12 and J01."""
    with pytest.raises(BadIdentity) as refused:
        read_header(file(data_set(sop=uid) if uid else data_set(without=(0x00080018,))))
    assert refused.value.keyword == "SOPInstanceUID"
    assert not uid or uid.strip() not in str(refused.value)
    with pytest.raises(BadIdentity):
        part10_header(CT, uid, EXPLICIT)


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [(0x00080016, "SOPClassUID"), (0x0020000D, "StudyInstanceUID"), (0x0020000E, "SeriesInstanceUID")],
)
def test_a_missing_uid_is_refused(tag: int, keyword: str) -> None:
    with pytest.raises(BadIdentity, match=keyword):
        read_header(file(data_set(without=(tag,))))


def test_two_patients_in_one_data_set_are_refused_without_naming_them() -> None:
    """Field report B10."""
    body = data_set(text(0x00100020, "LO", "SECRET1"), text(0x00100020, "LO", "SECRET2"))
    with pytest.raises(BadIdentity) as refused:
        read_header(file(body))
    assert "SECRET" not in str(refused.value)
    same = data_set(text(0x00100020, "LO", "SECRET1"), text(0x00100020, "LO", "SECRET1"))
    assert read_header(file(same)).patient_id == "SECRET1"


def test_file_meta_inside_the_data_set_changes_nothing() -> None:
    """Field report B10."""
    body = data_set() + text(0x00020010, "UI", "1.2.840.10008.1.2.2")
    assert read_header(file(body)).transfer_syntax_uid == EXPLICIT


def test_encapsulated_pixels_without_delimiter_are_truncated() -> None:
    """Field report B01."""
    with pytest.raises(Truncated):
        read_header(file(data_set(*image(2, 2)) + encapsulated([b"\xff\xd8\xff\xe0"], end=False)))
    assert read_header(file(data_set(*image(2, 2)) + encapsulated([b"\xff\xd8\xff\xe0"]))).has_pixels


def test_native_pixels_shorter_than_declared_are_truncated() -> None:
    whole = file(data_set(*image(4, 4)) + element(0x7FE00010, "OW", bytes(32)))
    assert read_header(whole).has_pixels
    for cut in (1, 31, 33, 40):
        with pytest.raises(Truncated):
            read_header(whole[:-cut])


def test_pixels_shorter_than_rows_and_columns_are_flagged() -> None:
    assert read_header(file(data_set(*image(4, 4)) + element(0x7FE00010, "OW", bytes(30)))).pixels_short
    assert not read_header(file(data_set(*image(4, 4)) + element(0x7FE00010, "OW", bytes(34)))).pixels_short


def test_an_image_without_pixels_is_truncated() -> None:
    """Field report B01."""
    with pytest.raises(Truncated, match="no pixel data"):
        read_header(file(data_set(*image(4, 4))))


def test_every_cut_of_a_file_is_refused_or_read_but_never_crashes() -> None:
    content = Path(str(get_testdata_file("MR_small_RLE.dcm", download=False))).read_bytes()
    refused = 0
    for size in range(0, len(content) - 200, 97):
        try:
            header = read_header(content[:size])
        except DicomError:
            refused += 1
        else:  # cut between two elements, before the image is described
            assert (header.has_pixels, header.rows, header.columns) in {(False, None, None), (False, 64, None)}
    assert refused > 60


def test_bad_elements_count_as_absent() -> None:
    """Field report B03."""
    body = data_set(
        element(0x00280010, "US", b"\x01"),
        text(0x00200013, "IS", "A1"),
        text(0x00280008, "IS", ""),
        element(0x00091010, "FD", bytes(9)),
        text(0x00100010, "PN", "Doe^Jane"),
    )
    header = read_header(file(body))
    assert (header.rows, header.instance_number, header.number_of_frames) == (None, None, 1)
    assert header.bad_elements == ("00200013", "00280010")
    assert header.patient_name.alphabetic == "Doe^Jane"


def test_undefined_length_un_is_an_implicit_sequence() -> None:
    """Field report B05."""
    inner = struct.pack("<HHI", 0x0008, 0x0104, 4) + b"text"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    private = element(0x20011080, "UN", item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF)
    header = read_header(file(data_set(*image(2, 2), private) + element(0x7FE00010, "OW", bytes(8))))
    assert header.rows == 2


@pytest.mark.parametrize("defined", [True, False])
def test_nesting_has_an_end(defined: bool) -> None:
    body = b""
    for _ in range(200):
        if defined:
            body = element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
        else:
            end = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
            item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + body + end
            body = element(0x00081140, "SQ", item, 0xFFFFFFFF)
    with pytest.raises(TooDeep):
        read_header(file(data_set(body)))


def _deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


def test_deflated_data_sets_are_read() -> None:
    """Field report B14."""
    header = read_header(file(_deflate(data_set(text(0x00100020, "LO", "77"))), DEFLATED))
    assert header.patient_id == "77"
    with pytest.raises(Truncated):
        read_header(file(_deflate(data_set(text(0x00100020, "LO", "77")))[:-9], DEFLATED))


def test_a_deflate_bomb_is_refused() -> None:
    """Field report J02."""
    body = data_set(*image(16384, 8192)) + element(0x7FE00010, "OW", bytes(256 << 20))
    content = file(_deflate(body), DEFLATED)
    assert len(content) < 300_000
    with pytest.raises(Bomb):
        read_header(content)


@pytest.mark.parametrize("content", [b"", b'{"a": 1}', b"%PDF-1.7" + bytes(400), b"\x08\x00" + b"\xff" * 40])
def test_other_files_are_not_dicom(content: bytes) -> None:
    """Field report B08."""
    with pytest.raises(NotDicom):
        read_header(content)


def test_a_bare_data_set_is_read_if_plausible() -> None:
    """Field report B08."""
    assert read_header(data_set()).transfer_syntax_uid == EXPLICIT
    assert read_header(data_set(), transfer_syntax_uid=EXPLICIT).data_set_offset == 0


@pytest.mark.parametrize(
    ("charset", "raw", "alphabetic", "suspect"),
    [
        ("ISO_IR 192", "Müller^Jörg".encode(), "Müller^Jörg", False),
        ("ISO_IR 100", "Müller".encode("latin-1"), "Müller", False),
        ("ISO_IR 100", "Müller".encode(), "MÃ¼ller", True),
        ("ISO_IR 192", "Müller".encode("latin-1"), "M\ufffdller", True),
        (None, "Müller".encode("latin-1"), "Müller", True),
        ("FOO_BAR", b"Doe", "Doe", True),
        ("GB18030\\ISO IR 192", b"Doe", "Doe", True),
        ("ISO_IR 144", "Иванов".encode("iso8859_5"), "Иванов", False),
    ],
)
def test_character_sets(charset: str | None, raw: bytes, alphabetic: str, suspect: bool) -> None:
    """Field reports A04 and A05."""
    more = [text(0x00080005, "CS", charset)] if charset else []
    header = read_header(file(data_set(*more, text(0x00100010, "PN", raw))))
    assert header.patient_name.alphabetic == alphabetic
    assert header.charset_suspect is suspect


def test_a_trail_byte_of_5c_does_not_split_a_name() -> None:
    """Field report A01."""
    raw = b"Wang^XiaoDong=\xd5\x5c"
    header = read_header(file(data_set(text(0x00080005, "CS", "GB18030"), text(0x00100010, "PN", raw))))
    assert header.patient_name.ideographic == "\u8aa0"


def test_the_groups_of_a_japanese_name() -> None:
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    body = data_set(text(0x00080005, "CS", "\\ISO 2022 IR 87"), text(0x00100010, "PN", raw))
    name = read_header(file(body)).patient_name
    assert (name.alphabetic, name.ideographic, name.phonetic) == ("Yamada^Tarou", "山田^太郎", "やまだ^たろう")


def test_the_issuer_of_the_accession_number() -> None:
    inner = text(0x00400031, "UT", "HOSPITAL")
    sequence = element(0x00080051, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    header = read_header(file(data_set(text(0x00080050, "SH", "A1"), sequence)))
    assert (header.accession_number, header.issuer_of_accession_number) == ("A1", "HOSPITAL")


def test_a_header_does_not_show_the_patient_when_logged() -> None:
    """Field report J08."""
    header = read_header(file(data_set(text(0x00100010, "PN", "Doe^Jane"), text(0x00100020, "LO", "77123"))))
    assert "Doe" not in repr(header)
    assert "77123" not in repr(header)
