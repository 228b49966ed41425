"""A report is withdrawn: what did not arrive is not sent any more, and where it may be, its withdrawal follows it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.queue import queue_withdrawals
from heliograph.care.delivery.settle import cancelled
from heliograph.care.reading.queries import VersionFacts
from heliograph.kit.work import Work

WITHDRAWN = "The report was withdrawn."


def withdraw_deliveries(work: Work, version: VersionFacts) -> list[UUID]:
    """`version`: the newest of a report that is withdrawn. Where something was tried, the site may have it, whatever came back; the
    site's page shows by itself that it is withdrawn. Returns the new rows."""
    rows = work.session.scalars(
        select(Delivery)
        .where(Delivery.case_id == version.case_id, ~Delivery.is_withdrawal)
        .order_by(Delivery.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    may_have_it = sorted(
        {(r.channel, r.endpoint_id) for r in rows if r.channel != "page" and r.sent_at is not None}, key=str
    )
    made = queue_withdrawals(work, version, may_have_it)  # first, so that the case is not closed in between
    for row in rows:
        if row.state not in ("acknowledged", "cancelled"):
            cancelled(work, row, WITHDRAWN, by=work.actor.id)
    return made
