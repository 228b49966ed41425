"""The exact bytes of an event that are sealed, and of a tree head that are signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from heliograph.governance.audit.model import AuditEvent

_COLUMNS = tuple(sorted(c.key for c in AuditEvent.__table__.columns))


def event_bytes(event: AuditEvent) -> bytes:
    """Canonical JSON of all columns: sorted keys, no spaces, times in UTC with microseconds."""
    return _canonical({name: getattr(event, name) for name in _COLUMNS})


def head_bytes(size: int, root: bytes, at: datetime) -> bytes:
    """What the signature of a tree head covers."""
    return _canonical({"size": size, "root": root.hex(), "at": at})


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
