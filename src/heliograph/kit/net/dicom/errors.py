"""What can go wrong on an association. Texts name no patient."""

from __future__ import annotations

from heliograph.kit.errors import HeliographError


class AssociationError(HeliographError):
    """The association did not do what was asked of it."""

    status = 503


class ProtocolError(AssociationError):
    """The peer does not speak the DICOM upper layer protocol."""


class PeerGone(AssociationError):
    """The peer closed the connection or aborted."""


class TimedOut(AssociationError):
    """The peer was silent for too long."""


class Rejected(AssociationError):
    """The peer rejected the association.

    `result`, `source` and `reason` are the fields of the A-ASSOCIATE-RJ (PS3.8 9.3.4).
    """

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(f"the peer rejected the association (result {result}, source {source}, reason {reason})")
        self.result, self.source, self.reason = result, source, reason
