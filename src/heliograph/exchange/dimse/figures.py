"""The listener's figures for Prometheus.

The listener is a process of its own without HTTP: it writes them to a file in the text format, which the web server of the same
host adds to its /metrics, and which node_exporter's textfile collector takes where there is none. No label names a caller.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heliograph.kit.log import log
from heliograph.kit.net.dicom.gate import Gate
from heliograph.kit.net.dicom.tls import TlsNotReady, read_certificate

_log = log(__name__)

WRITE_EVERY_SECONDS = 5.0


class _Figures(Collector):
    def __init__(self, gate: Gate, certificate: Path | None) -> None:
        self._gate, self._certificate = gate, certificate

    def collect(self) -> Iterable[Metric]:
        f = self._gate.figures()
        yield GaugeMetricFamily("heliograph_dicom_associations", "DICOM associations that are open.", f.associations)
        yield GaugeMetricFamily("heliograph_dicom_silent", "DICOM connections that asked for nothing yet.", f.silent)
        yield CounterMetricFamily("heliograph_dicom_accepted", "DICOM associations that were accepted.", f.accepted)
        for name, text, label, counts in (
            ("refused", "DICOM associations that were rejected, by why.", "reason", f.refused),
            ("dropped", "DICOM connections that ended before an association, by why.", "reason", f.dropped),
            ("ended", "DICOM associations that ended, by how.", "how", f.ended),
        ):
            family = CounterMetricFamily(f"heliograph_dicom_{name}", text, labels=[label])
            for value, count in sorted(counts.items()):
                family.add_metric([value.replace(" ", "_").lower()], count)
            yield family
        objects = CounterMetricFamily("heliograph_dicom_objects", "Objects that came by C-STORE.", labels=["result"])
        objects.add_metric(["stored"], f.stored)
        objects.add_metric(["refused"], f.failed)
        yield objects
        yield CounterMetricFamily("heliograph_dicom_stored_bytes", "Bytes that came by C-STORE and were kept.", f.bytes)
        if self._certificate is not None:
            try:
                ends = read_certificate(self._certificate).not_after.timestamp()
            except TlsNotReady:
                ends = 0.0
            text = "When our DICOM certificate expires, in seconds since 1970; 0: it can't be read."
            yield GaugeMetricFamily("heliograph_dicom_certificate_expires_seconds", text, ends)


@contextmanager
def written(gate: Gate, file: Path, certificate: Path | None) -> Iterator[None]:
    """Writes the figures to `file` every few seconds, and takes it away at the end."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    collected = CollectorRegistry()
    collected.register(_Figures(gate, certificate))
    stop = threading.Event()

    def write() -> None:
        while True:
            try:
                write_to_textfile(str(file), collected)
            except OSError:
                _log.warning("the figures could not be written", file=str(file))
            if stop.wait(WRITE_EVERY_SECONDS):
                return

    thread = threading.Thread(target=write, name="dicom-figures", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with suppress(OSError):
            file.unlink()
