"""What C-STORE can't file: told with its reason, kept in quarantine up to a quota, and never success (field reports B, C, J)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, make_url, text

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.db import postgres
from heliograph.kit.net.dicom import StorageListener
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import Remote, associate
from heliograph.records.archive import indexer, spool
from heliograph.records.archive.held import HeldFacts
from tests.cast import Cast
from tests.exchange import refused
from tests.records.archive import files


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


def store(listener: StorageListener, *sent: bytes, uid: str | None = None) -> list[tuple[int, str]]:
    """(status, Error Comment) of each file: its data set under the UIDs of its file meta information, or under `uid`."""
    told = []
    for data in sent:
        meta = read_file_meta(memoryview(data))
        remote = Remote("127.0.0.1", listener.port, "HELIO_NF", "NF_CT1")
        with associate(remote, [(meta.sop_class_uid, (meta.transfer_syntax_uid,))]) as peer:
            number = peer.next_message_id()
            request = dimse.encode_store_request(
                number, meta.sop_class_uid, meta.sop_instance_uid if uid is None else uid
            )
            peer.send(1, request, [files.body(data)])
            answer = peer.response(dimse.C_STORE_RSP, number)
            told.append((answer.status, answer.comment))
    return told


def index(context: Context) -> None:
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    assert spool.waiting(context.settings.spool_dir) == []


def held(context: Context, cast: Cast) -> list[HeldFacts]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return files.held_objects(work.session)


@pytest.mark.parametrize("kind", list(refused.REFUSED))
def test_what_can_not_be_filed_is_refused_and_kept(
    context: Context, cast: Cast, listener: StorageListener, kind: str
) -> None:
    """Field reports B01, B10, B12: a failure with its reason, never success; the data set waits for a person, once."""
    make, status = refused.REFUSED[kind]
    data = make()
    (first, comment), (again, _) = store(listener, data, data)
    assert (first, again) == (status, status)
    assert comment
    index(context)
    (one,) = held(context, cast)
    assert one.reason == ("bad_identity" if status == 0xC001 else "unreadable")
    assert files.body(context.objects.get(one.object_key)) == files.body(data)


def test_a_bomb_is_refused_and_kept(context: Context, cast: Cast, listener: StorageListener) -> None:
    """Field report J02."""
    assert [status for status, _ in store(listener, refused.bomb())] == [0xC002]
    index(context)
    assert [one.reason for one in held(context, cast)] == ["unreadable"]


@pytest.mark.parametrize("uid", ["../../etc/x", "/etc/x", "1.2.a", ""])
def test_an_object_under_no_uid_is_refused_and_no_path(
    context: Context, cast: Cast, listener: StorageListener, uid: str
) -> None:
    """Field report J01: the command's UID is peer text. The data set, which may be right, is kept for a person."""
    before = set(Path(context.settings.data_dir).parent.iterdir())
    data = files.ct("1.2.3", "1.2.3.1")
    assert [status for status, _ in store(listener, data, uid=uid)] == [0xC001]
    index(context)
    (one,) = held(context, cast)
    assert (one.reason, files.body(context.objects.get(one.object_key))) == ("unreadable", files.body(data))
    (place,) = Path(context.settings.data_dir).rglob("*.dcm")
    assert place.relative_to(context.settings.data_dir).parts[0] == "objects"
    assert set(Path(context.settings.data_dir).parent.iterdir()) == before


@pytest.mark.parametrize("uid", ["../../x", "/etc/x"])
def test_nothing_of_a_data_set_becomes_a_path(
    context: Context, cast: Cast, listener: StorageListener, uid: str
) -> None:
    """Field report J01: study and series UIDs are refused; a PatientID may be anything, and names nothing here."""
    before = set(Path(context.settings.data_dir).parent.iterdir())
    wrong = [
        refused.file(b"".join(refused.identity("1.2.3.5", study=uid)), "1.2.3.5"),
        refused.file(b"".join(refused.identity("1.2.3.6", series=uid)), "1.2.3.6"),
    ]
    patient = refused.file(b"".join(refused.identity("1.2.3.7", patient=uid.encode())), "1.2.3.7")
    assert [status for status, _ in store(listener, *wrong, patient)] == [0xC001, 0xC001, 0]
    index(context)
    places = [p.relative_to(context.settings.data_dir) for p in Path(context.settings.data_dir).rglob("*.dcm")]
    assert ({p.parts[0] for p in places}, len(places)) == ({"objects"}, 3)
    assert set(Path(context.settings.data_dir).parent.iterdir()) == before


def test_what_is_odd_is_stored_with_a_warning(context: Context, listener: StorageListener) -> None:
    """Another SOP Instance UID in the command than in the data set; elements of files inside the data set (field report B10)."""
    data = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.4")
    strays, without = refused.with_strays("1.2.3.7")
    assert [status for status, _ in store(listener, data, uid="1.2.3.5")] == [0xB007]
    assert [status for status, _ in store(listener, strays)] == [0xB006]
    made = [files.body(one.path.read_bytes()) for one in spool.waiting(context.settings.spool_dir)]
    assert made == [files.body(data), files.body(without)]


def test_a_full_quarantine_keeps_no_more(
    context: Context, cast: Cast, listener: StorageListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.settings, "quarantine_objects", 1)
    told = store(listener, refused.two_patients(), refused.two_patients())
    assert [status for status, _ in told] == [0xC001, 0xC020]
    assert "quarantine is full" in told[1][1]
    index(context)
    assert len(held(context, cast)) == 1


def set_answer(owner_url: str, wanted: str) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("update sites.facilities set held_answer = :a"), {"a": wanted})
    engine.dispose()


@pytest.mark.parametrize(("wanted", "status"), [("warning", 0xB000), ("success", 0), ("failure", 0xC010)])
def test_other_content_under_a_known_uid_is_answered_as_the_facility_wants(
    context: Context, cast: Cast, listener: StorageListener, owner_url: str, wanted: str, status: int
) -> None:
    """Field report C02: the held copy is durable before the answer, whatever it is; the same bytes again are success."""
    set_answer(owner_url, wanted)
    uid = generate_uid()
    first, other = (files.ct("1.2.3", "1.2.3.1", sop=uid, fill=fill) for fill in (0, 1))
    for _ in range(2):  # once while the first waits in the spool, once when it is filed
        assert [told for told, _ in store(listener, first, other, first)] == [0, status, 0]
        assert files.body(other) in [files.body(w.path.read_bytes()) for w in spool.waiting(context.settings.spool_dir)]
        index(context)
    (one,) = held(context, cast)
    assert (one.reason, files.body(context.objects.get(one.object_key))) == ("different_content", files.body(other))


def test_while_the_database_is_away_the_spool_goes_on(
    context: Context, cast: Cast, listener: StorageListener, server: postgres.Running, database_url: str
) -> None:
    """Whether a UID is filed can't be asked then: the object is answered as any other, and held when it is indexed. What can't be
    read is kept all the same."""
    uid = generate_uid()
    first, other = (files.ct("1.2.3", "1.2.3.1", sop=uid, fill=fill) for fill in (0, 1))
    assert [status for status, _ in store(listener, first)] == [0]
    index(context)
    admin = make_url(server.admin_url).set(database="postgres", drivername="postgresql")
    name = make_url(database_url).database
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"alter database {name} with allow_connections false")
        connection.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        try:
            assert [status for status, _ in store(listener, other, refused.two_patients())] == [0, 0xC001]
        finally:
            connection.execute(f"alter database {name} with allow_connections true")
    index(context)
    assert sorted(one.reason for one in held(context, cast)) == ["bad_identity", "different_content"]
