"""Who may come in now: bounds for a listener on silent connections, on associations and on calls that are refused.

A connection is `silent` until its A-ASSOCIATE-RQ is whole. Silent ones are bounded for an address and together; at the
bound the oldest of them gives way, so that sockets that say nothing never keep out one that speaks.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from heliograph.kit.log import log
from heliograph.kit.net.dicom.calls import Caller, Closed, Limits, Refusal

_log = log(__name__)

_MOST_REMEMBERED = 10_000  # addresses, callers
_SAY_EVERY = 10.0  # seconds between two log lines about the same fault of the same address

Why = Literal["full", "displaced", "silent", "lost", "not DICOM", "no TLS"]
_Key = tuple[str, str, str]


@dataclass(eq=False, slots=True)
class Visitor:
    """One connection. `deadline` (time.monotonic): by then its request is whole, TLS included."""

    sock: socket.socket
    address: str
    deadline: float
    may_give_way: bool = True
    displaced: bool = False
    key: _Key | None = None

    def shut(self) -> None:
        """Wake the thread that reads from it; it sees the end."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@dataclass(slots=True)
class Figures:
    """What came of the connections so far, and how many there are now."""

    associations: int = 0
    silent: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By the name of the Refusal."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Connections that ended before an association, by why."""
    ended: Counter[str] = field(default_factory=Counter)
    """Associations, by how they ended."""
    stored: int = 0
    failed: int = 0
    bytes: int = 0


class Gate:
    """Counts and decides. Safe for several threads."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._silent: dict[str, dict[Visitor, None]] = {}  # by address, oldest first
        self._associations: Counter[_Key] = Counter()
        self._refusals: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # by address: allowance left, at which time
        self._known: OrderedDict[_Key, None] = OrderedDict()
        self._said: dict[tuple[str, str], float] = {}
        self._figures = Figures()

    @property
    def associations(self) -> int:
        """How many are open now."""
        with self._lock:
            return self._associations.total()

    def figures(self) -> Figures:
        """A copy of the counts."""
        with self._lock:
            f = self._figures
            return Figures(
                self._associations.total(),
                self._count(),
                f.accepted,
                Counter(f.refused),
                Counter(f.dropped),
                Counter(f.ended),
                f.stored,
                f.failed,
                f.bytes,
            )

    def admit(self, visitor: Visitor) -> bool:
        """Count a new connection; False: close it. The oldest silent one gives way where a bound is reached."""
        gone = None
        with self._lock:
            mine = self._silent.get(visitor.address, {})
            is_full = False
            if len(mine) >= self.limits.pending_per_address:
                gone = self._oldest(mine)
                is_full = gone is None
            elif self._count() >= self.limits.pending:
                gone = self._oldest(max(self._silent.values(), key=len))
                is_full = gone is None
            if gone is not None:
                gone.displaced = True
                self._forget(gone)
            if not is_full:
                self._silent.setdefault(visitor.address, {})[visitor] = None
        if gone is not None:
            gone.shut()
            self.dropped(gone.address, "displaced")
        if is_full:
            self.dropped(visitor.address, "full")
        return not is_full

    def shut(self) -> None:
        """Wake every thread whose connection is silent: the listener stops."""
        with self._lock:
            silent = [visitor for those in self._silent.values() for visitor in those if visitor.may_give_way]
            for visitor in silent:
                visitor.displaced = True  # for one whose socket is being wrapped, and can't be woken now
        for visitor in silent:
            visitor.shut()

    def heard(self, visitor: Visitor) -> None:
        """Its request is whole: it gives way to nobody while it is decided upon."""
        with self._lock:
            visitor.may_give_way = False

    def may_ask(self, caller: Caller) -> bool:
        """False when its address had too many refusals of late, and this caller was never accepted from there."""
        with self._lock:
            return caller.key in self._known or self._allowance(caller.address) >= 1.0

    def enter(self, visitor: Visitor, caller: Caller) -> bool:
        """Count an association; False: a bound is reached."""
        with self._lock:
            limits, key = self.limits, caller.key
            here = sum(n for (_, _, address), n in self._associations.items() if address == caller.address)
            if (
                self._associations.total() >= limits.associations
                or here >= limits.associations_per_address
                or self._associations.get(key, 0) >= limits.associations_per_caller
            ):
                return False
            self._associations[key] += 1
            self._figures.accepted += 1
            visitor.key = key
            self._forget(visitor)
            self._known[key] = None
            self._known.move_to_end(key)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
            return True

    def refused(self, visitor: Visitor, caller: Caller, refusal: Refusal) -> None:
        """Count a rejection. The connection may give way again: it only waits for the peer to close."""
        with self._lock:
            self._figures.refused[refusal.name.lower()] += 1
            visitor.may_give_way = True
            if refusal.fields[0] != 1:
                return
            self._known.pop(caller.key, None)
            left = self._allowance(caller.address)
            self._refusals[caller.address] = (max(0.0, left - 1.0), self._clock())
            self._refusals.move_to_end(caller.address)
            if len(self._refusals) > _MOST_REMEMBERED:
                self._refusals.popitem(last=False)

    def ended(self, closed: Closed) -> None:
        """Count what an association brought."""
        with self._lock:
            f = self._figures
            f.ended[closed.how] += 1
            f.stored, f.failed, f.bytes = f.stored + closed.stored, f.failed + closed.failed, f.bytes + closed.size

    def leave(self, visitor: Visitor) -> None:
        """The connection is closed: its place is free. Does nothing the second time."""
        with self._lock:
            self._forget(visitor)
            if visitor.key is not None:
                self._associations[visitor.key] -= 1
                if self._associations[visitor.key] <= 0:
                    del self._associations[visitor.key]
                visitor.key = None

    def dropped(self, address: str, why: Why, detail: str = "") -> None:
        """Count a connection that came to nothing, and say so, not too often for one address."""
        now = self._clock()
        with self._lock:
            self._figures.dropped[why] += 1
            if now < self._said.get((address, why), 0.0):
                return
            if len(self._said) >= _MOST_REMEMBERED:
                self._said.clear()
            self._said[address, why] = now + _SAY_EVERY
        say = _log.info if why in {"lost", "silent"} else _log.warning
        say("a DICOM connection came to nothing", why=why, detail=detail, address=address)

    def _count(self) -> int:
        return sum(len(those) for those in self._silent.values())

    def _oldest(self, those: dict[Visitor, None]) -> Visitor | None:
        return next((visitor for visitor in those if visitor.may_give_way), None)

    def _forget(self, visitor: Visitor) -> None:
        those = self._silent.get(visitor.address)
        if those is not None:
            those.pop(visitor, None)
            if not those:
                del self._silent[visitor.address]

    def _allowance(self, address: str) -> float:
        """Refusals that the address has left: a full minute's worth, refilled evenly."""
        most = float(self.limits.refused_per_minute)
        left, at = self._refusals.get(address, (most, 0.0))
        return min(most, left + (self._clock() - at) * most / 60.0)
