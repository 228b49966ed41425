"""Refusals of the rota."""

from heliograph.kit.errors import Conflict, Invalid


class BadShift(Invalid):
    """A shift begins before it ends and lasts at most a day."""


class NotEngaged(Invalid):
    """The group doesn't engage this reader for the whole shift."""


class ShiftOverlaps(Conflict):
    """The reader is on for this group at that time already."""
