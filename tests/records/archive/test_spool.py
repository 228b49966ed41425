"""The spool keeps what it said it keeps, and nothing half-written."""

from __future__ import annotations

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest

from heliograph.records.archive import spool
from heliograph.records.archive.errors import OutOfSpace

ORGANIZATION, FACILITY, CALLER = uuid4(), uuid4(), uuid4()


def test_it_works(tmp_path: Path) -> None:
    kept = spool.receive(tmp_path, ORGANIZATION, FACILITY, CALLER, b"head", [b"er", b" and body"])
    assert kept.path.read_bytes() == b"header and body"
    assert kept.path.is_relative_to(tmp_path / "incoming" / str(ORGANIZATION) / str(FACILITY) / str(CALLER))
    assert spool.waiting(tmp_path) == [kept]


def test_an_object_without_a_caller_is_found_again(tmp_path: Path) -> None:
    kept = spool.receive(tmp_path, ORGANIZATION, FACILITY, None, b"", b"x")
    assert spool.waiting(tmp_path) == [kept]
    assert kept.caller_id is None


def test_a_broken_transfer_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectionError),
        spool.incoming(tmp_path, ORGANIZATION, FACILITY, CALLER) as entry,
    ):
        entry.write(b"half")
        raise ConnectionError
    assert spool.waiting(tmp_path) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_too_little_free_disk_refuses(tmp_path: Path) -> None:
    with pytest.raises(OutOfSpace):
        spool.receive(tmp_path, ORGANIZATION, FACILITY, CALLER, b"", b"x", min_free_mb=1 << 40)
    assert spool.waiting(tmp_path) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_full_disk_refuses(tmp_path: Path) -> None:
    entry = spool.Incoming(os.open("/dev/full", os.O_WRONLY), tmp_path / "x", ORGANIZATION, FACILITY, CALLER)
    with pytest.raises(OutOfSpace):
        entry.write(b"x" * 100_000)
    os.close(entry.descriptor)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    kept = spool.receive(tmp_path, ORGANIZATION, FACILITY, CALLER, b"", b"x")
    (kept.path.parent / "notes.txt").write_text("hello")
    (kept.path.parent / "20260101T000000.000000-zz.dcm").write_text("hello")
    (tmp_path / "incoming" / "not-an-organisation" / "a" / "b").mkdir(parents=True)
    (tmp_path / "incoming" / "not-an-organisation" / "a" / "b" / kept.path.name).write_text("hello")
    assert spool.waiting(tmp_path) == [kept]


def test_one_caller_does_not_starve_another(tmp_path: Path) -> None:
    for number in range(5):
        spool.receive(tmp_path, ORGANIZATION, FACILITY, CALLER, b"", str(number).encode())
    other = spool.receive(tmp_path, uuid4(), FACILITY, CALLER, b"", b"x")
    found = spool.waiting(tmp_path, limit=2)
    assert len(found) == 3
    assert found[-1] == other
    assert [f.path.read_bytes() for f in found[:2]] == [b"0", b"1"]


def test_only_old_unfinished_files_are_dropped(tmp_path: Path) -> None:
    folder = spool.receive(tmp_path, ORGANIZATION, FACILITY, CALLER, b"", b"x").path.parent
    old, new = folder / ".old.part", folder / ".new.part"
    old.write_bytes(b"o")
    new.write_bytes(b"n")
    os.utime(old, (time.time() - 90_000,) * 2)
    assert spool.drop_unfinished(tmp_path) == 1
    assert new.exists()
    assert not old.exists()
