"""The message log: every HL7 message in or out, exactly as it was on the wire, with its fate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from sqlalchemy import select, text

from heliograph.kit.db.session import ActorSession
from heliograph.kit.ids import uuid7
from heliograph.kit.work import Work
from heliograph.records.sites.model import Endpoint, Message

Direction = Literal["in", "out"]
Fate = Literal[
    "received", "processed", "duplicate", "ignored", "held", "rejected", "due", "sent", "no_answer", "not_sent"
]
"""What became of a message. In: `received` (CA was answered, it is processed next), `processed`, `duplicate` (processed before, answered
again), `ignored` (its feed says that such messages have no effect), `held` (its control id is another message's: a person decides),
`rejected`. Out: `due` (it is being sent), `sent`, `rejected` by the receiver, `no_answer`, `not_sent` (there is nowhere to send it)."""
_ACTIONS: Mapping[Fate, str] = {
    "received": "message.received",
    "processed": "message.processed",
    "duplicate": "message.duplicate",
    "ignored": "message.ignored",
    "held": "message.held",
    "rejected": "message.refused",
    "due": "message.due",
    "sent": "message.sent",
    "no_answer": "message.no_answer",
    "not_sent": "message.not_sent",
}
_OUTCOMES: Mapping[Fate, str] = {"held": "refused", "rejected": "refused", "no_answer": "failed"}


_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
_INSERT = text(
    "insert into sites.messages (id, organization_id, endpoint_id, direction, received_at, peer, control_id, message_type, payload, "
    "payload_sha256, answer, acknowledgement, fate, fault, order_id, delivery_id, replay_of, answered_at) "
    "values (:id, :organization_id, :endpoint_id, :direction, :received_at, :peer, :control_id, :message_type, :payload, "
    ":payload_sha256, :answer, :acknowledgement, :fate, :fault, :order_id, :delivery_id, :replay_of, :answered_at)"
)
"""Without RETURNING, since row-level security hides a row without an organisation even from who wrote it."""


@dataclass(frozen=True, slots=True)
class MessageBrief:
    """A line of the log. `endpoint` is the feed's name, None for an unknown sender."""

    id: UUID
    organization_id: UUID | None
    direction: Direction
    received_at: datetime
    endpoint: str | None
    message_type: str | None
    control_id: str | None
    fate: Fate
    acknowledgement: str | None
    fault: str | None
    order_id: UUID | None
    facility_id: UUID | None
    """Of the endpoint that it came by or went to."""
    replay_of: UUID | None = None
    """The message that a person had processed again by this one."""


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """A message with its bytes."""

    brief: MessageBrief
    peer: str | None
    payload: bytes
    answer: bytes | None
    charset: str = "UNICODE UTF-8"
    """Of its endpoint: how to read it where MSH-18 says nothing."""
    endpoint_id: UUID | None = None


def log_message(
    work: Work,
    *,
    organization_id: UUID | None,
    direction: Direction,
    payload: bytes,
    fate: Fate,
    endpoint_id: UUID | None = None,
    peer: str | None = None,
    control_id: str | None = None,
    message_type: str | None = None,
    answer: bytes | None = None,
    acknowledgement: str | None = None,
    fault: str | None = None,
    order_id: UUID | None = None,
    delivery_id: UUID | None = None,
    replay_of: UUID | None = None,
) -> UUID:
    """Keeps a message with its fate, and records that.

    `direction` is in or out; `fault` says what is wrong and where, without patient data. An unknown sender has no organisation: then
    nobody of any organisation sees the row.
    """
    message_id = uuid7()
    work.session.execute(
        _INSERT,
        {
            "id": message_id,
            "organization_id": organization_id,
            "endpoint_id": endpoint_id,
            "direction": direction,
            "received_at": work.now,
            "peer": peer,
            "control_id": control_id,
            "message_type": message_type,
            "payload": payload,
            "payload_sha256": hashlib.sha256(payload).digest(),
            "answer": answer,
            "acknowledgement": acknowledgement,
            "fate": fate,
            "fault": fault,
            "order_id": order_id,
            "delivery_id": delivery_id,
            "replay_of": replay_of,
            "answered_at": work.now if answer is not None else None,
        },
    )
    work.record(
        _ACTIONS[fate],
        organization_id=organization_id,
        outcome=_OUTCOMES.get(fate, "done"),
        order_id=order_id,
        subject_kind="message",
        subject_id=message_id,
        reason=fault,
        detail={"type": message_type, "direction": direction},
    )
    return message_id


def stored_answer(session: ActorSession, endpoint_id: UUID, control_id: str, payload: bytes) -> MessageDetail | None:
    """The first processing of exactly this message from this feed: same control id and same bytes.

    A message that was refused is none: when it comes again, it is tried again.
    """
    row = session.scalars(
        select(Message)
        .where(
            Message.endpoint_id == endpoint_id,
            Message.control_id == control_id,
            Message.payload_sha256 == hashlib.sha256(payload).digest(),
            Message.direction == "in",
            Message.fate == "processed",
        )
        .order_by(Message.received_at)
        .limit(1)
    ).first()
    return MessageDetail(brief_of(row, None), row.peer, row.payload, row.answer) if row is not None else None


def lock_control_id(work: Work, endpoint_id: UUID, control_id: str) -> None:
    """The same message on two connections is taken one after the other, so that the second is a duplicate."""
    work.session.execute(_LOCK, {"key": f"message/{endpoint_id}/{control_id}"})


def message(session: ActorSession, message_id: UUID) -> MessageDetail | None:
    """One message with its bytes, or None: absent and forbidden look the same."""
    found = session.execute(
        select(Message, Endpoint)
        .outerjoin(Endpoint, Endpoint.id == Message.endpoint_id)
        .where(Message.id == message_id)
    ).one_or_none()
    if found is None:
        return None
    row, by = found
    return MessageDetail(brief_of(row, by), row.peer, row.payload, row.answer, _charset_of(by), row.endpoint_id)


def _charset_of(endpoint: Endpoint | None) -> str:
    return endpoint.charset if endpoint is not None else "UNICODE UTF-8"


def brief_of(row: Message, endpoint: Endpoint | None) -> MessageBrief:
    """The line of the log for a row and the endpoint that it came by or went to."""
    return MessageBrief(
        id=row.id,
        organization_id=row.organization_id,
        direction=cast("Direction", row.direction),
        received_at=row.received_at,
        endpoint=endpoint.name if endpoint else None,
        message_type=row.message_type,
        control_id=row.control_id,
        fate=cast("Fate", row.fate),
        acknowledgement=row.acknowledgement,
        fault=row.fault,
        order_id=row.order_id,
        facility_id=endpoint.facility_id if endpoint else None,
        replay_of=row.replay_of,
    )
