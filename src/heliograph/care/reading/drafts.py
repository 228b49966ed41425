"""Saving what the reader types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from heliograph.care.orders.agree import Disagreement
from heliograph.care.orders.disagree import disagreements
from heliograph.care.reading import lock
from heliograph.care.reading.access import OwnRead, own_read
from heliograph.care.reading.content import cleaned
from heliograph.care.reading.errors import DraftMovedOn, NotOpen
from heliograph.care.reading.model import Draft, Report
from heliograph.care.reading.open_report import report_of, template_of
from heliograph.care.reading.queries import studies_of_case
from heliograph.care.reading.rules import Problem, check, disagree
from heliograph.kit.work import Work


@dataclass(frozen=True, slots=True)
class Saved:
    """What the next save must name."""

    revision: int
    saved_at: datetime


def save_draft(work: Work, read_id: UUID, revision: int, content: Mapping[str, Any]) -> Saved:
    """Keeps `content`; `revision` is the one that the editor has. The same content sent again is fine.

    Raises: NotFound, NotOpen, HeldByAnother, DraftMovedOn (revision), BadContent.
    """
    read, report = open_reading(work, read_id)
    lock.refresh(work, report.id, read.organization_id)
    draft = locked_draft(work, read)
    wanted = cleaned(template_of(report, read), content)
    if draft.revision == revision + 1 and draft.content == wanted:
        return Saved(draft.revision, draft.saved_at)
    if draft.revision != revision:
        raise DraftMovedOn(revision=draft.revision)
    draft.content, draft.revision, draft.saved_at = wanted, revision + 1, work.now
    if draft.recorded_session_id is None or draft.recorded_session_id != work.actor.session_id:
        draft.recorded_session_id = work.actor.session_id
        work.session.flush()
        work.record(
            "draft.edited",
            organization_id=read.organization_id,
            case_id=read.case_id,
            patient_id=read.patient_id,
            subject_kind="report",
            subject_id=report.id,
        )
        work.touch("case", read.case_id, read.organization_id, read.group_organization_id)
    work.session.flush()
    return Saved(draft.revision, draft.saved_at)


def check_draft(work: Work, read_id: UUID) -> list[Problem]:
    """What stands between the saved draft and the signature. Raises: NotFound, NotOpen."""
    read, report = open_reading(work, read_id)
    draft = work.session.scalar(select(Draft).where(Draft.read_id == read.id, Draft.author_id == work.actor.id))
    if draft is None:
        raise NotOpen()
    late = [Problem("new-images", "ask", "Images came after you opened this.")] if has_new_images(read) else []
    if is_another_now(read):
        late.append(Problem("identity-changed", "ask", "Who the patient is changed after you opened this."))
    return [*check(template_of(report, read), draft.content), *disagree(images_disagree(work, read.case_id)), *late]


def images_disagree(work: Work, case_id: UUID) -> list[Disagreement]:
    """What the images of a case say otherwise than its orders."""
    return [one.what for one in disagreements(work.session, studies_of_case(work.session, case_id))]


def open_reading(work: Work, read_id: UUID) -> tuple[OwnRead, Report]:
    """The actor's read that is being read, and its report. Raises: NotFound, NotOpen."""
    read = own_read(work, read_id)
    report = report_of(work, read.case_id)
    if read.state != "reading" or report is None:
        raise NotOpen()
    return read, report


def locked_draft(work: Work, read: OwnRead) -> Draft:
    """The actor's draft, locked. Raises: NotOpen."""
    draft = work.session.scalar(
        select(Draft)
        .where(Draft.read_id == read.id, Draft.author_id == work.actor.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if draft is None:
        raise NotOpen()
    return draft


def is_another_now(read: OwnRead) -> bool:
    """Whether a merge or the site changed who the patient is after this read was opened."""
    at = read.identity_changed_at
    return at is not None and read.opened_at is not None and at > read.opened_at


def has_new_images(read: OwnRead) -> bool:
    """Whether images joined the case after this read was opened."""
    return read.late_images_at is not None and read.opened_at is not None and read.late_images_at > read.opened_at
