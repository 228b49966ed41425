"""Filing: byte for byte, once, whatever comes and whenever it breaks."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.work import Work
from heliograph.records.archive import events, indexer, place, queries, rows, spool
from heliograph.records.archive.held import dismiss_held, retry_held
from heliograph.records.archive.index import index_batch
from tests.cast import Cast
from tests.records.archive import files


def facts(context: Context, cast: Cast, uid: str) -> queries.StudyFacts:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, uid)
    assert found is not None
    return found


def places(context: Context, cast: Cast, study_id: UUID) -> list[queries.InstancePlace]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return queries.instance_places(work.session, study_id)


def stored(context: Context, cast: Cast, study_id: UUID) -> list[bytes]:
    return [
        context.objects.get_range(p.object_key, p.object_offset, p.object_length)
        for p in places(context, cast, study_id)
    ]


def run(context: Context) -> int:
    return indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)


def actions(owner_url: str, study_id: UUID) -> list[str]:
    engine = create_engine(owner_url)
    with Session(engine) as s:
        rows = s.execute(text("select action from audit.events where study_id = :s order by id"), {"s": study_id}).all()
    engine.dispose()
    return [row.action for row in rows]


def test_it_works(context: Context, cast: Cast, owner_url: str) -> None:
    study, series, data = files.series_of(3)
    for one in data:
        files.drop(context.settings.spool_dir, cast, one, caller=cast.caller)
    announced: list[events.ImagesIndexed] = []
    context.works.reactions.on(events.ImagesIndexed, lambda _work, event: announced.append(event))
    assert run(context) == 3
    found = facts(context, cast, study)
    assert (found.number_of_series, found.number_of_instances, found.modalities) == (1, 3, ["CT"])
    assert (found.accession_number, found.accession_issuer, found.study_description) == (
        "A1",
        "NORFJORD",
        "CT head",
    )
    assert found.match_state == "unmatched"
    assert found.patient_id is not None
    assert stored(context, cast, found.id) == data
    assert spool.waiting(context.settings.spool_dir) == []
    assert announced == [events.ImagesIndexed(cast.norfjord, found.id, cast.norfjord_facility, 3, is_new_study=True)]
    assert actions(owner_url, found.id)[:2] == ["study.first_image", "study.images_received"]
    assert places(context, cast, found.id)[0].series_instance_uid == series


def test_an_outsider_sees_nothing(context: Context, cast: Cast) -> None:
    study, _, data = files.series_of(1)
    files.drop(context.settings.spool_dir, cast, data[0])
    run(context)
    found = facts(context, cast, study)
    for actor in (cast.harper, cast.otto, cast.pat, cast.imogen, system("other", cast.llano)):
        with context.works.read(actor) as work:
            assert queries.study(work.session, found.id) is None
            assert queries.instance_places(work.session, found.id) == []
            assert work.session.execute(text("select count(*) from archive.instances")).scalar() == 0
            assert work.session.execute(text("select count(*) from archive.series")).scalar() == 0
    with context.works.read(cast.eirik) as work:
        assert queries.study(work.session, found.id) == found


def test_equal_uids_of_two_organisations_are_unrelated(context: Context, cast: Cast) -> None:
    data = files.ct("1.2.3", "1.2.3.4", sop="1.2.3.4.5")
    other = files.ct("1.2.3", "1.2.3.4", sop="1.2.3.4.5", fill=7)
    files.drop(context.settings.spool_dir, cast, data)
    spool.receive(context.settings.spool_dir, cast.llano, cast.llano_facility, None, b"", other)
    assert run(context) == 2
    assert stored(context, cast, facts(context, cast, "1.2.3").id) == [data]
    with context.works.read(system("test", cast.llano)) as work:
        theirs = queries.study_by_uid(work.session, cast.llano, "1.2.3")
        assert theirs is not None
        assert theirs.number_of_instances == 1


def test_the_same_bytes_again_change_nothing(context: Context, cast: Cast) -> None:
    """Field report C02."""
    study, _, data = files.series_of(2)
    for one in (*data, data[0]):
        files.drop(context.settings.spool_dir, cast, one)
    run(context)
    files.drop(context.settings.spool_dir, cast, data[1])
    assert run(context) == 1
    found = facts(context, cast, study)
    assert found.number_of_instances == 2
    assert len(places(context, cast, found.id)) == 2
    assert spool.waiting(context.settings.spool_dir) == []


def test_other_bytes_under_a_known_uid_are_held(context: Context, cast: Cast) -> None:
    """Field report C02."""
    first = files.ct("1.2.3", "1.2.3.4", sop="1.2.3.4.5")
    second = files.ct("1.2.3", "1.2.3.4", sop="1.2.3.4.5", fill=9)
    for _ in range(2):  # a sender's retry is not a second case
        for one in (first, second):
            files.drop(context.settings.spool_dir, cast, one)
        run(context)
    found = facts(context, cast, "1.2.3")
    assert stored(context, cast, found.id) == [first]
    with context.works.read(system("test", cast.norfjord)) as work:
        (held,) = files.held_objects(work.session)
        assert (held.reason, held.sop_instance_uid) == ("different_content", "1.2.3.4.5")
        key = work.session.execute(text("select object_key from archive.held_objects")).scalar_one()
    assert context.objects.get(key) == second
    assert spool.waiting(context.settings.spool_dir) == []


def test_one_uid_in_two_series_is_held(context: Context, cast: Cast) -> None:
    """Field report C01."""
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", sop="1.2.3.4.5"))
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.9", sop="1.2.3.4.5"))
    run(context)
    assert facts(context, cast, "1.2.3").number_of_series == 1
    with context.works.read(system("test", cast.norfjord)) as work:
        assert [h.reason for h in files.held_objects(work.session)] == ["bad_identity"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable"),
        (b"no DICOM at all, but some bytes", "unreadable"),
        (files.ct("1.2.3", "1.2.3.4")[:900], "unreadable"),
        (files.ct("1.2.3", "1.2.3.4").replace(b"1.2.3.4\0", b"1..3.4 \0"), "bad_identity"),
    ],
    ids=["empty", "text", "cut off", "bad UID"],  # made files differ from one worker to the next
)
def test_what_cannot_be_read_is_held_and_keeps_nobody_waiting(
    context: Context, cast: Cast, data: bytes, reason: str
) -> None:
    files.drop(context.settings.spool_dir, cast, data)
    files.drop(context.settings.spool_dir, cast, files.ct("1.9", "1.9.1"))
    assert run(context) == 2
    assert facts(context, cast, "1.9").number_of_instances == 1
    with context.works.read(system("test", cast.norfjord)) as work:
        assert [h.reason for h in files.held_objects(work.session)] == [reason]


def test_a_held_object_can_be_tried_again_and_dismissed(context: Context, cast: Cast) -> None:
    files.drop(context.settings.spool_dir, cast, b"nothing to read")
    run(context)
    with context.works.begin(system("test", cast.norfjord)) as work:
        (held,) = files.held_objects(work.session)
        retry_held(work, context.objects, context.settings.spool_dir, held.id)
    assert len(spool.waiting(context.settings.spool_dir)) == 1
    run(context)
    with context.works.begin(system("test", cast.norfjord)) as work:
        (again,) = files.held_objects(work.session)
        assert again.id != held.id
        dismiss_held(work, again.id, "a test file")
        assert files.held_objects(work.session) == []


def test_a_second_patient_in_a_study_is_kept_and_the_study_held(context: Context, cast: Cast) -> None:
    """Field report C04."""
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", patient="NF-1"))
    run(context)
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", 2, patient="NF-2"))
    run(context)
    found = facts(context, cast, "1.2.3")
    assert found.number_of_instances == 2
    assert (found.match_state, found.match_reason) == ("held", rows.OTHER_PATIENT)


@pytest.mark.parametrize(
    ("name", "born", "state"),
    [
        ("STRAND^Berit", "19700101", "held"),
        ("STRAND^Kari", "19480312", "unmatched"),  # married
        ("Larsen^Berit", "19700101", "unmatched"),  # a birth date mistyped
        ("LARSEN^KARI", "19480312", "unmatched"),
        ("STRAND^Berit", "", "unmatched"),
    ],
)
def test_a_known_identifier_under_another_name_and_birth_date_is_held(
    context: Context, cast: Cast, name: str, born: str, state: str
) -> None:
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", patient="NF-1"))
    files.drop(
        context.settings.spool_dir, cast, files.ct("1.2.5", "1.2.5.6", patient="NF-1", name=name, birth_date=born)
    )
    run(context)
    found = facts(context, cast, "1.2.5")
    assert found.match_state == state
    assert (found.match_reason == rows.OTHER_PERSON) == (state == "held")
    assert found.number_of_instances == 1
    assert facts(context, cast, "1.2.3").match_state == "unmatched"


def test_images_without_a_patient_id_have_no_patient_until_one_names_it(context: Context, cast: Cast) -> None:
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", patient=""))
    run(context)
    assert facts(context, cast, "1.2.3").patient_id is None
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4", 2, patient="NF-1"))
    run(context)
    found = facts(context, cast, "1.2.3")
    assert found.patient_id is not None
    assert found.match_state == "unmatched"


def test_texts_that_the_database_cannot_keep_are_cleaned_not_refused(context: Context, cast: Cast) -> None:
    data = files.ct("1.2.3", "1.2.3.4", name="NUL^Kari").replace(b"NUL^Kari", b"N\0L^Kari")
    files.drop(context.settings.spool_dir, cast, data)
    assert run(context) == 1
    found = facts(context, cast, "1.2.3")
    assert stored(context, cast, found.id) == [data]


class Broken(RuntimeError):
    """The crash that a test wants."""


def test_a_crash_between_placing_and_commit_loses_and_doubles_nothing(
    context: Context, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _, data = files.series_of(3)
    waiting = [files.drop(context.settings.spool_dir, cast, one) for one in data]
    with pytest.raises(Broken), context.works.begin(system("archive", cast.norfjord)) as work:
        done = index_batch(work, context.objects, waiting)
        assert len(done.finished) == 3
        raise Broken
    assert spool.waiting(context.settings.spool_dir) == waiting
    assert run(context) == 3
    found = facts(context, cast, study)
    assert found.number_of_instances == 3
    assert stored(context, cast, found.id) == data
    folder = context.objects.folder
    assert folder is not None
    assert len(list((folder / "images").rglob("*.dcm"))) == 3


def test_a_crash_after_commit_is_finished_by_the_next_start(context: Context, cast: Cast) -> None:
    study, _, data = files.series_of(2)
    waiting = [files.drop(context.settings.spool_dir, cast, one) for one in (*data, b"unreadable")]
    with context.works.begin(system("archive", cast.norfjord)) as work:
        index_batch(work, context.objects, waiting)  # and the process ends before it deletes the files
    assert run(context) == 3
    assert spool.waiting(context.settings.spool_dir) == []
    assert facts(context, cast, study).number_of_instances == 2
    with context.works.read(system("test", cast.norfjord)) as work:
        assert len(files.held_objects(work.session)) == 1


def test_a_failing_reaction_keeps_the_files_and_others_are_filed(context: Context, cast: Cast) -> None:
    def fails(work: Work, event: events.ImagesIndexed) -> None:
        found = queries.study(work.session, event.study_id)
        if found and found.study_instance_uid == "1.6.6":
            raise Broken

    context.works.reactions.on(events.ImagesIndexed, fails)
    bad = files.drop(context.settings.spool_dir, cast, files.ct("1.6.6", "1.6.6.1"))
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4"))
    later: dict[UUID, tuple[float, float]] = {}
    settings = context.settings
    assert indexer.empty_once(context.works, context.objects, settings.spool_dir, later, gather=0) == 1
    assert spool.waiting(settings.spool_dir) == [bad]
    assert list(later) == [bad.id]
    assert indexer.empty_once(context.works, context.objects, settings.spool_dir, later, gather=0) == 0


def test_objects_on_another_disk_are_copied(context: Context, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(_source: Path, _target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(place.os, "link", no_link)
    study, _, data = files.series_of(2)
    for one in data:
        files.drop(context.settings.spool_dir, cast, one)
    assert run(context) == 2
    assert stored(context, cast, facts(context, cast, study).id) == data


def test_a_few_young_files_are_gathered(context: Context, cast: Cast) -> None:
    files.drop(context.settings.spool_dir, cast, files.ct("1.2.3", "1.2.3.4"))
    assert indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=30) == 0
    assert run(context) == 1


def test_two_hosts_filing_one_study_agree(context: Context, cast: Cast) -> None:
    uid = generate_uid()
    series = generate_uid()
    one = files.drop(context.settings.spool_dir, cast, files.ct(uid, series, 1))
    two = files.drop(context.settings.spool_dir, cast, files.ct(uid, series, 2))
    files.index(context.works, context.objects, [one])
    files.index(context.works, context.objects, [two])
    found = facts(context, cast, uid)
    assert (found.number_of_series, found.number_of_instances) == (1, 2)
