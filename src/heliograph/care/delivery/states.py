"""The life cycle of a delivery as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph.care.delivery.errors import IllegalStep

DELIVERY: Mapping[tuple[str, str], str] = {
    ("queued", "send"): "sent",
    ("queued", "hold"): "held",
    ("queued", "acknowledge"): "acknowledged",
    ("queued", "fail"): "failed",
    ("sent", "send"): "sent",
    ("sent", "try_later"): "queued",
    ("sent", "acknowledge"): "acknowledged",
    ("sent", "hold"): "held",
    ("sent", "fail"): "failed",
    ("held", "release"): "queued",
    ("held", "show"): "sent",
    ("held", "hold"): "held",
    ("held", "acknowledge"): "acknowledged",
    ("failed", "release"): "queued",
    ("failed", "hold"): "held",
    ("failed", "acknowledge"): "acknowledged",
    ("queued", "cancel"): "cancelled",
    ("sent", "cancel"): "cancelled",
    ("held", "cancel"): "cancelled",
    ("failed", "cancel"): "cancelled",
    ("queued", "send_anew"): "queued",
    ("sent", "send_anew"): "queued",
    ("held", "send_anew"): "queued",
    ("failed", "send_anew"): "queued",
    ("acknowledged", "send_anew"): "queued",
    ("cancelled", "send_anew"): "queued",
}
"""(state, step) -> state. What is not here is refused. A late answer acknowledges whatever happened meanwhile: the site has it.
`sent` again (`send`): its try was cut off by a crash. `show`: the site's page needs no sending. `cancelled` is an end: nothing but a
person's `send_anew` leads out of it."""


def next_state(state: str, step: str) -> str:
    """The state of a delivery after `step`. Raises: IllegalStep."""
    try:
        return DELIVERY[state, step]
    except KeyError:
        raise IllegalStep(f"A delivery that is {state} can't {step.replace('_', ' ')}.") from None
