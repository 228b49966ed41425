"""DICOM over the network, as plain protocol code: a storage SCP, and an SCU that verifies, sends, finds, moves and gets (`client`)."""

from heliograph.kit.net.dicom.association import Peer, Remote, associate
from heliograph.kit.net.dicom.calls import (
    Acceptance,
    Answer,
    Caller,
    Closed,
    Limits,
    Refusal,
    StoreRequest,
)
from heliograph.kit.net.dicom.errors import (
    AssociationError,
    Failed,
    NotConnected,
    PeerGone,
    ProtocolError,
    Rejected,
    TimedOut,
)
from heliograph.kit.net.dicom.listener import StorageListener
from heliograph.kit.net.dicom.sender import SendResult, ToSend, file_to_send, send_files, send_objects, verify

__all__ = [
    "Acceptance",
    "Answer",
    "AssociationError",
    "Caller",
    "Closed",
    "Failed",
    "Limits",
    "NotConnected",
    "Peer",
    "PeerGone",
    "ProtocolError",
    "Refusal",
    "Rejected",
    "Remote",
    "SendResult",
    "StorageListener",
    "StoreRequest",
    "TimedOut",
    "ToSend",
    "associate",
    "file_to_send",
    "send_files",
    "send_objects",
    "verify",
]
