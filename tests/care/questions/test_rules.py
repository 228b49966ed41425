"""Who asks, answers and ends a question, and in which states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from heliograph.care.questions.errors import IllegalStep
from heliograph.care.questions.rules import May, Standing, is_late, may
from heliograph.care.questions.states import next_state

NOW = datetime(2026, 11, 25, 1, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (Standing(), set()),
        (Standing(is_staff=True), {"answer"}),
        (Standing(is_coordinator=True), {"ask", "close"}),
        (Standing(is_coordinator=True, is_asker=True), {"ask", "close", "withdraw"}),
        (Standing(is_asker=True), set()),  # who was a coordinator once
        (Standing(is_staff=True, is_coordinator=True), {"ask", "answer", "close"}),
    ],
)
def test_who_may(who: Standing, allowed: set[str]) -> None:
    assert may(who) == May(**{name: name in allowed for name in ("ask", "answer", "withdraw", "close")})


@pytest.mark.parametrize(
    ("state", "step", "then"),
    [
        ("open", "answer", "answered"),
        ("open", "withdraw", "withdrawn"),
        ("open", "settle", "closed"),
        ("answered", "answer", "answered"),
        ("answered", "close", "closed"),
        ("answered", "settle", "closed"),
        ("open", "close", None),
        ("answered", "withdraw", None),
        *(
            (ended, step, None)
            for ended in ("closed", "withdrawn")
            for step in ("answer", "withdraw", "close", "settle")
        ),
    ],
)
def test_the_life_of_a_question(state: str, step: str, then: str | None) -> None:
    if then is not None:
        assert next_state(state, step) == then
        return
    with pytest.raises(IllegalStep, match=f"that is {state}"):
        next_state(state, step)


@pytest.mark.parametrize(
    ("state", "age", "late"),
    [("open", 59, False), ("open", 60, True), ("answered", 600, False), ("withdrawn", 600, False)],
)
def test_when_an_answer_is_late(state: str, age: int, late: bool) -> None:
    assert is_late(state, NOW - timedelta(minutes=age), NOW, 60) is late
