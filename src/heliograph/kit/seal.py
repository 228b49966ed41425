"""Secrets that must be used again, and so can't be hashed: kept encrypted in the database, with a key outside it.

AES-256-GCM (NIST SP 800-38D). What a secret belongs to is authenticated with it, so that one can't be moved to another row.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from heliograph.kit.errors import Conflict, Invalid

_NONCE = 12
_LENGTH = 32


class BadKey(Invalid):
    """The key that seals secrets is 32 bytes in base64."""


class SealBroken(Conflict):
    """This secret was sealed with another key, or is damaged; enter it again."""


class Seal:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, secret: bytes, about: str) -> bytes:
        """The secret, sealed. `about`: what it belongs to."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """The secret. Raises: SealBroken."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error


def seal(given: SecretStr | None, folder: Path) -> Seal:
    """With the key that was given, else with the one in `folder`, made at first use (mode 0600). Raises: BadKey."""
    if given is not None:
        return Seal(_read(given.get_secret_value()))
    path = folder / "secrets.key"
    if not path.exists():
        _make(path)
    return Seal(_read(path.read_text("ascii")))


def _read(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadKey from error
    if len(key) != _LENGTH:
        raise BadKey
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mine = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(os.urandom(_LENGTH)))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(mine, path)  # the first of several processes wins
    except FileExistsError:
        pass
    finally:
        mine.unlink()
