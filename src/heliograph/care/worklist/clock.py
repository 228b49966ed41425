"""The turnaround clock: starts at the later of last image and order, ends at the promise. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from heliograph.records.agreements.rules import promised_minutes

ARRIVING = ("TRAUMA1", "STROKE", "STAT")
"""What may be read while its images still arrive."""


def starts_at(last_images: Iterable[datetime], orders_received: Iterable[datetime]) -> datetime | None:
    """The later of the last image and the order. None without images."""
    images = list(last_images)
    return max([*images, *orders_received]) if images else None


def due(started_at: datetime | None, promises: Mapping[str, int], priority: str) -> datetime | None:
    """The promised moment. None: the clock doesn't run, or nothing is promised."""
    minutes = promised_minutes(promises, priority)
    return started_at + timedelta(minutes=minutes) if started_at is not None and minutes is not None else None
