"""What delivery does when other rooms announce something. Only `app/wiring.py` registers these."""

from __future__ import annotations

from heliograph.care.delivery.queue import queue_deliveries, release_matched
from heliograph.care.delivery.withdraw import withdraw_deliveries
from heliograph.care.orders.events import StudyMatched
from heliograph.care.reading.events import ReportSigned, ReportWithdrawn
from heliograph.care.reading.queries import version
from heliograph.kit.work import Work


def on_report_signed(work: Work, event: ReportSigned) -> None:
    """Signed: each destination gets its row, in this transaction."""
    found = version(work.session, event.report_version_id)
    if found is None:
        raise LookupError("the version that was signed is not there")
    queue_deliveries(work, found)


def on_report_withdrawn(work: Work, event: ReportWithdrawn) -> None:
    """Withdrawn: who may have it is told."""
    found = version(work.session, event.report_version_id)
    if found is None:
        raise LookupError("the version that was withdrawn is not there")
    withdraw_deliveries(work, found)


def on_study_matched(work: Work, event: StudyMatched) -> None:
    """Matched, after the worklist made its case a certain one: what was held goes."""
    release_matched(work, event.study_id)
