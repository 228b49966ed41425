"""Batches in, on a connection or in a file: checked as a whole, processed message by message, answered in one batch."""

from __future__ import annotations

from collections.abc import Callable

from heliograph.care.worklist.alarms import raise_alarm
from heliograph.exchange.hl7 import answers
from heliograph.exchange.hl7.feed import Feed
from heliograph.exchange.hl7.inbound import First, Later, answer_to, told
from heliograph.exchange.hl7.keep import keep
from heliograph.exchange.hl7.refuse import Refusal
from heliograph.exchange.hl7.senders import Sent, known_feed, names, read, sent
from heliograph.kit.codecs.hl7 import Fault, build_ack
from heliograph.kit.codecs.hl7.batch import BadBatch, BatchFile, build_batch_answer, is_batch, split_batch
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import Work, WorkFactory

__all__ = ["REFUSED_FILE", "answer_batch", "handle", "is_batch", "refuse_batch"]

REFUSED_FILE = "refused_file"
"""Kind of the alarm of a feed whose file was not taken."""


def handle(works: WorkFactory, payload: bytes, peer: Peer, *, later: Later, first: First) -> bytes:
    """The answer to a batch that came on a connection. Each message in it has its own sender.

    Raises: as `inbound.handle`; the messages before are processed, and known when the batch comes again.
    """
    try:
        batch = split_batch(payload)
    except BadBatch as error:
        message = read(payload)
        feed = known_feed(works, *names(message), peer.address) if message is not None else None
        return refuse_batch(works, Sent(payload, None, feed, peer), error)
    return answer_batch(works, batch, lambda one: sent(works, one, peer), later=later, first=first)


def answer_batch(
    works: WorkFactory, batch: BatchFile, sent_of: Callable[[bytes], Sent], *, later: Later, first: First
) -> bytes:
    """Processes the messages one by one, and makes the batch of their answers."""
    answered = [
        [
            answer
            for one in part.messages
            if (answer := answer_to(works, sent_of(one), later=later, first=first, is_batched=True)) is not None
        ]
        for part in batch.batches
    ]
    return build_batch_answer(batch, answered, control_id=answers.new_id(), now=works.clock.now())


def refuse_batch(works: WorkFactory, sent: Sent, error: BadBatch, *, is_file: bool = False) -> bytes:
    """Keeps the whole as refused, and answers that none of it was processed. Of a file, a coordinator is told."""
    refusal = Refusal("AE", Fault(error.fault, error.location, "E", error.detail))
    with works.begin(sent.actor) as work:
        answer = build_ack(None, refusal.code, control_id_of_answer=answers.new_id(), now=work.now, error=refusal.fault)
        keep(work, sent, "rejected", code=refusal.code, answer=answer, fault=told(refusal))
        if is_file and sent.feed is not None:
            _tell(work, sent.feed, error)
    return answer


def _tell(work: Work, feed: Feed, error: BadBatch) -> None:
    endpoint = feed.endpoint
    words = f"A file of {endpoint.name} was refused as a whole at {work.now:%H:%M} UTC: {error.detail}"
    raise_alarm(work, endpoint.organization_id, REFUSED_FILE, "endpoint", endpoint.id, words)
