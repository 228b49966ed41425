"""What STOW-RS can't file: told part by part, kept in quarantine up to a quota, and never filed by mistake (field reports B, C, J)."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from heliograph.app.context import Context
from heliograph.care.worklist.held_alarms import clear_held_alarms
from heliograph.exchange.dicomweb.multipart import parts
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.records.archive import indexer, spool
from heliograph.records.archive.held import HeldFacts, dismiss_held
from tests.cast import Cast
from tests.exchange import refused
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files

WHERE = "/dicomweb/norfjord/studies"
DICOM = "application/dicom"


@pytest.fixture
def eirik(cast: Cast, served: Served) -> httpx.Client:
    return served.client(cast.eirik)


def send(client: httpx.Client, *contents: bytes, kind: str = DICOM) -> httpx.Response:
    body = b"".join(parts("b0", [({"Content-Type": kind}, (content,)) for content in contents]))
    headers = {"Content-Type": f'multipart/related; type="{DICOM}"; boundary=b0'}
    return client.post(WHERE, content=body, headers=headers)


def failed(answer: httpx.Response) -> list[tuple[str | None, int]]:
    """(SOP Instance UID as told, reason) of each that failed."""
    items = answer.json().get("00081198", {}).get("Value", [])
    return [(one["00081155"].get("Value", [None])[0], one["00081197"]["Value"][0]) for one in items]


def warned(answer: httpx.Response) -> list[int]:
    items = answer.json().get("00081199", {}).get("Value", [])
    return [one.get("00081196", {}).get("Value", [0])[0] for one in items]


def index(context: Context) -> None:
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    assert spool.waiting(context.settings.spool_dir) == []


def held(context: Context, cast: Cast) -> list[HeldFacts]:
    with context.works.read(system("test", cast.norfjord)) as work:
        return files.held_objects(work.session)


def rows(owner_url: str, statement: str, **values: Any) -> list[Any]:
    engine = create_engine(owner_url)
    with Session(engine) as s:
        found = list(s.execute(text(statement), values).all())
    engine.dispose()
    return found


@pytest.mark.parametrize("kind", list(refused.REFUSED))
def test_what_can_not_be_filed_is_refused_and_kept(
    context: Context, cast: Cast, eirik: httpx.Client, kind: str
) -> None:
    """Field reports B01, B10, B12: a failure with its reason, never success; the bytes wait for a person, and the rest is stored."""
    make, reason = refused.REFUSED[kind]
    data, good = make(), files.ct("1.2.3", "1.2.3.1")
    answer = send(eirik, data, good)
    assert (answer.status_code, [r for _, r in failed(answer)]) == (202, [reason])
    assert send(eirik, data).status_code == 409  # again: kept once
    index(context)
    (one,) = held(context, cast)
    assert one.reason == ("bad_identity" if reason == 0xC001 else "unreadable")
    assert context.objects.get(one.object_key) == data
    with context.works.read(system("test", cast.norfjord)) as work:
        assert work.session.execute(text("select count(*) from archive.instances")).scalar_one() == 1


def test_a_bomb_is_refused_in_bounded_memory_and_kept(context: Context, cast: Cast, eirik: httpx.Client) -> None:
    """Field report J02."""
    data = refused.bomb()
    assert len(data) < 1 << 20
    assert [reason for _, reason in failed(send(eirik, data))] == [0xC002]
    index(context)
    assert [(one.reason, one.object_length) for one in held(context, cast)] == [("unreadable", len(data))]


def test_an_invalid_uid_is_told_as_it_came(eirik: httpx.Client) -> None:
    """Field report B12: the UID at fault stands in Failed SOP Sequence, whatever it is."""
    answer = send(eirik, refused.bad_uid("1.2.abc"), refused.bad_uid("9" * 70), refused.bad_uid(""))
    assert (answer.status_code, failed(answer)) == (409, [("1.2.abc", 0xC001), ("9" * 70, 0xC001), ("1.2.3.4", 0xC001)])


@pytest.mark.parametrize("uid", ["../../x", "/etc/x", "..\\x", "1.2/../../x"])
def test_nothing_of_a_data_set_becomes_a_path(context: Context, cast: Cast, eirik: httpx.Client, uid: str) -> None:
    """Field report J01."""
    before = set(Path(context.settings.data_dir).parent.iterdir())
    wrong = [
        refused.file(b"".join(refused.identity(uid)), "1.2.3.4"),
        refused.file(b"".join(refused.identity("1.2.3.5", study=uid)), "1.2.3.5"),
        refused.file(b"".join(refused.identity("1.2.3.6", series=uid)), "1.2.3.6"),
    ]
    patient = refused.file(b"".join(refused.identity("1.2.3.7", patient=uid.encode())), "1.2.3.7")
    answer = send(eirik, *wrong, patient)
    assert [reason for _, reason in failed(answer)] == [0xC001] * 3
    index(context)
    places = [p.relative_to(context.settings.data_dir) for p in Path(context.settings.data_dir).rglob("*.dcm")]
    assert {p.parts[0] for p in places} == {"objects"}
    assert len(places) == 4
    assert not any("etc" in p.parts or "x" in p.parts or ".." in p.name for p in places)
    assert set(Path(context.settings.data_dir).parent.iterdir()) == before


def bare(data: bytes) -> bytes:
    return files.body(data)


def implicit(data: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.file_meta.TransferSyntaxUID = refused.IMPLICIT
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("big", [False, True])
def test_a_data_set_without_a_header_gets_one(context: Context, cast: Cast, eirik: httpx.Client, big: bool) -> None:
    """Field report B08: its own bytes stay as they are, and the transfer syntax is what they show."""
    size = 300 if big else 16  # more and less than what is held back
    wanted = [files.ct("1.2.3", "1.2.3.1", 1, size=size), implicit(files.ct("1.2.3", "1.2.3.1", 2, size=size))]
    answer = send(eirik, *(bare(one) for one in wanted), wanted[0][128:], wanted[0][132:])
    assert (answer.status_code, failed(answer)) == (200, [])
    made = [one.path.read_bytes() for one in spool.waiting(context.settings.spool_dir)]
    metas = {read_file_meta(memoryview(one)) for one in made}
    assert {(m.transfer_syntax_uid, m.sop_instance_uid) for m in metas} == {
        (syntax, pydicom.dcmread(io.BytesIO(one)).SOPInstanceUID)
        for syntax, one in zip((refused.EXPLICIT, refused.IMPLICIT), wanted, strict=True)
    }
    assert sorted(map(files.body, made)) == sorted(map(bare, (*wanted, wanted[0], wanted[0])))


@pytest.mark.parametrize("kind", ["application/dicom", "application/octet-stream"])
def test_what_is_no_dicom_object_is_refused(context: Context, cast: Cast, eirik: httpx.Client, kind: str) -> None:
    """Field report B08: reading it by force would take a text for a data set. An empty part leaves nothing to keep."""
    texts = [
        b'{"00080018": {"vr": "UI", "Value": ["1.2.3"]}}',
        b"%PDF-1.7\n" + bytes(2000),
        b"Hello, world. " * 9,
        b"\x08\0" * 40,
    ]
    no_instance = b"".join(refused.identity("1.2.3.9")[:1]) + b"".join(refused.identity("1.2.3.9")[2:])
    answer = send(eirik, *texts, no_instance, b"", kind=kind)
    reasons = [reason for _, reason in failed(answer)]
    assert (answer.status_code, reasons) == (409, [0xC000] * 4 + [0xC001, 0xC020])
    index(context)
    assert sorted(context.objects.get(one.object_key) for one in held(context, cast)) == sorted([*texts, no_instance])


def test_a_part_of_another_kind_is_refused_and_kept(context: Context, cast: Cast, eirik: httpx.Client) -> None:
    good = files.ct("1.2.3", "1.2.3.1")
    assert [reason for _, reason in failed(send(eirik, good, kind="text/plain"))] == [0xC000]
    index(context)
    assert [(one.reason, context.objects.get(one.object_key)) for one in held(context, cast)] == [("unreadable", good)]


def test_elements_of_files_inside_a_data_set_are_taken_out(context: Context, cast: Cast, eirik: httpx.Client) -> None:
    """Field report B10: a second transfer syntax in the data set is neither kept nor served; its sender is told."""
    data, without = refused.with_strays("1.2.3.7")
    answer = send(eirik, data)
    assert (answer.status_code, warned(answer)) == (202, [0xB006])
    index(context)
    url = f"{WHERE}/1.2.3/series/1.2.3.1/instances/1.2.3.7"
    served = eirik.get(url, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert without in served.content
    assert data not in served.content
    assert send(eirik, data).status_code == 202  # the same again
    index(context)
    assert held(context, cast) == []


def test_a_full_quarantine_keeps_no_more_and_says_so(
    context: Context,
    cast: Cast,
    eirik: httpx.Client,
    owner_url: str,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the quota nothing that waits is deleted; the answer, the record and an alarm tell of what is not kept."""
    monkeypatch.setattr(context.settings, "quarantine_objects", 2)
    rubbish = [b"no DICOM %d" % n for n in range(4)]
    assert [reason for _, reason in failed(send(eirik, *rubbish[:3]))] == [0xC000, 0xC000, 0xC020]
    index(context)
    assert [reason for _, reason in failed(send(eirik, rubbish[3]))] == [0xC020]
    # What is kept already, and what can be read, is taken as ever.
    answer = send(eirik, rubbish[0], files.ct("1.2.3", "1.2.3.1"))
    assert (answer.status_code, failed(answer)) == (202, [(None, 0xC000)])
    index(context)
    assert len(held(context, cast)) == 2
    events = rows(owner_url, "select outcome, reason from audit.events where action = 'object.refused'")
    assert [tuple(e) for e in events] == [("refused", "quarantine_full")]
    alarms = "select kind from worklist.alarms where cleared_at is null order by kind"
    assert [a.kind for a in rows(owner_url, alarms)] == ["held_objects", "quarantine_full"]
    assert clear_held_alarms(context.works) == 0
    clock.advance(timedelta(seconds=1))
    for one in held(context, cast):
        with context.works.begin(system("test", cast.norfjord)) as work:
            dismiss_held(work, one.id, "rubbish")
    assert clear_held_alarms(context.works) == 2
    assert rows(owner_url, alarms) == []
    assert [reason for _, reason in failed(send(eirik, rubbish[3]))] == [0xC000]


def test_the_quota_counts_bytes_too(context: Context, eirik: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.settings, "quarantine_mb", 1)
    large = b"x" * (700 << 10)
    assert [reason for _, reason in failed(send(eirik, large, large + b"y", b"small"))] == [0xC000, 0xC020, 0xC000]


def test_each_of_many_in_one_request_is_answered_for_its_own_uid(
    context: Context, cast: Cast, eirik: httpx.Client
) -> None:
    """They are asked about several at once: known by the database, by this very request, and not at all."""
    uids = [generate_uid() for _ in range(75)]
    data = [files.ct("1.2.3", "1.2.3.1", number, sop=uid) for number, uid in enumerate(uids)]
    assert send(eirik, *(data[at] for at in (3, 40, 74))).status_code == 200
    index(context)
    filed = {
        at: files.ct("1.2.3", "1.2.3.1", at, sop=uids[at], fill=1) for at in (3, 40)
    }  # the last comes as it is filed
    again = files.ct("1.2.3", "1.2.3.1", 20, sop=uids[20], fill=1)
    contents = [filed.get(at, one) for at, one in enumerate(data)]
    answer = send(eirik, *contents[:60], again, *contents[60:])
    assert answer.status_code == 202
    assert [at for at, status in enumerate(warned(answer)) if status == 0xB000] == [3, 40, 60]
    index(context)
    assert {one.sop_instance_uid for one in held(context, cast)} == {uids[3], uids[40], uids[20]}


@pytest.mark.parametrize(("wanted", "status"), [("warning", 202), ("success", 200), ("failure", 409)])
def test_other_content_under_a_known_uid_is_answered_as_the_facility_wants(
    context: Context, cast: Cast, eirik: httpx.Client, owner_url: str, wanted: str, status: int
) -> None:
    """Field report C02: the first stays, the other is held with an alarm; the answer is the facility's, and the same for both ways
    by which the first is known: it waits in the spool, or it is filed."""
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("update sites.facilities set held_answer = :a"), {"a": wanted})
    engine.dispose()
    uid = generate_uid()
    first, other = (files.ct("1.2.3", "1.2.3.1", sop=uid, fill=fill) for fill in (0, 1))
    for _ in range(2):
        assert send(eirik, first).status_code == 200
        answer = send(eirik, other)
        assert answer.status_code == status
        assert (warned(answer), failed(answer)) == {
            "warning": ([0xB000], []),
            "success": ([0], []),
            "failure": ([], [(uid, 0xC010)]),
        }[wanted]
        index(context)
    assert [(one.reason, context.objects.get(one.object_key)) for one in held(context, cast)] == [
        ("different_content", other)
    ]
    (alarm,) = rows(owner_url, "select kind, text, subject_id from worklist.alarms where cleared_at is null")
    assert (alarm.kind, alarm.subject_id) == ("held_objects", cast.norfjord_facility)
    assert "quarantine" in alarm.text


def test_the_same_uid_in_another_series_or_twice_in_one_body(context: Context, cast: Cast, eirik: httpx.Client) -> None:
    """Field report C01: also within one request, while nothing is filed yet."""
    uid = generate_uid()
    first, other = files.ct("1.2.3", "1.2.3.1", sop=uid), files.ct("1.2.9", "1.2.9.1", sop=uid, patient="NF-9")
    answer = send(eirik, first, other, first)
    assert (answer.status_code, sorted(warned(answer))) == (202, [0, 0, 0xB000])
    index(context)
    assert [(one.reason, one.study_instance_uid) for one in held(context, cast)] == [("bad_identity", "1.2.9")]


def test_an_odd_length_is_stored_as_it_came(context: Context, eirik: httpx.Client) -> None:
    """Field report B14: a value and a file of odd length lack a pad byte, and nothing else."""
    sop = "1.2.3.8"
    body = b"".join(refused.identity(sop)) + b"\x20\x00\x11\x00IS\x01\x007"
    data = refused.file(body, sop)
    assert len(data) % 2
    assert send(eirik, data).status_code == 200
    assert [one.path.read_bytes() for one in spool.waiting(context.settings.spool_dir)] == [data]
