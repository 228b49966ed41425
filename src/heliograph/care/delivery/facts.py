"""What every message about a version tells: whose it is, which orders it answers, and its text, coded findings and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.reading.queries import (
    CaseOrder,
    CaseProcedure,
    VersionFacts,
    orders_of_case,
    studies_of_case,
    version,
)
from heliograph.care.reading.templates import addendum_section, document_code, template
from heliograph.care.reading.withdraw import withdrawn_because
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.codecs.hl7 import (
    Code,
    Coded,
    EntityId,
    Hd,
    Interpreter,
    Lines,
    Name,
    Number,
    Observation,
    Patient,
    PatientIdentifier,
    Pdf,
    Result,
    StudyUid,
    Visit,
)
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.records.archive.queries import StudyFacts, studies
from heliograph.records.patients.queries import banner
from heliograph.records.sites.kinds import Hl7OutSettings
from heliograph.records.sites.queries import facility

APPLICATION = "HELIOGRAPH"
_CASE = text("select patient_id, facility_id, description from worklist.cases where id = :case")
_OF_ORDERS = text(
    "select order_id, study_id from orders.order_studies where order_id = any(:orders) order by order_id, matched_at"
)
RESULT_STATUS = {"preliminary": "P", "final": "F", "addendum": "C", "corrected": "C"}
"""OBR-25 (table 0123) and OBX-11 (table 0085): of these the letters mean the same in both. An addendum has none of its own; since the
message carries the whole text anew, the receiver replaces what it had, as for a correction."""
WITHDRAWN_STATUS = "C"
"""OBR-25 of a withdrawn report: 0123 has no letter for it, so the OBX say it."""
WITHDRAWN_OBSERVATION = {"wrong_patient": "W", "other": "D"}
"""OBX-11: posted as wrong, such as on the wrong patient; or deleted."""
WITHDRAWN_WORDS = {
    "wrong_patient": "Reported on the wrong patient. Please disregard.",
    "other": "This report is withdrawn. Please disregard.",
}
"""Nothing that the person who withdrew it wrote: it may name another patient."""
SUFFIXES = {"findings": "GDT", "impression": "IMP", "recommendation": "REC"}
"""OBX-3.1.2 by section: the suffixes of HL7 v2.5.1 7.2.4, behind the LOINC code of the document."""
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
_UCUM = frozenset({"mm", "cm", "mL", "%"})


@dataclass(frozen=True, slots=True)
class Told:
    """A version as messages tell it. `result_status` is OBR-25."""

    report: VersionFacts
    owner: str
    zone: ZoneInfo
    patient: Patient
    visit: Visit | None
    interpreter: Interpreter
    result_status: str
    results: tuple[Result, ...]
    """One for each requested procedure, its observations among them."""
    observations: tuple[Observation, ...]
    """The text, coded findings and PDF: the same under each procedure."""


def facts_to_tell(
    session: ActorSession, version_id: UUID, settings: Hl7OutSettings, at: datetime, *, is_withdrawal: bool
) -> Told:
    """Gathers it. Raises: NotFound, CannotBuild: nobody knows the patient."""
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
    known = studies(session, studies_of_case(session, report.case_id))
    of_order = _studies_of_orders(session, orders)
    if is_withdrawal:
        status, told = WITHDRAWN_STATUS, _withdrawn(session, report, zone)
    else:
        status = RESULT_STATUS[report.kind]
        told = _observations(report, status, zone, report_pdf(session, report.id) if settings.pdf else None, settings)
    answered: Sequence[tuple[CaseOrder | None, CaseProcedure | None]] = [
        (o, p) for o in orders for p in o.procedures
    ] or [(None, None)]
    interpreter = _interpreter(report, zone)
    results = []
    for order, procedure in answered:
        own = [known[i] for i in of_order.get(order.id, ()) if i in known] if order else []
        results.append(
            _result(
                report, order, procedure, case.description, status, told, own or list(known.values()), zone, interpreter,
                settings,
            )
        )  # fmt: skip
    return Told(
        report=report,
        owner=owner.slug.upper(),
        zone=zone,
        patient=Patient(
            identifiers=tuple(PatientIdentifier(i.value, Hd(i.authority)) for i in patient.identifiers),
            names=(Name(patient.family_name, patient.given_name),),
            birth=patient.birth_date,
            sex=patient.sex or "",
        ),
        visit=Visit(orders[0].patient_class or "U") if orders else None,
        interpreter=interpreter,
        result_status=status,
        results=tuple(results),
        observations=told,
    )


def _result(
    report: VersionFacts,
    order: CaseOrder | None,
    procedure: CaseProcedure | None,
    description: str,
    status: str,
    told: tuple[Observation, ...],
    own: Sequence[StudyFacts],
    zone: ZoneInfo,
    interpreter: Interpreter,
    settings: Hl7OutSettings,
) -> Result:
    accession = (order.accession_number if order else None) or next(iter(report.accession), "")
    placer = (procedure.placer_number if procedure else None) or (order.placer_number if order else None)
    # The same on every version: receivers key the report by it.
    filler = (order.filler_number if order else None) or accession or str(report.case_id)
    uids = tuple(study.study_instance_uid for study in own)
    as_obx = settings.study_uid in ("obx", "both")
    if as_obx:
        # Before the PDF, which many receivers expect to be the last.
        at = next((i for i, one in enumerate(told) if isinstance(one, Pdf)), len(told))
        letter = told[0].status if told else status
        told = (*told[:at], *(StudyUid(uid, letter) for uid in uids), *told[at:])
    return Result(
        placer=EntityId(placer) if placer else None,
        filler=EntityId(filler),
        procedure=Code(procedure.code or "", procedure.description) if procedure else Code("", description),
        status=status,
        observations=told,
        reported_at=report.signed_at.astimezone(zone),
        accession=accession,
        observed_at=_examined_at(own, zone),
        interpreter=interpreter,
        section=SECTIONS.get((procedure.modality if procedure else None) or "", ""),
        order_status="IP" if status == "P" else "CM",
        study_uids=uids if settings.study_uid in ("zds", "both") else (),
    )


def _observations(
    report: VersionFacts, status: str, zone: ZoneInfo, pdf: bytes | None, settings: Hl7OutSettings
) -> tuple[Observation, ...]:
    at = report.signed_at.astimezone(zone)
    made: list[Observation] = [
        # An empty OBX-5 means "no value": a blank line is a space.
        Lines(section_code(s["id"]), (s["title"].upper(), *(line or " " for line in s["text"].split("\n"))), status, at)
        for s in report.sections
    ]
    if settings.coded:
        made += _coded(report, status, at)
    if pdf is not None:
        made.append(Pdf(Code("PDF", "Signed report PDF", "L"), pdf, status, at, APPLICATION))
    return tuple(made)


def section_code(section_id: str) -> Code:
    """OBX-3 of a section: the document's LOINC code with a suffix where there is one, else the section's own code."""
    loinc, title = document_code()
    suffix = "ADT" if section_id.startswith("addendum") else SUFFIXES.get(section_id, "")
    if suffix:
        return Code(loinc, title, "LN", suffix)
    section = addendum_section() if section_id == "addendum" else template("general").section(section_id)
    return Code(section.loinc, section.title, "LN") if section else Code(loinc, title, "LN")


def _coded(report: VersionFacts, status: str, at: datetime) -> list[Observation]:
    """The structured answers, with the template's own codes."""
    made: list[Observation] = []
    for field in template(report.template_id).fields:
        if field.id not in report.fields:
            continue
        value, code = report.fields[field.id], Code(field.id, field.label, "L")
        if field.type == "boolean":
            made.append(
                Coded(code, (Code("Y", "Yes", "HL70136") if value else Code("N", "No", "HL70136"),), status, at)
            )
        elif field.type == "number":
            units = Code(field.unit, field.unit, "UCUM" if field.unit in _UCUM else "L") if field.unit else None
            made.append(Number(code, float(value), status, units, at))
        elif field.type in ("enum", "multi"):
            values = [value] if field.type == "enum" else list(value)
            made.append(Coded(code, tuple(Code(str(v), str(v), "L") for v in values), status, at))
    return made


def _withdrawn(session: ActorSession, report: VersionFacts, zone: ZoneInfo) -> tuple[Observation, ...]:
    because = withdrawn_because(session, report.id) or "other"
    loinc, title = document_code()
    words = ("WITHDRAWN", WITHDRAWN_WORDS[because])
    return (
        Lines(
            Code(loinc, title, "LN", "IMP"), words, WITHDRAWN_OBSERVATION[because], report.signed_at.astimezone(zone)
        ),
    )


def _studies_of_orders(session: ActorSession, orders: Sequence[CaseOrder]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {}
    for order_id, study_id in session.execute(_OF_ORDERS, {"orders": [o.id for o in orders]}):
        found.setdefault(order_id, []).append(study_id)
    return found


def _examined_at(own: Sequence[StudyFacts], zone: ZoneInfo) -> datetime | None:
    """When the first of the studies was made, as its images say: local time of the site."""
    times = [
        datetime.strptime(f"{s.study_date:%Y%m%d}{s.study_time.split('.')[0][:6]:0<6}", "%Y%m%d%H%M%S").replace(
            tzinfo=zone
        )
        for s in own
        if s.study_date is not None and s.study_time and s.study_time[:2].isdigit()
    ]
    return min(times, default=None)


def _interpreter(report: VersionFacts, zone: ZoneInfo) -> Interpreter:
    told: dict[str, Any] = report.signer_details
    name, licence = told.get("name") or {}, told.get("licence") or {}
    return Interpreter(
        licence.get("number") or str(told.get("reader_id") or ""),
        Name(name.get("family") or report.signer_name, name.get("given", ""), prefix=name.get("prefix", "")),
        report.signed_at.astimezone(zone),
    )
