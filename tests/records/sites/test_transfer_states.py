"""The life cycle of a transfer: what may follow what, and when it is tried again."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from heliograph.records.sites.errors import IllegalTransferStep
from heliograph.records.sites.transfer_states import MOST_ATTEMPTS, TRANSFER, next_state, step_after, wait

STATES = ("waiting", "running", "done", "partial", "failed", "cancelled")
STEPS = ("start", "later", "finish", "keep_some", "give_up", "cancel", "again")


def test_what_is_not_in_the_table_is_refused() -> None:
    for state, step in product(STATES, STEPS):
        if (state, step) in TRANSFER:
            assert next_state(state, step) in STATES
        else:
            with pytest.raises(IllegalTransferStep):
                next_state(state, step)
    assert [s for s in STATES if not any(s == state for state, _ in TRANSFER)] == ["done"], "only what is done is over"


@pytest.mark.parametrize(
    ("is_whole", "has_some", "attempts", "is_hopeless", "step"),
    [
        (True, True, 1, False, "finish"), (True, False, MOST_ATTEMPTS, True, "finish"), (False, True, 1, False, "later"),
        (False, False, MOST_ATTEMPTS - 1, False, "later"), (False, True, MOST_ATTEMPTS, False, "keep_some"),
        (False, False, MOST_ATTEMPTS, False, "give_up"), (False, False, 1, True, "give_up"), (False, True, 1, True, "keep_some"),
    ],
)  # fmt: skip
def test_what_follows_from_a_try(is_whole: bool, has_some: bool, attempts: int, is_hopeless: bool, step: str) -> None:
    assert step_after(is_whole=is_whole, has_some=has_some, attempts=attempts, is_hopeless=is_hopeless) == step


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    assert [wait(n, 0.5) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (20, 40, 80)]
    assert wait(50, 0.5) == timedelta(minutes=15)
    assert wait(1, 0.0) < wait(1, 0.999) <= wait(1, 0.5) * 1.2
