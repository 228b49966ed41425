"""When the site said what: an older message that comes late does not overwrite a newer one, field by field. Pure.

A stamp is text that sorts by time: when the site said so (ORC-9, else MSH-7), then when the message was made (MSH-7).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from heliograph.care.orders.incoming import OrderMessage
from heliograph.care.orders.model import Order

NEWEST = "message"
"""Of the newest message that was not late in anything: then the order was alive, and its patient as it said."""


def stamp(message: OrderMessage) -> str | None:
    """When the site said what the message says. None: it does not tell, and counts as the newest."""
    if message.said_at is None:
        return None
    return "/".join(_text(at) for at in (message.said_at, message.sent_at or message.said_at))


def is_older(order: Order, name: str, at: str | None) -> bool:
    """Whether what the order has under `name` was said after `at`."""
    known = order.told.get(name)
    return at is not None and isinstance(known, str) and at < known


def note(order: Order, names: Iterable[str], at: str | None) -> None:
    """What stands under `names` was said at `at`."""
    told = {name: t for name, t in order.told.items() if name not in names}
    order.told = told if at is None else told | dict.fromkeys(names, at)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
