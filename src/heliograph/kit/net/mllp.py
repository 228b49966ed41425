"""MLLP listener and sender: HL7 messages framed on TCP (HL7 Transport Specification: MLLP, release 1).

This file knows bytes and sockets only: what a payload means, and what the answer says, is the
handler's business. Nothing here logs or repeats a payload.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from heliograph.kit.errors import Unavailable
from heliograph.kit.net.mllp_framing import BadFrame, FrameReader, frame

__all__ = [
    "BadFrame",
    "ConnectFailed",
    "ConnectionLost",
    "MllpListener",
    "NoAnswer",
    "Notice",
    "Peer",
    "send",
]

DEFAULT_MAX_BYTES = 32 * 1024 * 1024
CLOSING_CR_WAIT = 0.3
"""Seconds to wait for the CR that should follow 1C before the frame is taken without it."""

_log = logging.getLogger(__name__)


class ConnectFailed(Unavailable):
    """The receiving system can't be reached: no connection, or the TLS handshake failed."""


class NoAnswer(Unavailable):
    """The receiving system did not answer in time; it may or may not have the message."""


class ConnectionLost(Unavailable):
    """The receiving system closed the connection before it answered; it may or may not have the message."""


@dataclass(frozen=True)
class Peer:
    """The other side of a connection; `certificate` is its TLS certificate in DER, if it showed one."""

    address: str
    port: int
    certificate: bytes | None = None
    is_tls: bool = False


class Notice(StrEnum):
    """Why a listener closed a connection, or never served it."""

    OVERSIZE = "oversize"
    MESSAGE_TIMEOUT = "message_timeout"
    IDLE = "idle"
    CUT_SHORT = "cut_short"
    REFUSED = "refused"
    TLS_FAILED = "tls_failed"


Handler = Callable[[bytes, Peer], bytes | None]
"""payload, peer -> the answer's payload; None when no answer is due (HL7 v2.5.1 2.9.2, MSH-15 `NE`)."""


class MllpListener:
    """Serves MLLP on one address, one thread per connection, one message at a time per connection.

    Args:
        handler: called for each payload; its answer is framed and sent before the next payload is handled. If
            it raises, `on_error` is told and the connection is closed without an answer, so that the sender
            sends again.
        max_message_bytes: a larger message closes the connection after `Notice.OVERSIZE`.
        idle_timeout: seconds a connection may be silent between messages.
        message_timeout: seconds from the first byte of a frame to its last, for the TLS handshake, and for
            taking our answer.
        max_connections: one more is closed at once, with `Notice.REFUSED`.
        max_per_address: the same, of one address.
        ssl_context: with TLS; asked anew for each connection where it is a function, so that a renewed certificate is taken up.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handler: Handler,
        *,
        max_message_bytes: int = DEFAULT_MAX_BYTES,
        idle_timeout: float = 3600.0,
        message_timeout: float = 60.0,
        max_connections: int = 200,
        max_per_address: int = 200,
        ssl_context: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
        on_error: Callable[[Exception, Peer], None] | None = None,
        on_notice: Callable[[Notice, Peer], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._handler = handler
        self._max_message_bytes = max_message_bytes
        self._idle_timeout = idle_timeout
        self._message_timeout = message_timeout
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._ssl_context = ssl_context
        self._on_error = on_error or _log_error
        self._on_notice = on_notice or _log_notice
        self._server: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._addresses: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Bind and begin to serve in the background; `port` then holds the real port when 0 was asked for.

        Raises:
            OSError: the address is taken or not ours.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._server = socket.create_server((self.host, self.port), family=family, backlog=128)
        self.port = self._server.getsockname()[1]
        self._stopping.clear()
        self._acceptor = threading.Thread(target=self._accept, args=(self._server,), name="mllp-accept", daemon=True)
        self._acceptor.start()

    def stop(self, grace: float = 10.0) -> None:
        """Accept nothing more, let the messages in hand be answered for `grace` seconds, then close every
        connection."""
        self._stopping.set()
        if self._server is not None:
            # On Linux closing alone does not wake a blocked accept; shutdown does.
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            _shut(connection, socket.SHUT_RD)
        deadline = time.monotonic() + grace
        for thread in connections:
            thread.join(max(0.0, deadline - time.monotonic()))
        for thread, connection in connections.items():
            if thread.is_alive():
                _shut(connection, socket.SHUT_RDWR)
                thread.join(1.0)

    def _accept(self, server: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = server.accept()
            except OSError:
                # Out of file descriptors, or a peer gone before it was accepted: neither may end the service.
                self._stopping.wait(0.05)
                continue
            peer = Peer(address[0], address[1])
            thread = threading.Thread(target=self._serve, args=(connection, peer), name="mllp-peer", daemon=True)
            with self._lock:
                full = (
                    len(self._connections) >= self._max_connections
                    or self._addresses[peer.address] >= self._max_per_address
                )
                if not full:
                    self._connections[thread] = connection
                    self._addresses[peer.address] += 1
            if full:
                connection.close()
                self._on_notice(Notice.REFUSED, peer)
            else:
                thread.start()

    def _serve(self, connection: socket.socket, peer: Peer) -> None:
        try:
            connection.settimeout(self._message_timeout)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._ssl_context is not None:
                context = self._ssl_context() if callable(self._ssl_context) else self._ssl_context
                connection = secured = self._secure(connection, context)
                peer = Peer(peer.address, peer.port, secured.getpeercert(binary_form=True), is_tls=True)
            notice = self._converse(connection, peer)
            if notice is not None:
                self._on_notice(notice, peer)
        except ssl.SSLError:
            self._on_notice(Notice.TLS_FAILED, peer)
        except OSError:
            # Reset, or the peer does not take its answer: it will send again.
            self._on_notice(Notice.CUT_SHORT, peer)
        except Exception as error:  # noqa: BLE001 - one connection's trouble must end that connection only
            self._on_error(error, peer)
        finally:
            with contextlib.suppress(OSError):
                connection.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)
                self._addresses[peer.address] -= 1
                if not self._addresses[peer.address]:
                    del self._addresses[peer.address]

    def _secure(self, connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections[threading.current_thread()] = secured
        try:
            secured.settimeout(self._message_timeout)
            secured.do_handshake()
        except OSError:
            secured.close()
            raise
        return secured

    def _converse(self, connection: socket.socket, peer: Peer) -> Notice | None:
        """Serve one connection to its end; says why it ended when the peer did not simply close it."""
        reader = FrameReader(self._max_message_bytes)
        began = time.monotonic()
        while not self._stopping.is_set():
            allowed = self._message_timeout if reader.inside else self._idle_timeout
            remaining = began + allowed - time.monotonic()
            if remaining <= 0 and not reader.pending:
                return Notice.MESSAGE_TIMEOUT if reader.inside else Notice.IDLE
            connection.settimeout(CLOSING_CR_WAIT if reader.pending else max(remaining, 0.001))
            was_inside = reader.inside
            try:
                data = connection.recv(65536)
            except TimeoutError:
                data = None
            payloads = reader.feed(data) if data else _as_list(reader.flush())
            for payload in payloads:
                if self._stopping.is_set():
                    return None
                self._answer(connection, payload, peer)
            if reader.oversize:
                return Notice.OVERSIZE
            if data == b"":
                return Notice.CUT_SHORT if reader.inside else None
            # The clock of a message runs from its first byte, so that a byte now and then does not keep it
            # alive.
            if payloads or (reader.inside and not was_inside):
                began = time.monotonic()
        return None

    def _answer(self, connection: socket.socket, payload: bytes, peer: Peer) -> None:
        answer = self._handler(payload, peer)
        if answer is not None:
            connection.settimeout(self._message_timeout)
            connection.sendall(frame(answer))


def send(
    host: str,
    port: int,
    payload: bytes,
    *,
    timeout: float,
    connect_timeout: float,
    ssl_context: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    max_answer_bytes: int = 1024 * 1024,
) -> bytes:
    """Send one payload on a connection of its own and return the payload of the answer.

    The caller checks that the answer is for this message (MSA-2); a connection per message keeps a late
    answer to an earlier one away from this one.

    Args:
        timeout: seconds for sending and for the whole answer.
        connect_timeout: seconds for the connection, and again for the TLS handshake.
        server_hostname: the name in the receiver's certificate, when it is not `host`.

    Raises:
        ConnectFailed: nothing was sent.
        NoAnswer: no whole answer within `timeout`.
        ConnectionLost: closed before a whole answer.
        BadFrame: the payload can't be framed; or what came back is no frame or too large.
    """
    framed = frame(payload)
    try:
        connection = socket.create_connection((host, port), timeout=connect_timeout)
    except OSError as error:
        raise ConnectFailed from error
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        if ssl_context is not None:
            try:
                connection = ssl_context.wrap_socket(connection, server_hostname=server_hostname or host)
            except OSError as error:
                raise ConnectFailed from error
            stack.callback(connection.close)
        deadline = time.monotonic() + timeout
        connection.settimeout(timeout)
        try:
            connection.sendall(framed)
            return _read_answer(connection, deadline, max_answer_bytes)
        except TimeoutError as error:
            raise NoAnswer from error
        except OSError as error:
            raise ConnectionLost from error


def _read_answer(connection: socket.socket, deadline: float, max_bytes: int) -> bytes:
    reader = FrameReader(max_bytes)
    received = False
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0 and not reader.pending:
            raise NoAnswer
        connection.settimeout(CLOSING_CR_WAIT if reader.pending else remaining)
        try:
            data = connection.recv(65536)
        except TimeoutError:
            data = None
        payloads = reader.feed(data) if data else _as_list(reader.flush())
        if payloads:
            return payloads[0]
        received = received or bool(data)
        if reader.oversize:
            raise BadFrame("The answer is larger than allowed.")
        if data == b"":
            if received and not reader.inside:
                raise BadFrame("The receiving system answered something that is no MLLP frame.")
            raise ConnectionLost


def _as_list(payload: bytes | None) -> list[bytes]:
    return [] if payload is None else [payload]


def _shut(connection: socket.socket, how: int) -> None:
    # SSLSocket.shutdown drops the TLS layer while another thread may still write; the plain one only wakes
    # the reader.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, how)


def _log_error(error: Exception, peer: Peer) -> None:
    # The type only: the text of an error may hold a piece of the message.
    _log.error("MLLP handler failed for %s with %s; closed without an answer", peer.address, type(error).__name__)


def _log_notice(notice: Notice, peer: Peer) -> None:
    _log.warning("MLLP connection from %s ended: %s", peer.address, notice.value)
