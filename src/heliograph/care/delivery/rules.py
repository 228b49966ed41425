"""What follows from a try, when to try again, and how it is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Outcome = Literal[
    "acknowledged",
    "refused_AE",
    "refused_AR",
    "no_answer",
    "not_connected",
    "wrong_acknowledgement",
    "stored",
    "not_stored",
]
Step = Literal["acknowledge", "try_later", "hold"]

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
MOST_ERRORS = 3
"""An application error (AE) may be a passing trouble: so many in a row, then a person looks."""
GRACE = timedelta(seconds=15)
"""Beyond the time-out for the answer: after it, a try without a result was cut off."""
URGENT = frozenset({"TRAUMA1", "STROKE", "STAT"})
URGENT_LIMIT, USUAL_LIMIT = timedelta(minutes=5), timedelta(minutes=60)


def step_after(outcome: Outcome, errors_before: int) -> Step:
    """What happens to a delivery after a try; `errors_before`: application errors in a row before this one.

    Only an acknowledgement ends it. A reject (AR) says that sending the same again is of no use (HL7 v2.5.1 2.9.2.2).
    """
    if outcome in ("acknowledged", "stored"):
        return "acknowledge"
    if outcome == "refused_AR" or (outcome == "refused_AE" and errors_before + 1 >= MOST_ERRORS):
        return "hold"
    return "try_later"


def errors_in_a_row(outcomes: Sequence[str]) -> int:
    """Application errors at the end of `outcomes`, oldest first."""
    count = 0
    for outcome in reversed(outcomes):
        if outcome != "refused_AE":
            break
        count += 1
    return count


def wait(attempts: int, jitter: float) -> timedelta:
    """How long after the `attempts`th try: 5 s doubling to 15 min, for ever. `jitter` in [0, 1) spreads it by a fifth either way."""
    doubled: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 10), LONGEST_WAIT)
    return doubled * (0.8 + 0.4 * jitter)


def limit(priority: str) -> timedelta:
    """How long a signed version may stay unacknowledged before a coordinator is alarmed."""
    return URGENT_LIMIT if priority in URGENT else USUAL_LIMIT


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the words about a delivery need. `failing_since`: the first try that got no answer."""

    channel: str
    state: str
    site: str
    phone: str | None
    time_zone: str
    attempts: int
    failing_since: datetime | None
    last_outcome: str | None
    next_attempt_at: datetime | None
    hold_kind: str | None
    hold_reason: str | None
    last_error: str | None
    cancel_reason: str | None = None


def in_words(t: Trouble, now: datetime) -> str:
    """What happened and what comes next; times as at the site."""
    call = f" Call {t.phone}." if t.phone else ""
    system = "Our archive" if t.channel == "archive" else f"{t.site}'s system"
    if t.state == "acknowledged":
        return f"{system} has it."
    if t.state == "cancelled":
        return f"Cancelled: {t.cancel_reason}"
    if t.state == "held":
        return _held(t, system, call)
    if t.state == "failed":
        return f"It can't be sent: {t.last_error or 'the message could not be made'}"
    if t.channel == "page":
        return f"On {t.site}'s page; nobody there has confirmed it yet.{call}"
    if t.state == "sent":
        return (
            f"Sent to {t.site}; the answer is awaited."
            if t.attempts < 2
            else f"Sent again to {t.site}; the answer is awaited.{call}"
        )
    if not t.attempts or t.failing_since is None:
        return "Waits for its turn."
    again = f"; next try {_clock(t.next_attempt_at, t.time_zone)}" if t.next_attempt_at else ""
    return f"{system} {_said(t.last_outcome)} for {_long(now - t.failing_since)}{again}.{call}"


def _held(t: Trouble, system: str, call: str) -> str:
    if t.hold_kind == "provisional":
        return "Held until its study is matched to an order."
    if t.hold_kind == "by_hand":
        return f"Held by a coordinator: {t.hold_reason}"
    return f"{system} refused it. {t.last_error or ''}{call}".replace(" .", ".").strip()


def _said(outcome: str | None) -> str:
    match outcome:
        case "not_connected":
            return "could not be reached"
        case "refused_AE":
            return "reported an error"
        case "wrong_acknowledgement":
            return "answered for another message"
        case "not_stored":
            return "could not keep it"
        case _:
            return "did not answer"


def _long(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"
