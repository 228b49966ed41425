"""What the settings say about the listener: its bounds, and its certificate."""

from __future__ import annotations

from pathlib import Path

from heliograph.kit.errors import Invalid
from heliograph.kit.net.dicom import Limits
from heliograph.kit.net.dicom.tls import ClientCertificates, ServerTls, TlsFiles
from heliograph.kit.settings import Settings


class NoDoor(Invalid):
    """Neither of the DICOM listener's ports is on: set HELIOGRAPH_DIMSE_PLAIN, or name a certificate."""


def limits_of(settings: Settings) -> Limits:
    """The listener's bounds."""
    return Limits(
        associations=settings.dimse_associations,
        associations_per_address=settings.dimse_associations_per_address,
        associations_per_caller=settings.dimse_associations_per_caller,
        pending=settings.dimse_pending,
        pending_per_address=settings.dimse_pending_per_address,
        refused_per_minute=settings.dimse_refused_per_minute,
        associate_timeout=settings.dimse_request_seconds,
        network_timeout=settings.dimse_network_seconds,
        idle_timeout=settings.dimse_idle_seconds,
        window=settings.dimse_window,
    )


def figures_file(settings: Settings) -> Path:
    """Where the listener's figures for Prometheus are."""
    return settings.data_dir / "metrics" / "dimse.prom"


def tls_files(settings: Settings) -> TlsFiles:
    """Our certificate, for who calls and for whom we call, and the authorities that we trust for DICOM."""
    password = settings.dimse_tls_key_password
    return TlsFiles(
        certificate=settings.dimse_tls_certificate_file,
        key=settings.dimse_tls_key_file,
        authorities=settings.dimse_tls_ca_file,
        password=password.get_secret_value() if password else "",
    )


def plain_port(settings: Settings) -> int | None:
    """The port without TLS, if that is on.

    Raises:
        NoDoor
    """
    if settings.dimse_plain:
        return settings.dimse_port
    if settings.dimse_tls_certificate_file is None:
        raise NoDoor
    return None


def tls_of(settings: Settings) -> tuple[int | None, ServerTls | None]:
    """The port with TLS and its certificate, if that is on. A certificate that can't be used is logged, and does not keep the
    port without TLS shut.
    """
    if settings.dimse_tls_certificate_file is None:
        return None, None
    clients: ClientCertificates = settings.dimse_tls_clients
    return settings.dimse_tls_port, ServerTls(tls_files(settings), clients)
