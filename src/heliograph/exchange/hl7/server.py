"""The listener for HL7 over MLLP."""

from __future__ import annotations

import threading
from typing import Protocol

import structlog

from heliograph.exchange.hl7.inbound import handle
from heliograph.kit.net.mllp import MllpListener, Notice, Peer
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory

log = structlog.get_logger(__name__)


class Part(Protocol):
    """What this door needs of a running part."""

    @property
    def settings(self) -> Settings: ...
    @property
    def works(self) -> WorkFactory: ...


def start(part: Part) -> MllpListener:
    """Listens on `hl7_host` and `hl7_port` in the background; the listener's `port` tells the real one where 0 was set.

    Raises:
        OSError: the address is taken or not ours.
    """
    listener = MllpListener(
        part.settings.hl7_host,
        part.settings.hl7_port,
        lambda payload, peer: handle(part.works, payload, peer),
        on_error=_failed,
        on_notice=_noticed,
    )
    listener.start()
    log.info("hl7.listening", host=listener.host, port=listener.port)
    return listener


def run(part: Part, stop: threading.Event) -> None:
    """Listens until `stop` is set; messages in hand are answered first. Raises OSError as `start`."""
    listener = start(part)
    try:
        stop.wait()
    finally:
        listener.stop()
        log.info("hl7.stopped")


def _failed(error: Exception, peer: Peer) -> None:
    # The kind only: the text of an error may hold a piece of the message.
    log.error("hl7.no_answer", peer=peer.address, error=type(error).__name__)


def _noticed(notice: Notice, peer: Peer) -> None:
    log.warning("hl7.connection_ended", peer=peer.address, why=notice.value)
