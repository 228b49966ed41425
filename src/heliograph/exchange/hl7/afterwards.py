"""What was taken over with CA is processed: in order, each once, in the process that took it or in any other after a crash.

The application acknowledgement, where MSH-16 asks for it, goes into the log in the same transaction, and out by a job (`replies`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

import structlog

from heliograph.exchange.hl7.answers import Conditions
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.inbound import remark_of, take_effect, told
from heliograph.exchange.hl7.refuse import FAILED, Refusal, is_ignored, refusal_of
from heliograph.exchange.hl7.replies import queue_reply
from heliograph.exchange.hl7.senders import DATABASE_AWAY, actor_of, read
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import Message
from heliograph.kit.errors import HeliographError
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.patients import doubts
from heliograph.records.sites import queries as sites
from heliograph.records.sites.messages import Fate
from heliograph.records.sites.received import Waiting, lock_feed, next_waiting, note_fate, waiting_feeds

log = structlog.get_logger(__name__)
LOOK_SECONDS = 2.0


class Afterwards:
    """The thread that processes what was taken over. What another process left is found when it looks by itself."""

    def __init__(self, works: WorkFactory, look_seconds: float = LOOK_SECONDS) -> None:
        self._works, self._look_seconds = works, look_seconds
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="hl7-afterwards", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The message in hand is finished; what waits, waits in the log."""
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def later(self, _endpoint_id: UUID, _organization_id: UUID) -> None:
        """Has what waits processed soon."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                process_all(self._works, self._stop.is_set)
            except Exception as error:  # noqa: BLE001 (the database is away: what waits is in the log)
                log.warning("hl7.afterwards_interrupted", error=type(error).__name__)
            self._wake.wait(self._look_seconds)
            self._wake.clear()


def process_all(works: WorkFactory, should_stop: Callable[[], bool] = bool) -> int:
    """Processes what waits of every feed; how many messages."""
    with works.read(system("hl7")) as work:
        everywhere = system("hl7", *(o.id for o in active_organizations(work.session)))
    with works.read(everywhere) as work:
        feeds = waiting_feeds(work.session)
    return sum(process_feed(works, endpoint, organization, should_stop) for endpoint, organization in feeds)


def process_feed(
    works: WorkFactory, endpoint_id: UUID, organization_id: UUID, should_stop: Callable[[], bool] = bool
) -> int:
    """Processes what waits of one feed, the oldest first; how many messages.

    Raises: what says that the database is away; the message in hand waits on.
    """
    with works.read(system("hl7", organization_id)) as work:
        endpoint = sites.endpoint(work.session, endpoint_id)
        facility = sites.facility(work.session, endpoint.facility_id) if endpoint else None
    if endpoint is None or facility is None:
        return 0
    feed, done = Feed(endpoint, facility), 0
    while not should_stop() and _process_next(works, feed):
        done += 1
    return done


def _process_next(works: WorkFactory, feed: Feed) -> bool:
    """Processes the oldest message that waits; False when none does."""
    tried: list[Waiting] = []
    try:
        with works.begin(actor_of(feed, None)) as work:
            waiting = _next(work, feed)
            if waiting is None:
                return False
            tried.append(waiting)
            _take(work, feed, waiting)
            return True
    except DATABASE_AWAY:
        raise
    except HeliographError as error:
        refusal = refusal_of(error)
    except Exception as error:  # noqa: BLE001 - one message that we can't take must not stop the others
        log.error("hl7.message_failed", endpoint=str(feed.endpoint.id), error=type(error).__name__)
        refusal = FAILED
    with works.begin(actor_of(feed, None)) as work:
        waiting = _next(work, feed)
        if waiting is not None and tried and waiting.id == tried[0].id:  # else another process has taken it meanwhile
            _refuse(work, feed, waiting, refusal)
    return True


def _next(work: Work, feed: Feed) -> Waiting | None:
    lock_feed(work, feed.endpoint.id)
    return next_waiting(work.session, feed.endpoint.id)


def _take(work: Work, feed: Feed, waiting: Waiting) -> None:
    message = _message(feed, waiting)
    if is_ignored(message, feed.endpoint):
        _note(work, feed, waiting, "ignored")
        taken = Taken()
    else:
        taken = take_effect(work, message, feed)
        _note(work, feed, waiting, "processed", fault=remark_of(taken, message), order_id=taken.order_id)
    if Conditions.of(message).wants_application(good=True):
        queue_reply(work, feed, message, unable=taken.unable)


def _refuse(work: Work, feed: Feed, waiting: Waiting, refusal: Refusal) -> None:
    _note(work, feed, waiting, "rejected", fault=told(refusal))
    if refusal.doubt is not None:
        doubts.keep(work, refusal.doubt)
    message = _message(feed, waiting)
    if Conditions.of(message).wants_application(good=False):
        queue_reply(work, feed, message, refusal)
    log.warning(
        "hl7.message_refused",
        endpoint=str(feed.endpoint.id),
        code=refusal.code,
        fault=refusal.fault.code,
        place=str(refusal.fault.location or ""),
    )


def _message(feed: Feed, waiting: Waiting) -> Message:
    message = read(waiting.payload, feed.endpoint.charset)
    if message is None:
        raise ValueError("what was taken over could be read")
    return message


def _note(
    work: Work, feed: Feed, waiting: Waiting, fate: Fate, *, fault: str | None = None, order_id: UUID | None = None
) -> None:
    action = {"processed": "message.processed", "ignored": "message.ignored"}.get(fate, "message.refused")
    note_fate(
        work,
        waiting.id,
        fate,
        action=action,
        organization_id=feed.endpoint.organization_id,
        fault=fault,
        order_id=order_id,
    )
