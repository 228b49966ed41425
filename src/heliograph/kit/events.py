"""Events: what a room announces and rooms above it react to.

A reaction runs in the announcing transaction; it either writes its rows there or enqueues a job. Only `heliograph.app.wiring` registers
reactions, so the announcing room never imports the reacting one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliograph.kit.work import Work


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, told with ids only."""


Reaction = Callable[["Work", Any], None]


class Reactions:
    """Which reactions follow which event, in the order of registration."""

    def __init__(self) -> None:
        self._by_event: defaultdict[type[Event], list[Reaction]] = defaultdict(list)

    def on(self, event: type[Event], reaction: Reaction) -> None:
        if reaction not in self._by_event[event]:
            self._by_event[event].append(reaction)

    def run(self, work: Work, event: Event) -> None:
        for reaction in self._by_event[type(event)]:
            reaction(work, event)
