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


class NotConnected(PeerGone):
    """There is no connection. `why`: refused, unknown_host, unreachable, timed_out or tls."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(words)
        self.why = why


class TimedOut(AssociationError):
    """The peer was silent for too long."""


class Rejected(AssociationError):
    """The peer rejected the association.

    `result`, `source` and `reason` are the fields of the A-ASSOCIATE-RJ (PS3.8 9.3.4).
    """

    def __init__(self, result: int, source: int, reason: int) -> None:
        words = _REJECTIONS.get((source, reason), "it gave no reason")
        passing = ", for now" if result == 2 else ""
        super().__init__(
            f"the peer rejected the association{passing}: {words} (result {result}, source {source}, reason {reason})"
        )
        self.result, self.source, self.reason, self.words = result, source, reason, words


class Failed(AssociationError):
    """The peer answered an operation with a status that is none of success.

    `answer` is the status, `comment` the peer's own Error Comment: for the eyes of who asked, since it may name a patient.
    """

    def __init__(self, status: int, comment: str = "") -> None:
        super().__init__(f"the peer answered status {status:04X}: {status_words(status)}")
        self.answer, self.comment = status, comment


_REJECTIONS = {
    (1, 1): "it gave no reason",
    (1, 2): "it does not know the DICOM application context",
    (1, 3): "it does not know our (calling) AE title",
    (1, 7): "it does not answer to that (called) AE title",
    (2, 1): "its DICOM part gave no reason",
    (2, 2): "it does not speak this version of the protocol",
    (3, 1): "it is busy",
    (3, 2): "it has no room for another association",
}
"""(source, reason) of PS3.8 Table 9-21."""

_STATUSES = {
    0x0105: "no such attribute",
    0x0110: "processing failed",
    0x0112: "no such object",
    0x0117: "invalid object",
    0x0122: "it does not support this SOP class",
    0x0124: "it does not allow this",
    0x0211: "it does not know this operation",
    0x0213: "it has no room",
    0xA700: "it has no room",
    0xA701: "it could not count the matches",
    0xA702: "it could not send the objects",
    0xA801: "it does not know the destination",
    0xA900: "the identifier does not match the SOP class",
    0xB000: "some objects were not sent",
    0xFE00: "cancelled",
}


def status_words(status: int) -> str:
    """A DIMSE status in words (PS3.7 C, PS3.4 B.2.3, C.4)."""
    if status in _STATUSES:
        return _STATUSES[status]
    if status & 0xFF00 == 0xA700:
        return "it has no room"
    if status & 0xFF00 == 0xA900:
        return "the data set does not match its SOP class"
    return "it can't process this" if status & 0xF000 == 0xC000 else "not done"
