"""Who sends: the feed of a message, by its header and by where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.exchange.hl7.feed import Feed
from heliograph.kit.actor import Actor, machine, system
from heliograph.kit.codecs.hl7 import Message, NotHl7, UnknownCharset, parse
from heliograph.kit.errors import Unavailable
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import WorkFactory
from heliograph.records.sites import queries as sites
from heliograph.records.sites.received import feeds_mark

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout, Unavailable)
"""What is raised while the database does not answer."""
ANY_CHARSET = "UNICODE UTF-8"
"""To read a header by, before its sender is known: every ASCII message can be."""
MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with who sent it. `message` None: it is no HL7; `feed` None: nobody knows the sender."""

    payload: bytes
    message: Message | None
    feed: Feed | None
    peer: Peer
    is_file: bool = False
    """It came by its feed's folder, which says enough of who sent it."""
    mark: str | None = None
    """Of a feed that is remembered: what it was; None: it was looked up for this message."""

    @property
    def actor(self) -> Actor:
        """Who acts when it is kept and processed."""
        if self.feed is None:
            return machine("unknown HL7 sender", None, address=self.peer.address)
        return actor_of(self.feed, self.peer.address)


def actor_of(feed: Feed, address: str | None) -> Actor:
    """The feed as an actor for its organisation."""
    endpoint = feed.endpoint
    return machine(f"HL7 {endpoint.name}", endpoint.id, endpoint.organization_id, address=address)


def read(payload: bytes, charset: str = ANY_CHARSET) -> Message | None:
    """The message; None where it is no HL7."""
    try:
        return parse(payload, charset)
    except NotHl7:
        return None
    except UnknownCharset:  # the feed's setting is wrong; UTF-8 reads every ASCII message
        return parse(payload, ANY_CHARSET)


def sent(works: WorkFactory, payload: bytes, peer: Peer, feeds: Feeds | None = None) -> Sent:
    """The message and its sender: the feed of MSH-3 and MSH-4 (HD: the namespace, or where that is empty the universal id) that fits
    the address best. Read by the feed's character set where the message declares none. `feeds`: one that is remembered will do.
    """
    message = read(payload)
    if message is None:
        return Sent(payload, None, None, peer)
    application, facility_name = names(message)
    remembered = feeds.remembered(application, facility_name, peer.address) if feeds is not None else None
    feed: Feed | None
    mark: str | None = None
    if remembered is not None:
        feed, mark = remembered
    else:
        feed, now = _look_up(works, application, facility_name, peer.address)
        if feeds is not None and feed is not None:
            feeds.remember(application, facility_name, peer.address, feed, now)
    if feed is not None and feed.endpoint.charset != ANY_CHARSET:
        message = read(payload, feed.endpoint.charset) or message
    return Sent(payload, message, feed, peer, mark=mark)


def sent_by(feed: Feed, payload: bytes, peer: Peer) -> Sent:
    """The same of a message whose feed is known by the way it came; another sender's name in it makes it nobody's."""
    message = read(payload, feed.endpoint.charset)
    is_its = message is not None and names(message) == (feed.endpoint.application, feed.endpoint.facility_name)
    return Sent(payload, message, feed if is_its else None, peer, is_file=True)


def names(message: Message) -> tuple[str, str]:
    """MSH-3 and MSH-4; in a batch those of its first message."""
    application = message.text("MSH-3") or message.text("MSH-3.2") or ""
    facility = message.text("MSH-4") or message.text("MSH-4.2") or ""
    return application.strip(), facility.strip()


def known_feed(works: WorkFactory, application: str, facility_name: str, address: str) -> Feed | None:
    """The active feed of a sender, with its facility."""
    return _look_up(works, application, facility_name, address)[0]


def _look_up(works: WorkFactory, application: str, facility_name: str, address: str) -> tuple[Feed | None, str | None]:
    with works.read(system("hl7")) as work:
        mark = feeds_mark(work.session, application, facility_name)
        endpoint = sites.endpoint_for_sender(work.session, application, facility_name, address)
        if endpoint is None:
            return None, mark
        facility = sites.facility(work.session, endpoint.facility_id)
    return (Feed(endpoint, facility) if facility is not None else None), mark


class Feeds:
    """The feeds of those who sent lately, so that not every message has to ask for its own. Safe for several threads.

    What is remembered is checked by its mark in the transaction that takes the message (`received.look`): a change of the feed, of its
    facility or its organisation, or another feed of the same names, counts from the moment that it is committed.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], tuple[Feed, str]] = {}

    def remembered(self, application: str, facility_name: str, address: str) -> tuple[Feed, str] | None:
        """The feed and its mark, if it is known."""
        return self._known.get((application, facility_name, address))

    def remember(self, application: str, facility_name: str, address: str, feed: Feed, mark: str | None) -> None:
        """Keeps a feed in mind."""
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        if mark is not None:
            self._known[application, facility_name, address] = (feed, mark)

    def forget(self, sent: Sent) -> None:
        """The feed of this message is not what it was."""
        if sent.message is not None:
            self._known.pop((*names(sent.message), sent.peer.address), None)
