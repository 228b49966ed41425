"""A socket that gives whole PDUs and messages, or says why it can't."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from heliograph.kit.net.dicom.command import Command, decode_command
from heliograph.kit.net.dicom.errors import PeerGone, ProtocolError, TimedOut
from heliograph.kit.net.dicom.pdu import ABORT, MAX_ASSOCIATE_LENGTH, P_DATA, RELEASE_RP, RELEASE_RQ

_FIRST_BUFFER = 1 << 20
_MAX_COMMAND = 64 << 10


class Wire:
    """One TCP connection. Used by one thread; `shut` may be called by any."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self.sock = sock
        # MSG_WAITALL needs a blocking socket, so the time-out is the kernel's. TLS has neither.
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._flags = 0 if self._tls else socket.MSG_WAITALL
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._timeout = -1.0
        self.set_timeout(timeout)

    def set_timeout(self, seconds: float) -> None:
        """How long one read or write may stand still."""
        if seconds == self._timeout:
            return
        self._timeout = seconds
        if self._tls:
            self.sock.settimeout(seconds)
            return
        self.sock.settimeout(None)
        value = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

    def acknowledge_at_once(self) -> None:
        """Do not delay the next TCP acknowledgements.

        A sender with Nagle's algorithm (DCMTK's tools, and what is built on it) holds back the last small
        segment of a PDU until we acknowledge; with delayed acknowledgement each object costs up to 40 ms.
        The kernel forgets this setting, so it is renewed for each PDU.
        """
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def read_into(self, view: memoryview) -> None:
        """Fill `view`.

        Raises:
            TimedOut, PeerGone
        """
        while view:
            try:
                count = self.sock.recv_into(view, 0, self._flags)
            except (TimeoutError, BlockingIOError):
                raise TimedOut from None
            except OSError:
                raise PeerGone from None
            if count == 0:
                raise PeerGone
            view = view[count:]

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        data = bytearray(size)
        self.read_into(memoryview(data))
        return bytes(data)

    def read_before(self, size: int, deadline: float) -> bytes:
        """Exactly `size` bytes before `deadline` (time.monotonic), however slowly they drip."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut
            self.set_timeout(max(left, 0.01))
            try:
                count = self.sock.recv_into(view)
            except (TimeoutError, BlockingIOError):
                raise TimedOut from None
            except OSError:
                raise PeerGone from None
            if count == 0:
                raise PeerGone
            view = view[count:]
        return bytes(data)

    def read_associate(self, timeout: float) -> tuple[int, bytes]:
        """The first PDU as (type, body), whole within `timeout` seconds (ARTIM, PS3.8 9.1.5)."""
        deadline = time.monotonic() + timeout
        kind, length = struct.unpack(">BxI", self.read_before(6, deadline))
        if not 1 <= kind <= 7 or length > MAX_ASSOCIATE_LENGTH:
            raise ProtocolError("this is not a DICOM association")
        return kind, self.read_before(length, deadline)

    def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`."""
        try:
            self.sock.sendall(data)
        except (TimeoutError, BlockingIOError):
            raise TimedOut from None
        except OSError:
            raise PeerGone from None

    def write_parts(self, parts: list[bytes | memoryview]) -> None:
        """Send all parts, one after another, in as few system calls as may be."""
        if self._tls:
            self.write(b"".join(parts))
            return
        for start in range(0, len(parts), 512):  # IOV_MAX is 1024
            some = parts[start : start + 512]
            try:
                sent = self.sock.sendmsg(some)
            except (TimeoutError, BlockingIOError):
                raise TimedOut from None
            except OSError:
                raise PeerGone from None
            for part in some:
                if sent >= len(part):
                    sent -= len(part)
                else:
                    self.write(memoryview(part)[sent:])
                    sent = 0

    def shut(self) -> None:
        """Wake a thread that reads; it sees PeerGone."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()


class Released(Exception):
    """The peer asked for an orderly release."""


class Receiver:
    """Assembles messages from P-DATA-TF PDUs (PS3.8 9.3.5, E.2).

    Fragments go from the socket straight to their place in one buffer that is used again for the next
    message; data sets above `memory_limit` bytes go on to a temporary file in `folder`.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        memory_limit: int,
        max_bytes: int,
        folder: Path | None,
        within: float,
        idle: float,
    ) -> None:
        self.wire = wire
        self._buffer = bytearray(_FIRST_BUFFER)
        self._memory_limit, self._max_bytes, self._folder = memory_limit, max_bytes, folder
        self._within, self._idle = within, idle
        self._head = bytearray(10)
        self.context_id = 0
        self.command = Command({})
        self.size = 0
        self.spilled: BinaryIO | None = None
        self.too_large = False

    @property
    def data(self) -> memoryview:
        """The data set of the last message, if it is in memory; valid until the next `receive`."""
        return memoryview(self._buffer)[: self.size]

    def receive(self) -> None:
        """Read the next message into `context_id`, `command` and `data` or `spilled`.

        Raises:
            Released: the peer wants to release instead.
            PeerGone, TimedOut, ProtocolError: the association cannot go on.
        """
        self._reset()
        command = bytearray()
        whole_command = False
        self.wire.set_timeout(self._idle)
        while True:
            left, length = self._next_pdu()
            self.wire.set_timeout(self._within)
            while True:
                if length < 2 or length > left - 4:
                    raise ProtocolError("a presentation data value is longer than its PDU")
                self.context_id, control = self.wire.read(2)
                size = length - 2
                if control & 1:
                    if len(command) + size > _MAX_COMMAND or whole_command:
                        raise ProtocolError("a command set is too long or comes twice")
                    command += self.wire.read(size)
                    if control & 2:
                        self.command, whole_command = decode_command(bytes(command)), True
                elif not whole_command:
                    raise ProtocolError("a data set comes before its command")
                else:
                    self._take(size)
                left -= 4 + length
                if control & 2 and (not control & 1 or not self.command.has_data_set):
                    if left:
                        raise ProtocolError("two messages in one PDU")
                    return
                if not left:
                    break
                length = int.from_bytes(self.wire.read(4), "big")

    def _reset(self) -> None:
        self.size, self.too_large = 0, False
        if self.spilled is not None:
            self.spilled.close()
            self.spilled = None
        if len(self._buffer) > 16 * _FIRST_BUFFER:  # one large object must not hold memory for ever
            self._buffer = bytearray(_FIRST_BUFFER)

    def close(self) -> None:
        """Let go of the buffer and the temporary file."""
        self._reset()
        self._buffer = bytearray()

    def _next_pdu(self) -> tuple[int, int]:
        """(bytes of the P-DATA-TF's body, length of its first value). No PDU is shorter than ten bytes."""
        view = memoryview(self._head)
        self.wire.acknowledge_at_once()
        self.wire.read_into(view)
        kind, left, length = struct.unpack(">BxII", self._head)
        if kind == P_DATA:
            return left, length
        if kind == RELEASE_RQ:
            raise Released
        if kind in {ABORT, RELEASE_RP}:
            raise PeerGone
        raise ProtocolError("an unexpected PDU")

    def _take(self, size: int) -> None:
        end = self.size + size
        if end > self._max_bytes or self.too_large:
            self.too_large = True
            self._discard(size)
            return
        if self.spilled is None and end > self._memory_limit:
            self.spilled = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by _reset
            self.spilled.write(memoryview(self._buffer)[: self.size])
        if self.spilled is not None:
            left = size
            while left:
                piece = self.wire.read(min(left, _FIRST_BUFFER))
                self.spilled.write(piece)
                left -= len(piece)
        else:
            if end > len(self._buffer):
                self._buffer.extend(bytes(max(len(self._buffer), end - len(self._buffer))))
            with memoryview(self._buffer) as view:
                self.wire.read_into(view[self.size : end])
        self.size = end

    def _discard(self, size: int) -> None:
        while size:
            size -= len(self.wire.read(min(size, _FIRST_BUFFER)))
