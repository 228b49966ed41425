"""Passwords (argon2id), one-time codes (RFC 6238) and tokens."""

from __future__ import annotations

import hashlib
import secrets
import time
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


def totp_step(secret: str, code: str) -> int | None:
    """Which step of 30 s a code is of: the current one or a neighbour (RFC 6238 5.2); None if of none of them."""
    totp, given = pyotp.TOTP(secret), code.replace(" ", "").encode()
    now = int(time.time()) // totp.interval
    found = [s for s in (now - 1, now, now + 1) if secrets.compare_digest(totp.at(s * totp.interval).encode(), given)]
    return found[-1] if found else None


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
