"""A DICOMDIR is read back by pydicom with its tree, offsets and names; nothing odd in an object breaks it."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom import uid as names
from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES, FileSet

from heliograph.kit.codecs.dicom.dicomdir import Dicomdir, FileReference, file_ids, record_type

CT, SR = str(names.CTImageStorage), str(names.BasicTextSRStorage)


def made() -> bytes:
    """Two patients; the first has two studies, the one of three files in two series."""
    book = Dicomdir("2.999.7")
    book.patient("ЛЮКСЕМБУРГ^Роза=山田^太郎", ("P1", ""))
    for study in (1, 2):
        book.study(
            f"2.999.{study}", at=("20261125", "013000"), study_id="1", description="CT head", accession=f"A{study}"
        )
        for series in (1, 2):
            book.series(f"2.999.{study}.{series}", modality="CT" if series == 1 else "SR", number=series)
            kind, uid = CT if series == 1 else SR, f"2.999.9.{study}{series}"
            book.file(
                FileReference(("DICOM", f"S{study}{series}", "I1"), kind, uid, "1.2.840.10008.1.2.1"),
                {"00200013": {"vr": "IS", "Value": [5]}} if series == 1 else {"00080023": {"vr": "DA", "Value": ["bad\udc80"]}},
            )  # fmt: skip
    book.patient(None, ("P\\2", ""))
    book.study("2.999.3", at=("", "x"), study_id="", description="", accession="")
    book.series("2.999.3.1", modality="", number=1)
    book.file(FileReference(("DICOM", "X"), CT, "2.999.9.3", "1.2.840.10008.1.2.4.70"), {})
    return book.to_bytes()


def test_pydicom_reads_the_tree(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(made())
    for parts in file_ids(pydicom.dcmread(tmp_path / "DICOMDIR").to_json_dict()):
        tmp_path.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
        tmp_path.joinpath(*parts).touch()
    book = FileSet(pydicom.dcmread(tmp_path / "DICOMDIR"))
    found = {(i.PatientID, i.StudyInstanceUID, i.SeriesInstanceUID, i.SOPInstanceUID) for i in book}
    assert found == {
        ("P1", "2.999.1", "2.999.1.1", "2.999.9.11"),
        ("P1", "2.999.1", "2.999.1.2", "2.999.9.12"),
        ("P1", "2.999.2", "2.999.2.1", "2.999.9.21"),
        ("P1", "2.999.2", "2.999.2.2", "2.999.9.22"),
        ("UNKNOWN", "2.999.3", "2.999.3.1", "2.999.9.3"),
    }
    assert next(str(i.PatientName) for i in book) == "ЛЮКСЕМБУРГ^Роза=山田^太郎"
    assert book.ID == "HELIOGRAPH"


def test_records_say_what_the_standard_asks_for() -> None:
    ds = pydicom.dcmread(io.BytesIO(made()))
    kinds = [r.DirectoryRecordType for r in ds.DirectoryRecordSequence]
    assert kinds[:6] == ["PATIENT", "STUDY", "SERIES", "IMAGE", "SERIES", "SR DOCUMENT"]
    image, document = ds.DirectoryRecordSequence[3], ds.DirectoryRecordSequence[5]
    assert (image.InstanceNumber, image.ReferencedTransferSyntaxUIDInFile) == (5, "1.2.840.10008.1.2.1")
    assert (document.ContentDate, document.CompletionFlag, document.InstanceNumber) == ("19000101", "PARTIAL", 1)
    for record in ds.DirectoryRecordSequence:
        for keyword in ("PatientID", "StudyDate", "StudyTime", "StudyID", "Modality", "SeriesNumber"):
            assert keyword not in record or record[keyword].value not in ("", None)
    assert ds.file_meta.MediaStorageSOPClassUID == names.MediaStorageDirectoryStorage
    assert file_ids(ds.to_json_dict())[0] == ("DICOM", "S11", "I1")


def test_an_empty_one() -> None:
    ds = pydicom.dcmread(io.BytesIO(Dicomdir("2.999.7").to_bytes()))
    assert len(ds.DirectoryRecordSequence) == 0
    assert ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0


@pytest.mark.parametrize(("sop_class", "kind"), _FOUR_LEVEL_SOP_CLASSES.items(), ids=lambda v: getattr(v, "keyword", v))
def test_record_types(sop_class: names.UID, kind: str) -> None:
    assert record_type(str(sop_class)) == kind
    book = Dicomdir("2.999.7")
    book.patient("A", ("1", ""))
    book.study("2.999.3", at=("20261125", "013000"), study_id="1", description="", accession="")
    book.series("2.999.3.1", modality="OT", number=1)
    book.file(FileReference(("X",), str(sop_class), "2.999.9.3", "1.2.840.10008.1.2.1"), {})
    ds = pydicom.dcmread(io.BytesIO(book.to_bytes()))
    assert ds.DirectoryRecordSequence[3].DirectoryRecordType == kind
