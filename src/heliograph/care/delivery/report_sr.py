"""The report as a Basic Text SR (PS3.3 A.35.1) after TID 2000, Basic Diagnostic Imaging Report (PS3.16)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import BasicTextSRStorage

import heliograph
from heliograph.care.delivery.archive_pdf import code, part10, patient_and_study, report_uid
from heliograph.care.reading.queries import CaseOrder, VersionFacts
from heliograph.care.reading.templates import document_code
from heliograph.records.archive.queries import StudyFacts

SERIES_NUMBER = 9002
_DCM = "DCM"
_HEADINGS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "indication": (("121060", "History"), ("121060", "History")),
    "technique": (("121064", "Current Procedure Descriptions"), ("121065", "Procedure Description")),
    "comparison": (("121068", "Previous Findings"), ("121069", "Previous Finding")),
    "findings": (("121070", "Findings"), ("121071", "Finding")),
    "impression": (("121072", "Impressions"), ("121073", "Impression")),
    "recommendation": (("121074", "Recommendations"), ("121075", "Recommendation")),
}
"""By section: the heading (CID 7001) and what stands under it (CID 7002)."""
_OTHER = (("121076", "Conclusions"), ("121077", "Conclusion"))
_WITHDRAWN = "This report is withdrawn. Please disregard."


def report_sr(report: VersionFacts, study: StudyFacts, orders: tuple[CaseOrder, ...], language: str = "en") -> bytes:
    """A Part 10 file with the whole text of a version; pure. UIDs come from the version and the study, so that a repeat is the same
    object; a withdrawn report says so and nothing else."""
    is_withdrawn = report.state == "withdrawn"
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    patient_and_study(ds, report, study)
    at = report.signed_at.astimezone(UTC)
    # SR Document Series (C.17.1), General Equipment.
    ds.Modality = "SR"
    ds.SeriesInstanceUID = report_uid("sr-series", report.report_id, study.study_instance_uid)
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = "Signed report"
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    ds.Manufacturer = "Heliograph"
    ds.ManufacturerModelName = "Heliograph"
    ds.SoftwareVersions = heliograph.__version__
    # SR Document General (C.17.2).
    ds.InstanceNumber = report.number
    ds.ContentDate, ds.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    ds.TimezoneOffsetFromUTC = "+0000"
    is_verified = report.kind != "preliminary" and not is_withdrawn
    ds.CompletionFlag = "COMPLETE" if is_verified else "PARTIAL"
    if is_withdrawn:
        ds.CompletionFlagDescription = "Withdrawn"
    ds.VerificationFlag = "VERIFIED" if is_verified else "UNVERIFIED"
    if is_verified:
        ds.PreliminaryFlag = "FINAL"
        ds.VerifyingObserverSequence = Sequence([_observer(report, at.strftime("%Y%m%d%H%M%S+0000"))])
    else:
        ds.PreliminaryFlag = "PRELIMINARY"
    ds.PerformedProcedureCodeSequence = Sequence([])
    ds.ReferencedRequestSequence = Sequence(_requests(report, study, orders))
    if report.number > 1 or is_withdrawn:
        ds.PredecessorDocumentsSequence = Sequence([_predecessor(report, study)])
    _content(ds, report, language, is_withdrawn=is_withdrawn)
    ds.SOPClassUID = BasicTextSRStorage
    ds.SOPInstanceUID = _instance_uid(report.report_id.hex, report.number, study, is_withdrawn=is_withdrawn)
    return part10(ds)


def _content(ds: Dataset, report: VersionFacts, language: str, *, is_withdrawn: bool) -> None:
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = Sequence([code(*document_code())])
    ds.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2000"
    ds.ContentTemplateSequence = Sequence([template])
    items = [
        _item("HAS CONCEPT MOD", "CODE", ("121049", "Language of Content Item and Descendants"), _language(language)),
        _item("HAS OBS CONTEXT", "CODE", ("121005", "Observer Type"), code("121006", "Person", _DCM)),
        _item("HAS OBS CONTEXT", "PNAME", ("121008", "Person Observer Name"), _name(report)),
    ]
    sections = (
        [{"id": "impression", "text": _WITHDRAWN}]
        if is_withdrawn
        else [s for s in report.sections if s["text"].strip()]
    )
    for section in sections:
        heading, element = _HEADINGS.get(section["id"], _OTHER)
        container = _item("CONTAINS", "CONTAINER", heading)
        container.ContinuityOfContent = "SEPARATE"
        container.ContentSequence = Sequence(
            [_item("CONTAINS", "TEXT", element, section["text"].replace("\n", "\r\n"))]
        )
        items.append(container)
    ds.ContentSequence = Sequence(items)


def _item(relation: str, kind: str, concept: tuple[str, str], value: Dataset | str | None = None) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, kind
    item.ConceptNameCodeSequence = Sequence([code(*concept, _DCM)])
    if isinstance(value, Dataset):
        item.ConceptCodeSequence = Sequence([value])
    elif kind == "PNAME":
        item.PersonName = value
    elif kind == "TEXT":
        item.TextValue = value
    return item


def _language(language: str) -> Dataset:
    # RFC 5646 tags stand in the scheme by that name (CID 5000).
    return code(language, language, "RFC5646")


def _name(report: VersionFacts) -> str:
    name = report.signer_details.get("name") or {}
    return f"{name.get('family') or report.signer_name}^{name.get('given', '')}^^{name.get('prefix', '')}".rstrip("^")


def _observer(report: VersionFacts, at: str) -> Dataset:
    observer = Dataset()
    observer.VerifyingObserverName = _name(report)
    observer.VerifyingObserverIdentificationCodeSequence = Sequence([])
    observer.VerifyingOrganization = "Heliograph"
    observer.VerificationDateTime = at
    return observer


def _requests(report: VersionFacts, study: StudyFacts, orders: tuple[CaseOrder, ...]) -> list[Dataset]:
    made = []
    for order in orders:
        for procedure in order.procedures:
            request = Dataset()
            request.StudyInstanceUID = study.study_instance_uid
            request.ReferencedStudySequence = Sequence([])
            request.AccessionNumber = (order.accession_number or "")[:16]
            request.PlacerOrderNumberImagingServiceRequest = procedure.placer_number or order.placer_number or ""
            request.FillerOrderNumberImagingServiceRequest = order.filler_number or ""
            request.RequestedProcedureID = (order.accession_number or "")[:16]
            request.RequestedProcedureDescription = procedure.description[:64]
            request.RequestedProcedureCodeSequence = Sequence([])
            made.append(request)
    if not made:
        request = Dataset()
        request.StudyInstanceUID = study.study_instance_uid
        request.ReferencedStudySequence = Sequence([])
        request.AccessionNumber = next(iter(report.accession), "")[:16]
        request.PlacerOrderNumberImagingServiceRequest = request.FillerOrderNumberImagingServiceRequest = ""
        request.RequestedProcedureID = request.RequestedProcedureDescription = ""
        request.RequestedProcedureCodeSequence = Sequence([])
        made.append(request)
    return made


def _predecessor(report: VersionFacts, study: StudyFacts) -> Dataset:
    before = Dataset()
    before.StudyInstanceUID = study.study_instance_uid
    series = Dataset()
    series.SeriesInstanceUID = report_uid("sr-series", report.report_id, study.study_instance_uid)
    instance = Dataset()
    instance.ReferencedSOPClassUID = BasicTextSRStorage
    number = report.number if report.state == "withdrawn" else report.number - 1
    instance.ReferencedSOPInstanceUID = _instance_uid(report.report_id.hex, number, study, is_withdrawn=False)
    series.ReferencedSOPSequence = Sequence([instance])
    before.ReferencedSeriesSequence = Sequence([series])
    return before


def _instance_uid(report_id: str, number: int, study: StudyFacts, *, is_withdrawn: bool) -> str:
    kind = "sr-withdrawn" if is_withdrawn else "sr"
    return report_uid(kind, f"{report_id}/{number}", study.study_instance_uid)
