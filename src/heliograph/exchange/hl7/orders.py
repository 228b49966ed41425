"""Orders in: ORM^O01, OMI^O23 and OMG^O19."""

from __future__ import annotations

from heliograph.care.orders.errors import FillerTaken
from heliograph.care.orders.incoming import OrderMessage
from heliograph.care.orders.receive import ReceivedOrder, receive_order
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.orm import order_messages
from heliograph.exchange.hl7.pid import site_of
from heliograph.kit.codecs.hl7 import Location, Message
from heliograph.kit.work import Work


def take(work: Work, message: Message, feed: Feed) -> Taken:
    """Makes, changes, replaces or cancels the orders of the message.

    Raises: what `order_messages` and `receive_order` raise; a filler number of another order as BadOrder with its place (205).
    """
    orders = order_messages(message, site_of(feed))
    received = [_receive(work, feed, message, order) for order in orders]
    remarks = dict.fromkeys(r.remark for r in received if r.remark)
    unable = {n for order, r in zip(orders, received, strict=True) if r.is_unable for n in order.positions}
    return Taken(received[0].id, " ".join(remarks) or None, frozenset(unable))


def _receive(work: Work, feed: Feed, message: Message, order: OrderMessage) -> ReceivedOrder:
    try:
        return receive_order(work, feed.facility, order)
    except FillerTaken as error:
        groups = list(message.groups())
        orc = groups[order.positions[0]].orc if order.positions else None
        raise BadOrder("205", Location("ORC", orc.sequence if orc else 1, 3), error.detail) from error
