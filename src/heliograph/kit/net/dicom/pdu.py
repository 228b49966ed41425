"""Protocol data units of the DICOM upper layer (PS3.8 9.3): bytes <-> values.

Reading is lenient where old workstations are sloppy (AE titles padded with NUL), since a refusal there
only keeps images out. All integers are big endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from heliograph.kit.codecs.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from heliograph.kit.net.dicom.errors import ProtocolError

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
MAX_ASSOCIATE_LENGTH = 1 << 20

ACCEPTED, USER_REJECTION, ABSTRACT_NOT_SUPPORTED, TRANSFER_NOT_SUPPORTED = 0, 1, 3, 4

RELEASE_REQUEST = struct.pack(">BxI4x", RELEASE_RQ, 4)
RELEASE_RESPONSE = struct.pack(">BxI4x", RELEASE_RP, 4)


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as proposed: odd id, abstract syntax, transfer syntaxes in the peer's order."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ. `max_pdu` is the longest P-DATA-TF the requestor takes; 0 means any (PS3.8 D.1)."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    max_pdu: int = 0
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1
    called_raw: bytes = b""
    calling_raw: bytes = b""


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC: for each accepted context its transfer syntax, and the acceptor's longest PDU.

    `storage_roles`: SOP classes for which the acceptor takes us as SCP (PS3.7 D.3.3.4).
    """

    accepted: Mapping[int, str]
    max_pdu: int
    storage_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The acceptor's answer to one context (PS3.8 9.3.3.2): 0 accepted, 3 and 4 not supported."""

    id: int
    result: int
    transfer_syntax: str = "1.2.840.10008.1.2"


def ae_title(raw: bytes) -> str:
    """An AE title without its padding: spaces (PS3.5 6.2) and, against the rule, NULs."""
    return raw.split(b"\0", 1)[0].decode("ascii", "replace").strip()


def decode_associate_request(body: bytes) -> AssociateRequest:
    """The body of an A-ASSOCIATE-RQ, behind the 6-byte PDU header.

    Raises:
        ProtocolError: it is shorter than its items say.
    """
    if len(body) < 68:
        raise ProtocolError("the association request is too short")
    contexts: list[ProposedContext] = []
    application, max_pdu = "", 0
    for kind, item in _items(body, 68):
        if kind == 0x10:
            application = _uid(item)
        elif kind == 0x20 and len(item) >= 4:
            abstract, transfers = "", []
            for sub, value in _items(item, 4):
                if sub == 0x30:
                    abstract = _uid(value)
                elif sub == 0x40:
                    transfers.append(_uid(value))
            contexts.append(ProposedContext(item[0], abstract, tuple(transfers)))
        elif kind == 0x50:
            max_pdu = _max_pdu(item)
    return AssociateRequest(
        called_ae_title=ae_title(body[4:20]),
        calling_ae_title=ae_title(body[20:36]),
        contexts=tuple(contexts),
        max_pdu=max_pdu,
        application_context=application,
        protocol_version=int.from_bytes(body[:2], "big"),
        called_raw=body[4:20],
        calling_raw=body[20:36],
    )


def encode_associate_request(
    called: str,
    calling: str,
    contexts: Sequence[ProposedContext],
    max_pdu: int,
    *,
    storage_roles: Sequence[str] = (),
) -> bytes:
    """A whole A-ASSOCIATE-RQ PDU. `storage_roles`: SOP classes for which we want to be SCP alone, as C-GET needs."""
    items = b"".join(
        _item(
            0x20,
            struct.pack(">Bxxx", context.id)
            + _item(0x30, context.abstract_syntax.encode())
            + b"".join(_item(0x40, uid.encode()) for uid in context.transfer_syntaxes),
        )
        for context in contexts
    )
    roles = b"".join(
        _item(0x54, struct.pack(">H", len(uid)) + uid.encode() + b"\x00\x01") for uid in dict.fromkeys(storage_roles)
    )
    return _associate(ASSOCIATE_RQ, _title(called), _title(calling), items, max_pdu, roles)


def decode_associate_accept(body: bytes) -> AssociateAccept:
    """The body of an A-ASSOCIATE-AC.

    Raises:
        ProtocolError: it is shorter than its items say.
    """
    if len(body) < 68:
        raise ProtocolError("the association answer is too short")
    accepted: dict[int, str] = {}
    max_pdu, roles = 0, frozenset[str]()
    for kind, item in _items(body, 68):
        if kind == 0x21 and len(item) >= 4 and item[2] == ACCEPTED:
            for sub, value in _items(item, 4):
                if sub == 0x40:
                    accepted[item[0]] = _uid(value)
        elif kind == 0x50:
            max_pdu, roles = _max_pdu(item), _scp_roles(item)
    return AssociateAccept(accepted, max_pdu, roles)


def encode_associate_accept(request: AssociateRequest, results: Sequence[ContextResult], max_pdu: int) -> bytes:
    """A whole A-ASSOCIATE-AC PDU; the titles go back as they came (PS3.8 9.3.3)."""
    items = b"".join(
        _item(
            0x21,
            struct.pack(">BxBx", context.id, context.result) + _item(0x40, context.transfer_syntax.encode()),
        )
        for context in results
    )
    return _associate(ASSOCIATE_AC, request.called_raw, request.calling_raw, items, max_pdu)


def encode_associate_reject(result: int, source: int, reason: int) -> bytes:
    """A whole A-ASSOCIATE-RJ PDU (PS3.8 9.3.4)."""
    return struct.pack(">BxIxBBB", ASSOCIATE_RJ, 4, result, source, reason)


def encode_abort(source: int = 2, reason: int = 0) -> bytes:
    """A whole A-ABORT PDU (PS3.8 9.3.8); source 0 is the service user, 2 the provider."""
    return struct.pack(">BxIxxBB", ABORT, 4, source, reason)


def encode_message(context_id: int, command: bytes) -> bytes:
    """A P-DATA-TF PDU that holds one whole command set and nothing else (PS3.8 E.2)."""
    return struct.pack(">BxIIBB", P_DATA, len(command) + 6, len(command) + 2, context_id, 0x03) + command


def _associate(kind: int, called: bytes, calling: bytes, contexts: bytes, max_pdu: int, roles: bytes = b"") -> bytes:
    user = _item(
        0x50,
        _item(0x51, struct.pack(">I", max_pdu))
        + _item(0x52, IMPLEMENTATION_CLASS_UID.encode())
        + roles
        + _item(0x55, IMPLEMENTATION_VERSION_NAME.encode()),
    )
    head = struct.pack(">H2x16s16s32x", 1, called, calling)
    body = head + _item(0x10, APPLICATION_CONTEXT.encode()) + contexts + user
    return struct.pack(">BxI", kind, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _items(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 4 + length > len(data):
            raise ProtocolError("an item of the association is longer than the bytes that are left")
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")


def _title(text: str) -> bytes:
    return text.encode("ascii", "replace")[:16].ljust(16)


def _max_pdu(item: bytes) -> int:
    for kind, value in _items(item, 0):
        if kind == 0x51 and len(value) == 4:
            return int.from_bytes(value, "big")
    return 0


def _scp_roles(item: bytes) -> frozenset[str]:
    """The SOP classes whose requestor may be SCP, of the SCP/SCU role selections in a user information item."""
    found = set()
    for kind, value in _items(item, 0):
        if kind == 0x54 and len(value) >= 4:
            length = int.from_bytes(value[:2], "big")
            if len(value) >= length + 4 and value[length + 3] == 1:
                found.add(_uid(value[2 : 2 + length]))
    return frozenset(found)
