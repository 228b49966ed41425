"""The life of an order, as a table. A cancelled order comes back only when it is placed anew.

`cancel_requested`: the site cancelled it after images came. Nothing is thrown away: a person cancels it or lets it go on.
"""

from __future__ import annotations

from typing import Literal, get_args

OrderStatus = Literal["scheduled", "in_progress", "completed", "cancel_requested", "cancelled"]
OrderSource = Literal["hl7", "manual"]
STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)

TRANSITIONS: dict[str, frozenset[str]] = {
    "scheduled": frozenset({"in_progress", "completed", "cancel_requested", "cancelled"}),
    "in_progress": frozenset({"scheduled", "completed", "cancel_requested", "cancelled"}),
    "completed": frozenset({"in_progress", "cancel_requested", "cancelled"}),
    "cancel_requested": frozenset({"scheduled", "in_progress", "completed", "cancelled"}),
    "cancelled": frozenset({"scheduled"}),
}


def allows(current: str, wanted: str) -> bool:
    """Whether an order may go from `current` to `wanted`; staying is no step."""
    return wanted in TRANSITIONS[current]
