"""Refusals of reading."""

from heliograph.kit.errors import Conflict, Invalid


class HeldByAnother(Conflict):
    """Somebody else has this report open."""


class DraftMovedOn(Conflict):
    """This report was opened or changed in another window; load it again."""


class NotOpen(Conflict):
    """Open the read first."""


class AlreadySigned(Conflict):
    """This read is signed; what is to be added goes into an addendum."""


class NewImages(Conflict):
    """Images came after you opened this; look at them, or say why you sign without."""


class ImagesDisagree(Conflict):
    """The images say otherwise than the order whom or which side they show; look at both, or say why you sign."""


class IdentityChanged(Conflict):
    """Who the patient is changed after you opened this; look at the name, the birth date and the identifiers, or say why you sign."""


class Incomplete(Invalid):
    """Something is missing before this can be signed."""


class BadContent(Invalid):
    """The draft holds something that its template does not know."""


class AlreadyWithdrawn(Conflict):
    """This report is withdrawn already."""
