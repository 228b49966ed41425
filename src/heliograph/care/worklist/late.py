"""Images that come late: they join the case and mark it; after signing they open an addendum read."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from heliograph.care.worklist.addendum import begin_addendum
from heliograph.care.worklist.alarms import raise_alarm
from heliograph.care.worklist.model import Case, Read
from heliograph.care.worklist.recording import record_case
from heliograph.care.worklist.states import ACTIVE
from heliograph.kit.work import Work


def join_images(work: Work, case: Case, reads: Sequence[Read], study_id: UUID, number: int) -> None:
    """Images of a complete study joined. Before anybody opened the case that is only recorded; the clock never restarts."""
    if not any(r.state in (*ACTIVE, "done") for r in reads):
        return
    case.last_image_at = work.now
    if not mark_late(work, case, reads, study_id, number):
        work.session.flush()
        record_case(work, "case.images_joined", case, images=number, study=study_id)


def mark_late(work: Work, case: Case, reads: Sequence[Read], study_id: UUID, number: int) -> bool:
    """Marks a case (locked) that somebody reads or read, and raises an alarm. False: nobody opened it yet."""
    is_read, is_signed = any(r.state == "reading" for r in reads), any(r.state == "done" for r in reads)
    if not is_read and not is_signed:
        return False
    case.late_images_at = work.now
    work.session.flush()
    record_case(work, "case.late_images", case, images=number, study=study_id)
    came = f"{number} image{'' if number == 1 else 's'} joined"
    if is_read:
        words = f"{came} while the case is being read."
    else:
        words = f"{came} after signing; an addendum is open."
        begin_addendum(work, case, "Images came after signing.")
    raise_alarm(work, case.organization_id, "late_images", "case", case.id, words, case_id=case.id, study_id=study_id)
    return True
