"""A socket that gives whole PDUs and messages, or says why it can't."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
import struct
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, cast

from heliograph.kit.net.dicom.command import Command, decode_command
from heliograph.kit.net.dicom.errors import PeerGone, ProtocolError, TimedOut
from heliograph.kit.net.dicom.pdu import ABORT, MAX_ASSOCIATE_LENGTH, P_DATA, RELEASE_RP, RELEASE_RQ

_FIRST_BUFFER = 1 << 20
_MAX_COMMAND = 64 << 10
_HEAD = 10  # bytes: no PDU is shorter
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAX_EMPTY = 1024  # fragments without a byte in one message
_LEAST_RATE = 1024  # bytes a second: a message that comes more slowly holds an association for nothing
# Some senders leave the header of the values out of the count (PS3.8 D.1.1 has the whole PDU's length without its own 6 bytes).
_PDU_SLACK = 12


class Wire:
    """One TCP connection. Used by one thread; `shut` may be called by any."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self.sock = sock
        # MSG_WAITALL needs a blocking socket, so the time-out is the kernel's. TLS has neither.
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._flags = 0 if self._tls else socket.MSG_WAITALL
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in _KEEPALIVE.items():  # a peer without power says no goodbye
            sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
        self._timeout = -1.0
        self._deadline = 0.0
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

    def finish_within(self, seconds: float | None) -> None:
        """From now on all reads together may take `seconds`, however slowly bytes drip; None: no such bound."""
        self._deadline = 0.0 if seconds is None else time.monotonic() + seconds
        if seconds is not None:
            self.set_timeout(seconds)

    def has_input(self) -> bool:
        """Whether a read would find something now: bytes, or that the peer is gone."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return bool(select.select([self.sock], [], [], 0)[0])

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
            if self._deadline:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    raise TimedOut
                if left < self._timeout / 2:  # not for each read: it is a system call
                    self.set_timeout(left)
            view = view[self._receive(view, self._flags) :]

    def read_some(self, view: memoryview) -> int:
        """Waits for bytes and puts what has come into `view`, at least one; how many."""
        return self._receive(view, 0)

    def _receive(self, view: memoryview, flags: int) -> int:
        try:
            count = self.sock.recv_into(view, 0, flags)
        except (TimeoutError, BlockingIOError):
            raise TimedOut from None
        except OSError:
            raise PeerGone from None
        if count == 0:
            raise PeerGone
        return count

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
            view = view[self._receive(view, 0) :]
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
            # Not SSLSocket.shutdown: that one takes the encryption away from under the thread.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, over TLS with a goodbye (RFC 8446 6.1), for whose answer nobody waits."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(0.0)
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            self.sock.close()


_KEEPALIVE = {
    getattr(socket, name): seconds
    for name, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


def let_go(sock: socket.socket, deadline: float) -> None:
    """Say that we end, and wait until the peer has, at most a second and by `deadline` (time.monotonic).

    Closing at once while bytes are unread would reset the connection, and destroy our last words on their way.
    """
    deadline = min(deadline, time.monotonic() + 1.0)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_WR)
        for _ in range(64):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([sock], [], [], left)[0]:
                return
            if not socket.socket.recv(sock, 1 << 16, socket.MSG_DONTWAIT):
                return


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
        max_pdu: int = 0,
    ) -> None:
        """`within` bounds one PDU and `idle` the wait for a message, both in seconds; `max_pdu` is what we told the
        peer that we take (0: any length).
        """
        self.wire = wire
        self._buffer = bytearray(_FIRST_BUFFER)
        self._memory_limit, self._max_bytes, self._folder = memory_limit, max_bytes, folder
        self._within, self._idle = within, idle
        self._max_pdu = max_pdu + _PDU_SLACK if max_pdu else 1 << 32
        self._head = bytearray(_HEAD)
        self.context_id = 0
        self.command = Command({})
        self.size = 0
        self.spilled: BinaryIO | None = None
        self.too_large = False
        self._discarded = 0
        self._parts, self._whole_command, self._empty = bytearray(), False, 0

    @property
    def data(self) -> memoryview:
        """The data set of the last message, if it is in memory; valid until the next `receive`."""
        return memoryview(self._buffer)[: self.size]

    def receive(self, *, is_owed: bool = False) -> None:
        """Read the next message into `context_id`, `command` and `data` or `spilled`.

        `is_owed`: the peer has been asked for it, so it may not be idle first; it begins within the time for one PDU.

        Raises:
            Released: the peer wants to release instead.
            PeerGone, TimedOut, ProtocolError: the association cannot go on.
        """
        self._reset()
        self._parts, self._whole_command, self._empty = bytearray(), False, 0
        began, came = 0.0, 0
        while True:
            left, length = self._next_pdu(self._within if began or is_owed else self._idle)
            began = began or time.monotonic()
            came += left
            if time.monotonic() - began > self._within + came / _LEAST_RATE:
                raise TimedOut("the message comes too slowly")
            while True:
                if length < 2 or length > left - 4:
                    raise ProtocolError("a presentation data value is longer than its PDU")
                context, control = self.wire.read(2)
                if came > left and context != self.context_id:
                    raise ProtocolError("a message on two presentation contexts")
                self.context_id = context
                self._fragment(control, length - 2)
                left -= 4 + length
                if control & 2 and (not control & 1 or not self.command.has_data_set):
                    if left:
                        raise ProtocolError("two messages in one PDU")
                    self.wire.finish_within(None)
                    self.wire.set_timeout(self._within)  # for the answer, however little was left for the question
                    return
                if not left:
                    break
                length = int.from_bytes(self.wire.read(4), "big")

    def _fragment(self, control: int, size: int) -> None:
        """Read `size` bytes of the command set (bit 0 of `control`; bit 1: its last) or of the data set."""
        self._empty += not size
        if self._empty > _MAX_EMPTY:
            raise ProtocolError("a message of empty fragments")
        if control & 1:
            if len(self._parts) + size > _MAX_COMMAND or self._whole_command:
                raise ProtocolError("a command set is too long or comes twice")
            self._parts += self.wire.read(size)
            if control & 2:
                self.command, self._whole_command = decode_command(bytes(self._parts)), True
        elif not self._whole_command:
            raise ProtocolError("a data set comes before its command")
        else:
            self._take(size)

    def _reset(self) -> None:
        self.size, self.too_large, self._discarded = 0, False, 0
        if self.spilled is not None:
            self.spilled.close()
            self.spilled = None
        if len(self._buffer) > 16 * _FIRST_BUFFER:  # one large object must not hold memory for ever
            self._buffer = bytearray(_FIRST_BUFFER)

    def close(self) -> None:
        """Let go of the buffer and the temporary file."""
        self._reset()
        self._buffer = bytearray()

    def _next_pdu(self, wait: float) -> tuple[int, int]:
        """(bytes of the P-DATA-TF's body, length of its first value), when it begins within `wait` seconds."""
        view = memoryview(self._head)
        self.wire.acknowledge_at_once()
        self.wire.set_timeout(wait)
        count = self.wire.read_some(view)
        self.wire.finish_within(self._within)
        if count < _HEAD:
            self.wire.read_into(view[count:])
        kind, left, length = struct.unpack(">BxII", self._head)
        if kind == P_DATA:
            if left > self._max_pdu:
                raise ProtocolError("a PDU is longer than we take")
            return left, length
        self.wire.finish_within(None)
        if kind == RELEASE_RQ:
            raise Released
        if kind in {ABORT, RELEASE_RP}:
            raise PeerGone
        raise ProtocolError("an unexpected PDU")

    def _take(self, size: int) -> None:
        end = self.size + size
        if end > self._max_bytes or self.too_large:
            self.too_large = True
            self._discarded += size
            if self._discarded > 4 * self._max_bytes + _FIRST_BUFFER:
                raise ProtocolError("a message without end")
            self._discard(size)
            return
        if self.spilled is None and end > self._memory_limit:
            self._spill(memoryview(self._buffer)[: self.size])
        if self.spilled is not None or self.too_large:
            left = size
            while left:
                piece = self.wire.read(min(left, _FIRST_BUFFER))
                if not self.too_large:
                    self._spill(piece)
                left -= len(piece)
        else:
            if end > len(self._buffer):
                self._buffer.extend(bytes(max(len(self._buffer), end - len(self._buffer))))
            with memoryview(self._buffer) as view:
                self.wire.read_into(view[self.size : end])
        self.size = end

    def _spill(self, piece: bytes | memoryview) -> None:
        """Adds to the temporary file. A disk that is full makes the message too large: the rest is read and thrown away."""
        try:
            if self.spilled is None:
                # Without a buffer: a full disk must show here, not when the file is closed (which _reset does).
                self.spilled = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder, buffering=0))  # noqa: SIM115
            while piece:
                piece = piece[self.spilled.write(piece) :]
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self.too_large = True

    def _discard(self, size: int) -> None:
        while size:
            size -= len(self.wire.read(min(size, _FIRST_BUFFER)))
