"""Batches by folder and on a connection: counts first, each message once, an answer for each, files moved only after the commit."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from heliograph.app.context import Context
from heliograph.exchange.hl7 import files
from heliograph.kit.codecs.hl7 import parse
from heliograph.kit.codecs.hl7.batch import split_batch
from tests.cast import Cast
from tests.exchange.hl7.door import Door, add_feed, change_feed, listening, rows, set_patience

FHS = "FHS|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312020000-0500||nightly||F-20260312"
BHS = "BHS|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312020000-0500||||B-1"
FATES = "select control_id, fate, acknowledgement from sites.messages order by id"


def message(n: int, pid: str | None = None, sender: str = "ADTX") -> str:
    """A registration."""
    identifier = f"BT-{n}^^^NORFJORD^MR" if pid is None else pid
    return (
        f"MSH|^~\\&|{sender}|NORTHBAY|TELERAD|HUB|20260312081500-0500||ADT^A04|BT-{n}|P|2.4\rEVN|A04|20260312\r"
        f"PID|1||{identifier}||Marchetti^Dario{n}||19770101|M\rPV1|1|O"
    )


def batch(*messages: str, count: int | None = None) -> bytes:
    """Messages in both envelopes."""
    number = len(messages) if count is None else count
    return "".join(f"{s}\r" for s in (FHS, BHS, *messages, f"BTS|{number}", "FTS|1")).encode()


@pytest.fixture
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="heliograph-files-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def feed(context: Context, cast: Cast, owner_url: str, root: Path) -> Path:
    """The folder of a feed that leaves files."""
    id_ = add_feed(owner_url, cast.norfjord, cast.norfjord_facility, "ADTX", "NORTHBAY", takes_files=True)
    assert take(context, root) == 0
    folder = root / str(id_)
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == ["answers", "done", "in", "refused"]
    return folder


def take(context: Context, root: Path, max_bytes: int = 1 << 20) -> int:
    return files.take_files(context.works, root, max_bytes, settled_seconds=0)


def codes(answer: bytes) -> list[tuple[str | None, str | None, str | None]]:
    """MSA-1, MSA-2 and ERR-1 of each acknowledgement in a batch."""
    found = [parse(m, "ASCII") for b in split_batch(answer).batches for m in b.messages]
    return [(m.text("MSA-1"), m.text("MSA-2"), m.text("ERR-3")) for m in found]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_good_and_a_bad_message_of_a_file(context: Context, owner_url: str, feed: Path, root: Path) -> None:
    content = batch(message(1), message(2, pid=""))
    (feed / "in" / "nightly.hl7").write_bytes(content)
    assert take(context, root) == 1
    answer = (feed / "answers" / "nightly.hl7.ack").read_bytes()
    assert codes(answer) == [("AA", "BT-1", None), ("AE", "BT-2", "101")]
    bad = parse(split_batch(answer).batches[0].messages[1], "ASCII").need("ERR")
    assert (bad.field(2), bad.field(3)) == ("PID^1^3", "101^Required field missing^HL70357")
    header = split_batch(answer).batches[0].header
    assert header is not None
    assert header[12] == b"B-1"
    assert rows(owner_url, FATES) == [("BT-1", "processed", "AA"), ("BT-2", "rejected", "AE")]
    assert (names(feed / "in"), names(feed / "done"), names(feed / "refused")) == ([], ["nightly.hl7"], [])
    assert (feed / "done" / "nightly.hl7").read_bytes() == content
    assert rows(owner_url, "select peer from sites.messages limit 1") == [("folder",)]


def test_a_count_that_does_not_fit_refuses_the_file_before_anything_is_processed(
    context: Context, owner_url: str, feed: Path, root: Path
) -> None:
    content = batch(message(1), message(2), count=3)
    (feed / "in" / "bad.hl7").write_bytes(content)
    assert take(context, root) == 1
    assert rows(owner_url, "select fate, acknowledgement, payload, fault from sites.messages") == [
        ("rejected", "AE", content, "BTS^1^1: BTS-1 is not the number of what came: 2.")
    ]
    assert names(feed / "refused") == ["bad.hl7"]
    answer = parse((feed / "answers" / "bad.hl7.ack").read_bytes(), "ASCII")
    assert (answer.text("MSA-1"), answer.text("ERR-3")) == ("AE", "100")
    alarms = "select kind from worklist.alarms where cleared_at is null"
    assert rows(owner_url, alarms) == [("refused_file",)]
    take(context, root)
    assert rows(owner_url, alarms) == [("refused_file",)]
    (feed / "refused" / "bad.hl7").unlink()  # a person has dealt with it
    take(context, root)
    assert rows(owner_url, alarms) == []


def test_a_file_that_was_cut_off_is_taken_again_and_each_message_once(
    context: Context, owner_url: str, feed: Path, root: Path
) -> None:
    (feed / "in" / "a.hl7").write_bytes(batch(message(1), message(2), message(3)))
    set_patience(context, 300)
    engine = create_engine(owner_url)
    with engine.connect() as blocking:  # the third can't be taken in time: as a database that goes away in the middle
        key = f"message/{feed.name}/BT-3"
        blocking.execute(text("select pg_advisory_lock(hashtextextended(:key, 0))"), {"key": key})
        with pytest.raises(OperationalError):
            take(context, root)
        blocking.invalidate()
    engine.dispose()
    set_patience(context, 60_000)
    assert (names(feed / "in"), names(feed / "answers")) == (["a.hl7"], [])
    assert take(context, root) == 1
    assert [(c, f) for c, f, _ in rows(owner_url, FATES)] == [
        ("BT-1", "processed"), ("BT-2", "processed"), ("BT-1", "duplicate"), ("BT-2", "duplicate"), ("BT-3", "processed"),
    ]  # fmt: skip
    assert [c for c, _, _ in codes((feed / "answers" / "a.hl7.ack").read_bytes())] == ["AA"] * 3
    # And once more, as if the crash had come between the answer and the move.
    shutil.copy(feed / "done" / "a.hl7", feed / "in" / "a.hl7")
    take(context, root)
    assert rows(owner_url, "select count(*) from sites.messages where fate = 'processed'") == [(3,)]
    assert len(names(feed / "done")) == 2


def test_only_whole_files_of_the_folder_itself_are_taken(
    context: Context, owner_url: str, feed: Path, root: Path
) -> None:
    outside = root / "outside.hl7"
    outside.write_bytes(batch(message(1)))
    (feed / "in" / "link.hl7").symlink_to(outside)
    (feed / "in" / "folder").mkdir()
    os.mkfifo(feed / "in" / "pipe.hl7")
    for name in ("a.hl7.tmp", "b.part", ".hidden"):
        (feed / "in" / name).write_bytes(batch(message(2)))
    assert take(context, root) == 0
    fresh = feed / "in" / "fresh.hl7"
    fresh.write_bytes(batch(message(3)))
    assert files.take_files(context.works, root, 1 << 20) == 0  # it may still be written
    os.utime(fresh, (1, 1))
    assert files.take_files(context.works, root, 1 << 20) == 1
    assert rows(owner_url, FATES) == [("BT-3", "processed", "AA")]


def test_a_file_too_large_or_no_hl7_is_refused_whole(context: Context, owner_url: str, feed: Path, root: Path) -> None:
    (feed / "in" / "1.hl7").write_bytes(batch(message(1), message(2)))
    (feed / "in" / "2.hl7").write_bytes(b"dear colleague")
    assert take(context, root, max_bytes=200) == 2
    assert names(feed / "refused") == ["1.hl7", "2.hl7"]
    assert rows(owner_url, "select distinct fate from sites.messages") == [("rejected",)]


def test_messages_of_another_sender_and_the_folders_of_others_are_not_taken(
    context: Context, owner_url: str, feed: Path, root: Path
) -> None:
    (feed / "in" / "1.hl7").write_bytes(batch(message(1), message(2, sender="WHO")))
    take(context, root)
    assert [c for c, _, _ in codes((feed / "answers" / "1.hl7.ack").read_bytes())] == ["AA", "AR"]
    change_feed(owner_url, "ADTX", takes_files=False)
    (feed / "in" / "2.hl7").write_bytes(batch(message(3)))
    assert take(context, root) == 0
    assert names(feed / "in") == ["2.hl7"]


def test_messages_without_an_envelope_are_a_file_too(context: Context, owner_url: str, feed: Path, root: Path) -> None:
    (feed / "in" / "1.hl7").write_bytes(f"{message(1)}\r{message(2)}\r".encode())
    take(context, root)
    assert [f for _, f, _ in rows(owner_url, FATES)] == ["processed", "processed"]
    assert (feed / "answers" / "1.hl7.ack").read_bytes().count(b"MSA|AA") == 2


def test_a_batch_on_a_connection_is_answered_in_one_frame(context: Context, cast: Cast, owner_url: str) -> None:
    add_feed(owner_url, cast.norfjord, cast.norfjord_facility, "ADTX", "NORTHBAY")
    with listening(context, owner_url) as door:
        assert codes(door.send(batch(message(1), message(2, pid="")))) == [("AA", "BT-1", None), ("AE", "BT-2", "101")]
        refused = parse(door.send(batch(message(3), count=2)), "ASCII")
        assert (refused.text("MSA-1"), refused.text("ERR-3")) == ("AE", "100")
        _barred(door, owner_url)
    assert rows(owner_url, "select count(*) from patients.patients") == [(1,)]


def _barred(door: Door, owner_url: str) -> None:
    change_feed(owner_url, "ADTX", tls_required=True)
    assert [c for c, _, _ in codes(door.send(batch(message(4))))] == ["AR"]
