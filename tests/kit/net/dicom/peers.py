"""A listener to try, and peers on raw sockets: what they send is written byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from heliograph.kit.net.dicom import (
    Acceptance,
    Answer,
    Caller,
    Closed,
    Limits,
    Refusal,
    StorageListener,
    StoreRequest,
    pdu,
)
from heliograph.kit.net.dicom.command import Command, decode_command, encode_echo_request, encode_store_request
from heliograph.kit.net.dicom.services import Services

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"


@dataclass
class Heard:
    """What a listener was told."""

    callers: list[Caller] = field(default_factory=list)
    stored: list[tuple[str, bytes]] = field(default_factory=list)
    refused: list[tuple[Caller, Refusal]] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)


@contextmanager
def listening(
    limits: Limits | None = None,
    *,
    host: str = "127.0.0.1",
    plain: bool = True,
    tls: Callable[[], ssl.SSLContext] | None = None,
    accept: Callable[[Caller], Acceptance | Refusal] | None = None,
    store: Callable[[Acceptance, StoreRequest], int | Answer] | None = None,
    services: Services | None = None,
) -> Iterator[tuple[Heard, StorageListener]]:
    """A listener that accepts everybody but STRANGER."""
    heard = Heard()

    def known(caller: Caller) -> Acceptance | Refusal:
        heard.callers.append(caller)
        return Refusal.CALLING_NOT_RECOGNISED if "STRANGER" in caller.calling_ae_title else Acceptance(caller)

    def keep(_acceptance: Acceptance, request: StoreRequest) -> int:
        heard.stored.append((request.sop_instance_uid, request.read()))
        return 0

    with StorageListener(
        host,
        0 if plain else None,
        accept=accept or known,
        store=store or keep,
        on_refused=lambda caller, refusal: heard.refused.append((caller, refusal)),
        on_closed=lambda _acceptance, closed: heard.closed.append(closed),
        limits=limits,
        tls_port=0 if tls else None,
        tls=tls,
        services=services,
    ) as listener:
        yield heard, listener


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until `holds`; a failure where it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def connect(port: int, source: str = "127.0.0.1", host: str = "127.0.0.1") -> socket.socket:
    """A connection from `source`; every wait on it ends after ten seconds."""
    return socket.create_connection((host, port), 10, source_address=(source, 0))


def request(
    called: bytes = b"HELIO".ljust(16),
    calling: bytes = b"CT1".ljust(16),
    contexts: Sequence[tuple[int, str, Sequence[str]]] = ((1, CT, (EXPLICIT,)), (3, VERIFICATION, (IMPLICIT,))),
    max_pdu: int = 16384,
    more: bytes = b"",
) -> bytes:
    """An A-ASSOCIATE-RQ with these 16-byte titles; `more` are further sub-items of the user information."""
    body = struct.pack(">H2x16s16s32x", 1, called, calling) + item(0x10, pdu.APPLICATION_CONTEXT.encode())
    for number, abstract, syntaxes in contexts:
        subs = item(0x30, abstract.encode()) + b"".join(item(0x40, s.encode()) for s in syntaxes)
        body += item(0x20, struct.pack(">Bxxx", number) + subs)
    body += item(0x50, item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.3") + more)
    return struct.pack(">BxI", 1, len(body)) + body


def item(kind: int, value: bytes) -> bytes:
    """An item or sub-item of an association PDU."""
    return struct.pack(">BxH", kind, len(value)) + value


def window(invoked: int, performed: int) -> bytes:
    """An asynchronous operations window sub-item (PS3.7 D.3.3.3.1)."""
    return item(0x53, struct.pack(">HH", invoked, performed))


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or fewer where the peer closes first."""
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    """(type, body) of the next PDU; (0, b"") when the peer closed or reset."""
    with contextlib.suppress(ConnectionError):
        head = read_exactly(sock, 6)
        if len(head) == 6:
            kind, length = struct.unpack(">BxI", head)
            return kind, read_exactly(sock, length)
    return 0, b""


def is_closed(sock: socket.socket) -> bool:
    """Whether the peer closes, within the socket's time-out; what it still sends is passed over."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


@contextmanager
def associated(sock: socket.socket, rq: bytes | None = None) -> Iterator[pdu.AssociateAccept]:
    """An association on `sock`, released in order at the end."""
    with sock:
        sock.sendall(rq or request())
        kind, body = read_pdu(sock)
        assert kind == pdu.ASSOCIATE_AC, (kind, body)
        yield pdu.decode_associate_accept(body)
        sock.sendall(pdu.RELEASE_REQUEST)
        assert read_pdu(sock)[0] == pdu.RELEASE_RP


def value(context: int, control: int, data: bytes) -> bytes:
    """A P-DATA-TF of one presentation data value; control 1: command, 2: last."""
    return struct.pack(">BxIIBB", pdu.P_DATA, len(data) + 6, len(data) + 2, context, control) + data


def store(message_id: int, uid: str, data: bytes = b"abcd", context: int = 1) -> bytes:
    """A whole C-STORE-RQ."""
    return value(context, 3, encode_store_request(message_id, CT, uid)) + value(context, 2, data)


def echo(message_id: int = 1, context: int = 3) -> bytes:
    """A whole C-ECHO-RQ."""
    return value(context, 3, encode_echo_request(message_id))


def read_answer(sock: socket.socket) -> Command:
    """The command set of the next message, in however many PDUs it comes."""
    command = b""
    while True:
        kind, body = read_pdu(sock)
        assert kind == pdu.P_DATA, kind
        assert int.from_bytes(body[:4], "big") == len(body) - 4
        command += body[6:]
        if body[5] & 2:
            return decode_command(command)


def works(port: int, source: str = "127.0.0.1") -> None:
    """An association with a C-ECHO and a C-STORE succeeds."""
    sock = connect(port, source)
    with associated(sock):
        sock.sendall(echo(5))
        assert read_answer(sock).status == 0
        sock.sendall(store(6, "1.2.3"))
        assert read_answer(sock).status == 0
