"""Drafts and their lock: every change kept, one editor, nothing lost between two windows."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.reading import lock
from heliograph.care.reading.drafts import check_draft, save_draft
from heliograph.care.reading.errors import BadContent, DraftMovedOn, HeldByAnother, NotOpen
from heliograph.care.reading.open_report import release_report
from heliograph.governance.access.sign_in import sign_out
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from tests.care.reading.help import GOOD, actions, make_read, open_, with_session
from tests.cast import Cast


def save(context: Context, who: Actor, read_id, revision: int, content=GOOD):
    with context.works.begin(who) as work:
        return save_draft(work, read_id, revision, content)


@pytest.fixture
def second(context: Context, cast: Cast, owner_url: str):
    """A case with two reads: Imogen's, and a second one of Anselm's that is being read."""
    made = make_read(context, cast)
    from sqlalchemy import create_engine

    engine = create_engine(owner_url)
    with engine.begin() as c:
        id_ = c.scalar(
            text(
                "insert into worklist.reads (organization_id, case_id, kind, state, reader_id, opened_at) "
                "values (:o, :c, 'second', 'reading', :r, now()) returning id"
            ),
            {"o": cast.norfjord, "c": made.case_id, "r": cast.anselm_reader},
        )
    engine.dispose()
    return made, id_


def test_it_works(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    opened = open_(context, imogen, made.read_id)
    assert opened.template.id == "ct_head"
    assert opened.language == "en"
    assert opened.draft.content["sections"]["indication"] == "Fall from ladder"
    assert opened.draft.content["sections"]["technique"] == "CT head, 25 November 2026."
    assert opened.draft.content["sections"]["comparison"] == "None available."
    assert opened.draft.content["fields"] == {}
    assert (opened.organization_slug, opened.study_instance_uids, opened.prior_uids) == ("norfjord", ["2.25.41"], [])
    assert save(context, imogen, made.read_id, 1).revision == 2
    assert save(context, imogen, made.read_id, 2, {"sections": {"findings": "a\r\nb\x00"}}).revision == 3
    assert open_(context, imogen, made.read_id).draft.content == {"sections": {"findings": "a\nb "}, "fields": {}}
    assert actions(context, cast, "draft.edited") == ["draft.edited"]  # once an editing session


def test_sent_again_is_fine_but_an_old_revision_is_not(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    assert save(context, imogen, made.read_id, 1).revision == 2
    assert save(context, imogen, made.read_id, 1).revision == 2
    other = {"sections": {"impression": "Other"}}
    with pytest.raises(DraftMovedOn):
        save(context, imogen, made.read_id, 1, other)
    with pytest.raises(DraftMovedOn):
        save(context, imogen, made.read_id, 3, other)


def test_a_second_window_takes_over(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    first = open_(context, imogen, made.read_id).draft.revision
    save(context, imogen, made.read_id, first)
    second = open_(context, replace(imogen), made.read_id).draft.revision
    with pytest.raises(DraftMovedOn):
        save(context, imogen, made.read_id, first + 1, {"sections": {"impression": "From the first window"}})
    assert save(context, imogen, made.read_id, second).revision == second + 1


@pytest.mark.parametrize(
    "content",
    [
        {"sections": {"somewhere": "x"}},
        {"fields": {"unknown": 1}},
        {"fields": {"midline_shift": "4"}},
        {"fields": {"midline_shift": float("nan")}},
        {"fields": {"haemorrhage": ["everywhere"]}},
        {"fields": {"acute_ischaemia": ["none"]}},
        {"sections": {"findings": 7}},
        {"sections": {"findings": "x" * 50_001}},
    ],
)
def test_what_the_template_does_not_know_is_refused(context: Context, cast: Cast, content) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    with pytest.raises(BadContent):
        save(context, imogen, made.read_id, 1, content)


def test_nothing_is_saved_before_opening(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    with pytest.raises(NotOpen):
        save(context, cast.imogen, made.read_id, 1)
    with context.works.read(cast.imogen) as work, pytest.raises(NotOpen):
        check_draft(work, made.read_id)


def test_two_people_never_edit_one_report(context: Context, cast: Cast, clock: FixedClock, second) -> None:
    made, _his = second
    imogen, anselm = with_session(context, cast.imogen), cast.anselm
    revision = open_(context, imogen, made.read_id).draft.revision
    report_id = open_(context, imogen, made.read_id).report_id
    revision += 1
    with pytest.raises(HeldByAnother) as refused, context.works.begin(anselm) as work:
        lock.take(work, report_id, cast.norfjord)
    assert (refused.value.code, refused.value.extra["holder"]) == ("held-by-another", "Dr Imogen Tarrant")
    with context.works.begin(imogen) as work:
        release_report(work, made.read_id)
    with context.works.begin(anselm) as work:
        lock.take(work, report_id, cast.norfjord)
    with pytest.raises(HeldByAnother):
        save(context, imogen, made.read_id, revision)
    clock.advance(timedelta(minutes=9))
    with pytest.raises(HeldByAnother):
        save(context, imogen, made.read_id, revision)
    clock.advance(timedelta(minutes=2))  # idle for eleven
    assert save(context, imogen, made.read_id, revision).revision == revision + 1


def test_a_lock_whose_session_ended_may_be_taken(context: Context, cast: Cast, second) -> None:
    made, _ = second
    imogen = with_session(context, cast.imogen)
    report_id = open_(context, imogen, made.read_id).report_id
    with context.works.begin(imogen) as work:
        sign_out(work)
    with context.works.begin(cast.anselm) as work:
        assert lock.take(work, report_id, cast.norfjord).holder == "Dr Anselm Vogt"


def test_a_lock_of_who_lost_the_read_may_be_taken(context: Context, cast: Cast, second) -> None:
    made, _his = second
    imogen = with_session(context, cast.imogen)
    report_id = open_(context, imogen, made.read_id).report_id
    with context.works.begin(system("t", cast.norfjord)) as work:
        work.session.execute(text("update worklist.reads set state = 'cancelled' where id = :id"), {"id": made.read_id})
        work.record("test.cancelled", organization_id=cast.norfjord)
    with context.works.begin(cast.anselm) as work:
        assert lock.take(work, report_id, cast.norfjord).holder == "Dr Anselm Vogt"


def test_of_two_who_come_at_once_one_gets_it(context: Context, cast: Cast, second) -> None:
    made, _ = second
    imogen = with_session(context, cast.imogen)
    report_id = open_(context, imogen, made.read_id).report_id
    with context.works.begin(imogen) as work:
        release_report(work, made.read_id)
    barrier, ended = threading.Barrier(2), []

    def go(who: Actor) -> None:
        barrier.wait()
        try:
            with context.works.begin(who) as work:
                lock.take(work, report_id, cast.norfjord)
            ended.append("has it")
        except HeldByAnother as error:
            ended.append(error.code)

    threads = [threading.Thread(target=go, args=(who,)) for who in (imogen, cast.anselm)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(ended) == ["has it", "held-by-another"]


def test_drafts_are_seen_by_their_author_alone(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    for who in (cast.anselm, cast.nadia, cast.eirik, system("t", cast.norfjord)):
        with context.works.read(who) as work:
            assert work.session.scalar(text("select count(*) from reading.drafts")) == 0
    with context.works.read(cast.imogen) as work:
        assert work.session.scalar(text("select count(*) from reading.drafts")) == 1
