"""How a configured node is called: address, titles, TLS, and how long to wait."""

from __future__ import annotations

import ssl

from heliograph.kit.net.dicom import Remote
from heliograph.kit.net.dicom.tls import TlsFiles, client_context
from heliograph.kit.settings import Settings
from heliograph.records.sites.nodes import NodeFacts

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""Until the answer to a query begins."""
SILENCE_SECONDS = 120.0
"""A node that retrieves may be silent so long: it fetches from a tape, or sends to us without telling."""
LONGEST_SECONDS = 3600.0
"""One association of a transfer; what is left is for the next try."""


def tls_context(settings: Settings, mode: str) -> ssl.SSLContext | None:
    """TLS for a node: off, on (whoever answers) or verify. Shows our certificate where we have one. Raises: TlsNotReady."""
    if mode == "off":
        return None
    password = settings.dimse_tls_key_password
    files = TlsFiles(
        settings.dimse_tls_certificate_file,
        settings.dimse_tls_key_file,
        settings.dimse_tls_ca_file,
        password.get_secret_value() if password else "",
    )
    return client_context(files, verify=mode == "verify")


def remote_of(
    settings: Settings, node: NodeFacts, *, answer: float = ANSWER_SECONDS, longest: float = LONGEST_SECONDS
) -> Remote:
    """The node as an association needs it. Raises: TlsNotReady."""
    return Remote(
        node.host,
        node.port,
        node.ae_title,
        node.calling_ae,
        tls_context(settings, node.tls),
        min(CONNECT_SECONDS, longest),
        answer,
        longest,
    )
