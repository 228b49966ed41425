"""The report as a PDF: always the same bytes for the same version and the same facts about patient, orders and site.

Set with typst and the fonts that it carries (Latin with Norwegian, Greek, Cyrillic); fonts of the machine are not used.
"""

from __future__ import annotations

import json
from datetime import UTC
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typst
from sqlalchemy import text

from heliograph.care.reading.queries import VersionFacts, version
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotFound
from heliograph.records.archive.queries import studies
from heliograph.records.patients.queries import PatientBanner, banner
from heliograph.records.sites.queries import FacilityFacts, facility

_CASE = text("select patient_id, facility_id, description from worklist.cases where id = :case")
_STUDIES = text("select study_id from worklist.case_studies where case_id = :case order by added_at, study_id")
_LANGUAGE = text("select language from reading.reports where id = :report")
MARKS = {"preliminary": "PRELIMINARY", "addendum": "WITH ADDENDUM", "corrected": "CORRECTED"}
MEANINGS = {"author": "Signed by the author", "review": "Reviewed by", "approval": "Approved by"}


def report_pdf(session: ActorSession, version_id: UUID) -> bytes:
    """The PDF of a version that the actor's session sees. Raises: NotFound."""
    found = version(session, version_id)
    case = session.execute(_CASE, {"case": found.case_id}).one_or_none() if found else None
    site = facility(session, case.facility_id) if case else None
    if found is None or case is None or site is None:
        raise NotFound()
    patient = banner(session, case.patient_id, site.time_zone, found.signed_at) if case.patient_id else None
    known = studies(session, session.scalars(_STUDIES, {"case": found.case_id})).values()
    days = sorted({s.study_date for s in known if s.study_date})
    return set_pdf(
        found,
        site,
        patient,
        exam=case.description,
        studied=", ".join(f"{d.day} {d:%b %Y}" for d in days),
        language=session.scalar(_LANGUAGE, {"report": found.report_id}) or "en",
    )


def set_pdf(
    report: VersionFacts,
    site: FacilityFacts,
    patient: PatientBanner | None,
    *,
    exam: str,
    studied: str,
    language: str = "en",
) -> bytes:
    """Sets the page; pure. All words go in as data."""
    at = report.signed_at
    there = at.astimezone(ZoneInfo(site.time_zone))
    told = report.signer_details
    licence, place = told.get("licence"), told.get("place")
    signature = [
        f"Licence {licence['jurisdiction']} {licence['number']}" if licence else "",
        f"Read from {place['name']} ({place['jurisdiction']})" if place else "",
        f"{there.day} {there:%B %Y %H:%M} at the site ({site.time_zone}), {at.astimezone(UTC):%H:%M} UTC",
    ]
    name = patient.display_name if patient else "Not identified"
    identifier = ", ".join(f"{i.value} ({i.authority})" for i in patient.identifiers[:2]) if patient else ""
    born = patient.birth_date if patient else None
    data: dict[str, Any] = {
        "title": f"{exam}, report {report.number}",
        "language": language.split("-", maxsplit=1)[0],
        "exam": exam,
        "mark": MARKS.get(report.kind, "") if report.state == "signed" else "WITHDRAWN",
        "facility": site.name,
        "patient": name,
        "identifier": identifier,
        "about": [
            {"label": label, "value": value or "not known"}
            for label, value in (
                ("Patient", name),
                ("Born", f"{born.day} {born:%b %Y}" if born else ""),
                ("Sex", (patient.sex if patient else None) or ""),
                ("Identifier", identifier),
                ("Accession", ", ".join(report.accession)),
                ("Examined", studied),
            )
        ],
        "sections": [{"title": s["title"].upper(), "text": s["text"]} for s in report.sections],
        "signed_as": MEANINGS.get(report.meaning, "Signed"),
        "signer": report.signer_name,
        "signature": [line for line in signature if line],
        "version_line": f"Version {report.number}, {report.kind} · {report.content_sha256[:16]}",
    }
    return typst.compile(
        _page(),
        sys_inputs={"report": json.dumps(data, ensure_ascii=False)},
        ignore_system_fonts=True,
        format="pdf",
        timestamp=int(at.timestamp()),
    )


@cache
def _page() -> bytes:
    return (files(__package__) / "data" / "report.typ").read_bytes()
