"""Passwords (argon2id), one-time codes (RFC 6238) and tokens."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 10
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def check_password(password_hash: str | None, password: str) -> bool:
    """Takes as long for a user that doesn't exist (`None`) as for one that does."""
    try:
        _hasher.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))


def check_totp(secret: str, code: str) -> bool:
    """Accepts the current code and its neighbours (30 s each way)."""
    return pyotp.TOTP(secret).verify(code.replace(" ", ""), valid_window=1)


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
