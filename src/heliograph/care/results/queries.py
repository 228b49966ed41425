"""Site reports of cases and patients. Row-level security decides what the actor sees; `case_for` adds what roles say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import or_, select, text

from heliograph.care.orders.access import may_coordinate
from heliograph.care.reading.queries import version
from heliograph.care.results.access import report_for, sees_withdrawn
from heliograph.care.results.compare import orders_of_case
from heliograph.care.results.model import Discrepancy, SiteAttachment, SiteReport
from heliograph.care.results.rules import Section, impression_of, said_at, standing
from heliograph.care.results.schemas import (
    AttachmentOut,
    CaseSiteReports,
    DiscrepancyOut,
    HeldReportOut,
    OrderChoice,
    SiteReportOut,
    TextOut,
    ToldSection,
    VersionLine,
)
from heliograph.care.worklist.access import case_for, may_steer
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.patients.names import display_name
from heliograph.records.patients.queries import patient
from heliograph.records.sites.queries import facilities

# The table holds ids of whatever was seen; ids of site reports and of studies can't meet.
_PASS = text(
    "insert into access.passed_views (session_id, study_id) values (:session, :seen) on conflict do nothing returning study_id"
)
_CHOICES = text(
    "select o.id, o.accession_number as accession, o.received_at, coalesce((select string_agg(p.description, ' + ' order by p.position) "
    "from orders.requested_procedures p where p.order_id = o.id and not p.is_cancelled), 'Order') as description "
    "from orders.orders o where o.patient_id = :patient order by o.received_at desc limit 50"
)


def reports_of_case(work: Work, case_id: UUID) -> CaseSiteReports:
    """What sites reported of a case and of its patient before; that it was seen is recorded. Raises: NotFound."""
    case = case_for(work, case_id)
    of_case = set(orders_of_case(work, case_id))
    rows = _of_patient(work.session, case.patient_id, of_case)
    own, priors = (
        _grouped(r for r in rows if r.order_id in of_case),
        _grouped(r for r in rows if r.order_id not in of_case),
    )
    shown = CaseSiteReports(
        own=_shown(work, own),
        priors=sorted(
            _shown(work, priors), key=lambda r: r.versions[0].reported_at or r.versions[0].received_at, reverse=True
        ),
        discrepancies=_discrepancies(work.session, case_id),
        may_close=may_steer(work.session, work.actor, case),
    )
    for report in (*shown.own, *shown.priors):
        _record_view(work, report.id, case.organization_id, case_id, case.patient_id)
    return shown


def one_version(work: Work, report_id: UUID) -> TextOut:
    """One version out of a report's history; of one that was withdrawn without its text, but for coordinators and auditors.

    Raises: NotFound.
    """
    row = report_for(work, report_id)
    _record_view(work, row.id, row.organization_id, None, row.patient_id)
    found = standing(_thread(work.session, row))
    is_hidden = found.withdrawn is not None and not sees_withdrawn(work, row)
    return _text(row, is_hidden=is_hidden)


def held_reports(work: Work) -> list[HeldReportOut]:
    """What waits for the actor to say what it belongs to, oldest first; that it was seen is recorded."""
    rows = work.session.scalars(
        select(SiteReport).where(SiteReport.held_reason.is_not(None)).order_by(SiteReport.received_at).limit(200)
    ).all()
    rows = [r for r in rows if may_coordinate(work, r.organization_id, r.facility_id)]
    places = facilities(work.session, {r.facility_id for r in rows})
    shown = []
    for row in rows:
        who = patient(work.session, row.patient_id)
        orders = work.session.execute(_CHOICES, {"patient": row.patient_id})
        _record_view(work, row.id, row.organization_id, None, row.patient_id)
        shown.append(
            HeldReportOut(
                id=row.id,
                facility=places[row.facility_id].short_name,
                reason=row.held_reason or "",
                received_at=row.received_at,
                description=row.description,
                accession=row.accession_number,
                filler_number=row.filler_number,
                patient_id=row.patient_id,
                patient_name=display_name(who) if who else "",
                birth_date=who.birth_date if who else None,
                orders=[OrderChoice.model_validate(o, from_attributes=True) for o in orders],
            )
        )
    return shown


def _of_patient(session: ActorSession, patient_id: UUID | None, orders: Iterable[UUID]) -> list[SiteReport]:
    whose = or_(SiteReport.order_id.in_(list(orders)), SiteReport.patient_id == patient_id)
    query = select(SiteReport).where(whose, SiteReport.held_reason.is_(None)).limit(1000)
    return list(session.scalars(query))


def _thread(session: ActorSession, row: SiteReport) -> list[SiteReport]:
    same = (SiteReport.facility_id == row.facility_id, SiteReport.report_key == row.report_key)
    return list(session.scalars(select(SiteReport).where(*same, SiteReport.patient_id == row.patient_id)))


def _grouped(rows: Iterable[SiteReport]) -> list[list[SiteReport]]:
    found: dict[tuple[UUID, str], list[SiteReport]] = {}
    for row in rows:
        found.setdefault((row.facility_id, row.report_key), []).append(row)
    return [sorted(thread, key=said_at, reverse=True) for thread in found.values()]


def _shown(work: Work, threads: Sequence[list[SiteReport]]) -> list[SiteReportOut]:
    places = facilities(work.session, {t[0].facility_id for t in threads})
    files = _attachments(work.session, [r.id for t in threads for r in t])
    return [_one(t, places[t[0].facility_id].short_name, files) for t in threads]


def _one(thread: list[SiteReport], place: str, files: dict[UUID, list[AttachmentOut]]) -> SiteReportOut:
    found, newest = standing(thread), thread[0]
    parts = [r for r in (found.base, *found.additions) if r is not None]
    counting = {r.id for r in parts}
    return SiteReportOut(
        id=newest.id,
        facility=place,
        description=newest.description,
        accession=newest.accession_number,
        examined_at=newest.examined_at,
        is_critical=any(r.is_critical for r in parts),
        is_withdrawn=found.withdrawn is not None,
        withdrawn_at=(found.withdrawn.reported_at or found.withdrawn.received_at) if found.withdrawn else None,
        base=_text(found.base) if found.base else None,
        additions=[_text(r) for r in found.additions],
        attachments=[a for r in parts for a in files.get(r.id, [])],
        versions=[
            VersionLine(
                id=r.id,
                status=r.status,  # type: ignore[arg-type]  # the table's check allows no other
                reported_at=r.reported_at,
                received_at=r.received_at,
                stands=r.id in counting,
            )
            for r in thread
        ],
    )


def _text(row: SiteReport, *, is_hidden: bool = False) -> TextOut:
    return TextOut(
        id=row.id,
        status=row.status,  # type: ignore[arg-type]  # the table's check allows no other
        author=row.author,
        reported_at=row.reported_at,
        received_at=row.received_at,
        sections=[] if is_hidden else [ToldSection(**s) for s in row.sections],
    )


def _attachments(session: ActorSession, report_ids: Sequence[UUID]) -> dict[UUID, list[AttachmentOut]]:
    columns = (
        SiteAttachment.id,
        SiteAttachment.report_id,
        SiteAttachment.name,
        SiteAttachment.media_type,
        SiteAttachment.length,
    )
    found: dict[UUID, list[AttachmentOut]] = {}
    for row in session.execute(
        select(*columns).where(SiteAttachment.report_id.in_(report_ids)).order_by(SiteAttachment.id)
    ):
        found.setdefault(row.report_id, []).append(AttachmentOut.model_validate(row, from_attributes=True))
    return found


def _discrepancies(session: ActorSession, case_id: UUID) -> list[DiscrepancyOut]:
    rows = session.scalars(
        select(Discrepancy)
        .where(Discrepancy.case_id == case_id, Discrepancy.outcome.is_distinct_from("superseded"))
        .order_by(Discrepancy.opened_at.desc())
    ).all()
    shown = []
    for row in rows:
        ours, theirs = version(session, row.report_version_id), session.get(SiteReport, row.site_report_id)
        if ours is None or theirs is None:
            continue
        sections = [Section(id=s["id"], title=s["title"], text=s["text"]) for s in ours.sections]
        shown.append(
            DiscrepancyOut(
                id=row.id,
                kind=row.kind,  # type: ignore[arg-type]  # the table's check allows no other
                side_differs=row.side_differs,
                opened_at=row.opened_at,
                closed_at=row.closed_at,
                outcome=row.outcome,  # type: ignore[arg-type]  # the table's check allows no other
                note=row.note,
                ours_number=ours.number,
                ours_signed_at=ours.signed_at,
                ours_signer=ours.signer_name,
                ours=impression_of(sections) or ours.text,
                theirs_author=theirs.author,
                theirs_at=theirs.reported_at or theirs.received_at,
                theirs="" if row.kind == "withdrawn" else impression_of(theirs.sections) or theirs.text,
            )
        )
    return shown


def _record_view(
    work: Work, report_id: UUID, organization_id: UUID, case_id: UUID | None, patient_id: UUID | None
) -> None:
    session_id = work.actor.session_id
    if session_id is None or work.session.scalar(_PASS, {"session": session_id, "seen": report_id}) is not None:
        work.record(
            "site_report.viewed",
            organization_id=organization_id,
            case_id=case_id,
            patient_id=patient_id,
            subject_kind="site_report",
            subject_id=report_id,
        )
