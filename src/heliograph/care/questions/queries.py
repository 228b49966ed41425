"""Reading questions: the thread of one subject, and what is asked now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.orders.access import may_coordinate
from heliograph.care.questions import schemas
from heliograph.care.questions.model import Answer, Question
from heliograph.care.questions.rules import SubjectKind, is_late
from heliograph.care.questions.states import LIVE
from heliograph.care.questions.subjects import ALIKE, about, may_here, subject_for
from heliograph.care.worklist.schemas import FacilityBrief
from heliograph.governance.access.users import names_of_users
from heliograph.kit.work import Work
from heliograph.records.sites.queries import facilities, facility

_OF_HELD = text(
    """
    select q.id from questions.questions q join archive.held_objects asked on asked.id = q.subject_id
    join archive.held_objects h on {alike} where h.id = :id and q.subject_kind = 'held_object'
    """.replace("{alike}", ALIKE)
)
_PASS = text(
    "insert into access.passed_views (session_id, study_id) values (:session, :seen) "
    "on conflict do nothing returning study_id"
)
"""The table holds ids of whatever was seen."""
SOMEBODY = "somebody"


def thread(work: Work, kind: SubjectKind, subject_id: UUID, *, minutes: int) -> schemas.Thread:
    """All that was asked and answered about a subject, the oldest first; that it was seen is recorded. Raises: NotFound."""
    subject = subject_for(work, kind, subject_id)
    here = may_here(work, subject.organization_id, subject.facility_id)
    wanted = select(Question).order_by(Question.asked_at, Question.id)
    if kind == "held_object":
        wanted = wanted.where(Question.id.in_(list(work.session.scalars(_OF_HELD, {"id": subject_id}))))
    else:
        wanted = wanted.where(Question.subject_id == subject_id, Question.subject_kind == kind)
    rows = list(work.session.scalars(wanted))
    _record_sight(work, rows)
    place = facility(work.session, subject.facility_id) if subject.facility_id else None
    return schemas.Thread(
        facility=FacilityBrief.model_validate(place, from_attributes=True) if place else None,
        may_ask=here.ask and subject.waits and place is not None,
        questions=_bodies(work, rows, minutes),
    )


def live(work: Work, *, minutes: int, limit: int = 200) -> list[schemas.QuestionLine]:
    """What is asked now at the facilities where the actor works or that they coordinate: what waits longest for its answer first."""
    rows = [
        q
        for q in work.session.scalars(
            select(Question)
            .where(Question.state.in_(LIVE))
            .order_by(Question.state != "open", Question.asked_at, Question.id)
            .limit(limit)
        )
        if may_coordinate(work, q.organization_id, q.facility_id)
    ]
    places = facilities(work.session, {q.facility_id for q in rows})
    subjects = about(work.session, {(q.subject_kind, q.subject_id) for q in rows})
    return [
        schemas.QuestionLine(
            **body.model_dump(),
            subject_kind=q.subject_kind,  # type: ignore[arg-type]
            subject_id=subjects[q.subject_id].id,
            about=subjects[q.subject_id].words,
            facility=FacilityBrief.model_validate(places[q.facility_id], from_attributes=True),
        )
        for q, body in zip(rows, _bodies(work, rows, minutes), strict=True)
        if q.subject_id in subjects  # else its end is a matter of seconds
    ]


def _bodies(work: Work, rows: Sequence[Question], minutes: int) -> list[schemas.QuestionBody]:
    answers: dict[UUID, list[Answer]] = {}
    for one in work.session.scalars(
        select(Answer).where(Answer.question_id.in_([q.id for q in rows])).order_by(Answer.answered_at, Answer.id)
    ):
        answers.setdefault(one.question_id, []).append(one)
    names = names_of_users(work.session, _people(rows, answers.values()))

    def body(q: Question) -> schemas.QuestionBody:
        may = may_here(work, q.organization_id, q.facility_id, q.asked_by)
        return schemas.QuestionBody(
            id=q.id,
            text=q.text,
            state=q.state,  # type: ignore[arg-type]
            asked_by=names.get(q.asked_by, SOMEBODY),
            asked_at=q.asked_at,
            is_late=is_late(q.state, q.asked_at, work.now, minutes),
            answers=[
                schemas.AnswerBody(
                    id=a.id, text=a.text, answered_by=names.get(a.answered_by, SOMEBODY), answered_at=a.answered_at
                )
                for a in answers.get(q.id, ())
            ],
            ended_by=names.get(q.ended_by) if q.ended_by else None,
            ended_at=q.ended_at,
            may_answer=may.answer and q.state in LIVE,
            may_withdraw=may.withdraw and q.state == "open",
            may_close=may.close and q.state == "answered",
        )

    return [body(q) for q in rows]


def _people(rows: Iterable[Question], answers: Iterable[list[Answer]]) -> set[UUID]:
    asked = {who for q in rows for who in (q.asked_by, q.ended_by) if who}
    return asked | {a.answered_by for some in answers for a in some}


def _record_sight(work: Work, rows: Sequence[Question]) -> None:
    """Words may name a patient: who saw them is on record, once a session and question."""
    for q in rows:
        values = {"session": work.actor.session_id, "seen": q.id}
        if work.actor.session_id is not None and work.session.scalar(_PASS, values) is None:
            continue
        work.record(
            "question.viewed",
            organization_id=q.organization_id,
            case_id=q.subject_id if q.subject_kind == "case" else None,
            study_id=q.subject_id if q.subject_kind == "study" else None,
            subject_kind="question",
            subject_id=q.id,
        )
