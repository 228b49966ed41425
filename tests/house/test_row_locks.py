"""A row is locked in one way: without keeping out those who only refer to it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN = re.compile(r"with_for_update(?!\(key_share=True|=ROW_LOCK)|\bfor update (skip|nowait|of)", re.IGNORECASE)


def test_no_lock_waits_for_rows_that_refer_to_the_locked_one() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.glob("src/heliograph/**/*.py")
        for line in path.read_text("utf-8").splitlines()
        if PLAIN.search(line)
    }
    assert found == set()
