"""Tables of questions. A trigger keeps what was asked and answered as it was written: only a question's state goes on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Question(Base):
    """A question to the people of a facility about something of theirs that waits. Its words may name a patient."""

    __tablename__ = "questions"
    __table_args__ = (
        CheckConstraint("subject_kind in ('study','held_object','case')", name="subject_kind"),
        CheckConstraint("state in ('open','answered','closed','withdrawn')", name="state"),
        Index("ix_questions_subject", "subject_id"),
        Index("ix_questions_live", "organization_id", "asked_at", postgresql_where="state in ('open', 'answered')"),
        {"schema": "questions"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    """A study, a held object (for all that wait alike) or a case; without a foreign key, since a question outlives it."""
    text: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    asked_by: Mapped[UUID]
    asked_at: Mapped[Stamp]
    ended_by: Mapped[UUID | None]
    """Who closed or withdrew it; null also where its subject was settled and the platform closed it."""
    ended_at: Mapped[datetime | None]


class Answer(Base):
    """What somebody of the site answered. Who was wrong answers once more: nothing is changed."""

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_question", "question_id"), {"schema": "questions"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    question_id: Mapped[UUID] = mapped_column(ForeignKey("questions.questions.id"))
    text: Mapped[str]
    answered_by: Mapped[UUID]
    answered_at: Mapped[Stamp]
