"""The listener and the sender over TLS (PS3.15 B.9): the same bytes, and the caller's certificate is known."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from heliograph.app.demo.studies import make_slices
from heliograph.kit.net.dicom import (
    Acceptance,
    AssociationError,
    Caller,
    StorageListener,
    StoreRequest,
    send_files,
    verify,
)
from tests.kit.net.test_dicom_listener import data_set_of


def certificate(folder: Path, name: str) -> tuple[Path, Path, bytes]:
    """A self-signed certificate for 127.0.0.1: (certificate file, key file, DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / f"{name}.pem", folder / f"{name}.key", made.public_bytes(serialization.Encoding.DER)


def test_it_works_over_tls(tmp_path: Path) -> None:
    server_pem, server_key, _ = certificate(tmp_path, "server")
    client_pem, client_key, client_der = certificate(tmp_path, "client")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(server_pem, server_key)
    server.load_verify_locations(client_pem)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(server_pem))
    client.load_cert_chain(client_pem, client_key)
    callers: list[Caller] = []
    stored: list[bytes] = []

    def accept(caller: Caller) -> Acceptance:
        callers.append(caller)
        return Acceptance(caller)

    def store(_acceptance: Acceptance, request: StoreRequest) -> int:
        stored.append(request.read())
        return 0

    files = make_slices(tmp_path / "slices", 3)
    with StorageListener(
        "127.0.0.1", None, accept=accept, store=store, tls_port=0, tls=lambda: server
    ) as listener:
        results = send_files("127.0.0.1", listener.tls_port, called="H", calling="C", files=files, tls=client)
        assert all(r.stored for r in results)
        with pytest.raises(AssociationError):  # no certificate, or no TLS at all
            verify(
                "127.0.0.1",
                listener.tls_port,
                called="H",
                calling="C",
                timeout=3,
                tls=ssl.create_default_context(cafile=str(server_pem)),
            )
        with pytest.raises(AssociationError):
            verify("127.0.0.1", listener.tls_port, called="H", calling="C", timeout=3)
    assert stored == [data_set_of(path) for path in files]
    assert callers == [Caller("H", "C", "127.0.0.1", client_der, tls=True)]
