"""Asking a site, its answer, and how a question ends. Each step is on record; the words themselves are kept as they were written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import exists, select

from heliograph.care.orders.access import may_coordinate
from heliograph.care.questions.errors import NothingWaits, SiteUnknown, WordsNeeded
from heliograph.care.questions.model import Answer, Question
from heliograph.care.questions.rules import SubjectKind
from heliograph.care.questions.states import Step, next_state
from heliograph.care.questions.subjects import may_here, subject_for
from heliograph.care.worklist.alarms import clear_alarm
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work

UNANSWERED = "question_unanswered"
"""The alarm of a subject of which a question waits too long."""


def ask(work: Work, kind: SubjectKind, subject_id: UUID, words: str) -> UUID:
    """Asks the facility where a study, an object or a case comes from. Returns the question's id.

    Raises: NotFound, NotAllowed (coordinators ask), NothingWaits, SiteUnknown, WordsNeeded.
    """
    subject = subject_for(work, kind, subject_id)
    if not may_here(work, subject.organization_id, subject.facility_id).ask or work.actor.id is None:
        raise NotAllowed(
            "Coordinators ask; the site's people answer.",
            action="question.asked",
            organization_id=subject.organization_id,
            subject=(kind, subject_id),
        )
    if not subject.waits:
        raise NothingWaits
    if subject.facility_id is None:
        raise SiteUnknown
    question = Question(
        organization_id=subject.organization_id,
        facility_id=subject.facility_id,
        subject_kind=kind,
        subject_id=subject_id,
        text=_said(words),
        asked_by=work.actor.id,
        asked_at=work.now,
    )
    work.session.add(question)
    work.session.flush()
    _record(work, "question.asked", question)
    return question.id


def answer(work: Work, question_id: UUID, words: str) -> UUID:
    """Somebody of the facility answers; who has more to say, or was wrong, answers again. Returns the answer's id.

    Raises: NotFound, NotAllowed (the site's people answer), IllegalStep, WordsNeeded.
    """
    question = _locked(work, question_id)
    _require(work, question, "answer")
    question.state = next_state(question.state, "answer")
    made = Answer(
        organization_id=question.organization_id,
        question_id=question.id,
        text=_said(words),
        answered_by=work.actor.id,
        answered_at=work.now,
    )
    work.session.add(made)
    work.session.flush()
    _record(work, "question.answered", question)
    _clear_alarm(work, question)
    return made.id


def withdraw(work: Work, question_id: UUID) -> None:
    """Who asked takes the question back, while nobody has answered. Raises: NotFound, NotAllowed, IllegalStep."""
    _end(work, question_id, "withdraw")


def close(work: Work, question_id: UUID) -> None:
    """A coordinator has what they need. Raises: NotFound, NotAllowed, IllegalStep (not answered yet)."""
    _end(work, question_id, "close")


def settle(work: Work, question_id: UUID) -> None:
    """The platform closes a question whose subject doesn't wait any more. Raises: NotFound, IllegalStep."""
    question = _locked(work, question_id)
    question.state, question.ended_at = next_state(question.state, "settle"), work.now
    work.session.flush()
    _record(work, "question.closed", question, reason="What it is about is settled.")
    _clear_alarm(work, question)


def _end(work: Work, question_id: UUID, step: Step) -> None:
    question = _locked(work, question_id)
    _require(work, question, step)
    question.state = next_state(question.state, step)
    question.ended_by, question.ended_at = work.actor.id, work.now
    work.session.flush()
    _record(work, f"question.{question.state}", question)
    _clear_alarm(work, question)


def _locked(work: Work, question_id: UUID) -> Question:
    row = work.session.get(Question, question_id, with_for_update=ROW_LOCK, populate_existing=True)
    if row is None or not may_coordinate(work, row.organization_id, row.facility_id):
        raise NotFound
    return row


def _require(work: Work, question: Question, step: Step) -> None:
    if not getattr(may_here(work, question.organization_id, question.facility_id, question.asked_by), step):
        raise NotAllowed(
            _WHOSE[step],
            action=f"question.{step}",
            organization_id=question.organization_id,
            subject=("question", question.id),
        )


_WHOSE: dict[Step, str] = {
    "answer": "The site's own people answer.",
    "withdraw": "Who asked takes a question back.",
    "close": "Coordinators close a question.",
}


def _said(words: str) -> str:
    if not (said := words.strip()):
        raise WordsNeeded
    return said


def _clear_alarm(work: Work, question: Question) -> None:
    """Unless something else that was asked about the subject waits still."""
    others = exists().where(
        Question.subject_id == question.subject_id, Question.state == "open", Question.id != question.id
    )
    if not work.session.scalar(select(others)):
        clear_alarm(work, UNANSWERED, question.subject_id)


def _record(work: Work, action: str, question: Question, reason: str | None = None) -> None:
    """Ids alone: the words may name a patient, and stay in their table, which keeps them as they are."""
    about: dict[str, Any] = {}
    if question.subject_kind == "study":
        about["study_id"] = question.subject_id
    elif question.subject_kind == "case":
        about["case_id"] = question.subject_id
    work.record(
        action,
        organization_id=question.organization_id,
        subject_kind="question",
        subject_id=question.id,
        reason=reason,
        detail={"about": question.subject_kind, "about_id": str(question.subject_id)},
        **about,
    )
    work.touch("question", question.id, question.organization_id)
