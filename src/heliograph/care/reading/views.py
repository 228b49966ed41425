"""Seeing a report is on record: once a person, version and session."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from heliograph.care.reading.queries import VersionFacts, version_for
from heliograph.kit.work import Work

# The table holds ids of whatever was seen; ids of versions and of studies can't meet.
_PASS = text(
    "insert into access.passed_views (session_id, study_id) values (:session, :seen) "
    "on conflict do nothing returning study_id"
)


def view_report(work: Work, version_id: UUID) -> VersionFacts:
    """A version that the actor may see; that they saw it is recorded. Raises: NotFound."""
    found = version_for(work, version_id)
    session_id = work.actor.session_id
    if session_id is None or work.session.scalar(_PASS, {"session": session_id, "seen": version_id}) is not None:
        work.record(
            "report.viewed",
            organization_id=found.organization_id,
            case_id=found.case_id,
            subject_kind="report_version",
            subject_id=found.id,
            detail={"number": found.number},
        )
    return found
