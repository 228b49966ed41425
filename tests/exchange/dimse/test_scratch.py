"""What a killed process had decompressed is deleted at the next start; what a living one is at is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heliograph.app.context import Context
from heliograph.exchange.dimse.scratch import RETRIEVE, SEND, overflow, scratch, sweep
from heliograph.exchange.dimse.server import listening
from tests.cast import Cast

AT_WORK = """
import sys
from pathlib import Path
from heliograph.exchange.dimse.scratch import scratch
with scratch(Path(sys.argv[1]), sys.argv[2]) as folder:
    (folder / "half.dcm").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def at_work(spool: Path, prefix: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that decompresses, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, str(spool), prefix], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("prefix", [RETRIEVE, SEND])
def test_the_folder_of_a_killed_process_is_swept_and_that_of_a_living_one_stays(tmp_path: Path, prefix: str) -> None:
    with at_work(tmp_path, prefix) as (living, stays), at_work(tmp_path, prefix) as (victim, goes):
        assert sweep(tmp_path) == 0
        victim.kill()
        victim.wait(10)
        assert (goes / "half.dcm").exists()
        assert sweep(tmp_path) == 1
        assert not goes.exists()
        assert (stays / "half.dcm").read_bytes() == b"half"
        living.communicate("", timeout=10)
        assert living.returncode == 0
    assert list(overflow(tmp_path).iterdir()) == []


def test_one_s_own_stays_while_it_is_used_and_what_is_not_ours_always(tmp_path: Path) -> None:
    (overflow(tmp_path) / "something").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (overflow(tmp_path) / "retrieve-link").symlink_to(tmp_path / "elsewhere")
    with scratch(tmp_path, RETRIEVE) as folder:
        assert sweep(tmp_path) == 0
        assert folder.exists()
    assert sorted(p.name for p in overflow(tmp_path).iterdir()) == ["retrieve-link", "something"]
    assert (tmp_path / "elsewhere").exists()


def test_what_was_left_before_there_were_locks_goes_too(tmp_path: Path) -> None:
    (overflow(tmp_path) / "retrieve-abc").mkdir()
    (overflow(tmp_path) / "retrieve-abc" / "x.dcm").write_bytes(b"x")
    assert sweep(tmp_path) == 1


def test_the_listener_sweeps_when_it_starts(context: Context, cast: Cast) -> None:
    spool = context.settings.spool_dir
    with at_work(spool, RETRIEVE) as (victim, goes), at_work(spool, RETRIEVE) as (_living, stays):
        victim.kill()
        victim.wait(10)
        with listening(context):
            assert (goes.exists(), stays.exists()) == (False, True)
