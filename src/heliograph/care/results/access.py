"""Who may see a site's report: its staff and auditors, its coordinators, and readers who read or have read the patient."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.access import may_coordinate
from heliograph.care.results.model import SiteReport
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

_HAS_READ = text(
    "select 1 from worklist.reads r join worklist.cases c on c.id = r.case_id join people.readers p on p.id = r.reader_id "
    "where p.user_id = :user and c.patient_id = :patient limit 1"
)


def report_for(work: Work, report_id: UUID) -> SiteReport:
    """A report that the actor may see; one that waits for a person only who files it. Raises: NotFound."""
    row = work.session.get(SiteReport, report_id)
    if row is None or not _may_see(work, row):
        raise NotFound
    return row


def sees_withdrawn(work: Work, report: SiteReport) -> bool:
    """Whether the actor sees the text of what the site took back: who coordinates, and auditors."""
    return work.actor.holds("auditor", report.organization_id) or may_coordinate(
        work, report.organization_id, report.facility_id
    )


def _may_see(work: Work, row: SiteReport) -> bool:
    if sees_withdrawn(work, row):
        return True
    if row.held_reason is not None or not work.actor.holds("reader"):
        return False
    values = {"user": work.actor.id, "patient": row.patient_id}
    return work.session.scalar(_HAS_READ, values) is not None
