"""What may happen as often as a caller likes, and is told once in a while, with how often it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

_MOST_KEYS = 10_000


class Seldom:
    """Lets each key through once in `seconds`. Safe for several threads; of very many keys it forgets those before."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._held: dict[Hashable, tuple[float, int]] = {}  # when the next goes through, how many were held back

    def times(self, key: Hashable) -> int:
        """How many there were since the last that went through, this one included; 0: this one is held back."""
        now = self._clock()
        with self._lock:
            again, held = self._held.get(key, (now, 0))
            if now < again:
                self._held[key] = (again, held + 1)
                return 0
            if key not in self._held and len(self._held) >= _MOST_KEYS:
                self._held.clear()
            self._held[key] = (now + self._seconds, 0)
            return held + 1
