"""A case whose images are all rejected or deleted: nobody reads it, and its page and the board say why, until images are shown again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from heliograph.care.worklist import holds
from heliograph.care.worklist.assign import assign_automatically
from heliograph.care.worklist.cases import cases_of_study, reads_of, studies_of_case
from heliograph.care.worklist.identity import flag_case
from heliograph.care.worklist.model import Case
from heliograph.care.worklist.states import ACTIVE
from heliograph.kit.actor import system
from heliograph.kit.db.session import acting_as
from heliograph.kit.work import Work

HOLD: Final = "All its images are rejected"
_READING: Final = "All images of the case were rejected while it is being read"


def images_hidden(work: Work, study_id: UUID) -> None:
    """No image of a study is shown any more: its cases that have no other images are held."""
    for case in cases_of_study(work, study_id):
        with acting_as(work.session, system("worklist", case.organization_id)):
            if not _has_images(work, case) and _is_read(work, case) and not holds.is_on_hold(work.session, case.id):
                flag_case(work, case, _READING)
                holds.hold(work, case, HOLD)


def images_shown(work: Work, study_id: UUID) -> None:
    """Images of a study are shown: what was held for want of them goes on, and a read without a reader is offered at once."""
    for case in cases_of_study(work, study_id):
        with acting_as(work.session, system("worklist", case.organization_id)):
            if holds.reason(work.session, case.id) == HOLD and _has_images(work, case):
                holds.resume(work, case)
                for read in reads_of(work, case.id):
                    assign_automatically(work, case, read)


def _has_images(work: Work, case: Case) -> bool:
    return any(study.number_of_instances > 0 for study in studies_of_case(work, case.id))


def _is_read(work: Work, case: Case) -> bool:
    return case.closed_at is None and any(read.state in ACTIVE for read in reads_of(work, case.id))
