"""A message of the log is processed again because a person says so: after its feed's mapping was put right, or where it was held.

It is taken as it came, by the feed that it came by, as a new line of the log that points to the first. That it was processed before, or
that its control id is another message's, does not stop it: the person has seen that. Nobody is answered: the sender had its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog

from heliograph.exchange.hl7 import answers
from heliograph.exchange.hl7.feed import Feed
from heliograph.exchange.hl7.inbound import is_answer, remark_of, take_effect, told
from heliograph.exchange.hl7.keep import keep, safe
from heliograph.exchange.hl7.refuse import FAILED, NOT_HL7, Refusal, is_ignored, refusal_of, unacceptable
from heliograph.exchange.hl7.senders import DATABASE_AWAY, Sent, read
from heliograph.governance.access.administering import administering
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.actor import Actor
from heliograph.kit.errors import Conflict, HeliographError, Invalid, NotFound
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.patients import doubts
from heliograph.records.sites import queries as sites
from heliograph.records.sites.message_search import sight_of
from heliograph.records.sites.messages import Fate, lock_control_id, message
from heliograph.records.sites.received import lock_feed

log = structlog.get_logger(__name__)


class NotReplayed(Conflict):
    """Only a message that came in by a feed, and that does not wait for its turn, is processed again."""


class WhyReplayed(Invalid):
    """Say why it is processed again; the reason is kept in the record."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it: the new line of the log."""

    id: UUID
    fate: Fate
    fault: str | None
    order_id: UUID | None


def replay(works: WorkFactory, actor: Actor, message_id: UUID, reason: str) -> Replayed:
    """Processes an inbound message again. The person's word is on record before anything happens.

    Raises: NotFound, NotReplayed, WhyReplayed; what says that the database is away.
    """
    with works.begin(administering(actor)) as work:
        again = _asked(work, message_id, reason.strip())
    refusal = NOT_HL7 if again.message is None else None
    if again.message is not None and again.feed is not None:
        refusal = unacceptable(again.message, again.feed.endpoint)
    if refusal is None:
        try:
            with works.begin(again.actor) as work:
                return _take(work, again, message_id)
        except DATABASE_AWAY:
            raise
        except HeliographError as error:
            refusal = refusal_of(error)
        except Exception as error:  # noqa: BLE001 - as at the door: it is kept, and told
            log.error("hl7.message_failed", message=str(message_id), error=type(error).__name__)
            refusal = FAILED
    with works.begin(again.actor) as work:
        return _refuse(work, again, message_id, refusal)


def _asked(work: Work, message_id: UUID, reason: str) -> Sent:
    """Who may is a coordinator of the client, or its administrator."""
    found, sight = message(work.session, message_id), sight_of(work)
    if found is None or not sight.finds(found.brief.organization_id, found.brief.facility_id):
        raise NotFound
    brief, groups = found.brief, work.actor.organizations_with("coordinator")
    if brief.organization_id not in {*groups, *coordinated_clients(work.session, groups), *sight.administered}:
        raise NotFound
    if not reason:
        raise WhyReplayed
    endpoint = sites.endpoint(work.session, found.endpoint_id) if found.endpoint_id else None
    facility = sites.facility(work.session, endpoint.facility_id) if endpoint else None
    if brief.direction != "in" or brief.fate == "received" or endpoint is None or facility is None:
        raise NotReplayed
    read_again = read(found.payload, endpoint.charset)
    if read_again is not None and is_answer(read_again):
        raise NotReplayed("An acknowledgement has nothing to process.")
    work.record(
        "message.replayed",
        organization_id=brief.organization_id,
        subject_kind="message",
        subject_id=message_id,
        reason=reason,
    )
    return Sent(found.payload, read_again, Feed(endpoint, facility), Peer(found.peer or "", 0))


def _take(work: Work, again: Sent, message_id: UUID) -> Replayed:
    feed, one = again.feed, again.message
    if feed is None or one is None:
        raise ValueError("only a message that could be read is taken")
    # Neither beside what waits of the feed, nor beside the same message as it comes again.
    lock_feed(work, feed.endpoint.id)
    lock_control_id(work, feed.endpoint.id, safe(one.control_id) or "")
    if is_ignored(one, feed.endpoint):
        id_ = keep(work, again, "ignored", code="AA", answer=answers.accepted(one, work.now), replay_of=message_id)
        return Replayed(id_, "ignored", None, None)
    taken = take_effect(work, one, feed)
    remark = remark_of(taken, one)
    id_ = keep(
        work, again, "processed", code="AA", answer=answers.accepted(one, work.now), fault=remark, order_id=taken.order_id,
        replay_of=message_id,
    )  # fmt: skip
    return Replayed(id_, "processed", remark, taken.order_id)


def _refuse(work: Work, again: Sent, message_id: UUID, refusal: Refusal) -> Replayed:
    answer = answers.refused(again.message if again.message is not None else again.payload, refusal, work.now)
    id_ = keep(work, again, "rejected", code=refusal.code, answer=answer, fault=told(refusal), replay_of=message_id)
    if refusal.doubt is not None:
        doubts.keep(work, refusal.doubt)
    return Replayed(id_, "rejected", told(refusal), None)
