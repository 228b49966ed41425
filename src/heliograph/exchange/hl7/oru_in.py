"""ORU^R01 in: a site's report to plain values (HL7 v2.5.1 7.3.1, 7.4; tables 0085, 0123). Pure but for `take`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from heliograph.care.results.incoming import IncomingReport
from heliograph.care.results.receive import receive_report
from heliograph.care.results.rules import Section, Status
from heliograph.exchange.hl7.ed import documents
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.mapped import Scope, read
from heliograph.exchange.hl7.pid import Site, site_of
from heliograph.exchange.hl7.told import told_of
from heliograph.kit.codecs.hl7 import (
    BadDtm,
    FieldMissing,
    Location,
    Message,
    OrderGroup,
    Precision,
    Segment,
    parse_dtm,
)
from heliograph.kit.work import Work
from heliograph.records.patients.identify import Told

STATUSES: Final[Mapping[str, Status | None]] = {
    # Table 0123. None: there is no report yet.
    "O": None, "S": None, "I": None, "N": None,
    "A": "preliminary", "P": "preliminary", "R": "preliminary", "M": "preliminary",
    "F": "final", "C": "corrected", "X": "cancelled",
}  # fmt: skip
SUFFIXES: Final = {
    "GDT": ("findings", "Findings"), "IMP": ("impression", "Impression"), "REC": ("recommendation", "Recommendation"),
    "ADT": ("addendum", "Addendum"), "TCM": ("technologist", "Technologist's comment"),
}  # fmt: skip
"""The subcomponent behind the code in OBX-3.1 (HL7 v2.5.1 7.4.2.3)."""
CODES: Final = {
    "59776-5": ("findings", "Findings"), "19005-8": ("impression", "Impression"), "18783-1": ("recommendation", "Recommendation"),
    "55107-7": ("addendum", "Addendum"), "18785-6": ("indication", "Indication"), "11329-0": ("indication", "Indication"),
    "18834-2": ("comparison", "Comparison"), "55111-9": ("technique", "Technique"), "73568-8": ("critical", "Critical communication"),
}  # fmt: skip
"""LOINC codes of sections (DICOM PS3.16 CID 7001)."""
_WORDS: Final = {
    "impression": SUFFIXES["IMP"], "conclusion": SUFFIXES["IMP"], "findings": SUFFIXES["GDT"], "addendum": SUFFIXES["ADT"],
    "recommendation": SUFFIXES["REC"], "recommendations": SUFFIXES["REC"],
}  # fmt: skip
_NO_TEXT: Final = ("ED", "RP", "HD", "EI")
NOTHING_NEW, NO_REPORT = "This very report came before.", "The status says that there is no report yet."
HELD = "The report waits for a person: it is not certain what it belongs to."


def take(work: Work, message: Message, feed: Feed) -> Taken:
    """Keeps each report of the message. Raises: what `reports` and `receive_report` raise."""
    found = reports(message, site_of(feed))
    made = [receive_report(work, feed.facility, report) for report in found]
    if not made:
        return Taken(remark=NO_REPORT)
    remark = HELD if any(m.is_held for m in made) else None if any(m.is_new for m in made) else NOTHING_NEW
    return Taken(next((m.order_id for m in made if m.order_id is not None), None), remark)


KINDS: Final[Mapping[tuple[str, str], Callable[[Work, Message, Feed], Taken]]] = {("ORU", "R01"): take}


def reports(message: Message, site: Site) -> list[IncomingReport]:
    """The reports of a message, one of each OBR. An OBR without OBX shares those of its neighbour: several examinations, one report.

    Raises:
        FieldMissing: PID, PID-3, OBR, OBR-25, or no observation at all for a report that should have some.
        BadOrder: a status that is not in its table (103), no order or patient on record (Y, Z: 204), a document that can't be taken.
    """
    patient = told_of(message.need("PID"), message, site)
    groups = [g for g in message.groups() if g.obr is not None]
    if not groups:
        raise FieldMissing("OBR")
    made = []
    for number, group in enumerate(groups):
        status, code = _status(group)
        if status is not None:
            made.append(_report(message, group, _observations(groups, number), status, code, patient, site))
    return made


def _report(
    message: Message,
    group: OrderGroup,
    observations: Sequence[Segment],
    status: Status,
    code: str,
    patient: Told,
    site: Site,
) -> IncomingReport:
    obr = _obr(group)
    scope, values = Scope(message, group), site.mapping.values
    own = _status_of(observations, status)
    sections = _sections(observations, keep_deleted=own == "withdrawn")
    if not observations and own in ("final", "corrected"):
        raise FieldMissing("OBX")
    if own in ("final", "corrected") and sections and all(s["id"] == "addendum" for s in sections):
        own = "appended"
    return IncomingReport(
        patient=patient,
        status=own,
        result_code=code,
        description=read(values["procedure"], scope).text or read(values["procedure_code"], scope).text or "Report",
        sections=tuple(sections),
        placer_number=read(values["placer_number"], scope).text,
        filler_number=read(values["filler_number"], scope).text,
        accession_number=read(values["accession_number"], scope).text,
        accession_issuer=read(values["accession_issuer"], scope).text,
        author=_author(obr),
        is_critical=any((r.text() or "").upper() == "AA" for obx in observations for r in obx.repetitions(8)),
        examined_at=_time(obr.text(7), message, site),
        reported_at=_time(obr.text(22), message, site),
        sent_at=_time(message.text("MSH-7"), message, site),
        control_id=(message.control_id or "")[:200] or None,
        files=tuple(file for obx in observations if obx.text(2) == "ED" for file in documents(obx)),
    )


def _obr(group: OrderGroup) -> Segment:
    if group.obr is None:
        raise FieldMissing("OBR")
    return group.obr


def _status(group: OrderGroup) -> tuple[Status | None, str]:
    obr = _obr(group)
    code = obr.require(25).strip().upper()
    place = Location("OBR", obr.sequence, 25)
    if code in ("Y", "Z"):
        raise BadOrder("204", place, "OBR-25 says that the sender knows no such order or patient.")
    if code not in STATUSES:
        raise BadOrder("103", place, "OBR-25 is no result status of table 0123.")
    return STATUSES[code], code


def _status_of(observations: Sequence[Segment], status: Status) -> Status:
    """OBR-25, unless an observation was posted as wrong (W) or all are deleted (D)."""
    codes = [(obx.text(11) or "").strip().upper() for obx in observations]
    if "W" in codes or (codes and all(code == "D" for code in codes)):
        return "withdrawn"
    if codes and all(code == "X" for code in codes):
        return "cancelled"
    return status


def _observations(groups: Sequence[OrderGroup], number: int) -> tuple[Segment, ...]:
    own = groups[number].all("OBX")
    if own:
        return own
    neighbours = (*groups[number + 1 :], *reversed(groups[:number]))
    return next((g.all("OBX") for g in neighbours if g.all("OBX")), ())


def _sections(observations: Sequence[Segment], *, keep_deleted: bool) -> list[Section]:
    """The text by section; lines that belong to one section are one text, in the order in which they came."""
    found: dict[str, tuple[str, list[str]]] = {}
    for obx in observations:
        if obx.text(2) in _NO_TEXT or ((obx.text(11) or "").strip().upper() == "D" and not keep_deleted):
            continue
        lines = _lines(obx)
        if lines:
            id_, title = _section(obx)
            found.setdefault(id_, (title, []))[1].extend(lines)
    return [
        Section(id=i, title=title, text="\n".join(lines).strip()) for i, (title, lines) in found.items() if any(lines)
    ]


def _lines(obx: Segment) -> list[str]:
    """OBX-5. Repetitions of text are its lines; a coded or numeric value is told with what it is of and its unit."""
    kind = (obx.text(2) or "").strip().upper()
    if kind in ("TX", "FT", "ST", ""):
        return [_clean(whole) for r in obx.repetitions(5) if isinstance(whole := r.whole(), str)]
    coded = kind in ("CE", "CWE", "CNE")
    texts = [(r.text(2) or r.text(1)) if coded else r.text() for r in obx.repetitions(5)]
    value = ", ".join(t.strip() for t in texts if t and t.strip())
    if not value:
        return []
    of, unit = obx.text(3, 2) or obx.text(3), obx.text(6)
    return [_clean(" ".join(p for p in (f"{of}:" if of else "", value, unit or "") if p))]


def _section(obx: Segment) -> tuple[str, str]:
    for suffix in (obx.text(3, 1, 2), obx.text(3)):
        if suffix and suffix.strip().upper() in SUFFIXES:
            return SUFFIXES[suffix.strip().upper()]
    code, words = (obx.text(3) or "").strip(), (obx.text(3, 2) or "").strip()
    if code in CODES:
        return CODES[code]
    known = _WORDS.get(words.casefold().rstrip(":"))
    if known is not None:
        return known
    return "report", "Report"


def _author(obr: Segment) -> str | None:
    """OBR-32 (NDL): the person in the subcomponents of its first component; many senders put the parts of an XCN there instead."""
    for r in obr.repetitions(32):
        if r.text(1, 2):
            parts = [r.text(1, 6), r.text(1, 3), r.text(1, 2)]
        elif r.text(2) and not re.fullmatch(r"[\d.+-]+", r.text(2) or ""):
            parts = [r.text(6), r.text(3), r.text(2)]
        else:
            continue
        name = " ".join(p.strip() for p in parts if p and p.strip())
        if name:
            return name[:200]
    return None


def _time(sent: str | None, message: Message, site: Site) -> datetime | None:
    """A time with its zone; None where it can't be read, or only a day is told."""
    if sent is None:
        return None
    try:
        told = parse_dtm(sent, ZoneInfo(site.time_zone), message.zone)
    except BadDtm:
        return None
    return told.value if told.precision >= Precision.MINUTE else None


def _clean(text: str) -> str:
    """One kind of line end, no control characters: PostgreSQL takes no NUL."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip()
