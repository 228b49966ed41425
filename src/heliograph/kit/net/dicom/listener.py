"""An SCP: takes C-STORE (PS3.4 B), C-ECHO (PS3.4 A) and what else is offered on a port, one thread an association.

pynetdicom's acceptor decodes each PDU several times and passes it between two polling threads, holds
association slots for silent sockets and aborts on AE titles padded with NUL. Here one thread reads
straight from the socket into the buffer that the store function gets, byte for byte as on the wire.
"""

from __future__ import annotations

import contextlib
import contextvars
import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.calls import Acceptance, Answer, Caller, Closed, Limits, Refusal, StoreRequest
from heliograph.kit.net.dicom.connection import Connection, Offered
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, TimedOut
from heliograph.kit.net.dicom.gate import Gate, Visitor
from heliograph.kit.net.dicom.services import Services
from heliograph.kit.net.dicom.tls import TlsNotReady
from heliograph.kit.net.dicom.wire import Wire, let_go

log = logging.getLogger(__name__)


def _ignore(*_args: object) -> None:
    """A callback nobody asked for."""


class Handled(AssociationError):
    """It was said already what became of the connection."""


class StorageListener:
    """Listens until `close`. `accept` and `store` run in the association's own thread.

    `accept` answers who the caller is, or a Refusal. `store` answers a status, after the bytes are durable.
    An exception in `store` answers A700 if the disk is full, else 0110; in `accept`, a transient rejection.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        accept: Callable[[Caller], Acceptance | Refusal],
        store: Callable[[Acceptance, StoreRequest], int | Answer],
        on_refused: Callable[[Caller, Refusal], None] = _ignore,
        on_closed: Callable[[Acceptance, Closed], None] = _ignore,
        limits: Limits | None = None,
        overflow_folder: Path | None = None,
        tls_port: int | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        reuse_port: bool = False,
        services: Services | None = None,
    ) -> None:
        """`port` without TLS and `tls_port` with it, by the context that `tls` gives for each connection; None: not so.

        Port 0 takes a free one. `services`: what is offered besides storage and verification.
        """
        self._accept = accept
        self._on_refused, self._on_closed = on_refused, on_closed
        self.limits = limits or Limits()
        self.gate = Gate(self.limits)
        self._offer = Offered(store, services or {}, overflow_folder)
        self._tls = tls
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, Connection] = {}
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port = self._bind(host, port, reuse_port, tls=False)
        try:
            self.tls_port = self._bind(host, tls_port, reuse_port, tls=True)
        except OSError:
            for sock in self._sockets:
                sock.close()
            raise

    def _bind(self, host: str, port: int | None, reuse_port: bool, *, tls: bool) -> int:
        """Listen there; the port, or 0 for none."""
        if port is None:
            return 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=128, reuse_port=reuse_port)
        self._sockets.append(sock)
        name = "dicom-tls-listener" if tls else "dicom-listener"
        # Threads begin without context variables: with ours, their log lines name the part that they belong to.
        run = contextvars.copy_context().run
        self._threads.append(threading.Thread(target=run, args=(self._listen, sock, tls), name=name, daemon=True))
        bound: int = sock.getsockname()[1]
        return bound

    def start(self) -> StorageListener:
        """Begin to accept connections, in the background."""
        for thread in self._threads:
            thread.start()
        return self

    @property
    def associations(self) -> int:
        """How many associations are open now."""
        return self.gate.associations

    def close(self, grace: float = 10.0) -> None:
        """Accept no more, let each running C-STORE end within `grace` seconds, then close everything."""
        self._stopping = True
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self.gate.shut()
        deadline = time.monotonic() + grace
        with self._lock:
            threads = list(self._open.items())
        for _thread, connection in threads:
            connection.stop_when_idle()
        for thread, connection in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            connection.wire.shut()
            thread.join(5.0)

    def __enter__(self) -> StorageListener:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _listen(self, listening: socket.socket, tls: bool) -> None:
        while not self._stopping:
            try:
                sock, peer = listening.accept()
            except OSError as error:
                if error.errno in {errno.EBADF, errno.EINVAL}:
                    return
                time.sleep(0.05)  # out of descriptors: give the others time to end
                continue
            visitor = Visitor(sock, str(peer[0]), time.monotonic() + self.limits.associate_timeout)
            if not self.gate.admit(visitor):
                sock.close()
                continue
            try:
                run, name = contextvars.copy_context().run, f"dicom-{visitor.address}"
                threading.Thread(target=run, args=(self._serve, visitor, tls), name=name, daemon=True).start()
            except RuntimeError:  # no more threads: the others go on
                log.exception("a connection could not be served")
                self.gate.leave(visitor)
                sock.close()

    def _serve(self, visitor: Visitor, tls: bool) -> None:
        me = threading.current_thread()
        wire: Wire | None = None
        try:
            if tls:
                self._secure(visitor)
            wire = Wire(visitor.sock, self.limits.associate_timeout)
            connection = Connection(self.limits, self._offer, wire, visitor.address)
            with self._lock:
                self._open[me] = connection
            request = connection.read_request(visitor.deadline)
            self.gate.heard(visitor)
            caller = connection.caller(request)
            acceptance = self._decide(caller, request)
            if isinstance(acceptance, Acceptance) and not self.gate.enter(visitor, caller):
                acceptance = Refusal.LIMIT_REACHED
            if isinstance(acceptance, Refusal):
                self.gate.refused(visitor, caller, acceptance)
                connection.reject(acceptance)
                self._on_refused(caller, acceptance)
                return
            closed = connection.run(request, acceptance)
            self.gate.ended(closed)
            self._on_closed(acceptance, closed)
        except TlsNotReady as error:
            self.gate.dropped(visitor.address, "no TLS", str(error))
        except AssociationError as error:
            self._came_to_nothing(visitor, error)
        except OSError as error:
            self.gate.dropped(visitor.address, "lost", type(error).__name__)
        finally:
            with self._lock:
                self._open.pop(me, None)
            # The place is free before the peer can see the end, and try again.
            self.gate.leave(visitor)
            if wire is not None:
                wire.close()
            visitor.sock.close()

    def _secure(self, visitor: Visitor) -> None:
        """The TLS handshake, by the visitor's deadline. Whoever speaks anything else is let go in order."""
        if self._tls is None:
            raise TlsNotReady("no TLS is set up")
        context = self._tls()
        visitor.sock.settimeout(max(0.01, visitor.deadline - time.monotonic()))
        secured = context.wrap_socket(visitor.sock, server_side=True, do_handshake_on_connect=False)
        visitor.sock = secured
        if visitor.displaced:  # while there was nothing to wake
            raise PeerGone
        try:
            secured.do_handshake()
        except TimeoutError:
            raise TimedOut from None
        except ssl.SSLEOFError:
            raise PeerGone from None
        except ssl.SSLError as error:
            if not visitor.displaced:
                self.gate.dropped(visitor.address, "no TLS", error.reason)
            let_go(secured, visitor.deadline)
            raise Handled from None

    def _came_to_nothing(self, visitor: Visitor, error: AssociationError) -> None:
        if visitor.displaced or isinstance(error, Handled):
            return
        if isinstance(error, TimedOut):
            self.gate.dropped(visitor.address, "silent")
        elif isinstance(error, PeerGone):
            self.gate.dropped(visitor.address, "lost")
        else:
            self.gate.dropped(visitor.address, "not DICOM", str(error))

    def _decide(self, caller: Caller, request: pdu.AssociateRequest) -> Acceptance | Refusal:
        if self._stopping:
            return Refusal.BUSY
        if not request.protocol_version & 1:
            return Refusal.PROTOCOL_VERSION
        if request.application_context != pdu.APPLICATION_CONTEXT:
            return Refusal.APPLICATION_CONTEXT
        if not caller.calling_ae_title:  # 16 spaces are forbidden (PS3.8 9.3.2)
            return Refusal.CALLING_NOT_RECOGNISED
        if not caller.called_ae_title:
            return Refusal.CALLED_NOT_RECOGNISED
        if not self.gate.may_ask(caller):
            return Refusal.TOO_OFTEN
        try:
            return self._accept(caller)
        except Exception:
            log.exception("the caller could not be looked up")
            return Refusal.BUSY
