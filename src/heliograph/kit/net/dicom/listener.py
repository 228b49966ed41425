"""A storage SCP: takes C-STORE (PS3.4 B) and C-ECHO (PS3.4 A) on a port, one thread an association.

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

from heliograph.kit.codecs.dicom.part10 import valid_uid
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.calls import Acceptance, Answer, Caller, Closed, Limits, Refusal, StoreRequest
from heliograph.kit.net.dicom.contexts import negotiate
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, ProtocolError, TimedOut
from heliograph.kit.net.dicom.gate import Gate, Visitor
from heliograph.kit.net.dicom.tls import TlsNotReady
from heliograph.kit.net.dicom.wire import Receiver, Released, Wire, let_go

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
    ) -> None:
        """`port` without TLS and `tls_port` with it, by the context that `tls` gives for each connection; None: not so.

        Port 0 takes a free one.
        """
        self._accept, self._store = accept, store
        self._on_refused, self._on_closed = on_refused, on_closed
        self.limits = limits or Limits()
        self.gate = Gate(self.limits)
        self._folder, self._tls = overflow_folder, tls
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, _Connection] = {}
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
            connection = _Connection(self, wire, visitor.address)
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


class _Connection:
    """One association from its request to its end, in one thread."""

    def __init__(self, listener: StorageListener, wire: Wire, address: str) -> None:
        self.listener, self.wire, self.address = listener, wire, address
        self._lock = threading.Lock()
        self._idle, self._stopping = True, False

    def stop_when_idle(self) -> None:
        """End now if no message is being received or stored, else after it."""
        with self._lock:
            self._stopping = True
            if self._idle:
                self.wire.shut()

    def read_request(self, deadline: float) -> pdu.AssociateRequest:
        """The A-ASSOCIATE-RQ, whole by `deadline` (time.monotonic); what is none of it is aborted (PS3.8 9.2.3, AA-1)."""
        try:
            kind, body = self.wire.read_associate(deadline - time.monotonic())
            if kind != pdu.ASSOCIATE_RQ:
                raise ProtocolError("the connection did not begin with an association request")
            request = pdu.decode_associate_request(body)
        except ProtocolError:
            self._abort(2)
            let_go(self.wire.sock, deadline)
            raise
        self.wire.set_timeout(self.listener.limits.network_timeout)
        return request

    def caller(self, request: pdu.AssociateRequest) -> Caller:
        sock = self.wire.sock
        certificate = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        return Caller(
            request.called_ae_title,
            request.calling_ae_title,
            self.address,
            certificate,
            isinstance(sock, ssl.SSLSocket),
            request.called_raw,
            request.calling_raw,
        )

    def reject(self, refusal: Refusal) -> None:
        self.wire.write(pdu.encode_associate_reject(*refusal.fields))
        # The requestor closes (PS3.8 9.2, state 13); closing first could destroy the answer on its way.
        with contextlib.suppress(AssociationError):
            self.wire.read_before(1, time.monotonic() + 1.0)

    def run(self, request: pdu.AssociateRequest, acceptance: Acceptance) -> Closed:
        limits = self.listener.limits
        started = time.monotonic()
        results = [negotiate(context) for context in request.contexts]
        abstract = {context.id: context.abstract_syntax for context in request.contexts}
        accepted = {r.id: (abstract[r.id], r.transfer_syntax) for r in results if r.result == pdu.ACCEPTED}
        receiver = Receiver(
            self.wire,
            memory_limit=limits.memory,
            max_bytes=limits.object_bytes,
            folder=self.listener._folder,
            within=limits.network_timeout,
            idle=limits.idle_timeout,
            max_pdu=limits.max_pdu,
        )
        stored = failed = size = 0
        how = "released"
        try:
            self.wire.write(pdu.encode_associate_accept(request, results, limits.max_pdu, window=limits.window))
            while self._may_go_on():
                receiver.receive()
                with self._lock:
                    self._idle = False
                answer = self._answer(receiver, accepted, acceptance)
                if answer is None:
                    continue
                response = dimse.encode_response(receiver.command, answer.status, answer.comment)
                self.wire.write(pdu.encode_message(receiver.context_id, response, request.max_pdu))
                if receiver.command.field == dimse.C_STORE_RQ:
                    good = answer.status == 0 or answer.status & 0xF000 == 0xB000
                    stored, failed, size = stored + good, failed + (not good), size + receiver.size * good
            how = "stopped"
            self.wire.write(pdu.encode_abort(0, 0))
        except Released:
            with contextlib.suppress(AssociationError):
                self.wire.write(pdu.RELEASE_RESPONSE)
                self.wire.read_before(1, time.monotonic() + 1.0)  # the requestor closes first
        except PeerGone:
            how = "stopped" if self._stopping else "lost"
        except TimedOut:
            how = "timed out"
            self._abort(0)
        except ProtocolError:
            how = "protocol error"
            self._abort(6)
        finally:
            receiver.close()
        return Closed(how, stored, failed, size, time.monotonic() - started)

    def _may_go_on(self) -> bool:
        with self._lock:
            self._idle = True
            return not self._stopping

    def _abort(self, reason: int) -> None:
        with contextlib.suppress(AssociationError):
            self.wire.write(pdu.encode_abort(2, reason))

    def _answer(
        self, receiver: Receiver, accepted: dict[int, tuple[str, str]], acceptance: Acceptance
    ) -> Answer | None:
        """The answer to one message; None for what has no response (C-CANCEL, PS3.7 9.3.2.3)."""
        command = receiver.command
        if receiver.context_id not in accepted:
            raise ProtocolError("a message on a presentation context that was not accepted")
        abstract, syntax = accepted[receiver.context_id]
        if command.field == dimse.C_ECHO_RQ:
            return Answer(dimse.SUCCESS)
        if command.field == dimse.C_CANCEL_RQ:
            return None
        if command.field != dimse.C_STORE_RQ:
            return Answer(dimse.UNRECOGNISED_OPERATION)
        if receiver.too_large:
            return Answer(dimse.OUT_OF_RESOURCES, "Object exceeds the size limit")
        if not command.has_data_set:
            return Answer(dimse.CANNOT_UNDERSTAND, "No data set")
        if command.sop_class_uid != abstract:
            return Answer(dimse.SOP_CLASS_NOT_SUPPORTED, "SOP Class differs from the context")
        if not valid_uid(command.sop_instance_uid):
            return Answer(dimse.CANNOT_UNDERSTAND, "Invalid SOP Instance UID")
        with receiver.data as view:
            request = StoreRequest(abstract, command.sop_instance_uid, syntax, receiver.size, view, receiver.spilled)
            try:
                answer = self.listener._store(acceptance, request)
            except OSError as error:
                log.exception("an object could not be stored")
                full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM}
                return Answer(dimse.OUT_OF_RESOURCES if full else dimse.PROCESSING_FAILURE, "Cannot store now")
            except Exception:
                log.exception("an object could not be stored")
                return Answer(dimse.PROCESSING_FAILURE, "Cannot store now")
        return answer if isinstance(answer, Answer) else Answer(answer)
