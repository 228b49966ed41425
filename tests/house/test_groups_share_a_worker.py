"""Tests of one group run in one worker: journeys and crash tests have a whole platform each, which must not be made twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GROUPED = """
import pytest
pytestmark = pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_it(number, worker_id):
    open(f"{worker_id}.ran", "a").close()
"""


def test_a_group_stays_together(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "--rootdir", ".", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert len(list(tmp_path.glob("*.ran"))) == 1, "pytest-xdist does not see the groups"
