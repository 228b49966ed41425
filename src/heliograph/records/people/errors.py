"""Refusals of people."""

from heliograph.kit.errors import Conflict, Invalid, NotFound


class ReaderExists(Conflict):
    """This user is a reader already."""


class BadValidity(Invalid):
    """It can't end before it begins."""


class UnknownJurisdiction(Invalid):
    """There is no such jurisdiction in the policy; ask to have it added first."""


class PlaceNotYours(NotFound):
    """This is none of your reading places."""
