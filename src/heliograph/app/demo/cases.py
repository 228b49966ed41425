"""What the simulated sites send in a round: orders as HL7 v2 messages and studies as DICOM files. All invented."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from heliograph.app.demo.network import SITES, DemoSite
from heliograph.app.demo.studies import Kind, MadeStudy, make_study
from heliograph.app.demo.studies_iod import DemoPatient
from heliograph.kit.codecs.hl7 import escape, format_dtm

SITE = {s.slug: s for s in SITES}


@dataclass(frozen=True, slots=True)
class DemoCase:
    """One examination at a site. `priority` is HL7 table 0485; without `has_order` its study waits as unmatched."""

    site: DemoSite
    kind: Kind
    patient: DemoPatient
    number: int
    priority: str
    procedure: tuple[str, str]
    modality: str
    indication: str
    referrer: tuple[str, str, str]
    has_prior: bool = False
    has_order: bool = True
    accession: str = ""


def _patient(site: str, mrn: str, name: str, born: str, sex: str) -> DemoPatient:
    return DemoPatient(mrn, SITE[site].code, name, born, sex)


CASES: tuple[DemoCase, ...] = (
    DemoCase(
        SITE["norfjord"], "ct-head-bleed", _patient("norfjord", "4471-0932", "HAUGLAND^Ingrid Marie", "19580314", "F"), 1, "S",
        ("CTHEAD", "CT head without contrast"), "CT",
        "Fall from standing height at 00:50, on apixaban. GCS 13, right arm weaker than left. Bleed?",
        ("Solbakken", "Eirik", "+47 00 55 90 12"), has_prior=True,
    ),
    DemoCase(
        SITE["norfjord"], "ct-head", _patient("norfjord", "4471-2210", "TVEIT^Arnfinn", "19490130", "M"), 2, "A",
        ("CTHEAD", "CT head without contrast"), "CT",
        "Dizzy since this morning, unsteady gait. Infarct?", ("Bakken", "Hilde", "+47 00 55 90 14"),
    ),
    DemoCase(
        SITE["norfjord"], "chest", _patient("norfjord", "4471-3004", "STRAND^Eivind", "19670827", "M"), 3, "R",
        ("XRCHEST1", "Chest X-ray, one view"), "DX",
        "Cough and fever for four days. Pneumonia?", ("Bakken", "Hilde", "+47 00 55 90 14"),
    ),
    DemoCase(
        SITE["kilele-springs"], "mr-brain", _patient("kilele-springs", "KS-34011", "WAIRIMU^Grace", "19740509", "F"), 4, "A",
        ("MRBRAIN", "MR brain without contrast"), "MR",
        "New seizures, two this week. Focal lesion?", ("Ndegwa", "Peter", "+254 00 555 011"),
    ),
    DemoCase(
        SITE["llano-verde"], "chest", _patient("llano-verde", "LV-0088012", "PRESCOTT-IBE^Noor", "19710222", "F"), 5, "R",
        ("XRCHEST1", "Chest X-ray, one view"), "DX", "Preoperative, no symptoms.", ("Amari", "Lena", "+1 000 555 0145"),
    ),
    # Nobody on shift reads abdomens for Kenya: this one has no eligible reader.
    DemoCase(
        SITE["kilele-springs"], "ultrasound", _patient("kilele-springs", "KS-33987", "KAMAU^Daniel", "19760118", "M"), 6, "R",
        ("USABDO", "Ultrasound abdomen, complete"), "US",
        "Right upper quadrant pain after meals. Stones?", ("Kiprono", "Joseph", "+254 00 555 010"),
    ),
    # Nobody sent an order: it waits as unmatched.
    DemoCase(
        SITE["llano-verde"], "chest", _patient("llano-verde", "LV-0103344", "ELLISON^Margit", "19460603", "F"), 7, "R",
        ("XRCHEST1", "Chest X-ray, one view"), "DX", "", ("Whitlock", "Sam", "+1 000 555 0147"), has_order=False,
    ),
)  # fmt: skip


def round_of(now: datetime) -> tuple[DemoCase, ...]:
    """The cases of a round that begins at `now`, with accession numbers of their own."""
    stamp = f"{now:%y%m%d%H%M}"
    return tuple(replace(c, accession=f"{c.site.code[:2]}{stamp}{c.number}") for c in CASES)


def order_message(case: DemoCase, now: datetime, *, control_id: str) -> bytes:
    """ORM^O01 (HL7 v2.5.1 4.4.1) for the case, as the site's system sends it."""
    site, patient = case.site, case.patient
    at = format_dtm(now.astimezone(ZoneInfo(site.time_zone)))
    family, given, phone = case.referrer
    referrer = f"{site.code[:2]}77^{escape(family)}^{escape(given)}^^^Dr"
    code, text = case.procedure
    segments = [
        f"MSH|^~\\&|{site.application}|{site.code}|HELIOGRAPH|HELIOGRAPH|{at}||ORM^O01^ORM_O01|{control_id}|P|2.5.1|||AL|NE||UNICODE UTF-8",
        f"PID|1||{escape(patient.patient_id)}^^^{patient.issuer}^MR||{patient.name}||{patient.birth_date}|{patient.sex}",
        "PV1|1|E",
        f"ORC|NW|P{case.accession}|F{case.accession}||SC||^^^{at}^^{case.priority}||{at}|||{referrer}||{escape(phone)}",
        f"OBR|1|P{case.accession}|F{case.accession}|{code}^{escape(text)}^L|||{at}||||||{escape(case.indication)}|||{referrer}|"
        f"{escape(phone)}|{case.accession}||||||{case.modality}|||^^^{at}^^{case.priority}",
    ]
    # MSH-15/16 empty: original mode, one answer after processing.
    segments[0] = segments[0].replace("|||AL|NE||", "||||||")
    return ("\r".join(segments) + "\r").encode()


def make_files(case: DemoCase, folder: Path, now: datetime) -> tuple[MadeStudy | None, MadeStudy]:
    """The case's prior, if it has one, and its study, as files below `folder`."""
    local = now.astimezone(ZoneInfo(case.site.time_zone))
    offset = f"{local:%z}"

    def make(kind: Kind, at: datetime, accession: str) -> MadeStudy:
        return make_study(
            kind,
            folder / accession,
            patient=case.patient,
            accession=accession,
            study_date=f"{at:%Y%m%d}",
            study_time=f"{at:%H%M%S}",
            institution=case.site.name,
            referring="^".join(case.referrer[:2]),
            station=case.site.calling_ae,
            utc_offset=offset,
            accession_issuer=case.site.code,
        )

    prior = (
        make("ct-head-prior", local - timedelta(days=470), f"{case.site.code[:2]}PRIOR{case.number}")
        if case.has_prior
        else None
    )
    return prior, make(case.kind, local - timedelta(minutes=4), case.accession)
