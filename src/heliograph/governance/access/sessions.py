"""Who is behind a session cookie or a bearer key."""

from __future__ import annotations

import hmac
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import and_, bindparam, or_, select, update

from heliograph.governance.access.model import Key, RoleAssignment, SessionRow, User
from heliograph.governance.access.passwords import token_hash
from heliograph.kit.actor import Actor, Role, RoleHeld, machine, system
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory

SESSION_TOPIC = "session"
"""Live changes of this topic tell every process to forget whom it knew. No page hears of them."""
CACHE_SECONDS = 3.0
"""How long a resolved session is believed without asking the database: image frames come by the hundred."""

_SESSION = (
    select(SessionRow, User, RoleAssignment)
    .join(User, User.id == SessionRow.user_id)
    .outerjoin(
        RoleAssignment,
        and_(
            RoleAssignment.user_id == User.id,
            RoleAssignment.valid_from <= bindparam("now"),
            or_(RoleAssignment.valid_until.is_(None), RoleAssignment.valid_until > bindparam("now")),
        ),
    )
    .where(SessionRow.token_hash == bindparam("hashed"))
)
"""A session with its person, once for each role that they hold now."""


@dataclass(frozen=True, slots=True)
class Known:
    """A resolved caller of the web door. `csrf_token` is None for a key. `may_store`, `may_read` bound a key."""

    actor: Actor
    csrf_token: str | None
    facility_id: UUID | None = None
    may_store: bool = True
    may_read: bool = True


class Sessions:
    """Resolves cookies and keys, with a cache of a few seconds. What ends a session or a key clears it, in every process that listens."""

    def __init__(self, works: WorkFactory, settings: Settings) -> None:
        self._works = works
        self._settings = settings
        self._cache: dict[bytes, tuple[float, Known]] = {}
        self._lock = threading.Lock()

    def by_cookie(
        self, token: str, *, address: str | None, unsafe: bool, given: str = "", attended: bool = True
    ) -> Known | None:
        """The signed-in person, or None. Moves the session's idle clocks where the person is there (`attended`); that of the signature
        only by a change (`unsafe`) for which the right CSRF token is `given`."""
        hashed = token_hash(token)
        if not unsafe and (known := self._cached(hashed)):
            return known
        with self._works.begin(system("sessions")) as work:
            now, session = work.now, work.session
            found = session.execute(_SESSION, {"hashed": hashed, "now": now}).all()
            idle = timedelta(minutes=self._settings.session_idle_minutes)
            if not found:
                return None
            row, user, _ = found[0]
            if (
                row.ended_at is not None
                or row.expires_at <= now
                or row.last_seen_at + idle <= now
                or not user.is_active
            ):
                return None
            roles: list[RoleAssignment | None] = [r for _, _, r in found]
            held = tuple(RoleHeld(r.organization_id, cast("Role", r.role), r.facility_id) for r in roles if r)
            fresh: dict[str, object] = {}
            if attended and now - row.last_seen_at > timedelta(seconds=30):
                fresh["last_seen_at"] = now
            if (
                unsafe
                and hmac.compare_digest(given.encode(), row.csrf_token.encode())
                and row.signature_at
                and now - row.signature_at <= timedelta(minutes=self._settings.signature_idle_minutes)
            ):
                fresh["signature_at"] = now
            if fresh:
                session.execute(update(SessionRow).where(SessionRow.id == row.id).values(**fresh))
            known = Known(
                Actor("user", user.display_name, user.id, (), held, row.id, address, user.is_operator),
                csrf_token=row.csrf_token,
            )
        self._remember(hashed, known)
        return known

    def by_key(self, token: str, *, address: str | None) -> Known | None:
        """The machine that bears `token`, acting for its organisation, or None."""
        hashed = token_hash(token)
        if known := self._cached(hashed):
            return known
        with self._works.read(system("sessions")) as work:
            key = work.session.scalar(select(Key).where(Key.token_hash == hashed))
            if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= work.now):
                return None
            actor = machine(f"key {key.name}", key.id, key.organization_id, address=address)
            known = Known(actor, None, key.facility_id, key.may_store, key.may_read)
        self._remember(hashed, known)
        return known

    def still_open(self, actor: Actor) -> bool:
        """Whether the person's session has not ended meanwhile: asked of long streams, which were let in once."""
        with self._works.read(system("sessions")) as work:
            row = work.session.get(SessionRow, actor.session_id) if actor.session_id else None
            return (
                row is not None
                and row.ended_at is None
                and row.expires_at > work.now
                and row.last_seen_at + timedelta(minutes=self._settings.session_idle_minutes) > work.now
                and work.session.get_one(User, row.user_id).is_active
            )

    def remembered(self, token: str) -> Known | None:
        """Whom a cookie or key was found to be within the last seconds. Nothing is asked: None says only that it must be."""
        return self._cached(token_hash(token))

    def forget(self, token: str) -> None:
        """Forgets one cookie."""
        with self._lock:
            self._cache.pop(token_hash(token), None)

    def forget_all(self) -> None:
        """Forgets everybody: roles, sessions or keys changed somewhere."""
        with self._lock:
            self._cache.clear()

    def _cached(self, hashed: bytes) -> Known | None:
        with self._lock:
            found = self._cache.get(hashed)
        return found[1] if found and found[0] > time.monotonic() else None

    def _remember(self, hashed: bytes, known: Known) -> None:
        with self._lock:
            if len(self._cache) > 10_000:
                self._cache.clear()
            self._cache[hashed] = (time.monotonic() + CACHE_SECONDS, known)
