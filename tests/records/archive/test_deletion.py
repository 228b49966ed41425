"""Deletion by an administrator: hidden at once, restorable for some days, then gone: rows first, bytes next, whatever breaks between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from heliograph.app.context import Context
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.records.archive import deletion, fsck, metadata
from heliograph.records.archive.made_here import store_made_here
from heliograph.records.archive.model import DiscardedObject, Instance, Rejection, Series, Study
from heliograph.records.archive.queries import studies, study_by_uid
from heliograph.records.archive.rejections import (
    AlreadyRestored,
    NothingToHide,
    ReasonMissing,
    WaitsForDeletion,
    reject,
    rejections_of,
    restore,
)
from tests.cast import Cast
from tests.records.archive import files, notes
from tests.records.archive.test_rejections import STUDY, all_of, came, counts, facts, images, shown

WEEK = timedelta(days=7)


def deleted(context: Context, cast: Cast, *, by: Actor | None = None) -> UUID:
    study_id = facts(context, cast).id
    with context.works.begin(by or cast.astrid) as work:
        return deletion.delete_study(
            work, cast.norfjord, study_id, "Asked for by the patient", confirmed=STUDY[-4:], keep_for=WEEK
        )


def keys(context: Context) -> set[str]:
    """All objects in the store."""
    return {key for place in ("images", "made", "metadata") for key, _ in context.objects.below(place)}


def rows(context: Context, cast: Cast, *of: Any) -> list[int]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return [work.session.scalar(select(func.count()).select_from(kind)) or 0 for kind in of]


def write_metadata(context: Context, cast: Cast) -> None:
    """As somebody who looks at the study makes us do."""
    with context.works.read(system("test", cast.norfjord)) as work:
        for document in metadata.series_documents(work.session, facts(context, cast).id):
            metadata.read_document(work.session, context.objects, document)


def test_it_works(context: Context, cast: Cast, clock: FixedClock) -> None:
    """Also what was rejected before, and its note, goes; another study stays."""
    came(context, cast, *images(), *images("2.999.2", series=1))
    other = {i.object_key for i in _instances(context, cast, "2.999.2")}
    came(context, cast, notes.note(STUDY, {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}))
    write_metadata(context, cast)
    assert len(keys(context)) == 4 + 2 + 1 + 3  # with a document for each series, the note's too
    made = deleted(context, cast)
    assert (shown(context, cast), counts(context, cast)) == ([], (0, 0, [], 2))
    clock.advance(WEEK - timedelta(seconds=1))
    assert deletion.purge_due(context.works, context.objects) == 0
    assert rows(context, cast, Instance) == [7]
    clock.advance(timedelta(seconds=1))
    assert deletion.purge_due(context.works, context.objects) == 1
    assert keys(context) == other
    assert rows(context, cast, Instance, Series, Study, DiscardedObject) == [2, 1, 2, 0]
    assert counts(context, cast) == (0, 0, [], 3)
    by_id = {r.id: r for r in all_of(context, cast)}
    assert (by_id[made].number_of_instances, by_id[made].made_by) == (5, cast.astrid.id)
    assert all(r.purged_at is not None for r in by_id.values())
    with context.works.read(system("test", cast.norfjord)) as work:
        found = work.session.scalars(select(AuditEvent).where(AuditEvent.study_id == facts(context, cast).id)).all()
    told = {e.action: (e.actor_name, e.reason, e.detail) for e in found}
    why = "Asked for by the patient"
    assert told["study.deleted"][:2] == (cast.astrid.name, why)
    assert told["study.purged"] == ("deletion", why, {"instances": 5})
    assert told["study.bytes_removed"] == ("deletion", why, {"objects": 8})
    assert deletion.purge_due(context.works, context.objects) == 0


def _instances(context: Context, cast: Cast, uid: str) -> list[Instance]:
    with context.works.read(system("test", cast.norfjord)) as work:
        study = study_by_uid(work.session, cast.norfjord, uid)
        assert study is not None
        return list(work.session.scalars(select(Instance).where(Instance.study_id == study.id)))


def test_undone_in_time(context: Context, cast: Cast, clock: FixedClock) -> None:
    """What was hidden before stays hidden; then it is a study like any other."""
    came(context, cast, *images())
    with context.works.begin(cast.eirik) as work:
        rejected = reject(work, facts(context, cast).id, "quality", "Blurred", series_instance_uid=f"{STUDY}.1")
    made = deleted(context, cast)
    with pytest.raises(WaitsForDeletion):
        deleted(context, cast)
    for one in (rejected, made):
        with pytest.raises(WaitsForDeletion), context.works.begin(cast.eirik) as work:
            restore(work, one, "x")
    with pytest.raises(ReasonMissing), context.works.begin(cast.astrid) as work:
        deletion.undo(work, cast.norfjord, made, "")
    with context.works.begin(cast.astrid) as work:
        assert deletion.undo(work, cast.norfjord, made, "Another patient was meant") == 2
    assert shown(context, cast) == ["2.1", "2.2"]
    clock.advance(WEEK * 2)
    assert deletion.purge_due(context.works, context.objects) == 0
    with pytest.raises(AlreadyRestored), context.works.begin(cast.astrid) as work:
        deletion.undo(work, cast.norfjord, made, "Again")
    with context.works.begin(cast.eirik) as work:
        restore(work, rejected, "Sharp enough")
    assert len(shown(context, cast)) == 4


def test_what_is_purged_is_not_restored(context: Context, cast: Cast, clock: FixedClock) -> None:
    came(context, cast, *images())
    made = deleted(context, cast)
    clock.advance(WEEK)
    deletion.purge_due(context.works, context.objects)
    with pytest.raises(AlreadyRestored), context.works.begin(cast.astrid) as work:
        deletion.undo(work, cast.norfjord, made, "Too late")
    with pytest.raises(NothingToHide):
        deleted(context, cast)
    # The site may send it again: it is filed as new.
    came(context, cast, *images())
    assert counts(context, cast)[:3] == (2, 4, ["CT"])


def test_a_crash_between_rows_and_bytes(context: Context, cast: Cast, clock: FixedClock) -> None:
    """The rows are committed as gone and the process dies: the next sweep finds which bytes are left."""
    came(context, cast, *images())
    made = deleted(context, cast)
    clock.advance(WEEK)
    with context.works.begin(system("deletion", cast.norfjord)) as work:
        assert deletion.purge(work, made)
    assert (rows(context, cast, Instance), len(keys(context))) == ([0], 4)
    # Nor are they taken for objects that the index lost, which would be filed anew.
    assert list(fsck.compare(context.works, context.objects, [cast.norfjord])) == []
    assert fsck.unknown_objects(context.works, context.objects, cast.norfjord, cast.norfjord) == []
    # It also died in the middle of the bytes once: one is away, and still written down.
    context.objects.delete(min(keys(context)))
    assert deletion.purge_due(context.works, context.objects) == 0
    assert (keys(context), rows(context, cast, DiscardedObject)) == (set(), [0])


def test_a_crash_before_the_rows_are_committed_changes_nothing(context: Context, cast: Cast, clock: FixedClock) -> None:
    came(context, cast, *images())
    made = deleted(context, cast)
    clock.advance(WEEK)
    with pytest.raises(RuntimeError), context.works.begin(system("deletion", cast.norfjord)) as work:
        deletion.purge(work, made)
        raise RuntimeError
    assert (rows(context, cast, Instance, DiscardedObject), len(keys(context))) == ([4, 0], 4)
    assert deletion.purge_due(context.works, context.objects) == 1
    assert keys(context) == set()


def test_later_images_and_our_own_stay(context: Context, cast: Cast, clock: FixedClock) -> None:
    """An image that comes after the deletion is another; the report that we made stays, as the study's row does."""
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        report = files.ct(STUDY, f"{STUDY}.8", 1, sop=f"{STUDY}.8.1")
        store_made_here(work, context.objects, cast.norfjord, study_id, report)
    deleted(context, cast)
    came(context, cast, files.ct(STUDY, f"{STUDY}.1", 3, sop=f"{STUDY}.1.3"))
    clock.advance(WEEK)
    assert deletion.purge_due(context.works, context.objects) == 1
    assert shown(context, cast) == ["1.3", "8.1"]
    assert counts(context, cast)[:3] == (1, 1, ["CT"])
    assert len(keys(context)) == 2


def test_another_organisation_with_the_same_uids_keeps_its_own(context: Context, cast: Cast, clock: FixedClock) -> None:
    came(context, cast, *images(series=1))
    came(context, cast, *images(series=1), at=cast.llano, facility=cast.llano_facility)
    theirs = {key for key, _ in context.objects.below(f"images/{cast.llano}")}
    deleted(context, cast)
    clock.advance(WEEK)
    deletion.purge_due(context.works, context.objects)
    assert keys(context) == theirs
    assert facts(context, cast, cast.llano).number_of_instances == 2


def test_who_may(context: Context, cast: Cast) -> None:
    """Only the organisation's own administrator, who sees no patient all the same."""
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    for who in (cast.eirik, cast.nadia, cast.runa, cast.harper, cast.otto, cast.olga, cast.pat):
        with pytest.raises(NotAllowed):
            deleted(context, cast, by=who)
        with pytest.raises(NotAllowed), context.works.begin(who) as work:
            deletion.find(work, cast.norfjord, study_instance_uid=STUDY)
    made = deleted(context, cast)
    for who in (cast.eirik, cast.nadia, cast.harper, cast.pat):
        with pytest.raises(NotAllowed), context.works.begin(who) as work:
            deletion.undo(work, cast.norfjord, made, "x")
        with context.works.read(who) as work:
            assert deletion.deletions(work) == []
    with context.works.read(cast.astrid) as work:
        (one,) = deletion.deletions(work)
        assert (one.rejection.id, one.study.id, one.study.hidden) == (made, study_id, 2)
        assert one.study.modalities == ["CT"]
        assert studies(work.session, [study_id]) == {}
        assert rejections_of(work.session, study_id) == []
        assert work.session.get(Rejection, made, populate_existing=True) is None


def test_it_is_found_and_confirmed(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    with context.works.begin(cast.astrid) as work:
        (by_uid,) = deletion.find(work, cast.norfjord, study_instance_uid=STUDY)
        (by_number,) = deletion.find(work, cast.norfjord, accession_number="A1")
        assert deletion.find(work, cast.norfjord, study_instance_uid="2.999.404") == []
        assert deletion.find(work, cast.norfjord) == []
    assert by_uid == by_number
    assert (by_uid.id, by_uid.number_of_instances, by_uid.hidden, by_uid.waits) == (study_id, 2, 0, False)
    assert by_uid.modalities == ["CT"]
    for confirmed in ("", "1234", STUDY[-3:]):
        with pytest.raises(deletion.NotConfirmed), context.works.begin(cast.astrid) as work:
            deletion.delete_study(work, cast.norfjord, study_id, "x", confirmed=confirmed, keep_for=WEEK)
    with pytest.raises(ReasonMissing), context.works.begin(cast.astrid) as work:
        deletion.delete_study(work, cast.norfjord, study_id, " ", confirmed=STUDY[-4:], keep_for=WEEK)
    came(context, cast, *images("2.999.3", series=1), at=cast.llano, facility=cast.llano_facility)
    with context.works.read(system("test", cast.llano)) as work:
        other = study_by_uid(work.session, cast.llano, "2.999.3")
    assert other is not None
    with pytest.raises(NotFound), context.works.begin(cast.astrid) as work:
        deletion.delete_study(work, cast.norfjord, other.id, "x", confirmed="99.3", keep_for=WEEK)
    assert counts(context, cast)[1] == 2
