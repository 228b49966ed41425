"""Signing: what stops it, what it makes, and that nothing changes it afterwards."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from heliograph.app.context import Context
from heliograph.care.reading.content import content_hash
from heliograph.care.reading.drafts import save_draft
from heliograph.care.reading.errors import AlreadySigned, DraftMovedOn, Incomplete, NewImages
from heliograph.care.reading.queries import versions_of_case
from heliograph.care.reading.sign import sign_report
from heliograph.care.worklist.addendum import open_addendum
from heliograph.governance.access.errors import SignatureNeeded
from heliograph.governance.access.sign_in import prove
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import Invalid, NotFound
from tests.care.reading.help import GOOD, actions, add_images, make_read, open_, sign, with_session
from tests.cast import PASSWORD, Cast


def test_it_works(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    version = sign(context, imogen, made.read_id)
    assert (version.number, version.kind, version.state, version.meaning) == (1, "final", "signed", "author")
    assert version.accession == ["A1"]
    assert version.signer_name == "Dr Imogen Tarrant"
    assert version.signer_details["licence"] == {"jurisdiction": "NO", "number": "NO-1"}
    assert version.signer_details["place"] == {"name": "Sydney", "jurisdiction": "AU"}
    assert version.text == (
        "INDICATION\nFall\n\nFINDINGS\nHaemorrhage: none\nAcute ischaemia: none\nMidline shift: 0 mm\n\nNothing else.\n\n"
        "IMPRESSION\n1. No acute abnormality.\n2. Æsj, Ødegård."
    )
    with context.works.read(system("t", cast.norfjord)) as work:
        content = work.session.scalar(text("select content from reading.report_versions"))
        assert content["subject"]["study_instance_uids"] == ["2.25.41"]
        assert content_hash(content, 1, "final").hex() == version.content_sha256
        assert (
            work.session.scalar(text("select state from worklist.reads where id = :id"), {"id": made.read_id}) == "done"
        )
        assert work.session.scalar(text("select count(*) from reading.edit_locks")) == 0
        assert work.session.scalar(text("select count(*) from delivery.deliveries")) == 3
    with context.works.read(cast.imogen) as work:
        assert work.session.scalar(text("select count(*) from reading.drafts")) == 0
    assert actions(context, cast, "report.signed", "read.done", "delivery.queued") == [
        "read.done", "report.signed", "delivery.queued", "delivery.queued", "delivery.queued",
    ]  # fmt: skip
    with context.works.begin(imogen) as work, pytest.raises(AlreadySigned):
        sign_report(work, context.settings, made.read_id, 1, GOOD)


def test_the_signature_is_asked_at_first_and_after_fifteen_idle_minutes(
    context: Context, cast: Cast, clock: FixedClock
) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen, proved=False)
    with pytest.raises(SignatureNeeded):
        sign(context, imogen, made.read_id)
    prove(context.works, imogen, password=PASSWORD, totp=None)
    clock.advance(timedelta(minutes=15, seconds=1))
    with pytest.raises(SignatureNeeded):
        sign(context, imogen, made.read_id)
    prove(context.works, imogen, password=PASSWORD, totp=None)
    clock.advance(timedelta(minutes=14))
    assert sign(context, imogen, made.read_id).number == 1


@pytest.mark.parametrize(
    ("sections", "fields", "wrong"),
    [
        ({"impression": " \n"}, {}, "impression"),
        ({}, {"haemorrhage": []}, "haemorrhage"),
        ({}, {"acute_ischaemia": None}, "acute_ischaemia"),
        ({"findings": "Shift of [ ] mm."}, {}, "findings"),
        ({"findings": "Same.", "impression": "Same."}, {}, "impression"),
    ],
)
def test_what_is_missing_stops_it(context: Context, cast: Cast, sections, fields, wrong) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    content = {"sections": {**GOOD["sections"], **sections}, "fields": {**GOOD["fields"], **fields}}
    with pytest.raises(Incomplete) as refused:
        sign(context, imogen, made.read_id, content)
    assert [p["field"] for p in refused.value.extra["problems"]] == [wrong]
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select count(*) from reading.report_versions")) == 0


def test_an_addendum_makes_version_two_with_the_whole_text(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    first = sign(context, imogen, made.read_id)
    with context.works.begin(imogen) as work:
        read_id = open_addendum(work, made.case_id, "Call from the ward")
    opened = open_(context, imogen, read_id)
    assert [s.id for s in opened.template.sections if s.required] == ["addendum"]
    assert [v.number for v in opened.previous_versions] == [1]
    with pytest.raises(Invalid):
        sign(context, imogen, read_id, {"sections": {"addendum": "Told Dr S."}}, kind="final")
    second = sign(context, imogen, read_id, {"sections": {"addendum": "Told Dr Solbakken at 03:10."}})
    assert (second.number, second.kind) == (2, "addendum")
    assert second.text.startswith(first.text)
    assert second.sections[-1]["text"] == "Told Dr Solbakken at 03:10."
    assert "Dr Imogen Tarrant" in second.sections[-1]["title"]
    assert second.content_sha256 != first.content_sha256
    assert actions(context, cast, "report.signed", "report.addendum_signed") == [
        "report.signed",
        "report.addendum_signed",
    ]


def test_a_preliminary_version_leaves_the_read_open_for_the_final_one(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    assert sign(context, imogen, made.read_id, kind="preliminary").kind == "preliminary"
    opened = open_(context, imogen, made.read_id)
    assert opened.read.state == "reading"
    assert opened.draft.content["sections"]["impression"] == GOOD["sections"]["impression"]
    final = sign(context, imogen, made.read_id)
    assert (final.number, final.kind) == (2, "final")


def test_a_signed_version_is_immutable(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id)
    for change in (
        "update reading.report_versions set text = 'x'",
        "update reading.report_versions set content = '{}'",
        "update reading.report_versions set number = 7",
        "delete from reading.report_versions",
    ):
        with pytest.raises(DBAPIError, match="immutable"), context.works.begin(system("t", cast.norfjord)) as work:
            work.session.execute(text(change))
    with context.works.begin(system("t", cast.norfjord)) as work:
        work.session.execute(text("update reading.report_versions set state = 'withdrawn'"))
        work.record("test.withdrawn", organization_id=cast.norfjord)


def test_new_images_ask_before_the_signature(context: Context, cast: Cast, clock: FixedClock) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    clock.advance(timedelta(seconds=30))
    add_images(context, cast, (3,))
    with pytest.raises(NewImages):
        sign(context, imogen, made.read_id)
    assert sign(context, imogen, made.read_id, overrides=[("new-images", "Scout only")]).number == 1


def test_what_was_typed_elsewhere_is_not_signed_over(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    revision = open_(context, imogen, made.read_id).draft.revision
    with context.works.begin(imogen) as work:
        save_draft(work, made.read_id, revision, GOOD)
    with pytest.raises(DraftMovedOn), context.works.begin(imogen) as work:
        sign_report(work, context.settings, made.read_id, revision, GOOD)


def test_of_two_signatures_at_once_one_is_made(context: Context, cast: Cast) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    revision = open_(context, imogen, made.read_id).draft.revision
    barrier, ended = threading.Barrier(2), []

    def go() -> None:
        barrier.wait()
        try:
            with context.works.begin(imogen) as work:
                ended.append(sign_report(work, context.settings, made.read_id, revision, GOOD).number)
        except AlreadySigned as error:
            ended.append(error.code)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(map(str, ended)) == ["1", "already-signed"]
    with context.works.read(system("t", cast.norfjord)) as work:
        assert [v.number for v in versions_of_case(work.session, made.case_id)] == [1]


def test_only_the_assigned_reader_opens_saves_and_signs(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    for who in (cast.anselm, cast.otto, cast.nadia, cast.eirik, cast.harper, cast.pat):
        with pytest.raises(NotFound):
            open_(context, who, made.read_id)
        with pytest.raises(NotFound), context.works.begin(who) as work:
            save_draft(work, made.read_id, 1, GOOD)
    otto = with_session(context, cast.otto)
    with pytest.raises(NotFound), context.works.begin(otto) as work:
        sign_report(work, context.settings, made.read_id, 1, GOOD)
