"""The key that signs tree heads: Ed25519, in a file outside the database."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class AuditKey:
    """Signs and checks tree heads. `id` is the first 16 hex digits of the public key's SHA-256."""

    private: Ed25519PrivateKey
    id: str

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)

    def is_ours(self, signature: bytes, data: bytes) -> bool:
        try:
            self.private.public_key().verify(signature, data)
        except InvalidSignature:
            return False
        return True


def audit_key(folder: Path) -> AuditKey:
    """The key in `folder`, made at first use (mode 0600)."""
    path = folder / "audit.key"
    if not path.exists():
        _make(path)
    private = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return AuditKey(private, hashlib.sha256(public).hexdigest()[:16])


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    mine = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(mine, path)  # the first of several processes wins
    except FileExistsError:
        pass
    finally:
        mine.unlink()
