"""Protocol data units of the DICOM upper layer (PS3.8 9.3): bytes <-> values.

Reading is lenient where old workstations are sloppy (AE titles padded with NUL), since a refusal there
only keeps images out. All integers are big endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    """An A-ASSOCIATE-RQ.

    `max_pdu` is the longest P-DATA-TF that the requestor takes; 0 means any (PS3.8 D.1). `window` is how many operations it
    would have under way and perform at once, 0 for any number (PS3.7 D.3.3.3.1); None: it says nothing, which is (1, 1).
    `roles`: SOP classes for which it says whether it is SCU and SCP (PS3.7 D.3.3.4). `extended`: what it says of SOP classes in
    extended negotiation (D.3.3.5), a byte for each option.
    """

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    max_pdu: int = 0
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1
    called_raw: bytes = b""
    calling_raw: bytes = b""
    window: tuple[int, int] | None = None
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    extended: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC: for each accepted context its transfer syntax, and the acceptor's longest PDU.

    `storage_roles`: SOP classes for which the acceptor takes us as SCP (PS3.7 D.3.3.4). `window`: operations that we may
    have under way, and that the acceptor may (0: any number).
    """

    accepted: Mapping[int, str]
    max_pdu: int
    storage_roles: frozenset[str] = frozenset()
    window: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The acceptor's answer to one context (PS3.8 9.3.3.2): 0 accepted, 3 and 4 not supported."""

    id: int
    result: int
    transfer_syntax: str = "1.2.840.10008.1.2"


def ae_title(raw: bytes) -> str:
    """An AE title without its padding: spaces at both ends (PS3.5 6.2) and, against the rule, NULs.

    What comes behind a NUL within is what the sender's buffer held before. Case counts.
    """
    return raw.strip(b" \0").split(b"\0", 1)[0].rstrip(b" ").decode("ascii", "replace")


def decode_associate_request(body: bytes) -> AssociateRequest:
    """The body of an A-ASSOCIATE-RQ, behind the 6-byte PDU header.

    Raises:
        ProtocolError: it is shorter than its items say, or two contexts have one id.
    """
    if len(body) < 68:
        raise ProtocolError("the association request is too short")
    contexts: list[ProposedContext] = []
    application, max_pdu = "", 0
    window: tuple[int, int] | None = None
    roles: dict[str, tuple[bool, bool]] = {}
    extended: dict[str, bytes] = {}
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
            max_pdu, window, roles = _max_pdu(item), _window(item), dict(_selections(item))
            extended = dict(_extended(item))
    if len({context.id for context in contexts}) < len(contexts):  # which of them would a message mean?
        raise ProtocolError("two presentation contexts have the same id")
    return AssociateRequest(
        called_ae_title=ae_title(body[4:20]),
        calling_ae_title=ae_title(body[20:36]),
        contexts=tuple(contexts),
        max_pdu=max_pdu,
        application_context=application,
        protocol_version=int.from_bytes(body[:2], "big"),
        called_raw=body[4:20],
        calling_raw=body[20:36],
        window=window,
        roles=roles,
        extended=extended,
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
    return _associate(
        ASSOCIATE_RQ,
        _title(called),
        _title(calling),
        items,
        max_pdu,
        _roles((uid, (False, True)) for uid in storage_roles),
    )


def decode_associate_accept(body: bytes) -> AssociateAccept:
    """The body of an A-ASSOCIATE-AC.

    Raises:
        ProtocolError: it is shorter than its items say.
    """
    if len(body) < 68:
        raise ProtocolError("the association answer is too short")
    accepted: dict[int, str] = {}
    max_pdu, roles, window = 0, frozenset[str](), (1, 1)
    for kind, item in _items(body, 68):
        if kind == 0x21 and len(item) >= 4 and item[2] == ACCEPTED:
            for sub, value in _items(item, 4):
                if sub == 0x40:
                    accepted[item[0]] = _uid(value)
        elif kind == 0x50:
            max_pdu, window = _max_pdu(item), _window(item) or (1, 1)
            roles = frozenset(uid for uid, (_scu, scp) in _selections(item) if scp)
    return AssociateAccept(accepted, max_pdu, roles, window)


def encode_associate_accept(
    request: AssociateRequest,
    results: Sequence[ContextResult],
    max_pdu: int,
    *,
    window: int = 1,
    storage_roles: Sequence[str] = (),
    extended: Mapping[str, bytes] | None = None,
) -> bytes:
    """A whole A-ASSOCIATE-AC PDU; the titles go back as they came (PS3.8 9.3.3).

    `window`: the most operations that the requestor may have under way; we never have more than one ourselves. Told only
    to who asked (PS3.7 D.3.3.3.2). `storage_roles`: SOP classes, of those asked for, for which the requestor may be SCP.
    `extended`: what of extended negotiation is granted.
    """
    items = b"".join(
        _item(
            0x21,
            struct.pack(">BxBx", context.id, context.result) + _item(0x40, context.transfer_syntax.encode()),
        )
        for context in results
    )
    user = _roles((uid, request.roles[uid]) for uid in storage_roles if uid in request.roles)
    if request.window is not None:
        user = _item(0x53, struct.pack(">HH", min(request.window[0] or window, window), 1)) + user
    for uid, options in (extended or {}).items():
        user += _item(0x56, struct.pack(">H", len(uid)) + uid.encode() + options)
    return _associate(ASSOCIATE_AC, request.called_raw, request.calling_raw, items, max_pdu, user)


def encode_associate_reject(result: int, source: int, reason: int) -> bytes:
    """A whole A-ASSOCIATE-RJ PDU (PS3.8 9.3.4)."""
    return struct.pack(">BxIxBBB", ASSOCIATE_RJ, 4, result, source, reason)


def encode_abort(source: int = 2, reason: int = 0) -> bytes:
    """A whole A-ABORT PDU (PS3.8 9.3.8); source 0 is the service user, 2 the provider."""
    return struct.pack(">BxIxxBB", ABORT, 4, source, reason)


def encode_message(context_id: int, command: bytes, max_pdu: int = 0) -> bytes:
    """A P-DATA-TF PDU that holds one whole command set and nothing else (PS3.8 E.2), or several for a peer whose
    `max_pdu` is tiny; 0: any length.
    """
    if not max_pdu or len(command) + 6 <= max_pdu:
        return struct.pack(">BxIIBB", P_DATA, len(command) + 6, len(command) + 2, context_id, 0x03) + command
    size = max(2, (max_pdu - 6) & ~1)  # fragments have even lengths (PS3.8 E.1)
    pieces = [command[at : at + size] for at in range(0, len(command), size)]
    return b"".join(
        struct.pack(">BxIIBB", P_DATA, len(p) + 6, len(p) + 2, context_id, 1 | (n == len(pieces)) << 1) + p
        for n, p in enumerate(pieces, 1)
    )


def _associate(kind: int, called: bytes, calling: bytes, contexts: bytes, max_pdu: int, more: bytes = b"") -> bytes:
    user = _item(
        0x50,
        _item(0x51, struct.pack(">I", max_pdu))
        + _item(0x52, IMPLEMENTATION_CLASS_UID.encode())
        + more
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


def _window(item: bytes) -> tuple[int, int] | None:
    """(operations invoked, performed) of an asynchronous operations window (PS3.7 D.3.3.3), if there is one."""
    for kind, value in _items(item, 0):
        if kind == 0x53 and len(value) == 4:
            return int.from_bytes(value[:2], "big"), int.from_bytes(value[2:], "big")
    return None


def _roles(selections: Iterable[tuple[str, tuple[bool, bool]]]) -> bytes:
    """A role selection for each SOP class: (SCU, SCP) (PS3.7 D.3.3.4)."""
    return b"".join(
        _item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes(roles))
        for uid, roles in dict(selections).items()
    )


def _selections(item: bytes) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """(SOP class, (requestor is SCU, is SCP)) of the role selections in a user information item."""
    for kind, value in _items(item, 0):
        if kind == 0x54 and len(value) >= 4:
            length = int.from_bytes(value[:2], "big")
            if len(value) >= length + 4:
                yield _uid(value[2 : 2 + length]), (value[length + 2] == 1, value[length + 3] == 1)


def _extended(item: bytes) -> Iterator[tuple[str, bytes]]:
    """(SOP class, its options) of the extended negotiations in a user information item (PS3.7 D.3.3.5)."""
    for kind, value in _items(item, 0):
        if kind == 0x56 and len(value) >= 2:
            length = int.from_bytes(value[:2], "big")
            yield _uid(value[2 : 2 + length]), value[2 + length :]
