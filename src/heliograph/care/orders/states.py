"""The life of an order, as a table. A cancelled order comes back only when it is placed anew."""

from __future__ import annotations

from typing import Literal, get_args

OrderStatus = Literal["scheduled", "in_progress", "completed", "cancelled"]
OrderSource = Literal["hl7", "manual"]
STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)

TRANSITIONS: dict[str, frozenset[str]] = {
    "scheduled": frozenset({"in_progress", "completed", "cancelled"}),
    "in_progress": frozenset({"scheduled", "completed", "cancelled"}),
    "completed": frozenset({"in_progress", "cancelled"}),
    "cancelled": frozenset({"scheduled"}),
}


def allows(current: str, wanted: str) -> bool:
    """Whether an order may go from `current` to `wanted`; staying is no step."""
    return wanted in TRANSITIONS[current]
