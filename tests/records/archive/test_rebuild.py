"""The index is made anew from the objects: as it was, once, and without making work again that was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, make_url, select, text

from heliograph.app.context import Context, make_context
from heliograph.care.orders.match import match_study
from heliograph.care.worklist.jobs import raise_unmatched_alarms
from heliograph.kit.actor import system
from heliograph.kit.db import postgres
from heliograph.kit.objects import Objects
from heliograph.records.archive import spool
from heliograph.records.archive.complete import complete_quiet_studies, complete_study
from heliograph.records.archive.fsck import compare
from heliograph.records.archive.made_here import store_made_here
from heliograph.records.archive.metadata import read_document, series_documents, unpacked
from heliograph.records.archive.model import HeldObject, Instance, Study
from heliograph.records.archive.names import keep_names
from heliograph.records.archive.owners import folders_of, owner_of
from heliograph.records.archive.place import key_for, origin_of
from heliograph.records.archive.rebuild import Rebuild, rebuild
from heliograph.records.archive.refile import HELD_BEFORE, Rebuilt
from tests.care.worklist.scene import Scene
from tests.cast import Cast, make_cast
from tests.kit.codecs import dicom_bytes as wire
from tests.records.archive import files
from tests.records.archive.notes import note

LOST = "truncate archive.instances, archive.series, archive.studies, archive.held_objects cascade"
_ROWS = text(
    "select i.sop_instance_uid, i.object_key, i.sha256, i.received_at, i.caller_id, i.is_made_here, i.object_length, i.dataset_offset, "
    "i.frame_table, i.header::text, t.series_instance_uid, t.number_of_instances, s.study_instance_uid, s.facility_id, "
    "s.number_of_instances, s.number_of_series, s.modalities, s.first_received_at, s.last_received_at, s.accession_number, s.patient_id "
    "from archive.instances i join archive.series t on t.id = i.series_id join archive.studies s on s.id = i.study_id order by 1"
)


def age(file: spool.SpooledObject, by: timedelta) -> spool.SpooledObject:
    """The spool file as if it had come earlier."""
    at = file.received_at - by
    path = file.path.with_name(f"{at:%Y%m%dT%H%M%S.%f}-{file.id.hex}.dcm")
    file.path.rename(path)
    found = spool.spooled(path)
    assert found is not None
    return found


def send(context: Context, cast: Cast, *data: bytes, caller: UUID | None = None, ago: timedelta = timedelta(0)) -> None:
    dropped = [age(files.drop(context.settings.spool_dir, cast, one, caller=caller), ago) for one in data]
    for file in dropped:  # one by one, as the second of two with one UID is held
        files.index(context.works, context.objects, [file])


def again(context: Context, organization: UUID, folder: UUID | None = None, **how: Any) -> Rebuilt:
    usual = how.pop("usual", None)
    objects = how.pop("objects", context.objects)
    owner = owner_of(context.works, context.objects, folder or organization, organization, usual=usual)
    return rebuild(Rebuild(context.works, objects, context.settings.spool_dir, **how), owner)


def sql(owner_url: str, statement: str, **values: Any) -> list[Any]:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        rows = list(result.all()) if result.returns_rows else []
    engine.dispose()
    return rows


def snapshot(owner_url: str) -> list[Any]:
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        rows = list(connection.execute(_ROWS).all())
    engine.dispose()
    return rows


def whole(context: Context, cast: Cast) -> bool:
    return list(compare(context.works, context.objects, [cast.norfjord, cast.llano], deep=True)) == []


@pytest.fixture
def filled(context: Context, cast: Cast, owner_url: str) -> list[Any]:
    """Two studies, two held objects, a report of ours; and the rows of the index."""
    study, series = generate_uid(), generate_uid()
    first = files.ct(study, series, 1)
    send(context, cast, first, files.ct(study, series, 2), caller=cast.caller)
    send(context, cast, files.ct(generate_uid(), generate_uid(), 1, accession="A2"))
    send(context, cast, files.ct(study, series, 1, sop=_uid(first), fill=9), b"no DICOM at all")
    with context.works.begin(system("test", cast.norfjord)) as work:
        study_id = work.session.scalars(select(Study.id).where(Study.study_instance_uid == study)).one()
        store_made_here(work, context.objects, cast.norfjord, study_id, files.ct(study, generate_uid(), 1))
    return snapshot(owner_url)


def _uid(data: bytes) -> str:
    import io

    import pydicom

    return str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID)


def without_patients(rows: list[Any]) -> list[Any]:
    """Patients are made anew, with other ids."""
    return [tuple(row)[:-1] for row in rows]


def test_a_key_says_where_its_object_came_from(cast: Cast) -> None:
    at = datetime(2026, 11, 25, 1, 2, 3, 456789, tzinfo=UTC)
    for caller in (cast.caller, None):
        file = spool.SpooledObject(Path(), cast.norfjord, cast.norfjord_facility, caller, at, cast.eirik.id, 7)  # type: ignore[arg-type]
        origin = origin_of(key_for(file, "held"))
        assert origin is not None
        assert (origin.kind, origin.organization_id, origin.facility_id) == (
            "held",
            cast.norfjord,
            cast.norfjord_facility,
        )
        assert (origin.caller_id, origin.received_at, origin.id) == (caller, at, cast.eirik.id)
    old = origin_of(f"images/{cast.norfjord}/20261125/0102/{cast.norfjord.hex}.dcm")
    assert old is not None
    assert (old.facility_id, old.caller_id, old.received_at) == (None, None, at.replace(second=0, microsecond=0))
    for other in ("images/x/20261125/0102/a.dcm", f"images/{cast.norfjord}/20269925/0102/{cast.norfjord.hex}.dcm", "x"):
        assert origin_of(other) is None


def test_lost_rows_come_back_as_they_were(context: Context, cast: Cast, owner_url: str, filled: list[Any]) -> None:
    sql(owner_url, LOST)
    done = again(context, cast.norfjord)
    assert (done.filed, done.made, done.known, dict(done.left)) == (3, 1, 0, {})
    assert dict(done.held) == {"different_content": 1, "unreadable": 1}
    assert without_patients(snapshot(owner_url)) == without_patients(filled)
    assert whole(context, cast)
    assert sql(owner_url, "select count(*) from audit.events where action = 'archive.rebuilt'") == [(1,)]
    assert again(context, cast.norfjord) == Rebuilt(), "nothing is left to do"
    assert snapshot(owner_url) == snapshot(owner_url)


def test_a_dry_run_changes_nothing(context: Context, cast: Cast, owner_url: str, filled: list[Any]) -> None:
    sql(owner_url, LOST)
    before = sql(owner_url, "select count(*) from audit.events")
    done = again(context, cast.norfjord, dry_run=True)
    assert (done.filed, len(done.studies)) == (3, 2)
    assert snapshot(owner_url) == []
    assert sql(owner_url, "select count(*) from archive.held_objects") == [(0,)]
    assert sql(owner_url, "select count(*) from audit.events") == before


def test_objects_of_a_bucket(context: Context, cast: Cast, owner_url: str, filled: list[Any]) -> None:
    bucket = Objects("memory:///")
    for place in ("images", "made", "held"):
        for key, _ in context.objects.below(place):
            bucket.put(key, context.objects.get(key))
    sql(owner_url, LOST)
    assert folders_of(bucket) == [cast.norfjord]
    owner = owner_of(context.works, bucket, cast.norfjord, cast.norfjord)
    done = rebuild(Rebuild(context.works, bucket, context.settings.spool_dir), owner)
    assert (done.filed, done.made, done.held.total()) == (3, 1, 2)
    assert without_patients(snapshot(owner_url)) == without_patients(filled)


def test_a_copy_is_noted_and_known(context: Context, cast: Cast, filled: list[Any]) -> None:
    key = filled[0].object_key
    copy = key.replace(origin_of(key).id.hex, cast.caller.hex)  # type: ignore[union-attr]
    context.objects.put(copy, context.objects.get(key))
    assert not whole(context, cast)
    assert again(context, cast.norfjord).known == 1
    assert whole(context, cast)
    with context.works.read(system("test", cast.norfjord)) as work:
        assert len(work.session.scalars(select(HeldObject).where(HeldObject.resolved_at.is_(None))).all()) == 2


def test_a_held_object_that_could_be_filed_waits_for_a_person(
    context: Context, cast: Cast, owner_url: str, filled: list[Any]
) -> None:
    """Its first, which it differs from, is gone from the store as well."""
    sql(owner_url, LOST)
    (held,) = [k for k, n in context.objects.below("held") if n > 100]
    for key, _ in list(context.objects.below("images")):
        context.objects.delete(key)
    assert dict(again(context, cast.norfjord).held) == {HELD_BEFORE: 1, "unreadable": 1}
    with context.works.read(system("test", cast.norfjord)) as work:
        row = work.session.scalars(select(HeldObject).where(HeldObject.reason == HELD_BEFORE)).one()
        assert (row.object_key, row.facility_id, row.resolved_at) == (held, cast.norfjord_facility, None)


def test_keys_without_a_facility(context: Context, cast: Cast, owner_url: str) -> None:
    send(context, cast, files.ct(generate_uid(), generate_uid()))
    ((key, _),) = context.objects.below("images")
    origin = origin_of(key)
    assert origin is not None
    old = key.rsplit("/", 1)[0] + f"/{origin.id.hex}.dcm"
    context.objects.put(old, context.objects.get(key))
    context.objects.delete(key)
    sql(owner_url, LOST)
    sql(
        owner_url,
        "insert into sites.facilities (organization_id, code, name, short_name, jurisdiction, time_zone, report_languages, "
        "patient_id_authority, accession_issuer) select organization_id, 'OTHER', name, short_name, jurisdiction, time_zone, "
        "report_languages, patient_id_authority, accession_issuer from sites.facilities where id = :id",
        id=cast.norfjord_facility,
    )
    assert dict(again(context, cast.norfjord).left) == {"its facility is not known": 1}
    assert again(context, cast.norfjord, usual=cast.norfjord_facility).filed == 1
    ((filed_at, at),) = sql(owner_url, "select facility_id, first_received_at from archive.studies")
    assert (filed_at, at) == (cast.norfjord_facility, origin.received_at.replace(second=0, microsecond=0))


def test_the_only_facility_takes_what_tells_none(context: Context, cast: Cast) -> None:
    old = f"images/{cast.norfjord}/20261125/0102/{cast.norfjord.hex}.dcm"
    context.objects.put(old, files.ct(generate_uid(), generate_uid()))
    context.objects.put(f"images/{cast.norfjord}/20261125/0102/mine.dcm", b"x")
    done = again(context, cast.norfjord)
    assert (done.filed, dict(done.left)) == (1, {"its key is none of ours": 1})


@pytest.fixture
def new_database(
    server: postgres.Running, context: Context, database_url: str, owner_url: str
) -> Iterator[tuple[Context, str]]:
    """Another database, empty, over the same objects; and its owner's URL."""
    name = f"{make_url(database_url).database}_new"
    admin = make_url(server.admin_url).set(database="postgres", drivername="postgresql")
    renamed = lambda url: make_url(url).set(database=name).render_as_string(hide_password=False)  # noqa: E731
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"create database {name} template heliograph owner heliograph_owner")
    made = make_context(context.settings, renamed(server.app_url), part="test", clock=context.works.clock)
    yield made, renamed(server.owner_url)
    made.engine.dispose()
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def test_a_lost_database(context: Context, cast: Cast, filled: list[Any], new_database: tuple[Context, str]) -> None:
    """The same organisations, made anew, have other ids; the names kept beside the objects tell who was who."""
    assert keep_names(context.works, context.objects, {}) > 0
    assert keep_names(context.works, context.objects, {}) == 0, "only what changed is written"
    told = json.loads(context.objects.get(f"names/{cast.norfjord}.json"))
    assert told["settings"]["NORFJORD"]["patient_id_authority"], "patients are found by it"
    new, owner_url = new_database
    other = make_cast(owner_url)
    assert other.norfjord != cast.norfjord
    done = again(new, other.norfjord, folder=cast.norfjord)
    assert (done.filed, done.made, done.held.total()) == (3, 1, 2)
    now = snapshot(owner_url)
    assert [row.object_key for row in now] == [row.object_key for row in filled], "objects stay where they are"
    assert {row.facility_id for row in now} == {other.norfjord_facility}
    assert {row.caller_id for row in now} == {other.caller, None}
    assert list(compare(new.works, new.objects, [other.norfjord, other.llano], deep=True)) == []
    assert {d.kind for d in compare(new.works, new.objects, [other.llano])} == {"unknown"}, "nobody's objects are told"


def test_without_names_nothing_is_guessed(context: Context, cast: Cast, filled: list[Any]) -> None:
    owner = owner_of(context.works, context.objects, cast.norfjord, cast.llano)
    done = rebuild(Rebuild(context.works, context.objects, context.settings.spool_dir), owner)
    assert (done.filed, set(done.left)) == (0, {"its facility is not known"})
    with pytest.raises(LookupError):
        owner_of(context.works, context.objects, cast.norfjord, cast.caller)


def test_a_study_that_is_reported_stays_so(context: Context, cast: Cast, owner_url: str) -> None:
    """Its images come back, and nobody is told: no alarm, no addendum, no read."""
    study, series = generate_uid(), generate_uid()
    send(context, cast, *[files.ct(study, series, n, accession="A7") for n in (1, 2, 3)], ago=timedelta(days=2))
    scene = Scene(context, cast, owner_url)
    ((study_id, patient_id),) = sql(owner_url, "select id, patient_id from archive.studies")
    scene.order(patient_id, accession="A7", priority="ROUTINE")
    with context.works.begin(system("test", cast.norfjord)) as work:
        match_study(work, study_id)
        complete_study(work, study_id)
    sql(owner_url, "update worklist.reads set state = 'done', done_at = now()")
    sql(owner_url, "delete from archive.instances where study_id = :id and instance_number > 1", id=study_id)
    sql(owner_url, "update archive.studies set number_of_instances = 1 where id = :id", id=study_id)
    sql(owner_url, "update archive.series set number_of_instances = 1 where study_id = :id", id=study_id)
    before = sql(owner_url, "select id, state from worklist.reads order by id")
    assert len(before) == 1
    done = again(context, cast.norfjord)
    assert (done.filed, done.studies) == (2, {study: "matched"})
    assert sql(owner_url, "select id, state from worklist.reads order by id") == before
    assert sql(owner_url, "select kind from worklist.alarms") == []
    assert sql(owner_url, "select match_state, number_of_instances from archive.studies") == [("matched", 3)]
    # What came after the study was complete is news, now as then.
    sql(owner_url, "delete from archive.instances where instance_number = 2")
    sql(owner_url, "update archive.studies set completed_at = :at", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert again(context, cast.norfjord).filed == 1
    assert sql(owner_url, "select kind from worklist.alarms") == [("late_images",)]


def test_a_study_finds_its_order_again(context: Context, cast: Cast, owner_url: str) -> None:
    study, series = generate_uid(), generate_uid()
    send(context, cast, files.ct(study, series, 1, accession="A7"), ago=timedelta(days=90))
    ((patient_id,),) = sql(owner_url, "select patient_id from archive.studies")
    sql(owner_url, LOST)
    Scene(context, cast, owner_url).order(patient_id, accession="A7")
    assert again(context, cast.norfjord).studies == {study: "matched"}


@pytest.mark.parametrize("images_only", [False, True])
def test_studies_of_long_ago_make_no_work(context: Context, cast: Cast, owner_url: str, images_only: bool) -> None:
    old, new = generate_uid(), generate_uid()
    send(context, cast, files.ct(old, generate_uid(), 1, accession="A7"), ago=timedelta(days=90))
    send(context, cast, files.ct(new, generate_uid(), 1, accession="A8"))
    sql(owner_url, LOST)
    sql(owner_url, "update sites.facilities set is_images_only = :only", only=images_only)
    done = again(context, cast.norfjord)
    assert done.studies == {old: "prior", new: "not_needed" if images_only else "unmatched"}
    later = datetime.now(UTC) + timedelta(hours=1)
    assert complete_quiet_studies(context.works, now=later) == 2
    assert raise_unmatched_alarms(context.works, now=later) == (0 if images_only else 1)
    ((about,),) = sql(
        owner_url,
        "select s.study_instance_uid from archive.studies s where exists (select 1 from worklist.alarms a where a.study_id = s.id) "
        "or exists (select 1 from worklist.case_studies c where c.study_id = s.id)",
    )
    assert about == new


def test_documents_of_other_images_are_forgotten(context: Context, cast: Cast, owner_url: str) -> None:
    """A metadata document bears the number of its images: one of two others would be taken for right."""
    study, series = generate_uid(), generate_uid()
    send(context, cast, *[files.ct(study, series, n) for n in (1, 2)])
    with context.works.read(system("test", cast.norfjord)) as work:
        study_id = work.session.scalars(select(Study.id)).one()
        (document,) = series_documents(work.session, study_id)
        read_document(work.session, context.objects, document)
    uid = files.ct(study, series, 3)
    sql(owner_url, "delete from archive.instances where instance_number = 2")
    sql(owner_url, "update archive.studies set number_of_instances = 1")
    sql(owner_url, "update archive.series set number_of_instances = 1")
    for key, _ in list(context.objects.below("images")):
        with context.works.read(system("test", cast.norfjord)) as work:
            if work.session.scalars(select(Instance.id).where(Instance.object_key == key)).first() is None:
                context.objects.put(key, uid)  # another image than the document tells of
    assert again(context, cast.norfjord).filed == 1
    with context.works.read(system("test", cast.norfjord)) as work:
        (document,) = series_documents(work.session, study_id)
        told = unpacked(read_document(work.session, context.objects, document)).decode()
    assert _uid(uid) in told


def test_what_a_note_hides_is_hidden_again(context: Context, cast: Cast, owner_url: str) -> None:
    study, series = generate_uid(), generate_uid()
    bad, good = files.ct(study, series, 1), files.ct(study, series, 2)
    send(context, cast, bad, good, note(study, {study: {series: [_uid(bad)]}}))
    seen = "select sop_instance_uid from archive.instances where rejection_id is null"
    assert sql(owner_url, seen) == [(_uid(good),)]
    sql(owner_url, LOST)
    assert again(context, cast.norfjord).filed == 3
    assert sql(owner_url, seen) == [(_uid(good),)]
    assert sql(owner_url, "select number_of_instances from archive.studies") == [(1,)]


def test_what_declares_no_character_set_is_read_as_its_sender_writes_it(
    context: Context, cast: Cast, owner_url: str
) -> None:
    """Field report A05: also what came before anybody said what the sender writes."""
    name = wire.text(0x00100010, "PN", "王^小东".encode("gbk"))
    body = wire.data_set(name, wire.text(0x00100020, "LO", "NF-1"), sop="1.2.3.1.1", study="1.2.3", series="1.2.3.1")
    send(context, cast, wire.file(body), caller=cast.caller)
    shown = "select dicom_patient_name, charset_suspect from archive.studies"
    assert sql(owner_url, shown) == [("Íõ^Ð¡¶«", True)]
    sql(owner_url, "update sites.callers set fallback_charset = 'GB18030' where id = :i", i=cast.caller)
    sql(owner_url, LOST)
    again(context, cast.norfjord)
    assert sql(owner_url, shown) == [("王^小东", False)]
    assert whole(context, cast)


def test_what_a_held_object_would_put_right_is_proposed_again(context: Context, cast: Cast, owner_url: str) -> None:
    study, series = generate_uid(), generate_uid()
    first = files.ct(study, series, 1)
    send(context, cast, first, files.ct(study, series, 1, sop=_uid(first), name="LARSEN^Karin"))
    proposed = "select reason, proposal from archive.held_objects where resolved_at is null"
    before = sql(owner_url, proposed)
    assert [row.reason for row in before] == ["correction"]
    sql(owner_url, LOST)
    assert dict(again(context, cast.norfjord).held) == {"correction": 1}
    assert sql(owner_url, proposed) == before
