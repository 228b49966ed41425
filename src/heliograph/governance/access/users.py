"""Users, their roles, and keys for machines: who may sign in, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyotp
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from heliograph.governance.access.errors import UsernameTaken
from heliograph.governance.access.model import ROLES, Key, RoleAssignment, SessionRow, User
from heliograph.governance.access.passwords import MIN_LENGTH, hash_password, new_token, token_hash
from heliograph.governance.access.sessions import SESSION_TOPIC
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.work import Work


@dataclass(frozen=True, slots=True)
class UserFacts:
    """A user without secrets."""

    id: UUID
    username: str
    display_name: str
    email: str | None
    time_zone: str
    has_totp: bool
    is_operator: bool
    is_active: bool
    roles: tuple[tuple[UUID, str, UUID | None], ...]
    """(organisation, role, facility) held now."""


def user_facts(session: ActorSession, user_id: UUID) -> UserFacts:
    """Raises NotFound."""
    row = session.get(User, user_id)
    if row is None:
        raise NotFound()
    return _facts(session, [row])[0]


def names_of_users(session: ActorSession, user_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Display names by id; who is unknown is left out."""
    rows = session.execute(select(User.id, User.display_name).where(User.id.in_({i for i in user_ids if i})))
    return {row.id: row.display_name for row in rows}


def users_of(session: ActorSession, organization_ids: Sequence[UUID]) -> list[UserFacts]:
    """Users who hold a role in any of these organisations, by name."""
    held = select(RoleAssignment.user_id).where(RoleAssignment.organization_id.in_(organization_ids))
    return _facts(session, session.scalars(select(User).where(User.id.in_(held)).order_by(User.display_name)).all())


def all_users(session: ActorSession) -> list[UserFacts]:
    """Every user of this cell: for the operator."""
    return _facts(session, session.scalars(select(User).order_by(User.display_name)).all())


def _facts(session: ActorSession, rows: Iterable[User]) -> list[UserFacts]:
    rows = list(rows)
    held = session.scalars(
        select(RoleAssignment).where(
            RoleAssignment.user_id.in_([r.id for r in rows]),
            or_(RoleAssignment.valid_until.is_(None), RoleAssignment.valid_until > func.now()),
        )
    ).all()
    return [
        UserFacts(
            r.id, r.username, r.display_name, r.email, r.time_zone, r.totp_secret is not None, r.is_operator, r.is_active,
            tuple((h.organization_id, h.role, h.facility_id) for h in held if h.user_id == r.id),
        )
        for r in rows
    ]  # fmt: skip


def add_user(
    work: Work,
    *,
    username: str,
    display_name: str,
    password: str,
    time_zone: str = "UTC",
    email: str | None = None,
    is_operator: bool = False,
) -> UUID:
    """A new user without roles.

    Raises: Invalid (a short password, an empty name, a time zone that nobody knows), UsernameTaken.
    """
    name = username.strip().casefold()
    if not name or not display_name.strip():
        raise Invalid("A user needs a name to sign in with and a name to show.")
    if len(password) < MIN_LENGTH:
        raise Invalid(f"A password needs at least {MIN_LENGTH} characters.")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("There is no such time zone; name one as Europe/Oslo.") from error
    user = User(
        username=name,
        display_name=display_name.strip(),
        email=email,
        time_zone=time_zone,
        password_hash=hash_password(password),
        is_operator=is_operator,
    )
    work.session.add(user)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise UsernameTaken() from error
    work.record("user.added", subject_kind="user", subject_id=user.id)
    return user.id


def give_role(work: Work, user_id: UUID, organization_id: UUID, role: str, *, facility_id: UUID | None = None) -> None:
    """Gives a role in one organisation; giving it twice changes nothing.

    Raises: NotAllowed unless the actor administers that organisation, operates the platform or is the platform; Invalid.
    """
    require_administrator(work, organization_id)
    if work.actor.id == user_id and not work.actor.holds("administrator", organization_id):
        raise NotAllowed("An operator sees no patients, and so gives themselves no role.", action="role.given")
    if facility_id is not None:
        _require_facility(work, organization_id, facility_id)
    if role not in ROLES:
        raise Invalid(f"There is no role {role!r}; roles are: {', '.join(ROLES)}.")
    held = work.session.scalar(
        select(RoleAssignment.id).where(
            RoleAssignment.user_id == user_id,
            RoleAssignment.organization_id == organization_id,
            RoleAssignment.role == role,
            RoleAssignment.facility_id.is_not_distinct_from(facility_id),
            or_(RoleAssignment.valid_until.is_(None), RoleAssignment.valid_until > work.now),
        )
    )
    if held:
        return
    work.session.add(
        RoleAssignment(
            user_id=user_id, organization_id=organization_id, role=role, facility_id=facility_id, valid_from=work.now
        )
    )
    work.session.flush()
    work.record(
        "role.given", organization_id=organization_id, subject_kind="user", subject_id=user_id, detail={"role": role}
    )
    work.touch(SESSION_TOPIC, user_id)


def end_role(work: Work, user_id: UUID, organization_id: UUID, role: str) -> None:
    """Ends a role now. Raises: NotAllowed, NotFound."""
    require_administrator(work, organization_id)
    ended = work.session.scalars(
        update(RoleAssignment)
        .where(
            RoleAssignment.user_id == user_id,
            RoleAssignment.organization_id == organization_id,
            RoleAssignment.role == role,
            or_(RoleAssignment.valid_until.is_(None), RoleAssignment.valid_until > work.now),
        )
        .values(valid_until=work.now)
        .returning(RoleAssignment.id)
    ).all()
    if not ended:
        raise NotFound()
    work.record(
        "role.ended", organization_id=organization_id, subject_kind="user", subject_id=user_id, detail={"role": role}
    )
    work.touch(SESSION_TOPIC, user_id)


def set_active(work: Work, user_id: UUID, *, is_active: bool) -> None:
    """Lets a user sign in or not; whoever is stopped is signed out everywhere. The caller has checked who asks."""
    work.session.execute(update(User).where(User.id == user_id).values(is_active=is_active))
    if not is_active:
        work.session.execute(
            update(SessionRow)
            .where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None))
            .values(ended_at=work.now)
        )
    work.record("user.resumed" if is_active else "user.stopped", subject_kind="user", subject_id=user_id)
    work.touch(SESSION_TOPIC, user_id)


def set_password(work: Work, user_id: UUID, password: str) -> None:
    """Sets a password and ends the user's sessions. The caller has checked who asks. Raises Invalid."""
    if len(password) < MIN_LENGTH:
        raise Invalid(f"A password needs at least {MIN_LENGTH} characters.")
    work.session.execute(update(User).where(User.id == user_id).values(password_hash=hash_password(password)))
    work.session.execute(
        update(SessionRow).where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None)).values(ended_at=work.now)
    )
    work.record("user.password_set", subject_kind="user", subject_id=user_id)
    work.touch(SESSION_TOPIC, user_id)


def begin_totp(work: Work, user_id: UUID) -> str:
    """Gives the user a second factor; returns the otpauth:// address to show once."""
    user = work.session.get_one(User, user_id)
    user.totp_secret = pyotp.random_base32()
    work.record("user.totp_set", subject_kind="user", subject_id=user_id)
    return pyotp.TOTP(user.totp_secret).provisioning_uri(name=user.username, issuer_name="Heliograph")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A machine's key without its token."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    name: str
    may_store: bool
    may_read: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def add_key(
    work: Work,
    organization_id: UUID,
    facility_id: UUID,
    name: str,
    *,
    may_store: bool,
    may_read: bool,
    expires_at: datetime | None,
) -> tuple[UUID, str]:
    """A key for a machine of a facility; the token is returned once and kept nowhere. Raises: NotAllowed, Invalid."""
    require_administrator(work, organization_id)
    _require_facility(work, organization_id, facility_id)
    token = new_token()
    key = Key(
        organization_id=organization_id,
        facility_id=facility_id,
        name=name,
        token_hash=token_hash(token),
        may_store=may_store,
        may_read=may_read,
        expires_at=expires_at,
    )
    work.session.add(key)
    work.session.flush()
    work.record("key.added", organization_id=organization_id, subject_kind="key", subject_id=key.id)
    return key.id, token


def revoke_key(work: Work, key_id: UUID) -> None:
    """Revokes a key at once. Raises NotFound, also for another organisation's key."""
    key = work.session.get(Key, key_id)
    if key is None or not administers(work, key.organization_id):
        raise NotFound()
    key.revoked_at = work.now
    work.record("key.revoked", organization_id=key.organization_id, subject_kind="key", subject_id=key.id)
    work.touch(SESSION_TOPIC, key.id)


def keys_of(session: ActorSession, organization_ids: Sequence[UUID]) -> list[KeyFacts]:
    """Keys of these organisations, newest first."""
    rows = session.scalars(select(Key).where(Key.organization_id.in_(organization_ids)).order_by(Key.created_at.desc()))
    return [
        KeyFacts(k.id, k.organization_id, k.facility_id, k.name, k.may_store, k.may_read, k.created_at, k.expires_at, k.revoked_at)
        for k in rows
    ]  # fmt: skip


def administers(work: Work, organization_id: UUID) -> bool:
    """Whether the actor may change what belongs to the organisation: its administrators, the operator, and the platform itself."""
    actor = work.actor
    return actor.kind == "system" or actor.is_operator or actor.holds("administrator", organization_id)


_FACILITY = text("select true from sites.facilities where id = :facility and organization_id = :organization")


def _require_facility(work: Work, organization_id: UUID, facility_id: UUID) -> None:
    """The facility must be that organisation's: else a key or a role would reach into another's house. Raises Invalid."""
    if not work.session.scalar(_FACILITY, {"facility": facility_id, "organization": organization_id}):
        raise Invalid("There is no such facility in that organisation.")


def require_administrator(work: Work, organization_id: UUID) -> None:
    """Raises NotAllowed unless the actor administers the organisation."""
    if not administers(work, organization_id):
        raise NotAllowed(
            "This is for administrators of that organisation.", organization_id=organization_id, action="administer"
        )
