"""Who asks, who answers, and when an answer is late. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SubjectKind = Literal["study", "held_object", "case"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is to a question's facility: its staff, a coordinator who looks after it, who asked."""

    is_staff: bool = False
    is_coordinator: bool = False
    is_asker: bool = False


@dataclass(frozen=True, slots=True)
class May:
    """What somebody may do, as far as the question's state lets them."""

    ask: bool
    answer: bool
    withdraw: bool
    close: bool


def may(who: Standing) -> May:
    """Coordinators ask and close; the site's people answer; who asked takes it back.

    A coordinator who was told by telephone does not answer in the site's name: they act on it, and give it as their reason.
    """
    return May(
        ask=who.is_coordinator,
        answer=who.is_staff,
        withdraw=who.is_coordinator and who.is_asker,
        close=who.is_coordinator,
    )


def is_late(state: str, asked_at: datetime, now: datetime, minutes: int) -> bool:
    """Whether a question waits for its answer longer than `minutes`."""
    return state == "open" and now - asked_at >= timedelta(minutes=minutes)
