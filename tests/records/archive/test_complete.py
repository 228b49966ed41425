"""When a study is complete, and what that tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import events, queries
from heliograph.records.archive.complete import complete_quiet_studies, complete_study, expect_instances
from tests.cast import Cast
from tests.records.archive import files


def file_one(context: Context, cast: Cast, number: int = 1) -> queries.StudyFacts:
    entry = files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", number))
    files.index(context.works, context.objects, [entry])
    return facts(context, cast)


def facts(context: Context, cast: Cast) -> queries.StudyFacts:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, "1.2.3")
    assert found is not None
    return found


def heard(context: Context) -> list[UUID]:
    completed: list[UUID] = []

    def hear(_work: Work, event: events.StudyCompleted) -> None:
        completed.append(event.study_id)

    context.works.reactions.on(events.StudyCompleted, hear)
    return completed


def test_a_study_is_complete_after_its_facilitys_quiet_time(context: Context, cast: Cast) -> None:
    completed = heard(context)
    study = file_one(context, cast)
    last = max(study.last_received_at, context.works.clock.now())
    assert complete_quiet_studies(context.works, quiet_seconds=1, now=last + timedelta(seconds=9)) == 0
    # Norfjord says ten seconds; the installation's one second is for facilities that say nothing.
    assert complete_quiet_studies(context.works, quiet_seconds=1, now=last + timedelta(seconds=11)) == 1
    assert complete_quiet_studies(context.works, quiet_seconds=1, now=last + timedelta(seconds=99)) == 0
    done = facts(context, cast)
    assert (done.completed_by, completed) == ("quiet", [study.id])
    with context.works.read(system("test", cast.norfjord)) as work:
        rows = work.session.execute(
            text("select action, at from audit.events where study_id = :s order by id"), {"s": study.id}
        ).all()
    by_action = {row.action: row.at for row in rows}
    assert by_action["study.last_image"] == study.last_received_at
    assert by_action["study.completed"] == context.works.clock.now()


def test_a_backlog_being_filed_is_not_quiet(context: Context, cast: Cast) -> None:
    """After an outage images are old when they are filed; the next batch may be on its way."""
    file_one(context, cast)
    with context.works.begin(system("test", cast.norfjord)) as work:
        work.session.execute(
            text("update archive.studies set last_received_at = :t"), {"t": datetime(2020, 1, 1, tzinfo=UTC)}
        )
        work.record("test.arranged")
    now = context.works.clock.now()
    assert complete_quiet_studies(context.works, now=now + timedelta(seconds=1)) == 0
    assert complete_quiet_studies(context.works, now=now + timedelta(seconds=6)) == 1


def test_the_expected_count_completes_at_once(context: Context, cast: Cast) -> None:
    study = file_one(context, cast)
    with context.works.begin(cast.eirik) as work:
        expect_instances(work, study.id, 2)
    now = context.works.clock.now()
    assert complete_quiet_studies(context.works, now=now) == 0
    file_one(context, cast, 2)
    assert complete_quiet_studies(context.works, now=now) == 1
    assert facts(context, cast).completed_by == "count"


def test_the_technologist_completes_and_late_images_join(context: Context, cast: Cast) -> None:
    completed = heard(context)
    study = file_one(context, cast)
    with context.works.begin(cast.eirik) as work:
        assert complete_study(work, study.id)
        assert not complete_study(work, study.id)
    done = facts(context, cast)
    late = file_one(context, cast, 2)
    assert late.number_of_instances == 2
    assert (late.completed_at, late.completed_by) == (done.completed_at, "technologist")
    assert completed == [study.id]


def test_an_outsider_cannot_complete(context: Context, cast: Cast) -> None:
    study = file_one(context, cast)
    with pytest.raises(NotFound), context.works.begin(cast.harper) as work:
        complete_study(work, study.id)
    assert facts(context, cast).completed_at is None
