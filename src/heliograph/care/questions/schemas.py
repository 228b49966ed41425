"""What the routes of questions take and give. Times are UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from heliograph.care.questions.rules import SubjectKind
from heliograph.care.questions.states import QuestionState
from heliograph.care.worklist.schemas import FacilityBrief


class Said(BaseModel):
    """What somebody asks or answers, in their words."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]


class MadeId(BaseModel):
    """What was asked or answered."""

    id: UUID


class AnswerBody(BaseModel):
    """An answer of the site."""

    id: UUID
    text: str
    answered_by: str
    answered_at: datetime


class QuestionBody(BaseModel):
    """A question with its answers. `is_late`: nobody has answered within the time of the alarm.

    `ended_by` is null also where the platform closed it, since what it is about was settled.
    """

    id: UUID
    text: str
    state: QuestionState
    asked_by: str
    asked_at: datetime
    is_late: bool
    answers: list[AnswerBody]
    ended_by: str | None
    ended_at: datetime | None
    may_answer: bool
    may_withdraw: bool
    may_close: bool


class Thread(BaseModel):
    """All about one subject, the oldest first. `facility` is who is asked; null: it isn't known which site sent it."""

    facility: FacilityBrief | None
    may_ask: bool
    questions: list[QuestionBody]


class QuestionLine(QuestionBody):
    """A question on a list; `subject_id` is what it is about as lists name it, `about` the same in words."""

    subject_kind: SubjectKind
    subject_id: UUID
    about: str
    facility: FacilityBrief
