"""What site reports do when other rooms announce something. Only `app/wiring.py` registers these."""

from __future__ import annotations

from heliograph.care.orders.events import PatientsMerged
from heliograph.care.reading.events import ReportSigned, ReportWithdrawn
from heliograph.care.results.compare import compare
from heliograph.care.results.receive import follow_merge
from heliograph.kit.work import Work


def on_report_signed(work: Work, event: ReportSigned) -> None:
    """We signed: the site may have reported before us."""
    compare(work, event.case_id)


def on_report_withdrawn(work: Work, event: ReportWithdrawn) -> None:
    """We took a report back: what differed from it is over, or differs from the one before it."""
    compare(work, event.case_id)


def on_patients_merged(work: Work, event: PatientsMerged) -> None:
    """Reports follow their patient."""
    follow_merge(work, event.merge_id, event.from_id, event.to_id, is_undone=event.is_undone)
