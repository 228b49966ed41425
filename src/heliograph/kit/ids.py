"""Identifiers made here, where asking the database for one would cost a round trip."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """A UUID of version 7 (RFC 9562 5.7) as PostgreSQL's uuidv7() makes it: milliseconds, 12 bits of what is below them, 62 random bits.

    Those made one after the other on hosts whose clocks agree are in that order.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    below = (rest << 12) // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | below << 64 | 0b10 << 62 | random)
