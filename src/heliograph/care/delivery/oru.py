"""The report as an ORU^R01 (HL7 v2.5.1 7.3.1): the whole current text, and the PDF, under each procedure that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.reading.queries import CaseOrder, CaseProcedure, VersionFacts, orders_of_case, version
from heliograph.care.reading.templates import document_code
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.codecs.hl7 import (
    Code,
    Endpoint,
    EntityId,
    Hd,
    Interpreter,
    Lines,
    Name,
    Oru,
    Patient,
    PatientIdentifier,
    Pdf,
    Result,
    Unencodable,
    UnknownCharset,
    Visit,
    build_oru_r01,
)
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.records.patients.queries import banner
from heliograph.records.sites.queries import EndpointFacts, facility

_CASE = text("select patient_id, facility_id, description from worklist.cases where id = :case")
APPLICATION = "HELIOGRAPH"
RESULT_STATUS = {"preliminary": "P", "final": "F", "addendum": "C", "corrected": "C"}
"""OBR-25 (table 0123) and OBX-11 (table 0085): the letters mean the same in both. An addendum has none of its own; since the message
carries the whole text anew, the receiver replaces what it had, as for a correction."""
SUFFIXES = {"findings": "GDT", "impression": "IMP", "recommendation": "REC"}
"""OBX-3.1.2 by section: the suffixes of HL7 v2.5.1 7.2.4."""
SECTIONS = {
    "CT": "CT",
    "MR": "NMR",
    "US": "RUS",
    "DX": "RAD",
    "CR": "RAD",
    "MG": "RAD",
    "RF": "RAD",
    "NM": "NMS",
    "PT": "NMS",
    "XA": "IMG",
}
"""OBR-24 (table 0074) by DICOM modality."""


def build_message(
    session: ActorSession,
    version_id: UUID,
    endpoint: EndpointFacts,
    control_id: str,
    at: datetime,
    *,
    processing_id: Literal["P", "T"] = "P",
) -> bytes:
    """The bytes of the message of a version to an endpoint.

    Raises:
        NotFound: no such version.
        CannotBuild: nobody knows the patient, or the endpoint's character set can't hold the text.
    """
    report = version(session, version_id)
    case = session.execute(_CASE, {"case": report.case_id}).one_or_none() if report else None
    site = facility(session, case.facility_id) if case else None
    owner = organization(session, report.organization_id) if report else None
    if report is None or case is None or site is None or owner is None:
        raise NotFound()
    patient = banner(session, case.patient_id, site.time_zone, at) if case.patient_id else None
    if patient is None or not patient.identifiers:
        raise CannotBuild("Nobody knows whose report it is.")
    zone = ZoneInfo(site.time_zone)
    orders = orders_of_case(session, report.case_id)
    status = RESULT_STATUS[report.kind] if report.state == "signed" else "X"
    told = _observations(report, status, report_pdf(session, report.id), zone)
    answered: Sequence[tuple[CaseOrder | None, CaseProcedure | None]] = [
        (o, p) for o in orders for p in o.procedures
    ] or [(None, None)]
    oru = Oru(
        sender=Endpoint(Hd(APPLICATION), Hd(owner.slug.upper())),
        receiver=Endpoint(Hd(endpoint.application), Hd(endpoint.facility_name)),
        control_id=control_id,
        patient=Patient(
            identifiers=tuple(PatientIdentifier(i.value, Hd(i.authority)) for i in patient.identifiers),
            names=(Name(patient.family_name, patient.given_name),),
            birth=patient.birth_date,
            sex=patient.sex or "",
        ),
        results=tuple(_result(report, o, p, case.description, status, told, zone) for o, p in answered),
        sent_at=at.astimezone(zone),
        processing_id=processing_id,
        visit=Visit(orders[0].patient_class or "U") if orders else None,
        version_marker=f"V{report.number}",
        charset=endpoint.charset,
    )
    try:
        return build_oru_r01(oru)
    except Unencodable as error:
        raise CannotBuild(f"The character set {endpoint.charset} of this destination can't hold the text.") from error
    except (ValueError, UnknownCharset) as error:
        raise CannotBuild("The message can't be written as this destination is set up.") from error


def _result(
    report: VersionFacts,
    order: CaseOrder | None,
    procedure: CaseProcedure | None,
    description: str,
    status: str,
    observations: tuple[Lines | Pdf, ...],
    zone: ZoneInfo,
) -> Result:
    accession = (order.accession_number if order else None) or next(iter(report.accession), "")
    placer = (procedure.placer_number if procedure else None) or (order.placer_number if order else None)
    # The same on every version: receivers key the report by it.
    filler = (order.filler_number if order else None) or accession or str(report.case_id)
    return Result(
        placer=EntityId(placer) if placer else None,
        filler=EntityId(filler),
        procedure=Code(procedure.code or "", procedure.description) if procedure else Code("", description),
        status=status,
        observations=observations,
        reported_at=report.signed_at.astimezone(zone),
        accession=accession,
        interpreter=_interpreter(report, zone),
        section=SECTIONS.get((procedure.modality if procedure else None) or "", ""),
        order_status="IP" if status == "P" else "CM",
    )


def _observations(report: VersionFacts, status: str, pdf: bytes, zone: ZoneInfo) -> tuple[Lines | Pdf, ...]:
    loinc, title = document_code()
    at = report.signed_at.astimezone(zone)
    lines = [
        Lines(
            Code(loinc, title, "LN", "ADT" if s["id"].startswith("addendum") else SUFFIXES.get(s["id"], "")),
            # An empty OBX-5 means "no value": a blank line is a space.
            (s["title"].upper(), *(line or " " for line in s["text"].split("\n"))),
            status,
            at,
        )
        for s in report.sections
    ]
    return (*lines, Pdf(Code("PDF", "Signed report PDF", "L"), pdf, status, at, APPLICATION))


def _interpreter(report: VersionFacts, zone: ZoneInfo) -> Interpreter:
    told: dict[str, Any] = report.signer_details
    name, licence = told.get("name") or {}, told.get("licence") or {}
    return Interpreter(
        licence.get("number") or str(told.get("reader_id") or ""),
        Name(name.get("family") or report.signer_name, name.get("given", ""), prefix=name.get("prefix", "")),
        report.signed_at.astimezone(zone),
    )
