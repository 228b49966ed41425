"""What hides images: notes and persons; what shows them again; and what of it others are told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor, system
from heliograph.kit.errors import NotFound
from heliograph.records.archive import events, present, spool
from heliograph.records.archive.index import Indexed
from heliograph.records.archive.made_here import store_made_here
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.queries import StudyFacts, instance_places, study_by_uid, unmatched_studies
from heliograph.records.archive.rejections import (
    AlreadyRestored,
    NothingToHide,
    ReasonMissing,
    RejectionFacts,
    reject,
    rejections_of,
    restore,
)
from tests.cast import Cast
from tests.records.archive import files, notes

STUDY = "2.999.1"


def came(context: Context, cast: Cast, *data: bytes, at: UUID | None = None, facility: UUID | None = None) -> Indexed:
    """Files these as Norfjord's, or another's."""
    folder = context.settings.spool_dir
    organization, place = at or cast.norfjord, facility or cast.norfjord_facility
    return files.index(
        context.works, context.objects, [spool.receive(folder, organization, place, None, b"", d) for d in data]
    )


def images(study: str = STUDY, series: int = 2, each: int = 2) -> list[bytes]:
    """`each` slices in each series: STUDY.1.1, STUDY.1.2, STUDY.2.1 ..."""
    return [
        files.ct(study, f"{study}.{s}", n, sop=f"{study}.{s}.{n}")
        for s in range(1, series + 1)
        for n in range(1, each + 1)
    ]


def shown(context: Context, cast: Cast, uid: str = STUDY, actor: Actor | None = None) -> list[str]:
    """What of the study is shown, without what it begins with."""
    with context.works.read(actor or system("test", cast.norfjord)) as work:
        study = study_by_uid(work.session, cast.norfjord, uid)
        assert study is not None
        return [p.sop_instance_uid.removeprefix(f"{uid}.") for p in instance_places(work.session, study.id)]


def facts(context: Context, cast: Cast, organization: UUID | None = None) -> StudyFacts:
    where = organization or cast.norfjord
    with context.works.read(system("test", where)) as work:
        found = study_by_uid(work.session, where, STUDY)
    assert found is not None
    return found


def counts(context: Context, cast: Cast) -> tuple[int, int, list[str], int]:
    found = facts(context, cast)
    with context.works.read(system("test", cast.norfjord)) as work:
        revision = work.session.get_one(Study, found.id).revision
    return found.number_of_series, found.number_of_instances, found.modalities, revision


def all_of(context: Context, cast: Cast) -> list[RejectionFacts]:
    study = facts(context, cast)
    with context.works.read(system("test", cast.norfjord)) as work:
        return rejections_of(work.session, study.id)


def heard(context: Context) -> list[int]:
    """How many images each announcement tells of."""
    told: list[int] = []
    context.works.reactions.on(events.ImagesIndexed, lambda _work, event: told.append(event.number_of_instances))
    return told


def test_it_works(context: Context, cast: Cast) -> None:
    came(context, cast, *images())
    told = heard(context)
    first = notes.note(STUDY, {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}, words="Kari moved")
    done = came(context, cast, first)
    assert (done.stored, done.held) == (1, 0)
    assert shown(context, cast) == ["1.2", "2.1", "2.2"]
    assert counts(context, cast) == (2, 3, ["CT"], 1)
    (row,) = all_of(context, cast)
    assert (row.kind, row.reason, row.number_of_instances) == (
        "quality",
        "Rejected for Quality Reasons: Kari moved",
        1,
    )
    assert (row.note_uid is not None, row.made_by, told) == (True, None, [])
    with context.works.read(system("test", cast.norfjord)) as work:
        event = work.session.scalars(select(AuditEvent).where(AuditEvent.action == "images.rejected")).one()
    assert (event.reason, event.detail) == ("quality", {"kind": "quality", "instances": 1, "by_note": True})
    # The same note again, and the image again: success, and nothing changes.
    assert came(context, cast, first, images()[0]).repeated == 2
    assert (counts(context, cast), len(all_of(context, cast))) == ((2, 3, ["CT"], 1), 1)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        (notes.QUALITY, "quality"),
        (notes.SAFETY, "safety"),
        (notes.WORKLIST, "worklist"),
        (notes.RETENTION, "retention"),
    ],
)
def test_each_title_of_a_note(context: Context, cast: Cast, title: str, kind: str) -> None:
    came(context, cast, *images(series=1))
    came(context, cast, notes.note(STUDY, {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.2"]}}, title=title))
    assert shown(context, cast) == ["1.1"]
    assert [r.kind for r in all_of(context, cast)] == [kind]


@pytest.mark.parametrize(("title", "scheme"), [("113000", "DCM"), ("113001", "99LOCAL")])
def test_other_key_objects_hide_nothing(context: Context, cast: Cast, title: str, scheme: str) -> None:
    came(context, cast, *images(series=1))
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.2"]}}
    came(context, cast, notes.note(STUDY, named, title=title, scheme=scheme, sop=f"{STUDY}.9.1"))
    assert shown(context, cast) == ["1.1", "1.2", "9.1"]
    assert counts(context, cast) == (2, 3, ["CT", "KO"], 0)


def test_a_note_before_its_images(context: Context, cast: Cast) -> None:
    """Nobody hears of a study of which nothing is shown; images that the note names are hidden as they come."""
    told = heard(context)
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1", f"{STUDY}.1.2"]}}
    came(context, cast, notes.note(STUDY, named, title=notes.WORKLIST))
    assert (counts(context, cast)[:3], told) == ((0, 0, []), [])
    came(context, cast, images()[0])
    assert (counts(context, cast)[:3], told) == ((0, 0, []), [])
    with context.works.read(system("test", cast.norfjord)) as work:
        assert unmatched_studies(work.session) == []
    came(context, cast, *images()[1:])
    assert (shown(context, cast), told) == (["2.1", "2.2"], [2])
    assert counts(context, cast)[:3] == (1, 2, ["CT"])
    assert [r.number_of_instances for r in all_of(context, cast)] == [2]


def test_note_and_images_in_one_batch(context: Context, cast: Cast) -> None:
    told = heard(context)
    mine = images()
    came(context, cast, mine[0], notes.note(STUDY, {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}), *mine[1:])
    assert (shown(context, cast), told) == (["1.2", "2.1", "2.2"], [3])
    assert counts(context, cast)[:3] == (2, 3, ["CT"])


def test_a_note_reaches_no_other_study_and_no_other_organisation(context: Context, cast: Cast) -> None:
    other = "2.999.2"
    came(context, cast, *images(series=1), *images(other, series=1))
    came(context, cast, *images(series=1), at=cast.llano, facility=cast.llano_facility)
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}, other: {f"{other}.1": [f"{other}.1.1"]}}
    came(context, cast, notes.note(STUDY, named))
    assert shown(context, cast) == ["1.2"]
    assert shown(context, cast, other) == ["1.1", "1.2"]
    assert facts(context, cast, cast.llano).number_of_instances == 2
    with context.works.read(system("test", cast.llano)) as work:
        hidden = select(Instance.id).where(Instance.rejection_id.is_not(None), Instance.organization_id == cast.llano)
        assert work.session.scalars(hidden).all() == []


def test_restored_images_are_shown_and_told_of_and_the_note_has_no_effect_any_more(
    context: Context, cast: Cast
) -> None:
    came(context, cast, *images(series=1))
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1", f"{STUDY}.1.2", f"{STUDY}.1.3"]}}
    came(context, cast, notes.note(STUDY, named, title=notes.SAFETY))
    assert (shown(context, cast), counts(context, cast)) == ([], (0, 0, [], 1))
    told = heard(context)
    (row,) = all_of(context, cast)
    with pytest.raises(ReasonMissing), context.works.begin(cast.eirik) as work:
        restore(work, row.id, " ")
    with context.works.begin(cast.eirik) as work:
        assert restore(work, row.id, "The right patient after all") == 2
    assert (shown(context, cast), counts(context, cast), told) == (["1.1", "1.2"], (1, 2, ["CT"], 2), [2])
    with pytest.raises(AlreadyRestored), context.works.begin(cast.eirik) as work:
        restore(work, row.id, "Again")
    came(context, cast, files.ct(STUDY, f"{STUDY}.1", 3, sop=f"{STUDY}.1.3"))
    assert shown(context, cast) == ["1.1", "1.2", "1.3"]
    (row,) = all_of(context, cast)
    assert (row.restored_by, row.restore_reason) == (cast.eirik.id, "The right patient after all")


def test_a_later_note_hides_again(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}
    came(context, cast, notes.note(STUDY, named))
    came(context, cast, notes.note(STUDY, named))
    assert sorted(r.number_of_instances for r in all_of(context, cast)) == [0, 1]
    with context.works.begin(cast.eirik) as work:
        for row in rejections_of(work.session, facts(context, cast).id):
            restore(work, row.id, "Fine")
    assert shown(context, cast) == ["1.1", "1.2"]
    came(context, cast, notes.note(STUDY, named))
    assert shown(context, cast) == ["1.2"]


@pytest.mark.parametrize(
    ("scope", "left", "after"),
    [
        ({}, [], (0, 0, [])),
        ({"series_instance_uid": f"{STUDY}.1"}, ["2.1", "2.2"], (1, 2, ["CT"])),
        ({"sop_instance_uids": [f"{STUDY}.1.1", f"{STUDY}.2.1"]}, ["1.2", "2.2"], (2, 2, ["CT"])),
    ],
)
def test_by_hand(context: Context, cast: Cast, scope: dict[str, Any], left: list[str], after: object) -> None:
    came(context, cast, *images())
    with context.works.begin(cast.eirik) as work:
        made = reject(work, facts(context, cast).id, "safety", " Wrong side ", **scope)
    assert (shown(context, cast), counts(context, cast)[:3]) == (left, after)
    (row,) = all_of(context, cast)
    assert (row.id, row.made_by, row.reason) == (made, cast.eirik.id, "Wrong side")
    with pytest.raises(NothingToHide), context.works.begin(cast.eirik) as work:
        reject(work, row.study_id, "safety", "Again", **scope)
    # Later images of a series that is hidden are shown: they are others.
    came(context, cast, files.ct(STUDY, f"{STUDY}.1", 3, sop=f"{STUDY}.1.3"))
    assert "1.3" in shown(context, cast)
    with context.works.begin(cast.eirik) as work:
        restore(work, made, "The right side")
    assert shown(context, cast) == ["1.1", "1.2", "1.3", "2.1", "2.2"]
    assert counts(context, cast)[:3] == (2, 5, ["CT"])


def test_an_outsider_hides_and_restores_nothing(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    for who in (cast.harper, cast.otto, cast.olga, cast.astrid, cast.pat, system("x", cast.llano)):
        with pytest.raises(NotFound), context.works.begin(who) as work:
            reject(work, study_id, "quality", "x")
    with context.works.begin(cast.eirik) as work:
        made = reject(work, study_id, "quality", "x")
    for who in (cast.harper, cast.otto, cast.olga, cast.astrid, cast.pat, system("x", cast.llano)):
        with pytest.raises(NotFound), context.works.begin(who) as work:
            restore(work, made, "x")
        with context.works.read(who) as work:
            assert rejections_of(work.session, study_id) == []


def test_what_we_made_is_never_hidden_nor_counted(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    report = files.ct(STUDY, f"{STUDY}.8", 1, sop=f"{STUDY}.8.1")
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        store_made_here(work, context.objects, cast.norfjord, study_id, report)
    with context.works.begin(cast.eirik) as work:
        reject(work, study_id, "quality", "x")
    assert (shown(context, cast), counts(context, cast)[:3]) == (["8.1"], (0, 0, []))
    with context.works.read(system("test", cast.norfjord)) as work:
        # Without images a study is in no answer, its report neither.
        sought = present.Sought(None, studies=(STUDY,))
        assert present.objects_named(work.session, cast.norfjord, sought) == []
        series = dict(work.session.execute(select(Series.series_instance_uid, Series.number_of_instances)).all())  # type: ignore[arg-type]
    assert series == {f"{STUDY}.1": 0, f"{STUDY}.8": 1}


def test_what_is_hidden_is_still_kept(context: Context, cast: Cast) -> None:
    """For a sender that asks whether we have it, and for a fetch that would bring it again."""
    came(context, cast, *images(series=1))
    with context.works.begin(cast.eirik) as work:
        reject(work, facts(context, cast).id, "quality", "x")
    with context.works.read(system("test", cast.norfjord)) as work:
        uids = [f"{STUDY}.1.1", f"{STUDY}.1.2"]
        assert present.present(work.session, cast.norfjord, uids) == set(uids)
        assert present.count_of_study(work.session, cast.norfjord, STUDY) == 2
        assert present.objects_of_study(work.session, facts(context, cast).id) == []
