"""Rejection notes for the tests: key object documents as other systems send them (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage, generate_uid

QUALITY, SAFETY, WORKLIST, RETENTION = "113001", "113037", "113038", "113039"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def note(
    study: str,
    named: Mapping[str, Mapping[str, Iterable[str]]],
    *,
    title: str = QUALITY,
    sop: str | None = None,
    words: str = "",
    scheme: str = "DCM",
) -> bytes:
    """A note of `study` that names instances by study, series and SOP Instance UID."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = KeyObjectSelectionDocumentStorage, sop or generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, generate_uid()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "LARSEN^Kari", "NF-1", "19480312", "F"
    ds.AccessionNumber, ds.StudyDate, ds.StudyTime = "A1", "20261125", "013000"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "KO", 99, 1
    ds.ContentDate, ds.ContentTime, ds.Manufacturer = "20261125", "014000", "Test"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code(title, scheme, "Rejected")])
    evidence, content = [], []
    if words:
        text = Dataset()
        text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", words
        text.ConceptNameCodeSequence = Sequence([code("113012", "DCM", "Key Object Description")])
        content.append(text)
    for study_uid, series in named.items():
        of_study = Dataset()
        of_study.StudyInstanceUID, of_study.ReferencedSeriesSequence = study_uid, Sequence()
        for series_uid, instances in series.items():
            of_series = Dataset()
            of_series.SeriesInstanceUID, of_series.ReferencedSOPSequence = series_uid, Sequence()
            for uid in instances:
                reference = Dataset()
                reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, uid
                of_series.ReferencedSOPSequence.append(reference)
                image = Dataset()
                image.RelationshipType, image.ValueType = "CONTAINS", "IMAGE"
                image.ReferencedSOPSequence = Sequence([reference])
                content.append(image)
            of_study.ReferencedSeriesSequence.append(of_series)
        evidence.append(of_study)
    ds.CurrentRequestedProcedureEvidenceSequence, ds.ContentSequence = Sequence(evidence), Sequence(content)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()
