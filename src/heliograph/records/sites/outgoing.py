"""The message log of what we send: the bytes of a delivery's message, made once, and what came of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update

from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.sites.model import Message


def sent_payload(session: ActorSession, delivery_id: UUID, control_id: str) -> bytes | None:
    """The message `control_id` of a delivery as it was first sent: every retry sends the same bytes. None: not made yet."""
    return session.scalar(
        select(Message.payload)
        .where(Message.delivery_id == delivery_id, Message.control_id == control_id, Message.direction == "out")
        .order_by(Message.received_at)
        .limit(1)
    )


def note_answer(
    work: Work,
    delivery_id: UUID,
    control_id: str | None,
    *,
    fate: str,
    answer: bytes | None = None,
    acknowledgement: str | None = None,
    fault: str | None = None,
) -> None:
    """Keeps what came of the last try beside the message; the caller records it. `fate`: sent, rejected or no_answer."""
    work.session.execute(
        update(Message)
        .where(Message.delivery_id == delivery_id, Message.control_id == control_id, Message.direction == "out")
        .values(
            fate=fate,
            answer=answer,
            acknowledgement=acknowledgement,
            fault=fault,
            answered_at=work.now if answer is not None else None,
        )
    )
