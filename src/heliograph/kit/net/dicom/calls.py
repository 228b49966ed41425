"""What a listener tells about a call, and what it is told: plain values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, BinaryIO

# Large enough that a slice comes in a few PDUs, small enough for any peer's buffer.
MAX_PDU = 256 << 10


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls whom, from where. AE titles are without padding; `certificate` is the peer's, as DER.

    The raw titles are the 16 bytes as they came.
    """

    called_ae_title: str
    calling_ae_title: str
    address: str
    certificate: bytes | None = None
    tls: bool = False
    called_raw: bytes = field(default=b"", compare=False)
    calling_raw: bytes = field(default=b"", compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """(called, calling, address): by this a caller is known."""
        return self.called_ae_title, self.calling_ae_title, self.address


class Refusal(Enum):
    """Why an association is rejected. `fields` are (result, source, reason) of PS3.8 9.3.4.

    Result 1 is for good, 2 for now: the caller tries again. What is wrong with a certificate is told to us, not to the
    caller, who may have guessed the titles.
    """

    CALLING_NOT_RECOGNISED = (1, 1, 3, "")
    CALLED_NOT_RECOGNISED = (1, 1, 7, "")
    TLS_REQUIRED = (1, 1, 3, "TLS")
    CERTIFICATE = (1, 1, 3, "certificate")
    APPLICATION_CONTEXT = (1, 1, 2, "")
    PROTOCOL_VERSION = (1, 2, 2, "")
    BUSY = (2, 3, 1, "")
    TOO_OFTEN = (2, 3, 1, "rate")
    LIMIT_REACHED = (2, 3, 2, "")

    @property
    def fields(self) -> tuple[int, int, int]:
        return self.value[:3]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A known caller; `source` is whatever the accept function wants the store function to get."""

    caller: Caller
    source: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A DIMSE status (PS3.4 B.2.3) with an Error Comment, which never names a patient."""

    status: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One C-STORE: the data set as on the wire, `size` bytes; valid only during the store function.

    `sop_instance_uid` is what the caller wrote, a UID or not: whoever stores it decides what becomes of the data set.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    _view: memoryview
    _file: BinaryIO | None

    def write_to(self, descriptor: int, header: bytes = b"") -> None:
        """Write `header` and the data set to a file descriptor; the caller makes it durable."""
        if self._file is None:
            _write_all(descriptor, header, self._view)
            return
        self._file.flush()
        _write_all(descriptor, header, memoryview(b""))
        at = 0
        while at < self.size:
            at += os.sendfile(descriptor, self._file.fileno(), at, self.size - at)

    def read(self) -> bytes:
        """All bytes of the data set."""
        if self._file is None:
            return bytes(self._view)
        self._file.seek(0)
        return self._file.read()


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of an association: how it ended and what it brought (counts and bytes)."""

    how: str
    stored: int
    failed: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in seconds, bytes and associations.

    `associate_timeout` bounds the time from connect to a whole request, TLS included (ARTIM); sockets that are still
    silent never count as associations, and the oldest of them gives way to a new one. `idle_timeout` is between
    messages, `network_timeout` for one PDU. `refused_per_minute` is for an address: when it had so many
    rejections, only who was accepted from there before is heard. `window`: operations that a peer may have
    under way (PS3.7 D.3.3.3); we perform them one after another.
    """

    associations: int = 64
    associations_per_address: int = 32
    associations_per_caller: int = 16
    pending: int = 128
    pending_per_address: int = 32
    refused_per_minute: int = 60
    window: int = 16
    associate_timeout: float = 10.0
    network_timeout: float = 60.0
    idle_timeout: float = 600.0
    memory: int = 64 << 20
    object_bytes: int = 16 << 30
    max_pdu: int = MAX_PDU


def _write_all(descriptor: int, header: bytes, body: memoryview) -> None:
    parts = [memoryview(header), body]
    total = len(header) + len(body)
    written = os.writev(descriptor, parts)
    while written < total:
        part, at = (parts[0], written) if written < len(header) else (body, written - len(header))
        written += os.write(descriptor, part[at:])
