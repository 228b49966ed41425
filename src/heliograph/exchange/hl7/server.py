"""The listeners for HL7 over MLLP, plain and TLS, and what goes on beside them: what was taken over is processed, files are taken."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Protocol

import structlog

from heliograph.exchange.hl7 import batches, inbound
from heliograph.exchange.hl7.afterwards import Afterwards, process_feed
from heliograph.exchange.hl7.files import Files
from heliograph.exchange.hl7.senders import Feeds
from heliograph.kit.errors import Invalid
from heliograph.kit.net.dicom.tls import ServerTls, TlsFiles, TlsNotReady
from heliograph.kit.net.mllp import Handler, MllpListener, Notice, Peer
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory

log = structlog.get_logger(__name__)


class NoDoor(Invalid):
    """Neither of the HL7 listener's ports is on: set HELIOGRAPH_HL7_PLAIN, or name a certificate."""


class Part(Protocol):
    """What this door needs of a running part."""

    @property
    def settings(self) -> Settings: ...
    @property
    def works(self) -> WorkFactory: ...


class Door:
    """The listeners that are on. `port` and `tls_port` tell the real ones where 0 was set; None: that one is off."""

    def __init__(self, part: Part) -> None:
        settings, works = part.settings, part.works
        self._afterwards, feeds = Afterwards(works), Feeds()
        self._files = Files(works, settings.hl7_files_dir, settings.hl7_message_mb << 20)

        def handle(payload: bytes, peer: Peer) -> bytes | None:
            if batches.is_batch(payload):
                return batches.handle(works, payload, peer, later=self._afterwards.later, first=process_feed)
            return inbound.handle(works, payload, peer, later=self._afterwards.later, first=process_feed, feeds=feeds)

        tls = tls_of(settings)
        self._plain = _listener(settings, settings.hl7_port, handle) if settings.hl7_plain else None
        self._secure = _listener(settings, settings.hl7_tls_port, handle, tls) if tls else None
        if self._plain is None and self._secure is None:
            raise NoDoor
        if tls is not None:
            with suppress(TlsNotReady):  # it is logged, and may be mended while we run
                tls.context()

    @property
    def port(self) -> int:
        """Of the listener without TLS; 0: it is off."""
        return self._plain.port if self._plain else 0

    @property
    def tls_port(self) -> int:
        """Of the listener with TLS; 0: it is off."""
        return self._secure.port if self._secure else 0

    def start(self) -> None:
        """Listens in the background. Raises OSError: an address is taken or not ours."""
        for listener in (self._plain, self._secure):
            if listener is not None:
                listener.start()
        self._afterwards.start()
        self._files.start()

    def stop(self) -> None:
        """Messages in hand are answered first."""
        for listener in (self._plain, self._secure):
            if listener is not None:
                listener.stop()
        self._files.stop()
        self._afterwards.stop()


def tls_files(settings: Settings) -> TlsFiles:
    """Our certificate for HL7, and the authorities that we trust for senders'."""
    password = settings.hl7_tls_key_password
    return TlsFiles(
        certificate=settings.hl7_tls_certificate_file,
        key=settings.hl7_tls_key_file,
        authorities=settings.hl7_tls_ca_file,
        password=password.get_secret_value() if password else "",
    )


def tls_of(settings: Settings) -> ServerTls | None:
    """Our certificate, if the listener with TLS is on."""
    if settings.hl7_tls_certificate_file is None:
        return None
    return ServerTls(tls_files(settings), settings.hl7_tls_clients)


def start(part: Part) -> Door:
    """Listens on `hl7_host` and the ports that are on, in the background.

    Raises:
        OSError: an address is taken or not ours.
        NoDoor: both ports are off.
    """
    door = Door(part)
    door.start()
    log.info("hl7.listening", host=part.settings.hl7_host, port=door.port, tls_port=door.tls_port)
    return door


def run(part: Part, stop: threading.Event) -> None:
    """Listens until `stop` is set; messages in hand are answered first. Raises as `start`."""
    door = start(part)
    try:
        stop.wait()
    finally:
        door.stop()
        log.info("hl7.stopped")


def _listener(settings: Settings, port: int, handle: Handler, tls: ServerTls | None = None) -> MllpListener:
    return MllpListener(
        settings.hl7_host,
        port,
        handle,
        max_message_bytes=settings.hl7_message_mb << 20,
        idle_timeout=settings.hl7_idle_seconds,
        message_timeout=settings.hl7_message_seconds,
        max_connections=settings.hl7_connections,
        max_per_address=settings.hl7_connections_per_address,
        ssl_context=tls.context if tls else None,
        on_error=_failed,
        on_notice=_noticed,
    )


def _failed(error: Exception, peer: Peer) -> None:
    # The kind only: the text of an error may hold a piece of the message.
    log.error("hl7.no_answer", peer=peer.address, error=type(error).__name__)


def _noticed(notice: Notice, peer: Peer) -> None:
    log.warning("hl7.connection_ended", peer=peer.address, why=notice.value)
