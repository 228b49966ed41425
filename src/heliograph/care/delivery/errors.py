"""Refusals of delivery."""

from heliograph.kit.errors import Conflict, HeliographError, Invalid


class IllegalStep(Conflict):
    """The delivery is not in a state that allows this."""


class StillProvisional(Conflict):
    """The study is not matched to an order yet; match it, and this is sent by itself."""


class ReasonNeeded(Invalid):
    """Say why; the reason is kept in the record."""


class CannotBuild(HeliographError):
    """The message can't be made from what is known."""


class NotTried(Conflict):
    """A destination of this kind is tried elsewhere: a DICOM node under DICOM nodes."""
