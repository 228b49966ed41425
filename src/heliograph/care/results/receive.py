"""A report from a site's system: kept as it was told, filed under what it belongs to, and held against ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from heliograph.care.orders.access import may_coordinate
from heliograph.care.results.compare import cases_of_order, compare
from heliograph.care.results.errors import NotHeld, OrderOfAnother, ReasonNeeded
from heliograph.care.results.incoming import IncomingReport
from heliograph.care.results.model import SiteAttachment, SiteReport
from heliograph.care.results.rules import to_text
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.patients.index import take
from heliograph.records.sites.queries import FacilityFacts

HELD: Final = "held_report"
KEEP: Final = "results.keep_attachment"
"""The job that makes an attachment an object."""
SEVERAL, OF_ANOTHER = (
    "Several orders of the patient have these numbers.",
    "The order with these numbers is another patient's.",
)
IMAGES_OF_ANOTHER = "The images with this accession number are another patient's."
_ORDERS = text(
    "select id, patient_id, filler_number = :filler and facility_id = :facility as by_filler, "
    "accession_number = :accession and (accession_issuer is null or accession_issuer = :issuer) as by_accession "
    "from orders.orders where organization_id = :organization and ("
    "(facility_id = :facility and (filler_number = :filler or placer_number = :placer)) "
    "or (accession_number = :accession and (accession_issuer is null or accession_issuer = :issuer)))"
)
_STUDIES = text(
    "select distinct patient_id from archive.studies where organization_id = :organization and facility_id = :facility "
    "and accession_number = :accession and patient_id is not null"
)


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """What became of a report: on an order, a prior of its patient (no order), or held for a person."""

    id: UUID
    order_id: UUID | None
    is_held: bool
    is_new: bool = True
    """False: the very same was told before."""


@dataclass(frozen=True, slots=True)
class _Place:
    order_id: UUID | None
    held_reason: str | None


def receive_report(work: Work, facility: FacilityFacts, report: IncomingReport) -> ReceivedReport:
    """Keeps a version of a site's report. It belongs to the one order of the same patient that bears its numbers; where none does, it
    is a prior report of the patient. Several such orders, or one of another patient: it waits for a person, nothing is guessed.

    Raises: IdentityInDoubt, NoIdentifier.
    """
    issuer = report.accession_issuer or facility.accession_issuer
    key = _key(report, issuer)
    lock = func.hashtextextended(f"report/{facility.id}/{key}", 0)
    work.session.execute(select(func.pg_advisory_xact_lock(lock)))
    patient_id = take(work, facility.organization_id, report.patient, change=False).patient.id
    words = to_text(report.sections)
    may_be_again = report.reported_at is not None and not report.files
    known = work.session.scalar(_same(facility, key, patient_id, report, words)) if may_be_again else None
    if known is not None:
        return ReceivedReport(known.id, known.order_id, known.held_reason is not None, is_new=False)
    place = _place(work, facility, report, issuer, patient_id)
    row = SiteReport(
        organization_id=facility.organization_id,
        facility_id=facility.id,
        patient_id=patient_id,
        order_id=place.order_id,
        held_reason=place.held_reason,
        report_key=key,
        status=report.status,
        result_code=report.result_code,
        placer_number=report.placer_number,
        filler_number=report.filler_number,
        accession_number=report.accession_number,
        accession_issuer=issuer if report.accession_number else None,
        description=report.description,
        sections=list(report.sections),
        text=words,
        author=report.author,
        is_critical=report.is_critical,
        examined_at=report.examined_at,
        reported_at=report.reported_at,
        sent_at=report.sent_at,
        received_at=work.now,
        control_id=report.control_id,
    )
    work.session.add(row)
    work.session.flush()
    _attach(work, row, report)
    cases = cases_of_order(work, row.order_id) if row.order_id is not None else []
    _record(work, "site_report.received", row, {"status": row.status}, case_id=cases[0] if cases else None)
    if row.held_reason is not None:
        waits = f"A report from {facility.short_name} waits. {row.held_reason}"
        raise_alarm(work, row.organization_id, HELD, "site_report", row.id, waits)
    _touch(work, row, cases)
    return ReceivedReport(row.id, row.order_id, row.held_reason is not None)


def file_held(work: Work, report_id: UUID, order_id: UUID | None, reason: str) -> None:
    """A person says what a held report belongs to: an order of its patient, or none (then it is a prior report of the patient).

    Raises: NotFound, NotHeld, ReasonNeeded, OrderOfAnother.
    """
    row = work.session.get(SiteReport, report_id, with_for_update=ROW_LOCK)
    if row is None or not may_coordinate(work, row.organization_id, row.facility_id):
        raise NotFound
    if row.held_reason is None:
        raise NotHeld
    if not reason.strip():
        raise ReasonNeeded
    if order_id is not None:
        owner = text("select patient_id from orders.orders where id = :id and organization_id = :organization")
        if work.session.scalar(owner, {"id": order_id, "organization": row.organization_id}) != row.patient_id:
            raise OrderOfAnother
    row.order_id, row.held_reason = order_id, None
    work.session.flush()
    cases = cases_of_order(work, order_id) if order_id is not None else []
    _record(work, "site_report.filed", row, {}, case_id=cases[0] if cases else None, reason=reason.strip())
    clear_alarm(work, HELD, row.id)
    _touch(work, row, cases)


def follow_merge(work: Work, merge_id: UUID, from_id: UUID, to_id: UUID, *, is_undone: bool) -> None:
    """Two patients are one, or are not: the reports of the one who ends go along, and come back."""
    came = SiteReport.merge_id == merge_id if is_undone else SiteReport.patient_id == from_id
    work.session.execute(
        update(SiteReport)
        .where(came, SiteReport.patient_id == from_id)
        .values(patient_id=to_id, merge_id=None if is_undone else merge_id)
    )


def _place(work: Work, facility: FacilityFacts, report: IncomingReport, issuer: str, patient_id: UUID) -> _Place:
    numbers = {
        "organization": facility.organization_id, "facility": facility.id, "issuer": issuer, "filler": report.filler_number,
        "placer": report.placer_number, "accession": report.accession_number,
    }  # fmt: skip
    found = work.session.execute(_ORDERS, numbers).all()
    own = [o for o in found if o.patient_id == patient_id]
    best = [o for o in own if o.by_filler] or [o for o in own if o.by_accession] or own
    if len(best) == 1:
        return _Place(best[0].id, None)
    if best:
        return _Place(None, SEVERAL)
    if found:
        return _Place(None, OF_ANOTHER)
    whose = set(work.session.scalars(_STUDIES, numbers)) if report.accession_number else set()
    return _Place(None, IMAGES_OF_ANOTHER if whose and patient_id not in whose else None)


def _same(facility: FacilityFacts, key: str, patient_id: UUID, report: IncomingReport, words: str) -> Any:
    """The version that says the very same, so that a report that is sent again is no new version."""
    return (
        select(SiteReport)
        .where(
            SiteReport.facility_id == facility.id,
            SiteReport.report_key == key,
            SiteReport.patient_id == patient_id,
            SiteReport.status == report.status,
            SiteReport.reported_at == report.reported_at,
            SiteReport.text == words,
        )
        .limit(1)
    )


def _key(report: IncomingReport, issuer: str) -> str:
    """What the versions of one report have in common: the filler number; else the accession number; else the placer number."""
    if report.filler_number:
        return f"filler:{report.filler_number}"
    if report.accession_number:
        return f"accession:{issuer}:{report.accession_number}"
    return f"placer:{report.placer_number or ''}"


def _attach(work: Work, row: SiteReport, report: IncomingReport) -> None:
    for file in report.files:
        made = SiteAttachment(
            organization_id=row.organization_id,
            report_id=row.id,
            name=file.name,
            media_type=file.media_type,
            length=len(file.data),
            sha256=hashlib.sha256(file.data).digest(),
            data=file.data,
        )
        work.session.add(made)
        work.session.flush()
        work.enqueue(KEEP, organization_id=row.organization_id, attachment_id=made.id)


def _touch(work: Work, row: SiteReport, cases: list[UUID]) -> None:
    for case_id in cases:
        work.touch("case", case_id, row.organization_id)
        compare(work, case_id)


def _record(
    work: Work, action: str, row: SiteReport, detail: dict[str, Any], *, case_id: UUID | None, reason: str | None = None
) -> None:
    work.record(
        action,
        organization_id=row.organization_id,
        order_id=row.order_id,
        case_id=case_id,
        patient_id=row.patient_id,
        subject_kind="site_report",
        subject_id=row.id,
        reason=reason,
        detail=detail,
    )
