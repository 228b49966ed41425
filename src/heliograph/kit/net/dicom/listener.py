"""A storage SCP: takes C-STORE (PS3.4 B) and C-ECHO (PS3.4 A) on a port, one thread an association.

pynetdicom's acceptor decodes each PDU several times and passes it between two polling threads, holds
association slots for silent sockets and aborts on AE titles padded with NUL. Here one thread reads
straight from the socket into the buffer that the store function gets, byte for byte as on the wire.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from heliograph.kit.codecs.dicom.part10 import valid_uid
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.calls import Acceptance, Answer, Caller, Closed, Limits, Refusal, StoreRequest
from heliograph.kit.net.dicom.contexts import negotiate
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, ProtocolError, TimedOut
from heliograph.kit.net.dicom.wire import Receiver, Released, Wire

log = logging.getLogger(__name__)


def _ignore(*_args: object) -> None:
    """A callback nobody asked for."""


class StorageListener:
    """Listens until `close`. `accept` and `store` run in the association's own thread.

    `accept` answers who the caller is, or a Refusal. `store` answers a status, after the bytes are durable.
    An exception in `store` answers A700 if the disk is full, else 0110; in `accept`, a transient rejection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        accept: Callable[[Caller], Acceptance | Refusal],
        store: Callable[[Acceptance, StoreRequest], int | Answer],
        on_refused: Callable[[Caller, Refusal], None] = _ignore,
        on_closed: Callable[[Acceptance, Closed], None] = _ignore,
        limits: Limits | None = None,
        overflow_folder: Path | None = None,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
    ) -> None:
        self._accept, self._store = accept, store
        self._on_refused, self._on_closed = on_refused, on_closed
        self.limits = limits or Limits()
        self._folder, self._tls = overflow_folder, tls
        self._lock = threading.Lock()
        self._pending: Counter[str] = Counter()
        self._open: dict[threading.Thread, _Connection] = {}
        self._associations: Counter[tuple[str, str, str]] = Counter()
        self._stopping = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128, reuse_port=reuse_port)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, name="dicom-listener", daemon=True)

    def start(self) -> StorageListener:
        """Begin to accept connections, in the background."""
        self._thread.start()
        return self

    @property
    def associations(self) -> int:
        """How many associations are open now."""
        with self._lock:
            return self._associations.total()

    def close(self, grace: float = 10.0) -> None:
        """Accept no more, let each running C-STORE end within `grace` seconds, then close everything."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread.is_alive():
            self._thread.join()
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

    def _listen(self) -> None:
        while not self._stopping:
            try:
                sock, peer = self._socket.accept()
            except OSError as error:
                if error.errno in {errno.EBADF, errno.EINVAL}:
                    return
                time.sleep(0.05)  # out of descriptors: give the others time to end
                continue
            address = str(peer[0])
            with self._lock:
                full = (
                    self._pending.total() >= self.limits.pending
                    or self._pending[address] >= self.limits.pending_per_address
                )
                if not full:
                    self._pending[address] += 1
            if full:
                log.warning("connection refused: too many are silent", extra={"address": address})
                sock.close()
                continue
            threading.Thread(target=self._serve, args=(sock, address), name=f"dicom-{address}", daemon=True).start()

    def _serve(self, sock: socket.socket, address: str) -> None:
        pending = True
        me = threading.current_thread()
        key: tuple[str, str, str] | None = None
        try:
            if self._tls is not None:
                sock.settimeout(self.limits.associate_timeout)
                sock = self._tls.wrap_socket(sock, server_side=True)
            connection = _Connection(self, Wire(sock, self.limits.associate_timeout), address)
            with self._lock:
                self._open[me] = connection
            request = connection.read_request()
            with self._lock:
                pending = False
                self._forget_pending(address)
            caller = connection.caller(request)
            acceptance = self._decide(caller, request)
            key = (caller.called_ae_title, caller.calling_ae_title, address)
            if isinstance(acceptance, Acceptance) and not self._enter(key):
                acceptance = Refusal.LIMIT_REACHED
            if isinstance(acceptance, Refusal):
                key = None
                connection.reject(acceptance)
                self._on_refused(caller, acceptance)
                return
            self._on_closed(acceptance, connection.run(request, acceptance))
        except (AssociationError, OSError) as error:
            log.info("connection ended before an association", extra={"why": type(error).__name__})
        finally:
            with self._lock:
                self._open.pop(me, None)
                if pending:
                    self._forget_pending(address)
                if key is not None:
                    self._associations[key] -= 1
                    if not self._associations[key]:
                        del self._associations[key]
            sock.close()

    def _forget_pending(self, address: str) -> None:
        self._pending[address] -= 1
        if self._pending[address] <= 0:
            del self._pending[address]

    def _enter(self, key: tuple[str, str, str]) -> bool:
        with self._lock:
            if (
                self._associations.total() >= self.limits.associations
                or self._associations[key] >= self.limits.associations_per_caller
            ):
                if not self._associations[key]:
                    del self._associations[key]
                return False
            self._associations[key] += 1
            return True

    def _decide(self, caller: Caller, request: pdu.AssociateRequest) -> Acceptance | Refusal:
        if self._stopping:
            return Refusal.BUSY
        if not request.protocol_version & 1:
            return Refusal.PROTOCOL_VERSION
        if request.application_context != pdu.APPLICATION_CONTEXT:
            return Refusal.APPLICATION_CONTEXT
        if not caller.calling_ae_title:  # 16 spaces are forbidden (PS3.8 9.3.2)
            return Refusal.CALLING_NOT_RECOGNISED
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

    def read_request(self) -> pdu.AssociateRequest:
        kind, body = self.wire.read_associate(self.listener.limits.associate_timeout)
        if kind != pdu.ASSOCIATE_RQ:
            self.wire.write(pdu.encode_abort(2, 2))
            raise ProtocolError("the connection did not begin with an association request")
        self.wire.set_timeout(self.listener.limits.network_timeout)
        return pdu.decode_associate_request(body)

    def caller(self, request: pdu.AssociateRequest) -> Caller:
        sock = self.wire.sock
        certificate = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        return Caller(request.called_ae_title, request.calling_ae_title, self.address, certificate)

    def reject(self, refusal: Refusal) -> None:
        self.wire.write(pdu.encode_associate_reject(*refusal.value))
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
        )
        stored = failed = size = 0
        how = "released"
        try:
            self.wire.write(pdu.encode_associate_accept(request, results, limits.max_pdu))
            while self._may_go_on():
                receiver.receive()
                with self._lock:
                    self._idle = False
                answer = self._answer(receiver, accepted, acceptance)
                if answer is None:
                    continue
                response = dimse.encode_response(receiver.command, answer.status, answer.comment)
                self.wire.write(pdu.encode_message(receiver.context_id, response))
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
