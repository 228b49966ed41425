"""Sweeps that the worker runs on its ticks: what time alone brings about. One transaction a subject."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, text

from heliograph.care.worklist.alarms import raise_alarm
from heliograph.care.worklist.assign import retry_waiting
from heliograph.care.worklist.open import give_back_ineligible
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import Actor, system
from heliograph.kit.work import WorkFactory

_UNMATCHED = text(
    "select s.id, s.organization_id, s.match_reason from archive.studies s "
    "where s.match_state in ('unmatched', 'held') and s.first_received_at <= :before and s.number_of_instances > 0 "
    "and not exists (select 1 from worklist.alarms a where a.kind = 'unmatched_study' and a.subject_id = s.id and a.cleared_at is null) "
    "and not exists (select 1 from worklist.case_studies cs where cs.study_id = s.id) order by s.first_received_at limit 200"
)
_WAITING = text(
    "select r.id, r.organization_id, r.case_id from worklist.reads r join worklist.cases c on c.id = r.case_id "
    "where r.state = 'ready' order by coalesce(r.due_at, c.due_at) nulls last, r.id limit 500"
)
# Who may have lost the right to read: a cheap first look, after which the rules decide. What was opened is taken only from who is no
# longer engaged: they don't see it any more and can't sign it, so nobody else would ever hear of it.
_SUSPECT = text(
    """
    select r.id, r.organization_id, r.case_id
    from worklist.reads r
    join worklist.cases c on c.id = r.case_id
    join people.readers p on p.id = r.reader_id
    where r.state in ('assigned', 'reading') and (
        not p.is_active
        or not exists (select 1 from people.engagements e where e.id = r.engagement_id and e.valid_from <= :now
                       and (e.valid_until is null or e.valid_until > :now))
        or r.state = 'assigned' and (
            not exists (select 1 from rota.shifts s where s.reader_id = r.reader_id and s.organization_id = c.group_organization_id
                        and s.starts_at <= :now and s.ends_at > :now)
            or exists (select 1 from people.licences l where l.reader_id = r.reader_id
                       and (l.status <> 'active' or l.valid_until <= :now))
            or not exists (select 1 from people.privileges v where v.reader_id = r.reader_id and v.facility_id = c.facility_id
                           and v.status = 'active' and v.valid_from <= :now and (v.valid_until is null or v.valid_until > :now))))
    order by r.assigned_at, r.id limit 500
    """
)
_FREE = text("select 1 from worklist.cases where id = :id for no key update skip locked")
_BROKEN = text(
    "select c.id, c.organization_id "
    "from worklist.reads r join worklist.cases c on c.id = r.case_id "
    "where r.state in ('waiting', 'ready', 'assigned', 'reading') and coalesce(r.due_at, c.due_at) < :now "
    "and not exists (select 1 from worklist.alarms a where a.kind = 'promise_broken' and a.subject_id = c.id and a.cleared_at is null) "
    "order by c.due_at limit 200"
)


def raise_unmatched_alarms(works: WorkFactory, *, minutes: int = 10, now: datetime | None = None) -> int:
    """An alarm for each study that waits unmatched for `minutes`. Returns how many were raised."""
    at = now or works.clock.now()
    raised = 0
    with works.read(_everywhere(works)) as work:
        rows = work.session.execute(_UNMATCHED, {"before": at - timedelta(minutes=minutes)}).all()
    for study_id, organization_id, reason in rows:
        with works.begin(system("worklist", organization_id)) as work:
            words = f"A study waits unmatched for more than {minutes} minutes. {reason or ''}".strip()
            raised += raise_alarm(work, organization_id, "unmatched_study", "study", study_id, words, study_id=study_id)
    return raised


def assign_waiting(works: WorkFactory) -> int:
    """Looks again for a reader for each read that is ready without one. Returns how many got one."""
    given = 0
    for read_id, organization_id, case_id in _rows(works, _WAITING):
        with works.begin(system("dispatch", organization_id)) as work:
            if work.session.scalar(_FREE, {"id": case_id}):  # who has it locked will see to it
                given += retry_waiting(work, read_id).reader_id is not None
    return given


def recheck_assigned(works: WorkFactory) -> int:
    """Takes reads that nobody opened yet from readers whom the rules now keep off (the shift ended, a licence was suspended), and those
    that were opened from readers who are no longer engaged.

    Returns how many went back to the queue.
    """
    taken = 0
    for read_id, organization_id, case_id in _rows(works, _SUSPECT):
        with works.begin(system("dispatch", organization_id)) as work:
            if work.session.scalar(_FREE, {"id": case_id}):
                taken += give_back_ineligible(work, read_id)
    return taken


def promise_broken(works: WorkFactory, *, now: datetime | None = None) -> int:
    """An alarm for each case that is past its deadline and not signed. Returns how many were raised."""
    at = now or works.clock.now()
    raised = 0
    with works.read(_everywhere(works)) as work:
        rows = work.session.execute(_BROKEN, {"now": at}).all()
    for case_id, organization_id in rows:
        with works.begin(system("worklist", organization_id)) as work:
            words = "The promised time passed and nothing is signed."
            raised += raise_alarm(work, organization_id, "promise_broken", "case", case_id, words, case_id=case_id)
    return raised


def _everywhere(works: WorkFactory) -> Actor:
    with works.read(system("worklist")) as work:
        return system("worklist", *(o.id for o in active_organizations(work.session)))


def _rows(works: WorkFactory, query: TextClause) -> list[tuple[UUID, UUID, UUID]]:
    with works.read(_everywhere(works)) as work:
        values = {"now": works.clock.now()} if ":now" in query.text else {}
        return [(row[0], row[1], row[2]) for row in work.session.execute(query, values)]
