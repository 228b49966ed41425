"""Named refusals of sites."""

from __future__ import annotations

from heliograph.kit.errors import Conflict, Invalid


class BadSite(Invalid):
    """A facility, caller or endpoint can't be as it was entered."""


class CodeTaken(Conflict):
    """Another facility of the organisation has this code already."""


class CallerTaken(Conflict):
    """This called title, calling title and address are known already."""


class SenderTaken(Conflict):
    """This sending application, facility and address are known already; messages could not be told apart."""


class NodeTaken(Conflict):
    """Another DICOM node of the organisation has this name or AE title already."""


class IllegalTransferStep(Conflict):
    """A transfer in this state can't do that."""


class BadPlaceInList(Invalid):
    """This is no place in the list that was given here; begin with the first page."""


class BadSecret(Invalid):
    """The secret is empty or not of its form."""
