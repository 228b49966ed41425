"""Sweeps: an alarm where a site doesn't answer, and the end of questions whose subject is settled. One transaction a subject."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from heliograph.care.questions.ask import UNANSWERED, settle
from heliograph.care.questions.errors import IllegalStep
from heliograph.care.questions.subjects import ALIKE
from heliograph.care.worklist.alarms import raise_alarm
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import Actor, system
from heliograph.kit.work import WorkFactory

TRIED_AGAIN = timedelta(minutes=1)
"""An object that is tried again leaves the quarantine and may be back at once: its question waits so long."""
_LATE = text(
    """
    select distinct on (q.subject_id) q.organization_id, q.subject_kind, q.subject_id, f.short_name, f.phone
    from questions.questions q join sites.facilities f on f.id = q.facility_id
    where q.state = 'open' and q.asked_at <= :before and not exists (
        select 1 from worklist.alarms a where a.kind = 'question_unanswered' and a.subject_id = q.subject_id and a.cleared_at is null)
    order by q.subject_id, q.asked_at limit 200
    """
)
_SETTLED = text(
    """
    select q.id, q.organization_id from questions.questions q
    where q.state in ('open', 'answered') and case q.subject_kind
        when 'study' then not exists (select 1 from archive.studies s where s.id = q.subject_id
                                      and s.match_state in ('unmatched', 'held') and s.number_of_instances > 0)
        when 'held_object' then not exists (
            select 1 from archive.held_objects asked join archive.held_objects h on {alike}
            where asked.id = q.subject_id and (h.resolved_at is null or h.resolved_at > :before))
        else not exists (select 1 from worklist.cases c where c.id = q.subject_id and c.closed_at is null) end
    order by q.asked_at limit 200
    """.replace("{alike}", ALIKE)
)


def raise_unanswered(works: WorkFactory, *, minutes: int) -> int:
    """An alarm for each subject of which a question waits for `minutes`. Returns how many were raised."""
    raised = 0
    with works.read(_everywhere(works)) as work:
        rows = work.session.execute(_LATE, {"before": work.now - timedelta(minutes=minutes)}).all()
    for organization_id, kind, subject_id, site, phone in rows:
        with works.begin(system("questions", organization_id)) as work:
            words = f"{site} has not answered a question for more than {minutes} minutes."
            words += f" Call {phone}." if phone else ""
            known = {"study_id": subject_id} if kind == "study" else {"case_id": subject_id} if kind == "case" else {}
            raised += raise_alarm(work, organization_id, UNANSWERED, kind, subject_id, words, **known)
    return raised


def close_settled(works: WorkFactory) -> int:
    """Closes questions about what waits no more: matched, filed, dismissed, deleted, closed. Returns how many."""
    closed = 0
    with works.read(_everywhere(works)) as work:
        rows = work.session.execute(_SETTLED, {"before": work.now - TRIED_AGAIN}).all()
    for question_id, organization_id in rows:
        try:
            with works.begin(system("questions", organization_id)) as work:
                settle(work, question_id)
        except IllegalStep:  # somebody ended it meanwhile
            continue
        closed += 1
    return closed


def _everywhere(works: WorkFactory) -> Actor:
    with works.read(system("questions")) as work:
        return system("questions", *(o.id for o in active_organizations(work.session)))
