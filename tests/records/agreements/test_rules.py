"""What an agreement covers and promises."""

from __future__ import annotations

import pytest

from heliograph.records.agreements.rules import coverage, promised_minutes


@pytest.mark.parametrize(
    ("named", "expected"),
    [([], 1), (["ct_head_wo"], 3), (["subspecialty:neuro"], 2), (["subspecialty:msk", "ct_chest"], 0)],
)
def test_coverage(named: list[str], expected: int) -> None:
    assert coverage(named, "ct_head_wo", "neuro") == expected


@pytest.mark.parametrize(
    ("priority", "minutes"),
    [("STAT", 30), ("TRAUMA1", 30), ("ASAP", 30), ("URGENT", 120), ("PREOP", 120), ("ROUTINE", 720), ("SCREEN", 720)],
)
def test_in_doubt_the_stricter_promise(priority: str, minutes: int) -> None:
    assert promised_minutes({"STAT": 30, "URGENT": 120, "ROUTINE": 720}, priority) == minutes


def test_nothing_promised_is_none() -> None:
    assert promised_minutes({}, "STAT") is None
