"""Alarms of the quarantine: objects that wait in it, and that it has no more room."""

from __future__ import annotations

from sqlalchemy import text

from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive.events import ObjectsHeld, QuarantineFull
from heliograph.records.sites.queries import facility

HELD, FULL = "held_objects", "quarantine_full"
_OVER = text(
    """
    select a.kind, a.subject_id, a.organization_id from worklist.alarms a
    where a.cleared_at is null and (
        a.kind = 'held_objects' and not exists (
            select 1 from archive.held_objects h
            where h.organization_id = a.organization_id and h.facility_id = a.subject_id and h.resolved_at is null)
        or a.kind = 'quarantine_full' and (
            exists (select 1 from archive.held_objects h
                    where h.organization_id = a.organization_id and h.resolved_at > a.raised_at)
            or not exists (select 1 from archive.held_objects h
                           where h.organization_id = a.organization_id and h.resolved_at is null)))
    limit 200
    """
)


def raise_held(work: Work, event: ObjectsHeld) -> None:
    """One alarm for a facility; more objects in another minute raise it anew."""
    words = (
        f"Objects from {_name(work, event)} can't be filed as they are and wait in quarantine; "
        f"the last came at {event.last_received_at:%H:%M} UTC."
    )
    raise_alarm(work, event.organization_id, HELD, "facility", event.facility_id, words)


def raise_full(work: Work, event: QuarantineFull) -> None:
    """One alarm for an organisation."""
    words = (
        f"The quarantine is full. What {_name(work, event)} and others of its organisation send and can't be read is refused "
        "and not kept, until somebody has dealt with what waits there."
    )
    raise_alarm(work, event.organization_id, FULL, "organization", event.organization_id, words)


def clear_held_alarms(works: WorkFactory) -> int:
    """Clears alarms whose cause a person has taken away: nothing waits any more, or there is room again. Returns how many."""
    with works.read(system("worklist")) as work:
        everywhere = system("worklist", *(o.id for o in active_organizations(work.session)))
    with works.read(everywhere) as work:
        rows = work.session.execute(_OVER).all()
    for kind, subject_id, organization_id in rows:
        with works.begin(system("worklist", organization_id)) as work:
            clear_alarm(work, kind, subject_id)
    return len(rows)


def _name(work: Work, event: ObjectsHeld | QuarantineFull) -> str:
    found = facility(work.session, event.facility_id)
    return found.short_name if found else "a facility"
