"""An association that we open (PS3.8 7.1), with every wait bounded: for the connection, for an answer, and for the whole."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.calls import MAX_PDU, Limits
from heliograph.kit.net.dicom.errors import (
    AssociationError,
    NotConnected,
    PeerGone,
    ProtocolError,
    Rejected,
    TimedOut,
)
from heliograph.kit.net.dicom.wire import Receiver, Released, Wire

MAX_CONTEXTS = 128
_LARGEST_PDU = 1 << 20
_AT_ONCE = 1 << 20  # bytes that are handed to the kernel together

Proposal = tuple[str, tuple[str, ...]]
"""An abstract syntax and the transfer syntaxes that we can do it in, best first: one presentation context."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Whom to call, as whom, and how long to wait, in seconds.

    `connect_timeout`: until there is a connection. `response_timeout`: until the answer to the association request and each answer to
    a message begins, and for one PDU to come or go. `longest`: for the whole association, whatever happens; None: as long as
    it goes on.
    """

    host: str
    port: int
    called: str
    calling: str
    tls: ssl.SSLContext | None = None
    connect_timeout: float = 10.0
    response_timeout: float = 60.0
    longest: float | None = None


@contextlib.contextmanager
def associate(
    remote: Remote,
    proposals: Sequence[Proposal],
    *,
    storage_roles: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[Peer]:
    """An association with one context for each of `proposals`, at most 128; released at the end, aborted after an error.

    `storage_roles`: SOP classes that we want to receive on it (C-GET). `folder`: for objects that are too large for memory.

    Raises:
        NotConnected, Rejected, PeerGone, TimedOut, ProtocolError
    """
    started = time.monotonic()
    wire = Wire(_connect(remote), remote.response_timeout)
    watch = _Watch(wire, None if remote.longest is None else started + remote.longest - time.monotonic())
    peer: Peer | None = None
    try:
        contexts = [pdu.ProposedContext(2 * k + 1, a, tuple(t)) for k, (a, t) in enumerate(proposals)]
        wire.write(
            pdu.encode_associate_request(
                remote.called, remote.calling, contexts, MAX_PDU, storage_roles=tuple(storage_roles)
            )
        )
        kind, body = wire.read_associate(remote.response_timeout)
        if kind == pdu.ASSOCIATE_RJ and len(body) == 4:
            raise Rejected(*body[1:4])
        if kind == pdu.ABORT:
            raise PeerGone("the peer aborted the association")
        if kind != pdu.ASSOCIATE_AC:
            raise ProtocolError
        wire.finish_within(None)
        peer = _peer(wire, remote, contexts, pdu.decode_associate_accept(body), folder)
        yield peer
        watch.check()
        peer.release()
    except AssociationError:
        if peer is not None:
            peer.abort()
        watch.check()
        raise
    except BaseException:
        if peer is not None:
            peer.abort()
        raise
    finally:
        watch.stop()
        if peer is not None:
            peer.close()
        wire.close()


def _peer(
    wire: Wire,
    remote: Remote,
    proposed: Sequence[pdu.ProposedContext],
    answer: pdu.AssociateAccept,
    folder: Path | None,
) -> Peer:
    limits = Limits()
    receiver = Receiver(
        wire,
        memory_limit=limits.memory,
        max_bytes=limits.object_bytes,
        folder=folder,
        within=remote.response_timeout,
        idle=remote.response_timeout,
    )
    abstract = {c.id: c.abstract_syntax for c in proposed}
    contexts = {i: (abstract[i], syntax) for i, syntax in answer.accepted.items() if i in abstract}
    return Peer(wire, receiver, contexts, answer.max_pdu, answer.storage_roles)


class _Watch:
    """Wakes a thread that reads when the association's whole time is over."""

    def __init__(self, wire: Wire, seconds: float | None) -> None:
        self._wire, self._over = wire, False
        self._timer = threading.Timer(max(seconds, 0.01), self._end) if seconds is not None else None
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def _end(self) -> None:
        self._over = True
        self._wire.shut()

    def check(self) -> None:
        """Says what it was that broke the connection."""
        if self._over:
            raise TimedOut("the association took longer than it may")

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _connect(remote: Remote) -> socket.socket:
    """A connection within `connect_timeout` seconds, over all addresses of the name together; the TLS handshake as well."""
    deadline = time.monotonic() + remote.connect_timeout
    try:
        found = socket.getaddrinfo(remote.host, remote.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NotConnected("unknown_host", "no connection: the host's name is not known") from None
    failure = NotConnected("timed_out", f"no connection within {remote.connect_timeout:g} seconds")
    for family, kind, protocol, _, address in found:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = _failure(remote, error)
            continue
        return sock if remote.tls is None else _encrypted(remote, sock, remote.tls, deadline)
    raise failure


def _failure(remote: Remote, error: OSError) -> NotConnected:
    if isinstance(error, TimeoutError):
        return NotConnected("timed_out", f"no connection within {remote.connect_timeout:g} seconds")
    if isinstance(error, ConnectionRefusedError):
        return NotConnected("refused", "no connection: nobody listens there (connection refused)")
    return NotConnected("unreachable", f"no connection: {(error.strerror or type(error).__name__).lower()}")


def _encrypted(remote: Remote, sock: socket.socket, tls: ssl.SSLContext, deadline: float) -> socket.socket:
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.5))
        return tls.wrap_socket(sock, server_hostname=remote.host)
    except (OSError, ValueError) as error:
        sock.close()
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({error.verify_message})"
        elif isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
            why = "it speaks no TLS on that port"
        elif isinstance(error, TimeoutError):
            why = "it does not answer the TLS handshake; perhaps it speaks no TLS"
        else:
            why = "the TLS handshake failed; perhaps it speaks no TLS on that port, or wants our certificate"
        raise NotConnected("tls", f"no connection: {why}") from None


class Peer:
    """The other end of an association. Not for several threads."""

    def __init__(
        self,
        wire: Wire,
        receiver: Receiver,
        contexts: Mapping[int, tuple[str, str]],
        max_pdu: int,
        storage_roles: frozenset[str] = frozenset(),
    ) -> None:
        """`contexts`: what was accepted, id -> (abstract syntax, transfer syntax). `max_pdu`: the longest PDU that the peer takes.

        `storage_roles`: SOP classes that we receive (C-GET), if we opened the association; else, that the peer receives.
        """
        self.wire, self.receiver, self.contexts = wire, receiver, contexts
        self.storage_roles = storage_roles
        # The peer's declared maximum binds us; 0 means that it has none (PS3.8 D.1). Fragments have even lengths (PS3.8 E.1).
        self._fragment = (min(max_pdu or _LARGEST_PDU, _LARGEST_PDU) - 6) & ~1
        self._message_id = 0
        if self._fragment < 2:
            raise ProtocolError("the peer takes no data")

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> int | None:
        """The id of an accepted context for this, if there is one."""
        for number, (abstract, transfer) in self.contexts.items():
            if abstract == abstract_syntax and transfer_syntax in (None, transfer):
                return number
        return None

    def next_message_id(self) -> int:
        """1 to 65535, over and over (PS3.7 9.1.1)."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def send(self, context: int, command: bytes, data: Iterable[bytes | memoryview] = ()) -> None:
        """Writes one message: its command set, and its data set as it comes, in fragments that the peer takes."""
        parts: list[bytes | memoryview] = [pdu.encode_message(context, command, self._fragment + 6)]
        size = 0
        for part in self._fragments(context, data):
            parts.append(part)
            size += len(part)
            if size >= _AT_ONCE and len(part) > 12:
                self.wire.write_parts(parts)
                parts, size = [], 0
        if parts:
            self.wire.write_parts(parts)

    def message(self, context: int, command: bytes, data: bytes) -> bytes:
        """The bytes of one small message, in fragments that the peer takes."""
        fragments = self._fragments(context, (data,) if data else ())
        return b"".join((pdu.encode_message(context, command, self._fragment + 6), *fragments))

    def receive(self) -> dimse.Command:
        """The next message, which the peer owes us by now; its data set is in `receiver`.

        Raises:
            PeerGone, TimedOut, ProtocolError
        """
        try:
            self.receiver.receive(is_owed=True)
        except Released:
            raise PeerGone("the peer wants to release the association") from None
        return self.receiver.command

    def response(self, field: int, message_id: int) -> dimse.Command:
        """The answer to our message. Raises ProtocolError if something else comes."""
        answer = self.receive()
        if answer.field != field or answer.responded_to != message_id:
            raise ProtocolError("the peer answered another message")
        return answer

    def release(self) -> None:
        """End the association in order; a peer that is gone already is no matter."""
        with contextlib.suppress(AssociationError, Released):
            self.wire.finish_within(5.0)
            self.wire.write(pdu.RELEASE_REQUEST)
            self.wire.read(10)

    def abort(self) -> None:
        """End it at once, and say so."""
        with contextlib.suppress(AssociationError):
            self.wire.set_timeout(1.0)
            self.wire.write(pdu.encode_abort(0, 0))

    def close(self) -> None:
        self.receiver.close()

    def _fragments(self, context: int, data: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """PDUs of one fragment each (PS3.8 9.3.5.1): a head, then a piece of the data; the last is marked as such."""
        waiting: memoryview | None = None
        for chunk in data:
            view = memoryview(chunk).cast("B")
            for at in range(0, len(view), self._fragment):
                if waiting is not None:
                    yield self._head(context, len(waiting), 0x00)
                    yield waiting
                waiting = view[at : at + self._fragment]
        if waiting is not None:
            yield self._head(context, len(waiting), 0x02)
            yield waiting

    @staticmethod
    def _head(context: int, size: int, control: int) -> bytes:
        return struct.pack(">BxIIBB", pdu.P_DATA, size + 6, size + 2, context, control)
