"""The life cycle of a transfer as a table, and when it is tried again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from heliograph.records.sites.errors import IllegalTransferStep

TRANSFER: Mapping[tuple[str, str], str] = {
    ("waiting", "start"): "running",
    ("waiting", "cancel"): "cancelled",
    ("running", "start"): "running",
    ("running", "later"): "waiting",
    ("running", "finish"): "done",
    ("running", "keep_some"): "partial",
    ("running", "give_up"): "failed",
    ("running", "cancel"): "cancelled",
    ("partial", "again"): "waiting",
    ("failed", "again"): "waiting",
    ("cancelled", "again"): "waiting",
}
"""(state, step) -> state. What is not here is refused. `running` again (`start`): its try was cut off by a crash."""

MOST_ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=20), timedelta(minutes=15)


def next_state(state: str, step: str) -> str:
    """The state of a transfer after `step`. Raises: IllegalTransferStep."""
    try:
        return TRANSFER[state, step]
    except KeyError:
        raise IllegalTransferStep(f"A transfer that is {state} can't {step.replace('_', ' ')}.") from None


def step_after(*, is_whole: bool, has_some: bool, attempts: int, is_hopeless: bool) -> str:
    """What follows from a try that ended.

    It is whole only if everything is known to have arrived, whatever the other side said. `is_hopeless`: no further try would mend it.
    """
    if is_whole:
        return "finish"
    if attempts < MOST_ATTEMPTS and not is_hopeless:
        return "later"
    return "keep_some" if has_some else "give_up"


def wait(attempts: int, jitter: float) -> timedelta:
    """How long after the `attempts`th try: 20 s doubling to 15 min. `jitter` in [0, 1) spreads it by a fifth either way."""
    doubled: timedelta = min(FIRST_WAIT * 2 ** min(max(attempts, 1) - 1, 10), LONGEST_WAIT)
    return doubled * (0.8 + 0.4 * jitter)
