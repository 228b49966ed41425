"""Sweeps over the ledger of deliveries: what is due goes, what is missing is written, what stays unacknowledged alarms."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.care.delivery.deliver import WAITS_FOR_EARLIER, cut_off
from heliograph.care.delivery.queries import delivery
from heliograph.care.delivery.queue import TASK, enqueue, queue_deliveries
from heliograph.care.delivery.rules import URGENT, URGENT_LIMIT, USUAL_LIMIT
from heliograph.care.delivery.withdraw import withdraw_deliveries
from heliograph.care.reading.queries import version
from heliograph.care.worklist.alarms import raise_alarm
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import Actor, system
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.sites.kinds import DESTINATIONS

# Built from a constant. A job that waits already is not enqueued again: the row says what is due, the queue only carries it.
_DUE = text(
    "select d.id, d.organization_id from delivery.deliveries d where d.channel <> 'page' "  # noqa: S608
    "and ((d.state = 'queued' and (d.next_attempt_at is null or d.next_attempt_at <= :now)) "
    f"or (d.state = 'sent' and d.sent_at < :cut_off)) and not {WAITS_FOR_EARLIER} "
    "and not exists (select 1 from jobs.procrastinate_jobs j where j.status = 'todo' and j.task_name = :task "
    "and j.args ->> 'delivery_id' = d.id::text) order by d.next_attempt_at nulls first limit 500"
)
# An endpoint is owed only what was signed after it was set up.
_MISSING = text(
    "select v.id, v.organization_id from reading.report_versions v join worklist.cases c on c.id = v.case_id "
    "cross join lateral (select 'page' as channel, null::uuid as endpoint_id "
    "union all select 'archive', null where exists (select 1 from worklist.case_studies s where s.case_id = c.id "
    "and s.added_at <= v.signed_at) "
    "union all select k.channel, e.id from sites.endpoints e "
    "join unnest(cast(:kinds as text[]), cast(:channels as text[])) as k (kind, channel) on k.kind = e.kind "
    "where e.facility_id = c.facility_id and e.is_active and e.created_at <= v.signed_at "
    "and (v.kind <> 'preliminary' or e.settings -> 'preliminary' = 'true')) as owed "
    "where v.state = 'signed' and not exists (select 1 from delivery.deliveries d where d.report_version_id = v.id "
    "and d.channel = owed.channel and d.endpoint_id is not distinct from owed.endpoint_id) group by v.id, v.organization_id limit 200"
)
# Whatever its state: held by hand or for its order, refused, failed, on its way. A report that waits for its order is one trouble, by
# however many ways it will go, and the page counts where there is no other way.
_UNACKNOWLEDGED = text(
    "select d.id, d.organization_id from delivery.deliveries d join worklist.cases c on c.id = d.case_id "
    "where d.state not in ('acknowledged', 'cancelled') "
    "and d.created_at < case when c.priority = any(:urgent) then :urgent_before else :usual_before end "
    "and (d.channel <> 'page' or not exists (select 1 from delivery.deliveries o where o.report_version_id = d.report_version_id "
    "and o.endpoint_id is not null)) "
    "and not (d.hold_kind is not distinct from 'provisional' and exists (select 1 from delivery.deliveries o "
    "where o.report_version_id = d.report_version_id and o.hold_kind = 'provisional' and o.id < d.id)) "
    "and not exists (select 1 from worklist.alarms a where a.kind in ('report_unacknowledged', 'delivery_failed') "
    "and a.subject_id = d.id and a.cleared_at is null) order by d.created_at limit 200"
)
# A withdrawn report's newest version, where a destination that something was sent to was not told.
_UNTOLD = text(
    "select distinct v.id, v.organization_id from reading.report_versions v "
    "join delivery.deliveries d on d.case_id = v.case_id and not d.is_withdrawal and d.sent_at is not null and d.channel <> 'page' "
    "where v.state = 'withdrawn' and not exists (select 1 from reading.report_versions n where n.report_id = v.report_id "
    "and n.number > v.number) "
    "and not exists (select 1 from delivery.deliveries w where w.case_id = d.case_id and w.is_withdrawal and w.channel = d.channel "
    "and w.endpoint_id is not distinct from d.endpoint_id) limit 200"
)


def enqueue_due(works: WorkFactory, settings: Settings) -> int:
    """Enqueues what is due: next tries, and tries that a crash cut off. Returns how many jobs."""
    with works.read(_everywhere(works)) as work:
        values = {"now": work.now, "cut_off": cut_off(settings, work.now), "task": TASK}
        due = work.session.execute(_DUE, values).all()
    for delivery_id, organization_id in due:
        with works.begin(system("delivery", organization_id)) as work:
            enqueue(work, organization_id, [delivery_id])
    return len(due)


def sweep_ledger(works: WorkFactory, now: datetime | None = None) -> tuple[int, int]:
    """Proves that each signed version has a row per destination; writes those that lack, with an alarm. Then alarms for what is signed
    and not acknowledged in time. Returns (rows written, alarms raised)."""
    return _write_missing(works), _alarm_unacknowledged(works, now or works.clock.now())


def _write_missing(works: WorkFactory) -> int:
    with works.read(_everywhere(works)) as work:
        lacking = work.session.execute(
            _MISSING, {"kinds": list(DESTINATIONS), "channels": list(DESTINATIONS.values())}
        ).all()
    written = 0
    for version_id, organization_id in lacking:
        with works.begin(system("delivery ledger", organization_id)) as work:
            found = version(work.session, version_id)
            rows = queue_deliveries(work, found) if found else []
            written += len(rows)
            if found and rows:
                words = "A signed report lacked a delivery; it was queued now. Somebody should find out why."
                raise_alarm(
                    work, organization_id, "delivery_failed", "report_version", version_id, words, case_id=found.case_id
                )
    return written + _write_untold(works)


def _write_untold(works: WorkFactory) -> int:
    with works.read(_everywhere(works)) as work:
        untold = work.session.execute(_UNTOLD).all()
    written = 0
    for version_id, organization_id in untold:
        with works.begin(system("delivery ledger", organization_id)) as work:
            found = version(work.session, version_id)
            rows = withdraw_deliveries(work, found) if found else []
            written += len(rows)
            if found and rows:
                words = "The withdrawal of a report lacked a delivery; it was queued now. Somebody should find out why."
                raise_alarm(
                    work, organization_id, "delivery_failed", "report_version", version_id, words, case_id=found.case_id
                )
    return written


def _alarm_unacknowledged(works: WorkFactory, now: datetime) -> int:
    values = {
        "urgent": sorted(URGENT),
        "urgent_before": now - URGENT_LIMIT,
        "usual_before": now - USUAL_LIMIT,
    }
    with works.read(_everywhere(works)) as work:
        late: list[tuple[UUID, UUID]] = [(r[0], r[1]) for r in work.session.execute(_UNACKNOWLEDGED, values)]
    raised = 0
    for delivery_id, organization_id in late:
        with works.begin(system("delivery ledger", organization_id)) as work:
            brief = delivery(work.session, delivery_id, now)
            if brief is not None and brief.state not in ("acknowledged", "cancelled"):
                words = f"A signed report is not acknowledged. {brief.next_step}"
                raised += raise_alarm(
                    work,
                    organization_id,
                    "report_unacknowledged",
                    "delivery",
                    delivery_id,
                    words,
                    case_id=brief.case_id,
                )
    return raised


def _everywhere(works: WorkFactory) -> Actor:
    with works.read(system("delivery")) as work:
        return system("delivery", *(o.id for o in active_organizations(work.session)))
