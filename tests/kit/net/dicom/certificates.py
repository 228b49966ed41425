"""Certificates for tests: an authority, and what it signs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from heliograph.kit.net.dicom.tls import TlsFiles, fingerprint

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path
    der: bytes
    _name: x509.Name
    _key: _Key

    @property
    def sha256(self) -> str:
        return fingerprint(self.der)

    def files(self, authorities: Path | None = None) -> TlsFiles:
        return TlsFiles(self.certificate, self.key, authorities)


def issue(
    folder: Path,
    name: str,
    by: Issued | None = None,
    *,
    days: float = 90,
    is_authority: bool = False,
    rsa_bits: int = 0,
    password: str = "",
) -> Issued:
    """A certificate for 127.0.0.1, valid for `days` from now (negative: expired), signed by `by` or by itself."""
    key: _Key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by._name if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=200))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(by._key if by else key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, kept)
    )
    private.chmod(0o600)
    return Issued(certificate, private, made.public_bytes(serialization.Encoding.DER), subject, key)
