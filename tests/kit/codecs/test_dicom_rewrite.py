"""Corrections on the way out: new values, the old ones told, every other byte as stored."""

from __future__ import annotations

import io
import zlib
from datetime import UTC, datetime

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID

from heliograph.kit.codecs.dicom import corrected, dicom_json
from heliograph.kit.codecs.dicom.header import locate_data_set
from heliograph.kit.codecs.dicom.rewrite import CannotRewrite, Correction, rewritten
from heliograph.kit.codecs.dicom.walk import elements, encoding_of

NAME, ID, STUDY_DATE, ISSUER, STUDY_ID = 0x00100010, 0x00100020, 0x00080020, 0x00100021, 0x00200010
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
CORRECTION = Correction(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))


def made(syntax: str, pixels: bytes = bytes(range(8)), **attributes: object) -> bytes:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3")
    ds.PatientName, ds.PatientID, ds.StudyDate = "Old^Name", "P1", "20260101"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.SamplesPerPixel = 2, 2, 16, 1
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.add_new(0x7FE00010, "OB" if syntax == JPEG else "OW", encapsulate([pixels]) if syntax == JPEG else pixels)
    ds["PixelData"].is_undefined_length = syntax == JPEG
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def read(data: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(data))


def change(data: bytes, values: dict[int, str]) -> bytes:
    return b"".join(rewritten(data, values, CORRECTION))


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG])
@settings(max_examples=25, deadline=None)
@given(
    name=st.text("ABCDEFxyz ^'-", min_size=0, max_size=30),
    new_id=st.text("0123456789AB", min_size=1, max_size=20),
    pixels=st.binary(min_size=8, max_size=64).map(lambda b: b + b"\0" * (len(b) % 2)),
)
def test_new_values_are_read_and_nothing_else_differs(syntax: str, name: str, new_id: str, pixels: bytes) -> None:
    before = made(syntax, pixels)
    after = change(before, {NAME: name, ID: new_id, ISSUER: "SITE"})
    old, new = read(before), read(after)
    assert (str(new.PatientName), new.PatientID, new.IssuerOfPatientID) == (name.rstrip(" "), new_id, "SITE")
    (item,) = new.OriginalAttributesSequence
    (was,) = item.ModifiedAttributesSequence
    assert (was.PatientName, was.PatientID, was.IssuerOfPatientID) == ("Old^Name", "P1", "")
    assert (item.ModifyingSystem, item.ReasonForTheAttributeModification) == ("HELIOGRAPH", "CORRECT")
    assert item.AttributeModificationDateTime == "20260304050607.000000+0000"
    tags = [element.tag for element in new]
    assert tags == sorted(tags)
    for tag in (NAME, ID, ISSUER, 0x04000561):
        for ds in (old, new):
            if tag in ds:
                del ds[tag]
    assert old == new
    start, _ = locate_data_set(memoryview(before))
    assert after[:start] == before[:start]
    changed = {NAME, ID, ISSUER, 0x04000561}
    assert [e for e in raw(after) if e[0] not in changed] == [e for e in raw(before) if e[0] not in changed]
    assert len(after[start:]) % 2 == 0


def raw(data: bytes) -> list[tuple[int, bytes]]:
    """Each element of the data set with all its bytes, head and value."""
    start, syntax = locate_data_set(memoryview(data))
    body = zlib.decompress(data[start:], -15) if syntax == DEFLATED else data[start:]
    found, at = [], 0
    for element in elements(memoryview(body), 0, len(body), encoding_of(syntax)):
        found.append((element.tag, body[at : element.end]))
        at = element.end
    assert at == len(body)
    return found


def test_elements_out_of_order_and_twice_are_replaced_where_they_stand() -> None:
    head, *rest = read_parts(made(IMPLICIT))
    name = next(part for tag, part in rest if tag == NAME)
    others = [part for tag, part in rest if tag != NAME]
    after = change(head[1] + b"".join([*others[:-1], name, name, others[-1]]), {NAME: "New", ISSUER: "S"})
    assert [tag for tag, _ in raw(after)].count(NAME) == 1
    assert (read(after).PatientName, read(after).IssuerOfPatientID) == ("New", "S")
    (was,) = read(after).OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert was.PatientName == "Old^Name"


def read_parts(data: bytes) -> list[tuple[int, bytes]]:
    start, _ = locate_data_set(memoryview(data))
    return [(0, data[:start]), *raw(data)]


def test_without_values_the_file_is_given_as_it_is() -> None:
    assert change(before := made(EXPLICIT), {}) == before


def test_other_pieces_are_views_of_the_file() -> None:
    data = made(EXPLICIT, bytes(1 << 20))
    pieces = list(rewritten(data, {ID: "P2"}, CORRECTION))
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 400


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_a_second_correction_is_a_second_item(syntax: str) -> None:
    new = read(change(change(made(syntax), {ID: "P2"}), {ID: "P3"}))
    assert [i.ModifiedAttributesSequence[0].PatientID for i in new.OriginalAttributesSequence] == ["P1", "P2"]


def test_an_item_joins_a_sequence_of_undefined_length() -> None:
    inner = Dataset()
    inner.ModifyingSystem = "ELSEWHERE"
    sequence = Sequence([inner])
    sequence.is_undefined_length = True
    before = made(EXPLICIT, OriginalAttributesSequence=sequence)
    new = read(change(before, {ID: "P2"}))
    assert [i.ModifyingSystem for i in new.OriginalAttributesSequence] == ["ELSEWHERE", "HELIOGRAPH"]


def test_text_is_written_in_the_files_own_character_set() -> None:
    after = change(made(EXPLICIT, SpecificCharacterSet="ISO_IR 100", StudyDescription="Schädel"), {NAME: "Müller^A"})
    assert read(after).SpecificCharacterSet == "ISO_IR 100"
    assert (str(read(after).PatientName), read(after).StudyDescription) == ("Müller^A", "Schädel")


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 192", "王^小東"),
        ("GB18030", "王^小东"),
        ("ISO_IR 127", "قباني^لنزار"),
        ("ISO_IR 138", "שרון^דבורה"),
        ("ISO_IR 166", "นามสกุล"),
        ("ISO_IR 101", "Wałęsa"),
    ],
)
def test_each_simple_character_set_holds_its_own_names(term: str, name: str) -> None:
    new = read(change(made(EXPLICIT, SpecificCharacterSet=term, PatientName=name, StudyDescription=name), {NAME: name}))
    assert (new.SpecificCharacterSet, str(new.PatientName), new.StudyDescription) == (term, name, name)


def test_a_plain_file_turns_to_utf8_where_it_must_and_says_so() -> None:
    new = read(change(made(EXPLICIT), {NAME: "Müller^Ł"}))
    assert (new.SpecificCharacterSet, str(new.PatientName)) == ("ISO_IR 192", "Müller^Ł")
    was = new.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert was.PatientName == "Old^Name"


@pytest.mark.parametrize(
    ("before", "values"),
    [
        (made(EXPLICIT), {STUDY_DATE: "é"}),
        (made(EXPLICIT), {0x00280010: "1"}),
        (made(EXPLICIT), {0x00091010: "1"}),
        (made(EXPLICIT), {STUDY_ID: "x" * 70000}),
    ],
)
def test_what_an_object_cannot_bear_is_refused_at_once(before: bytes, values: dict[int, str]) -> None:
    with pytest.raises(CannotRewrite):
        rewritten(before, values, CORRECTION)


def test_a_retired_group_length_that_would_be_wrong_goes() -> None:
    before = made(IMPLICIT)
    start, _ = locate_data_set(memoryview(before))
    led = before[:start] + b"\x08\x00\x00\x00\x04\x00\x00\x00\x10\x00\x00\x00" + before[start:]
    assert change(led, {STUDY_DATE: "20260202"}) == change(before, {STUDY_DATE: "20260202"})
    assert b"\x08\x00\x00\x00\x04\x00\x00\x00\x10\x00\x00\x00" in change(led, {ID: "P2"})


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG])
@pytest.mark.parametrize("name", ["New^Name", "Nygård^Åse", "Yamada^Tarou=山田^太郎", ""])
def test_the_document_is_corrected_as_the_file_is(syntax: str, name: str) -> None:
    data = made(syntax, PatientSex="F", PatientWeight="61.5")
    for _ in range(2):  # the second time an item is there already
        values = {NAME: name, ID: "NEW 1", 0x00101030: "62", ISSUER: "", 0x00081040: "Ward"}
        rewritten_document, document = dicom_json(change(data, values)), dicom_json(data)
        assert list(corrected(document, values, CORRECTION)) == sorted(rewritten_document)
        assert corrected(document, values, CORRECTION) == rewritten_document
        data = change(data, values)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG])
@pytest.mark.parametrize(("charset", "text"), [("ISO_IR 100", "Schädel"), (["", "ISO 2022 IR 87"], "山田")])
def test_what_a_character_set_cannot_say_turns_all_text_to_utf8(syntax: str, charset: object, text: str) -> None:
    inner = Dataset()
    inner.ScheduledProcedureStepDescription = text
    inner.RequestedProcedureID = "R1"
    own = Dataset()
    own.SpecificCharacterSet, own.RequestedProcedureDescription = "ISO_IR 144", "голова"
    data = made(
        syntax, SpecificCharacterSet=charset, StudyDescription=text, RequestAttributesSequence=Sequence([inner, own])
    )
    new = read(change(data, {NAME: "Łukasz^Ё"}))
    assert (str(new.PatientName), new.StudyDescription, new.SpecificCharacterSet) == ("Łukasz^Ё", text, "ISO_IR 192")
    first, second = new.RequestAttributesSequence
    assert (first.ScheduledProcedureStepDescription, first.RequestedProcedureID) == (text, "R1")
    assert second.RequestedProcedureDescription == "голова"
    assert new.PixelData == read(data).PixelData
    (told,) = new.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert told.PatientName == "Old^Name"
    assert dicom_json(change(data, {NAME: "Łukasz^Ё"})) == corrected(dicom_json(data), {NAME: "Łukasz^Ё"}, CORRECTION)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_text_that_declares_no_set_is_turned_to_utf8_as_its_sender_writes_it(syntax: str) -> None:
    """Field reports A05 and A07."""
    inner = Dataset()
    inner.RequestedProcedureID, inner.ScheduledProcedureStepDescription = "R1", "XXXX"
    data = made(syntax, StudyDescription="XXXX", RequestAttributesSequence=Sequence([inner]))
    start, _ = locate_data_set(memoryview(data))
    if syntax == DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = zlib.decompress(data[start:], -15).replace(b"XXXX", "头部".encode("gbk"))
        data = data[:start] + packer.compress(body) + packer.flush()
    data = data.replace(b"XXXX", "头部".encode("gbk"))
    new = read(b"".join(rewritten(data, {NAME: "王^小东"}, CORRECTION, fallback_charset="GB18030")))
    told = (new.SpecificCharacterSet, new.StudyDescription, str(new.PatientName))
    assert told == ("ISO_IR 192", "头部", "王^小东")
    assert new.RequestAttributesSequence[0].ScheduledProcedureStepDescription == "头部"
    plain = b"".join(rewritten(data, {NAME: "Wang"}, CORRECTION, fallback_charset="GB18030"))
    assert syntax == DEFLATED or plain.count("头部".encode("gbk")) == 2  # what need not change does not
