"""Refusals of the worklist."""

from heliograph.kit.errors import Conflict, Invalid, NotAllowed


class IllegalStep(Conflict):
    """The read is not in a state that allows this."""


class NotEligible(Conflict):
    """This reader may not read it; a hard rule can't be overridden."""


class NoLongerEligible(NotAllowed):
    """You may no longer read this case; it went back to the queue."""


class ReasonNeeded(Invalid):
    """Say why; the reason is kept in the record."""


class NotProvisional(Conflict):
    """This study can't be read before it is matched."""


class OnHold(Conflict):
    """This case is on hold."""


class NotOnHold(Conflict):
    """This case is not on hold."""


class NothingSigned(Conflict):
    """There is no signed report to add to."""


class AddendumOpen(Conflict):
    """An addendum is open already."""
