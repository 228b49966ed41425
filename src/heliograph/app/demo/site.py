"""A simulated site: its system sends orders and takes results over MLLP, its scanner sends images by C-STORE."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from heliograph.app.demo.cases import DemoCase, order_message
from heliograph.kit.codecs.hl7 import Ack, build_ack, parse, parse_ack
from heliograph.kit.net import mllp
from heliograph.kit.net.dicom.sender import SendResult, send_files
from heliograph.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Result:
    """A result that the site's system took."""

    control_id: str
    accession: str
    payload: bytes
    at: datetime


@dataclass
class ResultReceiver:
    """The sites' system that takes ORU^R01 and answers AA. One for all sites of the demonstration."""

    port: int = 0
    results: list[Result] = field(default_factory=list)
    _listener: mllp.MllpListener | None = None
    _came: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Listens on loopback; on `port`, or where that is 0 on any, which `port` then tells."""
        self._listener = mllp.MllpListener("127.0.0.1", self.port, self._take)
        self._listener.start()
        self.port = self._listener.port

    def stop(self) -> None:
        if self._listener:
            self._listener.stop(grace=1)

    def wait_for(self, accession: str, timeout: float) -> Result | None:
        """The result for `accession`, when it comes within `timeout` seconds."""
        with self._came:
            self._came.wait_for(lambda: self._find(accession), timeout)
            return self._find(accession)

    def _find(self, accession: str) -> Result | None:
        return next((r for r in reversed(self.results) if r.accession == accession), None)

    def _take(self, payload: bytes, _peer: mllp.Peer) -> bytes:
        message = parse(payload, "UNICODE UTF-8")
        now = datetime.now(UTC)
        with self._came:
            self.results.append(Result(message.control_id or "", message.text("OBR-18") or "", payload, now))
            self._came.notify_all()
        return build_ack(message, "AA", control_id_of_answer=f"A{len(self.results)}", now=now)


def send_order(settings: Settings, case: DemoCase, control_id: str) -> Ack:
    """Sends the case's order and returns the acknowledgement."""
    message = order_message(case, datetime.now(UTC), control_id=control_id)
    answer = mllp.send(settings.hl7_host, settings.hl7_port, message, timeout=20, connect_timeout=5)
    return parse_ack(answer)


def send_images(
    settings: Settings, case: DemoCase, files: Sequence[Path], *, as_priors: bool = False
) -> list[SendResult]:
    """Sends files as the site's scanner, or as its archive."""
    site = case.site
    calling = site.prior_ae if as_priors else site.calling_ae
    return send_files(settings.dimse_host, settings.dimse_port, called=site.called_ae, calling=calling, files=files)
