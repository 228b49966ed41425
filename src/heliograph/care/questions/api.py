"""Routes of questions to sites: parse, call, answer."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends

from heliograph.care.questions import ask, queries
from heliograph.care.questions.schemas import MadeId, QuestionLine, Said, Thread
from heliograph.governance.access.door import ReadDep, WorkDep, require_roles
from heliograph.kit.http import SettingsDep

router = APIRouter(
    prefix="/api", tags=["questions to sites"], dependencies=[Depends(require_roles("site_staff", "coordinator"))]
)


@router.get("/questions")
def list_live(work: ReadDep, settings: SettingsDep) -> list[QuestionLine]:
    """What is asked now at the sites that the caller works for or coordinates: open questions first, those asked earliest before others."""
    return queries.live(work, minutes=settings.question_alarm_minutes)


@router.get("/studies/{study_id}/questions")
def of_study(work: WorkDep, settings: SettingsDep, study_id: UUID) -> Thread:
    """What was asked about a study. The words may name a patient: the view is recorded."""
    return queries.thread(work, "study", study_id, minutes=settings.question_alarm_minutes)


@router.post("/studies/{study_id}/questions", status_code=201)
def about_study(work: WorkDep, study_id: UUID, said: Said) -> MadeId:
    """Asks the site about a study that waits, unmatched or held."""
    return MadeId(id=ask.ask(work, "study", study_id, said.text))


@router.get("/held-objects/{held_id}/questions")
def of_held(work: WorkDep, settings: SettingsDep, held_id: UUID) -> Thread:
    """What was asked about an object in quarantine, or about those that wait alike. The view is recorded."""
    return queries.thread(work, "held_object", held_id, minutes=settings.question_alarm_minutes)


@router.post("/held-objects/{held_id}/questions", status_code=201)
def about_held(work: WorkDep, held_id: UUID, said: Said) -> MadeId:
    """Asks the site about an object in quarantine, and all that wait alike."""
    return MadeId(id=ask.ask(work, "held_object", held_id, said.text))


@router.get("/cases/{case_id}/questions")
def of_case(work: WorkDep, settings: SettingsDep, case_id: UUID) -> Thread:
    """What was asked about a case. The view is recorded."""
    return queries.thread(work, "case", case_id, minutes=settings.question_alarm_minutes)


@router.post("/cases/{case_id}/questions", status_code=201)
def about_case(work: WorkDep, case_id: UUID, said: Said) -> MadeId:
    """Asks the site about a case that is not closed."""
    return MadeId(id=ask.ask(work, "case", case_id, said.text))


@router.post("/questions/{question_id}/answers", status_code=201)
def answer(work: WorkDep, question_id: UUID, said: Said) -> MadeId:
    """Answers for the site."""
    return MadeId(id=ask.answer(work, question_id, said.text))


@router.post("/questions/{question_id}/withdraw", status_code=204)
def withdraw(work: WorkDep, question_id: UUID) -> None:
    """Takes your question back, while nobody has answered."""
    ask.withdraw(work, question_id)


@router.post("/questions/{question_id}/close", status_code=204)
def close(work: WorkDep, question_id: UUID) -> None:
    """You have what you need."""
    ask.close(work, question_id)
