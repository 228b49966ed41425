"""Secrets of destinations: given once, kept sealed, used by whoever calls the destination, told to nobody afterwards."""

from __future__ import annotations

import base64
import binascii
import secrets as random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.seal import Seal
from heliograph.kit.work import Work
from heliograph.records.sites.errors import BadSecret
from heliograph.records.sites.model import Endpoint, EndpointSecret

SecretName = Literal["signing", "password", "private_key"]
PREFIX = "whsec_"
"""Of a signing secret's text form (Standard Webhooks): the prefix, and 24 to 64 bytes in base64."""


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """That there is a secret, and until when; never the secret."""

    id: UUID
    endpoint_id: UUID
    name: SecretName
    made_at: datetime
    ends_at: datetime | None


def keep_secret(
    work: Work, seal: Seal, endpoint_id: UUID, name: SecretName, value: str | None, *, overlap: timedelta
) -> str:
    """Keeps a secret of a destination; the one before stays in force for `overlap` more, at once not at all where that is none.

    `value` may be None for a signing secret: then one is made. Returns the secret's text, to be shown once.
    Raises: NotFound, BadSecret.
    """
    endpoint = work.session.get(Endpoint, endpoint_id, with_for_update=ROW_LOCK)
    if endpoint is None or not work.actor.holds("administrator", endpoint.organization_id):
        raise NotFound
    if value is None and name == "signing":
        value = PREFIX + base64.b64encode(random.token_bytes(32)).decode()
    _check(name, value)
    assert value is not None  # noqa: S101 (for the type checker: `_check` refused it)
    before = work.session.scalars(
        select(EndpointSecret).where(EndpointSecret.endpoint_id == endpoint_id, EndpointSecret.name == name)
    ).all()
    ends = work.now + overlap
    for row in before:
        row.ends_at = ends if row.ends_at is None else min(row.ends_at, ends)
    work.session.add(
        EndpointSecret(
            organization_id=endpoint.organization_id,
            endpoint_id=endpoint_id,
            name=name,
            sealed=seal.close(value.encode(), _about(endpoint_id, name)),
            made_by=work.actor.id,
            made_at=work.now,
        )
    )
    work.session.flush()
    work.record(
        "endpoint.secret_changed",
        organization_id=endpoint.organization_id,
        subject_kind="endpoint",
        subject_id=endpoint_id,
        detail={"name": name, "overlap_hours": round(overlap.total_seconds() / 3600, 2) if before else 0},
    )
    return value


def secrets_in_force(
    session: ActorSession, seal: Seal, endpoint_id: UUID, name: SecretName, now: datetime
) -> list[str]:
    """The secrets of that name that are used at `now`, newest first. Raises: SealBroken."""
    rows = session.scalars(
        select(EndpointSecret)
        .where(EndpointSecret.endpoint_id == endpoint_id, EndpointSecret.name == name)
        .where(EndpointSecret.ends_at.is_(None) | (EndpointSecret.ends_at > now))
        .order_by(EndpointSecret.made_at.desc(), EndpointSecret.id.desc())
    )
    return [seal.open(row.sealed, _about(endpoint_id, name)).decode() for row in rows]


def secrets_of(session: ActorSession, endpoint_ids: Iterable[UUID], now: datetime) -> dict[UUID, list[SecretFacts]]:
    """Which secrets destinations have in force at `now`, newest first."""
    found: dict[UUID, list[SecretFacts]] = {}
    rows = session.scalars(
        select(EndpointSecret)
        .where(EndpointSecret.endpoint_id.in_(list(endpoint_ids)))
        .where(EndpointSecret.ends_at.is_(None) | (EndpointSecret.ends_at > now))
        .order_by(EndpointSecret.made_at.desc(), EndpointSecret.id.desc())
    )
    for row in rows:
        fact = SecretFacts(row.id, row.endpoint_id, row.name, row.made_at, row.ends_at)  # type: ignore[arg-type]
        found.setdefault(row.endpoint_id, []).append(fact)
    return found


def signing_bytes(secret: str) -> bytes:
    """The key of a signing secret. Raises: BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadSecret("A signing secret is whsec_ and 24 to 64 bytes in base64.") from error
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise BadSecret("A signing secret is whsec_ and 24 to 64 bytes in base64.")
    return key


def _check(name: SecretName, value: str | None) -> None:
    if not value or len(value) > 20_000 or "\0" in value:
        raise BadSecret
    if name == "signing":
        signing_bytes(value)
    if name == "private_key" and "PRIVATE KEY-----" not in value:
        raise BadSecret("A private key is text that begins with -----BEGIN ... PRIVATE KEY-----.")


def _about(endpoint_id: UUID, name: str) -> str:
    return f"endpoint/{endpoint_id}/{name}"
