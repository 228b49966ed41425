"""TLS for DICOM, after BCP 195 (RFC 8996, RFC 9325) as PS3.15 B.12 asks: TLS 1.2 with forward secrecy and AEAD, or TLS 1.3.

Nothing older is ever negotiated (the non-downgrading profile). A certificate that is renewed in its file is
taken up by the next connection, without a restart.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log

_log = log(__name__)

# RFC 9325 4.2 recommends these; PS3.15 B.12 wants them of each side. TLS 1.3 has only suites of this kind.
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:@SECLEVEL=2"
_LOOK_EVERY = 1.0  # seconds between looks at the files

ClientCertificates = Literal["none", "optional", "required"]


class TlsNotReady(HeliographError):
    """Certificate or key can't be used; the text says which and why, and holds no secret."""

    status = 503


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one side: its certificate (and chain), its key, and the authorities by which it checks the other side.

    The authorities' file may also hold single certificates of devices: each is trusted for itself.
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None
    password: str = ""
    """Of the key, where it is encrypted."""

    def state(self) -> tuple[tuple[int, int, int], ...]:
        """Changes whenever a file does. A missing file is (0, 0, 0)."""
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.authorities) if path is not None)


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, in lower-case hex."""
    return hashlib.sha256(certificate).hexdigest()


def client_context(files: TlsFiles | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """For associations that we open: `associate(..., tls=client_context(...))`.

    Args:
        files: our certificate and key, if we are to show one; by whose authorities the peer is checked (none: the system's).
        verify: check the peer's certificate, and that it is for the host that we dial. Else: encrypt, whoever answers.

    Raises:
        TlsNotReady
    """
    files = files or TlsFiles()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif files.authorities is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _load(context, files, needs_certificate=False)
    return context


def server_context(files: TlsFiles, clients: ClientCertificates = "optional") -> ssl.SSLContext:
    """For associations that others open to us.

    Args:
        files: our certificate and key; the authorities that may sign clients' certificates.
        clients: whether a client must show one. `optional` without authorities asks for none: nobody could be checked.

    Raises:
        TlsNotReady
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    # Each association proves its certificate anew: a resumed session would outlive a change of the authorities.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if clients == "required" and files.authorities is None:
        raise TlsNotReady("client certificates are required, but no file names the authorities that sign them")
    if clients != "none" and files.authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED if clients == "required" else ssl.CERT_OPTIONAL
    _load(context, files, needs_certificate=True)
    return context


class ServerTls:
    """The listener's context, made anew when a file changes. Safe for several threads."""

    def __init__(self, files: TlsFiles, clients: ClientCertificates = "optional") -> None:
        self.files, self.clients = files, clients
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._state: tuple[tuple[int, int, int], ...] | None = None
        self._look_at = 0.0
        self._why = ""

    def context(self) -> ssl.SSLContext:
        """The newest context that works: files that are written this moment don't shut the door.

        Raises:
            TlsNotReady: there never was one.
        """
        with self._lock:
            now = time.monotonic()
            if now >= self._look_at:
                self._look_at = now + _LOOK_EVERY
                self._look()
            if self._context is None:
                raise TlsNotReady(self._why)
            return self._context

    def _look(self) -> None:
        state = self.files.state()
        if state == self._state:
            return
        try:
            self._context = server_context(self.files, self.clients)
        except TlsNotReady as error:
            self._why = str(error)
            _log.error("the TLS certificate can't be used", why=self._why)
        else:
            _log.info("the TLS certificate was loaded", certificate=str(self.files.certificate))
        self._state = state


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What doctors and metrics want to know of a certificate."""

    subject: str
    sha256: str
    not_before: datetime
    not_after: datetime


def read_certificate(path: Path) -> CertificateFacts:
    """The first certificate of a PEM file.

    Raises:
        TlsNotReady: it is missing, unreadable or none.
    """
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise TlsNotReady(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise TlsNotReady(f"{path} holds no certificate in PEM") from error
    return CertificateFacts(
        subject=found.subject.rfc4514_string(),
        sha256=fingerprint(found.public_bytes(Encoding.DER)),
        not_before=found.not_valid_before_utc.astimezone(UTC),
        not_after=found.not_valid_after_utc.astimezone(UTC),
    )


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is in the authorities' file is trusted for itself


def _load(context: ssl.SSLContext, files: TlsFiles, *, needs_certificate: bool) -> None:
    try:
        if files.certificate is not None:
            # A password is always given: OpenSSL would ask for one on the terminal.
            context.load_cert_chain(files.certificate, files.key, lambda: files.password)
        elif needs_certificate:
            raise TlsNotReady("no certificate is set")
    except ssl.SSLError as error:
        why = _REASONS.get(error.reason or "") or _unnamed(files, error)
        raise TlsNotReady(f"{files.certificate} and {files.key or 'the key in it'}: {why}") from error
    except OSError as error:
        names = " or ".join(str(p) for p in (files.certificate, files.key) if p is not None)
        raise TlsNotReady(f"{names} can't be read: {error.strerror}") from error
    try:
        if files.authorities is not None:
            context.load_verify_locations(files.authorities)
    except ssl.SSLError as error:
        raise TlsNotReady(f"{files.authorities} holds no certificates in PEM") from error
    except OSError as error:
        raise TlsNotReady(f"{files.authorities} can't be read: {error.strerror}") from error


def _unnamed(files: TlsFiles, error: ssl.SSLError) -> str:
    """OpenSSL has no name for a wrong password, nor for text that is no PEM."""
    private = files.key or files.certificate
    if private is not None and b"ENCRYPTED" in private.read_bytes():
        return "the key's password is wrong or missing"
    return f"they can't be used ({error.reason or 'is it PEM?'})"


_REASONS = {
    "KEY_VALUES_MISMATCH": "the key is another certificate's",
    "EE_KEY_TOO_SMALL": "the key is too short (RSA needs 2048 bits)",
    "CA_MD_TOO_WEAK": "the signature's hash is too weak",
}


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
