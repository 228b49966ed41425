"""What taking a message needs to know of its sender, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.records.sites.queries import EndpointFacts, FacilityFacts


@dataclass(frozen=True, slots=True)
class Feed:
    """A sender: its endpoint with what is particular to it, and the facility that it speaks for."""

    endpoint: EndpointFacts
    facility: FacilityFacts


@dataclass(frozen=True, slots=True)
class Taken:
    """What a message did, for the message log and the answer."""

    order_id: UUID | None = None
    """The order that it was about, or the first of several."""
    remark: str | None = None
    """What a person should know though it was taken, without patient data."""
    unable: frozenset[int] = frozenset()
    """Of the order groups of the message (`Message.groups()`), from 0: those that could not be done as asked, as a cancellation of what
    has been read. An order response says so (UC, UX) where the feed wants one."""
