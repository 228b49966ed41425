"""Application acknowledgements that go out as messages of their own, to where their feed wants them (HL7 v2.5.1 2.9.3).

At least once: after a crash or a time-out the same bytes under the same control id are sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from heliograph.exchange.hl7 import answers
from heliograph.exchange.hl7.feed import Feed
from heliograph.exchange.hl7.keep import kind_of
from heliograph.exchange.hl7.refuse import Refusal
from heliograph.exchange.hl7.senders import read
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import Message, parse_ack
from heliograph.kit.errors import HeliographError
from heliograph.kit.net import mllp
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.sites.messages import Fate, log_message
from heliograph.records.sites.received import DueAnswer, due_answer, note_fate

log = structlog.get_logger(__name__)

TASK = "hl7.reply"
CONNECT_SECONDS = 10.0
WAITS = (5, 15, 60, 300, 900, 3600, 3 * 3600, 12 * 3600)
"""Seconds before each further try."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    fate: Fate
    fault: str | None = None
    code: str | None = None
    answer: bytes | None = None


def queue_reply(
    work: Work, feed: Feed, message: Message, refusal: Refusal | None = None, *, unable: frozenset[int] = frozenset()
) -> UUID:
    """Writes the application acknowledgement of `message` into the log, and has it sent if the feed says where to."""
    endpoint = feed.endpoint
    wants_response = endpoint.order_answer == "order_response"
    control_id = answers.new_id()
    if refusal is None:
        payload = answers.accepted(
            message, work.now, order_response=wants_response, unable=unable, control_id=control_id, wants_accept=True
        )
    else:
        payload = answers.refused(
            message, refusal, work.now, order_response=wants_response, control_id=control_id, wants_accept=True
        )
    has_address = bool(endpoint.reply_host and endpoint.reply_port)
    message_id = log_message(
        work,
        organization_id=endpoint.organization_id,
        endpoint_id=endpoint.id,
        direction="out",
        peer=endpoint.reply_host,
        control_id=control_id,
        message_type=kind_of(read(payload)),
        payload=payload,
        fate="due" if has_address else "not_sent",
        fault=None if has_address else "This feed has no address for application acknowledgements.",
    )
    if has_address:
        _enqueue(work, endpoint.organization_id, endpoint.id, message_id)
    return message_id


def _enqueue(work: Work, organization_id: UUID, endpoint_id: UUID, message_id: UUID, attempt: int = 0) -> None:
    work.enqueue(
        TASK,
        lock=f"{TASK}/{endpoint_id}",
        at=work.now + timedelta(seconds=WAITS[attempt - 1]) if attempt else None,
        organization_id=organization_id,
        endpoint_id=endpoint_id,
        message_id=message_id,
        attempt=attempt,
    )


def send_reply(
    works: WorkFactory, settings: Settings, *, organization_id: str, endpoint_id: str, message_id: str, attempt: int
) -> None:
    """`hl7.reply`: one try. Without an answer it is tried again for about a day."""
    organization, message = UUID(organization_id), UUID(message_id)
    actor = system("hl7 replies", organization)
    with works.read(actor) as work:
        due = due_answer(work.session, message)
    if due is None:
        return
    outcome = _talk(settings, due)
    with works.begin(actor) as work:
        if outcome.fate == "no_answer" and attempt < len(WAITS):
            _enqueue(work, organization, UUID(endpoint_id), message, attempt + 1)
            log.warning("hl7.reply_not_taken", endpoint=endpoint_id, attempt=attempt)
            return
        note_fate(
            work,
            message,
            outcome.fate,
            action=f"message.{'refused' if outcome.fate == 'rejected' else outcome.fate}",
            organization_id=organization,
            fault=outcome.fault,
            answer=outcome.answer,
            acknowledgement=outcome.code,
        )


def _talk(settings: Settings, due: DueAnswer) -> _Outcome:
    if not due.host or not due.port:
        return _Outcome("not_sent", "This feed has no address for application acknowledgements any more.")
    try:
        answer = mllp.send(
            due.host,
            due.port,
            due.payload,
            timeout=settings.delivery_timeout_seconds,
            connect_timeout=CONNECT_SECONDS,
        )
        ack = parse_ack(answer)
    except HeliographError as error:
        return _Outcome("no_answer", error.detail)
    if ack.control_id != due.control_id:
        return _Outcome("no_answer", "The answer was to another message.")
    if not ack.accepted:
        return _Outcome("rejected", f"The receiver answered {ack.code}.", ack.code, answer)
    return _Outcome("sent", None, ack.code, answer)
