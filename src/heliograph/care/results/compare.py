"""A site's report beside ours: what differs is opened as a discrepancy, and closed when it no longer stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.reading.queries import VersionFacts, versions_of_case
from heliograph.care.results.errors import AlreadyClosed, ReasonNeeded
from heliograph.care.results.model import Discrepancy, SiteReport
from heliograph.care.results.rules import Outcome, Section, difference, standing
from heliograph.care.worklist.access import locked_case, steered_case
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

ALARM: Final = "discrepancy"
_CASES = text(
    "select distinct cp.case_id from worklist.case_procedures cp join orders.requested_procedures p on p.id = cp.requested_procedure_id "
    "where p.order_id = :order and exists (select 1 from worklist.reads r where r.case_id = cp.case_id and r.state <> 'cancelled')"
)
_ORDERS = text(
    "select distinct p.order_id from worklist.case_procedures cp join orders.requested_procedures p on p.id = cp.requested_procedure_id "
    "where cp.case_id = :case"
)


def cases_of_order(work: Work, order_id: UUID) -> list[UUID]:
    """The cases in which an order is read by us."""
    return list(work.session.scalars(_CASES, {"order": order_id}))


def orders_of_case(work: Work, case_id: UUID) -> list[UUID]:
    """The orders that a case answers."""
    return list(work.session.scalars(_ORDERS, {"case": case_id}))


def compare(work: Work, case_id: UUID) -> None:
    """Holds our newest signed version of a case against what its site reported of the same orders. The case is locked.

    A final text of the site that concludes otherwise opens a discrepancy; a newer one, of theirs or of ours, takes its place. A report
    that the site withdrew after we reported opens one too.
    """
    case = locked_case(work, case_id)
    signed = [v for v in versions_of_case(work.session, case_id) if v.state == "signed"]
    if not signed:
        for row in _open(work, case_id):
            _close(work, row, "superseded", None)
        return
    ours = signed[-1]
    stands: dict[UUID, tuple[SiteReport, str, bool]] = {}
    for thread in threads(work, orders_of_case(work, case_id)):
        found = standing(thread)
        if found.withdrawn is not None:
            if any(one.status in ("final", "corrected") for one in thread):
                stands[found.withdrawn.id] = (found.withdrawn, "withdrawn", False)
        elif found.base is not None and found.base.status != "preliminary":
            differs = difference(_sections(ours), found.base.sections)
            if differs is not None:
                stands[found.base.id] = (found.base, "impression", differs.side_differs)
    for row in _open(work, case_id):
        if row.site_report_id not in stands or row.report_version_id != ours.id:
            _close(work, row, "superseded", None)
    for report, kind, side in stands.values():
        _open_one(work, case.organization_id, case_id, report, ours, kind, side_differs=side)


def close(work: Work, discrepancy_id: UUID, outcome: Outcome, note: str) -> None:
    """A coordinator has looked at both texts. Raises: NotFound, AlreadyClosed, ReasonNeeded (for more than agreement)."""
    row = work.session.get(Discrepancy, discrepancy_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    steered_case(work, row.case_id)
    if row.closed_at is not None:
        raise AlreadyClosed
    if outcome != "agrees" and not note.strip():
        raise ReasonNeeded
    _close(work, row, outcome, note.strip() or None)


def threads(work: Work, order_ids: Sequence[UUID]) -> list[list[SiteReport]]:
    """The versions of each report of these orders."""
    if not order_ids:
        return []
    rows = work.session.scalars(
        select(SiteReport)
        .where(SiteReport.order_id.in_(order_ids), SiteReport.held_reason.is_(None))
        .order_by(SiteReport.received_at, SiteReport.id)
    )
    found: dict[tuple[UUID, str], list[SiteReport]] = {}
    for row in rows:
        found.setdefault((row.facility_id, row.report_key), []).append(row)
    return list(found.values())


def _sections(version: VersionFacts) -> list[Section]:
    return [Section(id=s["id"], title=s["title"], text=s["text"]) for s in version.sections]


def _open(work: Work, case_id: UUID) -> list[Discrepancy]:
    query = select(Discrepancy).where(Discrepancy.case_id == case_id, Discrepancy.closed_at.is_(None))
    return list(work.session.scalars(query.with_for_update(key_share=True)))


def _open_one(
    work: Work,
    organization_id: UUID,
    case_id: UUID,
    report: SiteReport,
    ours: VersionFacts,
    kind: str,
    *,
    side_differs: bool,
) -> None:
    same = (Discrepancy.site_report_id == report.id, Discrepancy.report_version_id == ours.id)
    if work.session.scalar(select(Discrepancy.id).where(*same)) is not None:
        return
    row = Discrepancy(
        organization_id=organization_id,
        case_id=case_id,
        site_report_id=report.id,
        report_version_id=ours.id,
        kind=kind,
        side_differs=side_differs,
        opened_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    work.record(
        "discrepancy.opened",
        organization_id=organization_id,
        case_id=case_id,
        subject_kind="discrepancy",
        subject_id=row.id,
        detail={"kind": kind, "side_differs": side_differs, "version": ours.number},
    )
    raise_alarm(work, organization_id, ALARM, "discrepancy", row.id, _words(kind, side_differs), case_id=case_id)
    work.touch("case", case_id, organization_id)


def _words(kind: str, side_differs: bool) -> str:
    if kind == "withdrawn":
        return "The site withdrew its own report of a case that we reported: look at ours."
    if side_differs:
        return "The site's own report names the other side than ours: look at both at once."
    return "The site's own report concludes otherwise than ours: look at both."


def _close(work: Work, row: Discrepancy, outcome: Outcome, note: str | None) -> None:
    by = work.actor.id if outcome != "superseded" else None
    row.closed_at, row.closed_by, row.outcome, row.note = work.now, by, outcome, note
    work.session.flush()
    work.record(
        "discrepancy.closed",
        organization_id=row.organization_id,
        case_id=row.case_id,
        subject_kind="discrepancy",
        subject_id=row.id,
        reason=note,
        detail={"outcome": outcome},
    )
    clear_alarm(work, ALARM, row.id)
    work.touch("case", row.case_id, row.organization_id)
