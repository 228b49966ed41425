"""One HL7 message in, one answer out: known sender, kept, processed, committed, and only then acknowledged.

What the answers mean: AA, it is committed. AE, the content is wrong, and ERR says where; the message is in the log, nothing else changed.
AR, this sender, type, version or processing id is not taken here. CA, CE and CR are the same of a sender that asks for an accept
acknowledgement: CA says that the message is kept, and it is processed next (`afterwards`).

While the database does not answer there is no answer at all: `handle` raises and the listener closes the connection. AE would make many
senders drop the message, or show it to a person, as if it were wrong; after a connection that closed without an acknowledgement every
sender keeps the message and sends it again, and the same message twice is processed once.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog

from heliograph.care.worklist.alarms import raise_alarm
from heliograph.exchange.hl7 import answers
from heliograph.exchange.hl7.answers import Conditions
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.keep import DAMAGED, keep, safe
from heliograph.exchange.hl7.kinds import KINDS
from heliograph.exchange.hl7.refuse import (
    FAILED,
    NOT_HL7,
    TAKEN,
    UNKNOWN_SENDER,
    Refusal,
    barred,
    is_ignored,
    refusal_of,
    unacceptable,
)
from heliograph.exchange.hl7.senders import DATABASE_AWAY, Feeds, Sent, sent
from heliograph.kit.codecs.hl7 import Message
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.patients import doubts
from heliograph.records.sites.messages import lock_control_id
from heliograph.records.sites.received import Known, look

log = structlog.get_logger(__name__)

HELD = "held_messages"
"""Kind of the alarm of a feed whose messages wait for a person."""

Later = Callable[[UUID, UUID], None]
"""endpoint, organisation -> None: has what waits of a feed processed soon."""
First = Callable[[WorkFactory, UUID, UUID], object]
"""works, endpoint, organisation -> None: processes what waits of a feed now."""


class _Behind(Exception):
    """Earlier messages of the feed were taken over and are not processed yet: they come first."""


class _Changed(Exception):
    """The feed is not any more what was remembered of it."""


def handle(
    works: WorkFactory, payload: bytes, peer: Peer, *, later: Later, first: First, feeds: Feeds | None = None
) -> bytes | None:
    """The answer to `payload`; None where none is due (an acknowledgement, or what MSH-15 and MSH-16 say).

    Raises:
        OperationalError, InterfaceError, TimeoutError, Unavailable: the database is away; nothing was kept, the sender must retry.
    """
    found = sent(works, payload, peer, feeds)
    try:
        return answer_to(works, found, later=later, first=first)
    except _Changed:
        if feeds is not None:
            feeds.forget(found)
        return answer_to(works, sent(works, payload, peer), later=later, first=first)


def answer_to(works: WorkFactory, sent: Sent, *, later: Later, first: First, is_batched: bool = False) -> bytes | None:
    """As `handle`, of a message whose sender is known. In a batch every message is answered, once it is processed."""
    message, feed = sent.message, sent.feed
    if message is None:
        return _refuse(works, sent, NOT_HL7)
    if is_answer(message):
        return _take_answer(works, sent)
    conditions = Conditions(None, None) if is_batched else Conditions.of(message)
    if feed is None:
        refusal: Refusal | None = UNKNOWN_SENDER
    else:
        refusal = None if sent.is_file else barred(feed.endpoint, sent.peer)
        refusal = refusal or unacceptable(message, feed.endpoint)
        if refusal is not None and sent.mark is not None:
            raise _Changed  # rather than refuse by what is remembered
    if conditions.is_deferred:
        good, answer = _commit(works, sent, refusal, later)
        return answer if conditions.wants_accept(good=good) else None
    if refusal is not None:
        good, answer = False, _refuse(works, sent, refusal)
    else:
        good, answer = _process(works, sent, first)
    return answer if conditions.wants_application(good=good) else None


def is_answer(message: Message) -> bool:
    """An acknowledgement is never acknowledged (HL7 v2.5.1 2.9.2), whatever its type: MSA tells."""
    return message.type == "ACK" or message.segment("MSA") is not None


def _take_answer(works: WorkFactory, sent: Sent) -> bytes | None:
    """An application acknowledgement that comes as a message of its own is kept; CA where its sender wants to know that it came."""
    message = sent.message
    if message is None or sent.feed is None:
        return None
    wanted = Conditions.of(message)
    with works.begin(sent.actor) as work:
        is_due = wanted.is_deferred and wanted.wants_accept(good=True)
        answer = answers.committed(message, work.now) if is_due else None
        keep(work, sent, "ignored", code="CA" if is_due else None, answer=answer)
    return answer


def _commit(works: WorkFactory, sent: Sent, refusal: Refusal | None, later: Later) -> tuple[bool, bytes]:
    """Keeps the message before it is processed; whether that went well, and the accept acknowledgement."""
    feed, message = sent.feed, sent.message
    if refusal is not None or feed is None or message is None:
        refusal = refusal or UNKNOWN_SENDER
        return False, _refuse(works, sent, Refusal(refusal.at_commit, refusal.fault))
    with works.begin(sent.actor) as work:
        known = _known(work, sent, feed)
        if known.fate is not None and known.answer is not None:
            return known.acknowledgement == "CA", _again(work, sent, known, known.answer)
        if known.is_taken:
            return False, _hold(work, sent, feed, Refusal(TAKEN.at_commit, TAKEN.fault))
        answer = answers.committed(message, work.now)
        keep(work, sent, "received", code="CA", answer=answer)
    later(feed.endpoint.id, feed.endpoint.organization_id)
    return True, answer


def _process(works: WorkFactory, sent: Sent, first: First) -> tuple[bool, bytes]:
    """Processes the message and keeps it with its answer, in one transaction; whether it was taken, and the answer."""
    feed = sent.feed
    if feed is None:
        return False, _refuse(works, sent, UNKNOWN_SENDER)
    while True:
        try:
            with works.begin(sent.actor) as work:
                return _take(work, sent, feed)
        except _Changed:
            raise
        except _Behind:
            first(works, feed.endpoint.id, feed.endpoint.organization_id)
        except DATABASE_AWAY:
            raise
        except HeliographError as error:
            return False, _refuse(works, sent, refusal_of(error))
        except Exception as error:  # noqa: BLE001 - one message that we can't take must not stop the sender's queue
            log.error("hl7.message_failed", endpoint=str(feed.endpoint.id), error=type(error).__name__)
            return False, _refuse(works, sent, FAILED)


def _take(work: Work, sent: Sent, feed: Feed) -> tuple[bool, bytes]:
    message = sent.message
    if message is None:
        raise ValueError("only a message that could be read is taken")
    known = _known(work, sent, feed)
    if known.fate is not None and known.answer is not None:
        return known.acknowledgement in ("AA", "CA"), _again(work, sent, known, known.answer)
    if known.is_behind:
        raise _Behind
    if is_ignored(message, feed.endpoint):
        answer = answers.accepted(message, work.now)
        keep(work, sent, "ignored", code="AA", answer=answer)
        return True, answer
    if known.is_taken:
        return False, _hold(work, sent, feed, TAKEN)
    taken = take_effect(work, message, feed)
    answer = answers.accepted(
        message, work.now, order_response=feed.endpoint.order_answer == "order_response", unable=taken.unable
    )
    keep(work, sent, "processed", code="AA", answer=answer, fault=remark_of(taken, message), order_id=taken.order_id)
    return True, answer


def take_effect(work: Work, message: Message, feed: Feed) -> Taken:
    """Does what the message says. Raises: what the kind of message raises."""
    return KINDS[message.type or "", message.trigger or ""](work, message, feed)


def remark_of(taken: Taken, message: Message) -> str | None:
    """What a person should know of a message that was taken."""
    return taken.remark or (DAMAGED if message.damaged else None)


def _known(work: Work, sent: Sent, feed: Feed) -> Known:
    """What the log says to this message. Of two that come at once under one control id, the second waits here for the first."""
    control_id = safe(sent.message.control_id if sent.message else None) or ""
    lock_control_id(work, feed.endpoint.id, control_id)
    known = look(work.session, feed.endpoint, control_id, sent.payload, work.now)
    if sent.mark is not None and sent.mark != known.mark:
        raise _Changed
    return known


def _again(work: Work, sent: Sent, known: Known, answer: bytes) -> bytes:
    """The answer that these bytes were given before."""
    keep(work, sent, "duplicate", code=known.acknowledgement, answer=answer, order_id=known.order_id)  # type: ignore[arg-type]
    return answer


def _hold(work: Work, sent: Sent, feed: Feed, refusal: Refusal) -> bytes:
    """Another message's control id: kept for a person, who is told."""
    message, endpoint = sent.message, feed.endpoint
    answer = answers.refused(
        message if message is not None else sent.payload,
        refusal,
        work.now,
        order_response=refusal.code == "AE" and endpoint.order_answer == "order_response",
    )
    keep(work, sent, "held", code=refusal.code, answer=answer, fault=told(refusal))
    words = (
        f"{endpoint.name} sent messages under control ids of other messages. They wait in the message log; "
        f"the last came at {work.now:%H:%M} UTC."
    )
    raise_alarm(work, endpoint.organization_id, HELD, "endpoint", endpoint.id, words)
    return answer


def told(refusal: Refusal) -> str:
    """Place and words of a refusal, for the log."""
    place = f"{refusal.fault.location}: " if refusal.fault.location else ""
    return f"{place}{refusal.fault.text}"


def _refuse(works: WorkFactory, sent: Sent, refusal: Refusal) -> bytes:
    """Keeps the message as refused, in a transaction of its own, and makes the answer that says why."""
    endpoint = sent.feed.endpoint if sent.feed else None
    wants_response = endpoint is not None and endpoint.order_answer == "order_response"
    with works.begin(sent.actor) as work:
        answer = answers.refused(
            sent.message if sent.message is not None else sent.payload,
            refusal,
            work.now,
            order_response=refusal.code == "AE" and wants_response,
        )
        keep(work, sent, "rejected", code=refusal.code, answer=answer, fault=told(refusal))
        if refusal.doubt is not None:
            doubts.keep(work, refusal.doubt)
    log.warning(
        "hl7.message_refused",
        endpoint=str(endpoint.id) if endpoint else None,
        peer=sent.peer.address,
        code=refusal.code,
        fault=refusal.fault.code,
        place=str(refusal.fault.location or ""),
    )
    return answer
