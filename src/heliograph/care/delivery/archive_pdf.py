"""The report as an Encapsulated PDF (PS3.3 A.45.1), filed in each study that it interprets. A withdrawn one is filed beside it, marked."""

from __future__ import annotations

import io
import uuid
from datetime import UTC
from uuid import UUID

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian
from sqlalchemy import text

import heliograph
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.reading.queries import VersionFacts, studies_of_case, version
from heliograph.care.reading.templates import document_code
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.made_here import store_made_here
from heliograph.records.archive.queries import StudyFacts, studies

SERIES_NUMBER = 9001
_NAMES = uuid.UUID("6f0a6f5e-64a5-4b8e-9a53-0f3c9c1f6a11")
_DESCRIPTION = text("select description from worklist.cases where id = :case")


def store_pdf(work: Work, objects: Objects, version_id: UUID) -> list[str]:
    """Files the version's PDF in each study of its case; returns the SOP Instance UIDs. Doing it again changes nothing.

    Raises: NotFound, CannotBuild (no study), and what the archive refuses.
    """
    report = version(work.session, version_id)
    if report is None:
        raise NotFound()
    ids = studies_of_case(work.session, report.case_id)
    known = studies(work.session, ids)
    if not known:
        raise CannotBuild("The case has no study to file it in.")
    pdf = report_pdf(work.session, version_id)
    exam = work.session.scalar(_DESCRIPTION, {"case": report.case_id}) or ""
    return [
        store_made_here(work, objects, report.organization_id, i, encapsulate(pdf, report, known[i], exam))
        for i in ids
        if i in known
    ]


def encapsulate(pdf: bytes, report: VersionFacts, study: StudyFacts, exam: str) -> bytes:
    """A Part 10 file that holds `pdf`; pure. UIDs come from the version and the study, so that a repeat is the same object.

    Patient and study attributes are those of the images, so that the object belongs to them.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    patient_and_study(ds, report, study)
    # Encapsulated Document Series (C.24.1) and SC Equipment (C.8.6.1).
    ds.Modality = "DOC"
    ds.SeriesInstanceUID = report_uid("series", report.report_id, study.study_instance_uid)
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = "Signed report"
    ds.Manufacturer = "Heliograph"
    ds.ManufacturerModelName = "Heliograph"
    ds.SoftwareVersions = heliograph.__version__
    ds.ConversionType = "WSD"
    # Encapsulated Document (C.24.2). AcquisitionDateTime is type 2: nothing was acquired.
    at = report.signed_at.astimezone(UTC)
    ds.InstanceNumber = report.number
    ds.ContentDate, ds.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    ds.TimezoneOffsetFromUTC = "+0000"
    ds.AcquisitionDateTime = None
    ds.BurnedInAnnotation = "YES"
    ds.RecognizableVisualFeatures = "NO"
    words = "withdrawn report" if report.state == "withdrawn" else "report"
    ds.DocumentTitle = f"{exam}, {words} {report.number}"[:1024]
    ds.ConceptNameCodeSequence = Sequence([code(*document_code())])
    ds.VerificationFlag = "VERIFIED" if report.kind != "preliminary" and report.state == "signed" else "UNVERIFIED"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = pdf + b"\x00" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)  # before padding, since padding adds a byte
    ds.SOPClassUID = EncapsulatedPDFStorage
    is_withdrawn = report.state == "withdrawn"
    ds.SOPInstanceUID = report_uid("withdrawn" if is_withdrawn else "instance", report.id, study.study_instance_uid)
    return part10(ds)


def patient_and_study(ds: Dataset, report: VersionFacts, study: StudyFacts) -> None:
    """Patient and study attributes as the images have them, so that the object belongs to them."""
    ds.PatientName = study.dicom_patient_name or ""
    ds.PatientID = study.dicom_patient_id or ""
    if study.dicom_patient_issuer:
        ds.IssuerOfPatientID = study.dicom_patient_issuer
    ds.PatientBirthDate = study.dicom_birth_date.strftime("%Y%m%d") if study.dicom_birth_date else ""
    ds.PatientSex = study.dicom_sex or ""
    ds.StudyInstanceUID = study.study_instance_uid
    ds.StudyDate = study.study_date.strftime("%Y%m%d") if study.study_date else ""
    ds.StudyTime = study.study_time or ""
    ds.ReferringPhysicianName = ""
    ds.StudyID = ""
    ds.AccessionNumber = (study.accession_number or next(iter(report.accession), ""))[:16]
    if study.study_description:
        ds.StudyDescription = study.study_description


def code(value: str, meaning: str, scheme: str = "LN") -> Dataset:
    """A code as an item of a sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def report_uid(kind: str, id_: UUID | str, study_instance_uid: str) -> str:
    """A UID from a UUID (PS3.5 B.2): 2.25 and its integer."""
    return f"2.25.{uuid.uuid5(_NAMES, f'{kind}/{id_}/{study_instance_uid}').int}"


def part10(ds: Dataset) -> bytes:
    """The data set as a file (PS3.10 7)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    out = io.BytesIO()
    FileDataset(out, ds, file_meta=meta, preamble=b"\x00" * 128).save_as(out, enforce_file_format=True)
    return out.getvalue()
