"""Named refusals of questions."""

from __future__ import annotations

from heliograph.kit.errors import Conflict, Invalid


class IllegalStep(Conflict):
    """The question is not in a state for this any more."""


class NothingWaits(Conflict):
    """Nothing waits here any more: there is nothing left to ask about."""


class SiteUnknown(Conflict):
    """It isn't known which facility sent this, so nobody can be asked."""


class WordsNeeded(Invalid):
    """Write what you want to say."""
