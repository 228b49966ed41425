"""Which messages this door takes, and what takes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from heliograph.exchange.hl7 import adt, orders, oru_in
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.kit.codecs.hl7 import Message
from heliograph.kit.work import Work

__all__ = ["KINDS", "Feed", "Taken"]

KINDS: Final[Mapping[tuple[str, str], Callable[[Work, Message, Feed], Taken]]] = {
    ("ORM", "O01"): orders.take,
    ("OMI", "O23"): orders.take,
    ("OMG", "O19"): orders.take,
    **adt.KINDS,
    **oru_in.KINDS,
}
"""By message type and trigger event (MSH-9.1, MSH-9.2). Each works in the one transaction that also keeps the message with its answer;
what it raises (a HeliographError with its place) becomes AE, and nothing else of it stays."""
