"""Operations besides storage that a listener offers: queries, retrieves, actions (PS3.7 9.1, 10.1), and how one talks with who asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import Peer
from heliograph.kit.net.dicom.calls import Acceptance
from heliograph.kit.net.dicom.command import Command
from heliograph.kit.net.dicom.errors import ProtocolError
from heliograph.kit.net.dicom.wire import Receiver, Wire

CANCELLED: Final = 0xFE00
PENDING: Final = 0xFF00
_MOST_WAITING = 16
_MOST_BYTES = 64 << 20
_GATHERED = 32 << 10


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came; `data` is valid until the next one, and must be released."""

    context_id: int
    command: Command
    data: memoryview
    size: int
    spilled: BinaryIO | None = None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody asks for. `data` is the identifier or the action's information, `options` what extended negotiation granted."""

    acceptance: Acceptance
    command: Command
    sop_class_uid: str
    transfer_syntax_uid: str
    data: bytes = field(repr=False)
    options: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: status, Error Comment without patient data, tags of Offending Element, sub-operation counts, a data set.

    `then` runs after a final response has gone out, while nothing else is asked.
    """

    status: int
    comment: str = ""
    data: bytes = field(default=b"", repr=False)
    counts: Mapping[int, int] = field(default_factory=dict)
    offending: tuple[int, ...] = ()
    then: Callable[[Conversation], None] | None = None


class Conversation(Peer):
    """The requestor of an association. What it sends while one of its operations runs is kept: a C-CANCEL is seen, requests wait."""

    def __init__(
        self,
        wire: Wire,
        receiver: Receiver,
        contexts: Mapping[int, tuple[str, str]],
        max_pdu: int,
        storage_roles: frozenset[str],
        stopping: Callable[[], bool],
    ) -> None:
        # Whoever takes less than a fragment can hold gets it all the same: it would hear nothing else.
        super().__init__(wire, receiver, contexts, max(max_pdu, 8) if max_pdu else 0, storage_roles)
        self._stopping = stopping
        self._waiting: deque[Message] = deque()
        self._asked: Message | None = None
        self._cancelled = False
        self._gathered = bytearray()

    def next(self) -> Message:
        """The next message: one that came during an operation, or else from the wire.

        Raises:
            Released, PeerGone, TimedOut, ProtocolError
        """
        if self._waiting:
            return self._waiting.popleft()
        self.receiver.receive()
        r = self.receiver
        return Message(r.context_id, r.command, r.data, r.size, r.spilled, r.too_large)

    def begin(self, message: Message) -> None:
        """An operation that `message` asks for begins: what is told and cancelled from now on is about it."""
        self._asked, self._cancelled = message, False

    def receive(self) -> Command:
        """The next answer of the peer, to something that we asked during its operation."""
        while True:
            command = super().receive()
            if command.field & 0x8000:
                return command
            self._keep(command)

    @property
    def cancelled(self) -> bool:
        """Whether the peer has cancelled its operation, or we are about to stop. Looks, and does not wait.

        Raises:
            PeerGone, TimedOut, ProtocolError
        """
        while not self._cancelled and len(self._waiting) < _MOST_WAITING and self.wire.has_input():
            command = super().receive()
            if command.field & 0x8000:
                raise ProtocolError("an answer to nothing that we asked")
            self._keep(command)
        return self._cancelled or self._stopping()

    def may_wait(self) -> bool:
        """Whether the peer has said nothing more: it may be waiting for us."""
        return not self._waiting and not self.wire.has_input() and not self._stopping()

    def tell(self, reply: Reply) -> None:
        """Sends a response to the operation that runs."""
        self.tell_soon(reply)
        self._flush()

    def tell_soon(self, reply: Reply) -> None:
        """Like `tell`, together with those that follow at once: a match is a few hundred bytes."""
        if self._asked is None:
            raise ProtocolError("nothing was asked")
        head = dimse.encode_response(
            self._asked.command,
            reply.status,
            reply.comment,
            counts=reply.counts,
            offending=reply.offending,
            has_data_set=bool(reply.data),
        )
        self._gathered += self.message(self._asked.context_id, head, reply.data)
        if len(self._gathered) >= _GATHERED:
            self._flush()

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            self.wire.write(bytes(gathered))

    def _keep(self, command: Command) -> None:
        if command.field == dimse.C_CANCEL_RQ:
            asked = self._asked
            self._cancelled |= asked is not None and command.responded_to == asked.command.message_id
            return
        r = self.receiver
        held = sum(message.size for message in self._waiting)
        if r.spilled is not None or r.too_large or held + r.size > _MOST_BYTES or len(self._waiting) >= _MOST_WAITING:
            raise ProtocolError("too much is asked at once")
        with r.data as view:
            data = memoryview(bytes(view))
        self._waiting.append(Message(r.context_id, command, data, r.size))


Service = Callable[[Operation, Conversation], Reply]
"""Performs an operation and gives its final response; pending ones are told meanwhile."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An operation that is offered for an abstract syntax: its command, and what extended negotiation may grant, byte by byte."""

    field: int
    serve: Service
    options: bytes = b""


Services = Mapping[str, Offer]
"""What is offered besides storage and verification, by abstract syntax."""


def granted(services: Services, asked: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of the options that are asked for, those that we have."""
    return {
        uid: bytes(ours & theirs for ours, theirs in zip(services[uid].options, options, strict=False))
        for uid, options in asked.items()
        if uid in services and services[uid].options
    }
