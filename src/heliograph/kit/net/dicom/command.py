"""DIMSE command sets (PS3.7 9.3, E): always Implicit VR Little Endian, group 0000."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from heliograph.kit.net.dicom.errors import ProtocolError

C_STORE_RQ, C_STORE_RSP, C_ECHO_RQ, C_ECHO_RSP, C_CANCEL_RQ = 0x0001, 0x8001, 0x0030, 0x8030, 0x0FFF
C_GET_RQ, C_GET_RSP, C_FIND_RQ, C_FIND_RSP, C_MOVE_RQ, C_MOVE_RSP = 0x0010, 0x8010, 0x0020, 0x8020, 0x0021, 0x8021
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP, N_ACTION_RQ, N_ACTION_RSP = 0x0100, 0x8100, 0x0130, 0x8130
NO_DATA_SET = 0x0101

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NOT_AUTHORISED: Final = 0x0124
UNRECOGNISED_OPERATION: Final = 0x0211
OUT_OF_RESOURCES: Final = 0xA700
DATA_SET_MISMATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000

_AFFECTED_CLASS, _COMMAND, _MESSAGE_ID, _RESPONDED = 0x0002, 0x0100, 0x0110, 0x0120
_PRIORITY, _DATA_SET, _STATUS, _COMMENT, _AFFECTED_INSTANCE = 0x0700, 0x0800, 0x0900, 0x0902, 0x1000
_DESTINATION, _ORIGINATOR, _ORIGINATOR_ID = 0x0600, 0x1030, 0x1031
_REQUESTED_CLASS, _REQUESTED_INSTANCE, _EVENT_TYPE, _ACTION_TYPE, _OFFENDING = 0x0003, 0x1001, 0x1002, 0x1008, 0x0901
_UIDS = frozenset({_AFFECTED_CLASS, _AFFECTED_INSTANCE, _REQUESTED_CLASS, _REQUESTED_INSTANCE})
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
"""Numbers of sub-operations in responses to C-MOVE and C-GET (PS3.7 9.3.4.2, 9.3.3.2)."""
_US = frozenset(
    {_COMMAND, _MESSAGE_ID, _RESPONDED, _PRIORITY, _DATA_SET, _STATUS, _ORIGINATOR_ID, _EVENT_TYPE, _ACTION_TYPE}
    | {REMAINING, COMPLETED, FAILED, WARNING}
)


class Command:
    """The fields of a command set by element number; numbers for US elements, else text."""

    __slots__ = ("fields",)

    def __init__(self, fields: dict[int, int | str]) -> None:
        self.fields = fields

    def number(self, element: int) -> int:
        value = self.fields.get(element, 0)
        return value if isinstance(value, int) else 0

    def text(self, element: int) -> str:
        value = self.fields.get(element, "")
        return value if isinstance(value, str) else ""

    @property
    def field(self) -> int:
        """Command Field (0000,0100)."""
        return self.number(_COMMAND)

    @property
    def message_id(self) -> int:
        return self.number(_MESSAGE_ID)

    @property
    def responded_to(self) -> int:
        """Message ID Being Responded To (0000,0120)."""
        return self.number(_RESPONDED)

    @property
    def status(self) -> int:
        return self.number(_STATUS)

    @property
    def comment(self) -> str:
        return self.text(_COMMENT)

    @property
    def has_data_set(self) -> bool:
        return self.number(_DATA_SET) != NO_DATA_SET

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID, or Requested SOP Class UID of an N-ACTION (PS3.7 10.1.4)."""
        return self.text(_AFFECTED_CLASS) or self.text(_REQUESTED_CLASS)

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID, or Requested SOP Instance UID."""
        return self.text(_AFFECTED_INSTANCE) or self.text(_REQUESTED_INSTANCE)

    @property
    def destination(self) -> str:
        """Move Destination (0000,0600): an AE title."""
        return self.text(_DESTINATION)

    @property
    def action_type(self) -> int:
        """Action Type ID (0000,1008)."""
        return self.number(_ACTION_TYPE)


def decode_command(data: bytes) -> Command:
    """A whole command set.

    Raises:
        ProtocolError: it is cut off, or has no Command Field or Command Data Set Type.
    """
    fields: dict[int, int | str] = {}
    at = 0
    while at + 8 <= len(data):
        group, element, length = struct.unpack_from("<HHI", data, at)
        at += 8
        if group != 0 or at + length > len(data):
            raise ProtocolError("the command set is damaged")
        value = data[at : at + length]
        if element in _US:
            if length < 2:
                raise ProtocolError("the command set is damaged")
            fields[element] = int.from_bytes(value[:2], "little")
        else:
            fields[element] = value.decode("ascii", "replace").strip("\0 ")
        at += length
    if _COMMAND not in fields or _DATA_SET not in fields:
        raise ProtocolError("the command set lacks a required field")
    return Command(fields)


def encode_response(
    request: Command,
    status: int,
    comment: str = "",
    *,
    counts: Mapping[int, int] | None = None,
    offending: Sequence[int] = (),
    has_data_set: bool = False,
) -> bytes:
    """The response to a request (PS3.7 9.3, 10.3).

    `comment` becomes Error Comment (0000,0902), `offending` the tags of Offending Element (0000,0901), `counts` the numbers of
    sub-operations by their elements.
    """
    fields: list[tuple[int, int | str | bytes]] = [
        (_AFFECTED_CLASS, request.sop_class_uid),
        (_COMMAND, request.field | 0x8000),
        (_RESPONDED, request.message_id),
        (_DATA_SET, 0x0001 if has_data_set else NO_DATA_SET),
        (_STATUS, status),
        (_OFFENDING, b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in offending)),
        (_COMMENT, comment[:64]),
        (_AFFECTED_INSTANCE, request.sop_instance_uid),
        *sorted((counts or {}).items()),
    ]
    if request.field == N_ACTION_RQ:
        fields.insert(-1, (_ACTION_TYPE, request.action_type))
    return _encode(fields)


def encode_store_request(
    message_id: int, sop_class_uid: str, sop_instance_uid: str, *, originator: tuple[str, int] | None = None
) -> bytes:
    """A C-STORE-RQ command set of medium priority (PS3.7 9.3.1.1).

    `originator`: AE title and message id of the C-MOVE that this is a sub-operation of.
    """
    fields: list[tuple[int, int | str | bytes]] = [
        (_AFFECTED_CLASS, sop_class_uid),
        (_COMMAND, C_STORE_RQ),
        (_MESSAGE_ID, message_id),
        (_PRIORITY, 0),
        (_DATA_SET, 0x0001),
        (_AFFECTED_INSTANCE, sop_instance_uid),
    ]
    if originator is not None:
        fields += [(_ORIGINATOR, originator[0]), (_ORIGINATOR_ID, originator[1])]
    return _encode(fields)


def encode_query_request(field: int, message_id: int, model: str, *, destination: str = "") -> bytes:
    """A C-FIND-RQ, C-GET-RQ or C-MOVE-RQ command set of medium priority; an identifier follows (PS3.7 9.3.2 to 9.3.4)."""
    return _encode(
        [
            (_AFFECTED_CLASS, model),
            (_COMMAND, field),
            (_MESSAGE_ID, message_id),
            (_DESTINATION, destination),
            (_PRIORITY, 0),
            (_DATA_SET, 0x0001),
        ]
    )


def encode_cancel_request(message_id: int) -> bytes:
    """A C-CANCEL-RQ for the operation that `message_id` began; it has no answer of its own (PS3.7 9.3.2.3)."""
    return _encode([(_COMMAND, C_CANCEL_RQ), (_RESPONDED, message_id), (_DATA_SET, NO_DATA_SET)])


def encode_event_report(message_id: int, sop_class_uid: str, sop_instance_uid: str, event_type: int) -> bytes:
    """An N-EVENT-REPORT-RQ command set; its information follows (PS3.7 10.3.1.1)."""
    return _encode(
        [
            (_AFFECTED_CLASS, sop_class_uid),
            (_COMMAND, N_EVENT_REPORT_RQ),
            (_MESSAGE_ID, message_id),
            (_DATA_SET, 0x0001),
            (_AFFECTED_INSTANCE, sop_instance_uid),
            (_EVENT_TYPE, event_type),
        ]
    )


def encode_echo_request(message_id: int) -> bytes:
    """A C-ECHO-RQ command set (PS3.7 9.3.5.1)."""
    return _encode(
        [
            (_AFFECTED_CLASS, "1.2.840.10008.1.1"),
            (_COMMAND, C_ECHO_RQ),
            (_MESSAGE_ID, message_id),
            (_DATA_SET, NO_DATA_SET),
        ]
    )


def _encode(fields: Sequence[tuple[int, int | str | bytes]]) -> bytes:
    parts = []
    for element, value in fields:
        if isinstance(value, int):
            parts.append(struct.pack("<HHIH", 0, element, 2, value))
        elif isinstance(value, bytes) and value:
            parts.append(struct.pack("<HHI", 0, element, len(value)) + value)
        elif isinstance(value, str) and value:
            raw = value.encode("ascii", "replace")
            raw += b"" if len(raw) % 2 == 0 else (b"\0" if element in _UIDS else b" ")
            parts.append(struct.pack("<HHI", 0, element, len(raw)) + raw)
    body = b"".join(parts)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body
