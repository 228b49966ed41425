"""Orders in: ORM^O01."""

from __future__ import annotations

from heliograph.care.orders.receive import receive_order
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.orm import order_messages
from heliograph.exchange.hl7.pid import site_of
from heliograph.kit.codecs.hl7 import Message
from heliograph.kit.work import Work


def take(work: Work, message: Message, feed: Feed) -> Taken:
    """Makes, changes or cancels the orders of the message. Raises: what `order_messages` and `receive_order` raise."""
    orders = order_messages(message, site_of(feed))
    received = [receive_order(work, feed.facility, order) for order in orders]
    return Taken(received[0].id)
