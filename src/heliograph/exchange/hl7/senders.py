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

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout, Unavailable)
"""What is raised while the database does not answer."""
ANY_CHARSET = "UNICODE UTF-8"
"""To read a header by, before its sender is known: every ASCII message can be."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with who sent it. `message` None: it is no HL7; `feed` None: nobody knows the sender."""

    payload: bytes
    message: Message | None
    feed: Feed | None
    peer: Peer
    is_file: bool = False
    """It came by its feed's folder, which says enough of who sent it."""

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


def sent(works: WorkFactory, payload: bytes, peer: Peer) -> Sent:
    """The message and its sender: the feed of MSH-3 and MSH-4 (HD: the namespace, or where that is empty the universal id) that fits
    the address best. Read by the feed's character set where the message declares none.
    """
    message = read(payload)
    if message is None:
        return Sent(payload, None, None, peer)
    feed = known_feed(works, *names(message), peer.address)
    if feed is not None and feed.endpoint.charset != ANY_CHARSET:
        message = read(payload, feed.endpoint.charset) or message
    return Sent(payload, message, feed, peer)


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
    with works.read(system("hl7")) as work:
        endpoint = sites.endpoint_for_sender(work.session, application, facility_name, address)
        if endpoint is None:
            return None
        facility = sites.facility(work.session, endpoint.facility_id)
    return Feed(endpoint, facility) if facility is not None else None
