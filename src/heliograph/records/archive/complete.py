"""When a study is complete: quiet for long enough, as many images as expected, or the technologist said so.

A closed association says nothing: scanners close after each image, and reopen after an error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive.errors import NothingReceived
from heliograph.records.archive.events import StudyCompleted
from heliograph.records.archive.model import Study

By = Literal["quiet", "technologist", "count"]

# After an outage a backlog is filed long after it was received; while it is being filed its studies are not quiet.
SETTLING_SECONDS = 5

_DUE = text(
    """
    select s.id, s.organization_id, s.expected_instances is not null and s.number_of_instances >= s.expected_instances as counted
    from archive.studies s join sites.facilities f on f.id = s.facility_id
    where s.completed_at is null and s.number_of_instances > 0 and (
        s.number_of_instances >= s.expected_instances
        or s.last_received_at <= :now - make_interval(secs => coalesce(f.quiet_seconds, :quiet))
           and s.indexed_at <= :now - make_interval(secs => least(coalesce(f.quiet_seconds, :quiet), :settling)))
    order by s.last_received_at limit 200
    """
)


def complete_quiet_studies(works: WorkFactory, *, quiet_seconds: int = 90, now: datetime | None = None) -> int:
    """Completes every study whose time has come. `quiet_seconds` holds where the facility says nothing. Returns how many."""
    with works.read(system("completeness")) as work:
        organizations = [o.id for o in active_organizations(work.session)]
    if not organizations:
        return 0
    at = now or works.clock.now()
    with works.read(system("completeness", *organizations)) as work:
        values = {"now": at, "quiet": quiet_seconds, "settling": SETTLING_SECONDS}
        due = work.session.execute(_DUE, values).all()
    done = 0
    for study_id, organization_id, counted in due:
        with works.begin(system("completeness", organization_id)) as work:
            done += complete_study(work, study_id, by="count" if counted else "quiet")
    return done


def complete_study(work: Work, study_id: UUID, by: By = "technologist") -> bool:
    """Marks a study complete. False if it already is. Later images join it all the same.

    Raises:
        NotFound: no such study, or not visible.
        NothingReceived: it has no images.
    """
    row = work.session.get(Study, study_id, with_for_update=ROW_LOCK, populate_existing=True)
    if row is None:
        raise NotFound
    if row.completed_at is not None:
        return False
    if row.number_of_instances == 0:
        raise NothingReceived
    row.completed_at, row.completed_by = work.now, by
    work.session.flush()
    about: dict[str, Any] = {"organization_id": row.organization_id, "study_id": row.id, "patient_id": row.patient_id}
    work.record("study.last_image", at=row.last_received_at, **about)
    work.record("study.completed", reason=by, detail={"instances": row.number_of_instances, "by": by}, **about)
    work.touch("study", row.id, row.organization_id)
    work.announce(StudyCompleted(organization_id=row.organization_id, study_id=row.id))
    return True


def expect_instances(work: Work, study_id: UUID, number: int) -> None:
    """Takes how many instances the study will have (an MPPS or a technologist says so): it is complete when they are here."""
    row = work.session.get(Study, study_id, with_for_update=ROW_LOCK)
    if row is None:
        raise NotFound
    row.expected_instances = number
    work.session.flush()
    work.record("study.expected", organization_id=row.organization_id, study_id=row.id, detail={"instances": number})
