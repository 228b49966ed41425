"""The life of an order, as a table. A cancelled order comes back only when it is placed anew."""

from __future__ import annotations

STATUSES = ("scheduled", "in_progress", "completed", "cancelled")

TRANSITIONS: dict[str, frozenset[str]] = {
    "scheduled": frozenset({"in_progress", "completed", "cancelled"}),
    "in_progress": frozenset({"scheduled", "completed", "cancelled"}),
    "completed": frozenset({"in_progress", "cancelled"}),
    "cancelled": frozenset({"scheduled"}),
}


def allows(current: str, wanted: str) -> bool:
    """Whether an order may go from `current` to `wanted`; staying is no step."""
    return wanted in TRANSITIONS[current]
