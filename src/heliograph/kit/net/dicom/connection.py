"""One association that somebody opened, from its request to its end."""

from __future__ import annotations

import contextlib
import errno
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.calls import Acceptance, Answer, Caller, Closed, Limits, Refusal, StoreRequest
from heliograph.kit.net.dicom.contexts import is_storage, negotiate
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, ProtocolError, TimedOut
from heliograph.kit.net.dicom.services import Conversation, Message, Offer, Operation, Reply, Services, granted
from heliograph.kit.net.dicom.wire import Receiver, Released, Wire, let_go

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """What a listener does for its callers; `folder` holds data sets that are too large for memory."""

    store: Callable[[Acceptance, StoreRequest], int | Answer]
    services: Services
    folder: Path | None


class Connection:
    """One association from its request to its end, in one thread."""

    def __init__(self, limits: Limits, offered: Offered, wire: Wire, address: str) -> None:
        self.limits, self.offered, self.wire, self.address = limits, offered, wire, address
        self._lock = threading.Lock()
        self._idle, self._stopping = True, False
        self._stored = self._failed = self._size = 0

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
        self.wire.set_timeout(self.limits.network_timeout)
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
        """Answers what is asked until the association ends."""
        limits, services = self.limits, self.offered.services
        started = time.monotonic()
        results = [negotiate(context, services.keys()) for context in request.contexts]
        abstract = {context.id: context.abstract_syntax for context in request.contexts}
        accepted = {r.id: (abstract[r.id], r.transfer_syntax) for r in results if r.result == pdu.ACCEPTED}
        roles = frozenset(uid for uid, (_scu, is_scp) in request.roles.items() if is_scp and is_storage(uid))
        options = granted(services, request.extended)
        receiver = Receiver(
            self.wire,
            memory_limit=limits.memory,
            max_bytes=limits.object_bytes,
            folder=self.offered.folder,
            within=limits.network_timeout,
            idle=limits.idle_timeout,
            max_pdu=limits.max_pdu,
        )
        how = "released"
        self._acceptance, self._options = acceptance, options
        try:
            self.wire.write(
                pdu.encode_associate_accept(
                    request,
                    results,
                    limits.max_pdu,
                    window=limits.window,
                    storage_roles=sorted(roles),
                    extended=options,
                )
            )
            talk = Conversation(self.wire, receiver, accepted, request.max_pdu, roles, lambda: self._stopping)
            while self._may_go_on():
                message = talk.next()
                with self._lock:
                    self._idle = False
                try:
                    self._answer(message, talk)
                finally:
                    message.data.release()
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
            let_go(
                self.wire.sock, time.monotonic() + 1.0
            )  # what is unread would reset the connection, and the abort with it
        finally:
            receiver.close()
        return Closed(how, self._stored, self._failed, self._size, time.monotonic() - started)

    def _may_go_on(self) -> bool:
        with self._lock:
            self._idle = True
            return not self._stopping

    def _abort(self, reason: int) -> None:
        with contextlib.suppress(AssociationError):
            self.wire.write(pdu.encode_abort(2, reason))

    def _answer(self, message: Message, talk: Conversation) -> None:
        """Answers one message; a C-CANCEL has no response of its own (PS3.7 9.3.2.3)."""
        command = message.command
        if message.context_id not in talk.contexts:
            raise ProtocolError("a message on a presentation context that was not accepted")
        abstract, syntax = talk.contexts[message.context_id]
        talk.begin(message)
        offer = self.offered.services.get(abstract)
        if command.field == dimse.C_STORE_RQ and offer is None:
            answer = self._stored_as(message, abstract, syntax)
            talk.tell(Reply(answer.status, answer.comment))
            good = answer.status == 0 or answer.status & 0xF000 == 0xB000
            self._stored, self._failed = self._stored + good, self._failed + (not good)
            self._size += message.size * good
        elif command.field == dimse.C_ECHO_RQ:
            talk.tell(Reply(dimse.SUCCESS))
        elif offer is not None and command.field == offer.field:
            self._perform(message, talk, offer, syntax)
        elif command.field != dimse.C_CANCEL_RQ:
            talk.tell(Reply(dimse.UNRECOGNISED_OPERATION))

    def _perform(self, message: Message, talk: Conversation, offer: Offer, syntax: str) -> None:
        command, abstract = message.command, talk.contexts[message.context_id][0]
        if command.sop_class_uid != abstract:
            talk.tell(Reply(dimse.SOP_CLASS_NOT_SUPPORTED, "SOP Class differs from the context"))
            return
        if not command.has_data_set or message.spilled is not None or message.too_large:
            talk.tell(Reply(dimse.DATA_SET_MISMATCH, "No data set, or one that is too long"))
            return
        asked = Operation(
            self._acceptance, command, abstract, syntax, bytes(message.data), self._options.get(abstract, b"")
        )
        message.data.release()  # the operation may receive answers, into the same buffer
        try:
            reply = offer.serve(asked, talk)
        except AssociationError:
            raise
        except Exception:
            log.exception("an operation failed")
            reply = Reply(dimse.CANNOT_UNDERSTAND, "Unable to process")
        talk.tell(reply)
        if reply.then is not None:
            reply.then(talk)

    def _stored_as(self, message: Message, abstract: str, syntax: str) -> Answer:
        command = message.command
        if message.too_large:
            return Answer(dimse.OUT_OF_RESOURCES, "Object exceeds the size limit, or the disk is full")
        if not command.has_data_set:
            return Answer(dimse.CANNOT_UNDERSTAND, "No data set")
        if command.sop_class_uid != abstract:
            return Answer(dimse.SOP_CLASS_NOT_SUPPORTED, "SOP Class differs from the context")
        request = StoreRequest(abstract, command.sop_instance_uid, syntax, message.size, message.data, message.spilled)
        try:
            answer = self.offered.store(self._acceptance, request)
        except OSError as error:
            log.exception("an object could not be stored")
            full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM}
            return Answer(dimse.OUT_OF_RESOURCES if full else dimse.PROCESSING_FAILURE, "Cannot store now")
        except Exception:
            log.exception("an object could not be stored")
            return Answer(dimse.PROCESSING_FAILURE, "Cannot store now")
        return answer if isinstance(answer, Answer) else Answer(answer)
