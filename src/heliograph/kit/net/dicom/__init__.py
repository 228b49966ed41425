"""DICOM over the network: a storage SCP (C-STORE, C-ECHO) and a storage SCU, as plain protocol code."""

from heliograph.kit.net.dicom.calls import (
    Acceptance,
    Answer,
    Caller,
    Closed,
    Limits,
    Refusal,
    StoreRequest,
)
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, ProtocolError, Rejected, TimedOut
from heliograph.kit.net.dicom.listener import StorageListener
from heliograph.kit.net.dicom.sender import SendResult, send_files, verify

__all__ = [
    "Acceptance",
    "Answer",
    "AssociationError",
    "Caller",
    "Closed",
    "Limits",
    "PeerGone",
    "ProtocolError",
    "Refusal",
    "Rejected",
    "SendResult",
    "StorageListener",
    "StoreRequest",
    "TimedOut",
    "send_files",
    "verify",
]
