"""The alarm of a feed whose messages wait for a person, and when it is over."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from heliograph.care.worklist.alarms import clear_alarm
from heliograph.exchange.hl7.inbound import HELD
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.work import WorkFactory

WAITS_DAYS = 7
"""After so long without anybody's word the alarm ends; the messages stay in the log as held."""
_OVER = text(
    """
    select a.subject_id, a.organization_id from worklist.alarms a
    where a.kind = :kind and a.cleared_at is null and not exists (
        select 1 from sites.messages m
        where m.endpoint_id = a.subject_id and m.fate = 'held' and m.received_at > :since and not exists (
            select 1 from sites.messages done
            where done.endpoint_id = m.endpoint_id and done.control_id = m.control_id and done.payload_sha256 = m.payload_sha256
              and done.fate in ('processed', 'ignored')))
    limit 200
    """
)
"""What was processed after all: sent again to a feed that repeats ids, or by a person's word."""


def clear_held_alarms(works: WorkFactory) -> int:
    """Clears the alarms of feeds none of whose held messages waits any more. Returns how many."""
    with works.read(system("hl7")) as work:
        everywhere = system("hl7", *(o.id for o in active_organizations(work.session)))
    with works.read(everywhere) as work:
        rows = work.session.execute(_OVER, {"kind": HELD, "since": work.now - timedelta(days=WAITS_DAYS)}).all()
    for endpoint_id, organization_id in rows:
        with works.begin(system("hl7", organization_id)) as work:
            clear_alarm(work, HELD, endpoint_id)
    return len(rows)
