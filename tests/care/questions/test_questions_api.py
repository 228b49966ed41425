"""A coordinator asks a site, its people answer, and nobody else sees or changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.care.questions.jobs import close_settled, raise_unanswered
from heliograph.care.questions.model import Answer, Question
from heliograph.care.worklist.model import Alarm, Case
from heliograph.governance.access.model import RoleAssignment
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.model import HeldObject, Study
from heliograph.records.sites.model import Facility
from tests.care.orders.help import make_study
from tests.care.reading.help import make_read
from tests.cast import Cast
from tests.web import app_of, sign_in_as

WHOSE = "Whose images are these?"


@pytest.fixture
def study_id(context: Context, cast: Cast) -> UUID:
    """A study of Norfjord that waits for its order."""
    return make_study(context, cast)


@pytest.fixture
def held_ids(context: Context, cast: Cast) -> list[UUID]:
    """Three objects of one study that wait alike, the newest last."""
    return _hold(context, cast, 3)


def _hold(context: Context, cast: Cast, number: int, facility: UUID | None = None) -> list[UUID]:
    made = []
    with context.works.begin(system("test", cast.norfjord)) as work:
        for _ in range(number):
            row = HeldObject(
                organization_id=cast.norfjord, facility_id=facility or cast.norfjord_facility, object_key=f"held/{uuid4()}",
                object_length=9, sha256=uuid4().bytes, reason="correction", detail="Patient's Name differs",
                study_instance_uid="2.999.5", proposal={"00100010": "Bakke^Solveig"}, received_at=work.now,
            )  # fmt: skip
            work.session.add(row)
            work.session.flush()
            made.append(row.id)
        work.record("object.held", organization_id=cast.norfjord)
    return made


@pytest.fixture
def owner(owner_url: str) -> Iterator[Session]:
    engine = create_engine(owner_url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def _recorded(context: Context, cast: Cast) -> list[tuple[str, str]]:
    with context.works.read(system("test", cast.norfjord)) as work:
        rows = work.session.execute(
            select(AuditEvent.action, AuditEvent.actor_name)
            .where(AuditEvent.action.startswith("question."))
            .order_by(AuditEvent.id)
        )
        return [(action, name) for action, name in rows]


def _alarms(context: Context, cast: Cast) -> list[Alarm]:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = select(Alarm).where(Alarm.kind == "question_unanswered").order_by(Alarm.id)
        return list(work.session.scalars(found))


def test_it_works(context: Context, cast: Cast, study_id: UUID) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    asked = nadia.post(path, json={"text": f"  {WHOSE} "})
    assert asked.status_code == 201
    question_id = asked.json()["id"]

    (line,) = eirik.get("/api/questions").json()
    assert (line["text"], line["asked_by"], line["state"]) == (WHOSE, "Nadia Rourke", "open")
    assert (line["subject_kind"], line["subject_id"]) == ("study", str(study_id))
    assert line["about"] == "CT, 3 images, accession A1"
    assert (line["may_answer"], line["may_withdraw"], line["may_close"]) == (True, False, False)
    assert line["facility"]["time_zone"] == "Europe/Oslo"

    answered = eirik.post(f"/api/questions/{question_id}/answers", json={"text": "Solveig Bakke's"})
    assert answered.status_code == 201
    thread = nadia.get(path).json()
    (question,) = thread["questions"]
    assert (question["state"], question["may_close"], question["may_answer"]) == ("answered", True, False)
    assert [(a["text"], a["answered_by"]) for a in question["answers"]] == [("Solveig Bakke's", "Dr Eirik Solbakken")]
    assert thread["may_ask"] is True
    assert [q["state"] for q in nadia.get("/api/questions").json()] == ["answered"]

    assert nadia.post(f"/api/questions/{question_id}/close").status_code == 204
    assert nadia.get("/api/questions").json() == eirik.get("/api/questions").json() == []
    (question,) = eirik.get(path).json()["questions"]
    assert (question["state"], question["ended_by"]) == ("closed", "Nadia Rourke")
    assert _recorded(context, cast) == [
        ("question.asked", "Nadia Rourke"),
        ("question.answered", "Dr Eirik Solbakken"),
        ("question.viewed", "Nadia Rourke"),
        ("question.closed", "Nadia Rourke"),
        ("question.viewed", "Dr Eirik Solbakken"),
    ]


def test_a_subject_has_a_thread_and_a_wrong_answer_is_followed_by_another(
    context: Context, cast: Cast, study_id: UUID
) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    first, second = (nadia.post(path, json={"text": t}).json()["id"] for t in (WHOSE, "Is this a repeat?"))
    for words in ("The first patient's", "No, the second one's"):
        assert eirik.post(f"/api/questions/{first}/answers", json={"text": words}).status_code == 201
    told = [(q["id"], q["state"], [a["text"] for a in q["answers"]]) for q in eirik.get(path).json()["questions"]]
    assert told == [
        (first, "answered", ["The first patient's", "No, the second one's"]),
        (second, "open", []),
    ]
    assert [q["id"] for q in nadia.get("/api/questions").json()] == [second, first], "open ones stand first"


def test_the_asker_takes_it_back_until_it_is_answered(context: Context, cast: Cast, study_id: UUID) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    gone, kept = (nadia.post(path, json={"text": WHOSE}).json()["id"] for _ in range(2))
    assert eirik.post(f"/api/questions/{gone}/withdraw").status_code == 403
    assert nadia.post(f"/api/questions/{gone}/close").status_code == 409, "nobody has answered"
    assert nadia.post(f"/api/questions/{gone}/withdraw").status_code == 204
    late = eirik.post(f"/api/questions/{gone}/answers", json={"text": "Kari's"})
    assert (late.status_code, late.json()["code"]) == (409, "illegal-step")
    eirik.post(f"/api/questions/{kept}/answers", json={"text": "Kari's"})
    assert nadia.post(f"/api/questions/{kept}/withdraw").status_code == 409
    assert [q["state"] for q in nadia.get(path).json()["questions"]] == ["withdrawn", "answered"]


def test_coordinators_ask_and_the_site_answers(context: Context, cast: Cast, study_id: UUID) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    assert eirik.post(path, json={"text": WHOSE}).status_code == 403
    assert eirik.get(path).json() == {"facility": _norfjord(cast), "may_ask": False, "questions": []}
    question_id = nadia.post(path, json={"text": WHOSE}).json()["id"]
    assert nadia.post(f"/api/questions/{question_id}/answers", json={"text": "Kari's"}).status_code == 403
    for words in ("", "   ", "x" * 1001):
        assert nadia.post(path, json={"text": words}).status_code == 422
        assert eirik.post(f"/api/questions/{question_id}/answers", json={"text": words}).status_code == 422


def _norfjord(cast: Cast) -> dict[str, Any]:
    return {
        "id": str(cast.norfjord_facility),
        "name": "Norfjord Community Hospital",
        "short_name": "Norfjord",
        "jurisdiction": "NO",
        "time_zone": "Europe/Oslo",
    }


@pytest.mark.parametrize("who", ["harper", "olga", "imogen", "astrid", "pat", "otto"])
def test_an_outsider_sees_and_changes_nothing(
    context: Context, cast: Cast, study_id: UUID, held_ids: list[UUID], who: str
) -> None:
    app = app_of(context)
    nadia, outsider = sign_in_as(app, cast.nadia), sign_in_as(app, getattr(cast, who))
    paths = (f"/api/studies/{study_id}/questions", f"/api/held-objects/{held_ids[0]}/questions")
    (question_id, _) = (nadia.post(path, json={"text": "Is this KARI LARSEN?"}).json()["id"] for path in paths)
    listed = outsider.get("/api/questions")
    assert listed.status_code == 403 or listed.json() == []
    for path in paths:
        assert outsider.get(path).status_code in (403, 404)
        assert outsider.post(path, json={"text": "x"}).status_code in (403, 404)
    assert outsider.post(f"/api/questions/{question_id}/answers", json={"text": "x"}).status_code in (403, 404)
    for step in ("withdraw", "close"):
        assert outsider.post(f"/api/questions/{question_id}/{step}").status_code in (403, 404)
    (question,) = nadia.get(paths[0]).json()["questions"]
    assert (question["state"], question["answers"]) == ("open", [])


def test_staff_of_another_facility_see_and_answer_nothing(
    context: Context, cast: Cast, study_id: UUID, owner: Session
) -> None:
    place = Facility(
        organization_id=cast.norfjord, code="NFHC", name="Norfjord Health Centre", short_name="Centre", jurisdiction="NO",
        time_zone="Europe/Oslo", patient_id_authority="NORFJORD", accession_issuer="NFHC", quiet_seconds=10, report_languages=["en"],
    )  # fmt: skip
    owner.add(place)
    owner.flush()
    owner.execute(update(RoleAssignment).where(RoleAssignment.user_id == cast.eirik.id).values(facility_id=place.id))
    owner.commit()
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    question_id = nadia.post(path, json={"text": WHOSE}).json()["id"]
    (centres,) = _hold(context, cast, 1, place.id)
    assert nadia.post(f"/api/held-objects/{centres}/questions", json={"text": WHOSE}).status_code == 201
    assert [q["subject_id"] for q in eirik.get("/api/questions").json()] == [str(centres)], "the centre's alone"
    assert eirik.get(path).status_code == 404
    assert eirik.post(f"/api/questions/{question_id}/answers", json={"text": "x"}).status_code == 404


def test_one_question_counts_for_all_objects_that_wait_alike(
    context: Context, cast: Cast, held_ids: list[UUID], clock: FixedClock
) -> None:
    """The entry of the quarantine is the newest of them, and another one when more come."""
    app = app_of(context)
    nadia = sign_in_as(app, cast.nadia)
    asked_about = held_ids[0]
    nadia.post(f"/api/held-objects/{asked_about}/questions", json={"text": WHOSE})
    clock.advance(timedelta(minutes=1))
    (newest,) = _hold(context, cast, 1)
    (entry,) = nadia.get("/api/held-objects").json()
    (line,) = nadia.get("/api/questions").json()
    assert entry["id"] == line["subject_id"] == str(newest)
    assert line["about"] == "4 objects in quarantine: Patient's Name differs"
    for one in (*held_ids, newest):
        assert len(nadia.get(f"/api/held-objects/{one}/questions").json()["questions"]) == 1

    nadia.post(f"/api/held-objects/{asked_about}/dismiss", json={"reason": "Sent by mistake"})
    clock.advance(timedelta(minutes=2))
    assert close_settled(context.works) == 0, "others wait still"
    assert len(nadia.get("/api/questions").json()) == 1
    nadia.post(f"/api/held-objects/{newest}/dismiss", json={"reason": "Sent by mistake", "all_alike": True})
    assert close_settled(context.works) == 0, "one that was tried again may be back in a moment"
    clock.advance(timedelta(minutes=2))
    assert close_settled(context.works) == 1
    assert nadia.get("/api/questions").json() == []
    with context.works.read(system("test", cast.norfjord)) as work:
        row = work.session.scalars(select(Question)).one()
        assert (row.state, row.ended_by, row.ended_at) == ("closed", None, clock.now())


def test_an_object_from_nowhere_has_nobody_to_ask(context: Context, cast: Cast, owner: Session) -> None:
    (held_id,) = _hold(context, cast, 1)
    owner.execute(text("update archive.held_objects set facility_id = null"))
    owner.commit()
    nadia = sign_in_as(context, cast.nadia)
    path = f"/api/held-objects/{held_id}/questions"
    assert nadia.get(path).json() == {"facility": None, "may_ask": False, "questions": []}
    refused = nadia.post(path, json={"text": WHOSE})
    assert (refused.status_code, refused.json()["code"]) == (409, "site-unknown")


def test_what_waits_no_more_is_not_asked_about_and_settles_what_was(
    context: Context, cast: Cast, study_id: UUID
) -> None:
    nadia = sign_in_as(context, cast.nadia)
    path = f"/api/studies/{study_id}/questions"
    nadia.post(path, json={"text": WHOSE})
    assert close_settled(context.works) == 0
    with context.works.begin(system("test", cast.norfjord)) as work:
        work.session.execute(update(Study).values(match_state="matched"))
        work.record("study.matched", organization_id=cast.norfjord, study_id=study_id)
    refused = nadia.post(path, json={"text": WHOSE})
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-waits")
    assert close_settled(context.works) == 1
    assert close_settled(context.works) == 0
    thread = nadia.get(path).json()
    assert [(q["state"], q["ended_by"]) for q in thread["questions"]] == [("closed", None)]
    assert thread["may_ask"] is False


def test_a_case_is_asked_about_until_it_is_closed(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/cases/{made.case_id}/questions"
    question_id = nadia.post(path, json={"text": "Are there images of last week?"}).json()["id"]
    (line,) = eirik.get("/api/questions").json()
    assert (line["subject_kind"], line["subject_id"], line["about"]) == ("case", str(made.case_id), "CT hode")
    assert eirik.post(f"/api/questions/{question_id}/answers", json={"text": "Yes, we send them"}).status_code == 201
    steps = nadia.get(f"/api/cases/{made.case_id}/timeline").json()["steps"]
    assert [s["text"] for s in steps if s["action"].startswith("question.")] == [
        "The site was asked",
        "The site answered",
    ]
    assert close_settled(context.works) == 0
    with context.works.begin(system("test", cast.norfjord)) as work:
        work.session.execute(update(Case).values(closed_at=work.now))
        work.record("case.closed", organization_id=cast.norfjord, case_id=made.case_id)
    assert close_settled(context.works) == 1
    assert nadia.post(path, json={"text": WHOSE}).status_code == 409


def test_an_alarm_tells_that_a_site_does_not_answer(
    context: Context, cast: Cast, study_id: UUID, clock: FixedClock
) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    first, second = (nadia.post(path, json={"text": WHOSE}).json()["id"] for _ in range(2))
    clock.advance(timedelta(minutes=59))
    assert raise_unanswered(context.works, minutes=60) == 0
    clock.advance(timedelta(minutes=1))
    assert raise_unanswered(context.works, minutes=60) == 1
    assert raise_unanswered(context.works, minutes=60) == 0, "one for a subject"
    (alarm,) = _alarms(context, cast)
    assert alarm.text == "Norfjord has not answered a question for more than 60 minutes. Call +47 00 55 90 00."
    assert (alarm.study_id, alarm.cleared_at) == (study_id, None)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)  # an hour is longer than an idle session
    assert [a["kind"] for a in nadia.get("/api/board").json()["alarms"]] == ["question_unanswered"]
    assert [q["is_late"] for q in nadia.get("/api/questions").json()] == [True, True]

    eirik.post(f"/api/questions/{first}/answers", json={"text": "Kari's"})
    assert _alarms(context, cast)[0].cleared_at is None, "the second one waits still"
    nadia.post(f"/api/questions/{second}/withdraw")
    assert _alarms(context, cast)[0].cleared_at == clock.now()
    assert raise_unanswered(context.works, minutes=60) == 0


def test_an_alarm_of_objects_in_quarantine_ends_with_them(
    context: Context, cast: Cast, held_ids: list[UUID], clock: FixedClock
) -> None:
    nadia = sign_in_as(context, cast.nadia)
    nadia.post(f"/api/held-objects/{held_ids[0]}/questions", json={"text": WHOSE})
    clock.advance(timedelta(minutes=60))
    assert raise_unanswered(context.works, minutes=60) == 1
    nadia = sign_in_as(context, cast.nadia)
    nadia.post(f"/api/held-objects/{held_ids[0]}/dismiss", json={"reason": "Sent by mistake", "all_alike": True})
    clock.advance(timedelta(minutes=2))
    assert close_settled(context.works) == 1
    assert _alarms(context, cast)[0].cleared_at == clock.now()


def test_words_stay_as_they_were_written(context: Context, cast: Cast, study_id: UUID, works: WorkFactory) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    question_id = nadia.post(f"/api/studies/{study_id}/questions", json={"text": WHOSE}).json()["id"]
    eirik.post(f"/api/questions/{question_id}/answers", json={"text": "Kari's"})
    for sql in (
        "update questions.questions set text = 'x'",
        "update questions.questions set asked_by = organization_id",
        "delete from questions.questions",
        "update questions.answers set text = 'x'",
        "delete from questions.answers",
    ):
        with works.read(cast.nadia) as work, pytest.raises(IntegrityError, match="immutable"):
            work.session.execute(text(sql))


def test_the_record_and_live_pages_bear_no_words(context: Context, cast: Cast, study_id: UUID, owner: Session) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    question_id = nadia.post(path, json={"text": "Is this KARI LARSEN?"}).json()["id"]
    eirik.post(f"/api/questions/{question_id}/answers", json={"text": "Yes, LARSEN"})
    eirik.get(path)
    rows = (
        owner.execute(text("select to_jsonb(e)::text from audit.events e where action like 'question.%'"))
        .scalars()
        .all()
    )
    assert len(rows) == 3
    assert not any("LARSEN" in row for row in rows)
    assert all(str(study_id) in row for row in rows)


def test_refusals_are_on_record(context: Context, cast: Cast, study_id: UUID, owner: Session) -> None:
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    path = f"/api/studies/{study_id}/questions"
    eirik.post(path, json={"text": WHOSE})
    question_id = nadia.post(path, json={"text": WHOSE}).json()["id"]
    eirik.post(f"/api/questions/{question_id}/withdraw")
    refused = select(AuditEvent.action, AuditEvent.actor_name).where(AuditEvent.outcome == "refused")
    assert owner.execute(refused.order_by(AuditEvent.id)).all() == [
        ("question.asked", "Dr Eirik Solbakken"),
        ("question.withdraw", "Dr Eirik Solbakken"),
    ]


def test_the_rows_are_its_organisations_alone(context: Context, cast: Cast, study_id: UUID) -> None:
    """Readers of a group see a patient by a grant, and none of this: tests/house/test_row_security.py."""
    app = app_of(context)
    nadia, eirik = sign_in_as(app, cast.nadia), sign_in_as(app, cast.eirik)
    question_id = nadia.post(f"/api/studies/{study_id}/questions", json={"text": WHOSE}).json()["id"]
    eirik.post(f"/api/questions/{question_id}/answers", json={"text": "Kari's"})
    for actor, rows in (
        (cast.nadia, 1),
        (cast.eirik, 1),
        (cast.runa, 1),
        (cast.imogen, 0),
        (cast.harper, 0),
        (cast.olga, 0),
    ):
        with context.works.read(actor) as work:
            for table in (Question, Answer):
                assert len(work.session.scalars(select(table)).all()) == rows, (actor.name, table.__tablename__)
