"""The lines of the message log that this door writes."""

from __future__ import annotations

from uuid import UUID

from heliograph.exchange.hl7.senders import Sent
from heliograph.kit.codecs.hl7 import AckCode, Message
from heliograph.kit.work import Work
from heliograph.records.sites.messages import Fate, log_message

DAMAGED = "Some characters could not be read with the declared character set (MSH-18)."


def keep(
    work: Work,
    sent: Sent,
    fate: Fate,
    *,
    code: AckCode | None = None,
    answer: bytes | None = None,
    fault: str | None = None,
    order_id: UUID | None = None,
    replay_of: UUID | None = None,
) -> UUID:
    """Keeps a message exactly as it came, with what was answered. `replay_of`: the message that a person had processed again by it."""
    message, feed = sent.message, sent.feed
    return log_message(
        work,
        organization_id=feed.endpoint.organization_id if feed else None,
        endpoint_id=feed.endpoint.id if feed else None,
        direction="in",
        peer=sent.peer.address,
        control_id=safe(message.control_id) if message else None,
        message_type=kind_of(message),
        payload=sent.payload,
        answer=answer,
        acknowledgement=code,
        fate=fate,
        fault=fault,
        order_id=order_id,
        replay_of=replay_of,
    )


def kind_of(message: Message | None) -> str | None:
    """`ORM^O01`."""
    if message is None:
        return None
    return safe("^".join(part for part in (message.type, message.trigger) if part))


def safe(text: str | None) -> str | None:
    """Fit for a column: PostgreSQL takes no NUL, and a hostile control id may be long."""
    return text.replace("\0", "")[:200] or None if text else None
