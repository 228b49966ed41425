"""Which reactions follow which event: the one place where rooms meet upwards."""

from __future__ import annotations

from heliograph.kit.events import Reactions


def wire(reactions: Reactions) -> Reactions:
    """Registers every reaction, in the order in which they must run."""
    return reactions
