"""Signing in and out, and proving oneself again before a signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update

from heliograph.governance.access.errors import SignatureNeeded, TooManyAttempts, TotpNeeded, WrongCredentials
from heliograph.governance.access.model import SessionRow, SignInAttempt, User
from heliograph.governance.access.passwords import check_password, check_totp, new_token, token_hash
from heliograph.kit.actor import Actor, system
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory

WINDOW = timedelta(minutes=15)
TRIES_PER_NAME = 5
TRIES_PER_ADDRESS = 50


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun. `token` goes into the cookie and is kept nowhere."""

    id: UUID
    user_id: UUID
    token: str
    expires_at: datetime


def sign_in(
    works: WorkFactory,
    settings: Settings,
    username: str,
    password: str,
    totp: str | None,
    *,
    address: str,
    user_agent: str,
) -> NewSession:
    """Begins a session.

    Raises:
        TooManyAttempts: five failures for a name, or fifty from an address, in the last quarter of an hour.
        WrongCredentials: the same for an unknown name, a wrong password and a user who may not sign in.
        TotpNeeded: the password is right and this user has a second factor.
    """
    name = username.strip().casefold()
    who = token_hash(name)
    _check_rate(works, who, address)
    with works.read(system("sign-in")) as work:
        user = work.session.scalar(select(User).where(User.username == name))
    right = check_password(user.password_hash if user else None, password)
    if right and user and user.is_active and user.totp_secret and not totp:
        raise TotpNeeded()
    right = (
        right
        and user is not None
        and user.is_active
        and (not user.totp_secret or check_totp(user.totp_secret, totp or ""))
    )
    _note_attempt(works, who, address, succeeded=right)
    if not right or user is None:
        _record_refused(works, user, address)
        raise WrongCredentials()
    actor = Actor(kind="user", name=user.display_name, id=user.id, address=address)
    with works.begin(actor) as work:
        token = new_token()
        row = SessionRow(
            token_hash=token_hash(token),
            csrf_token=new_token(),
            user_id=user.id,
            expires_at=work.now + timedelta(hours=settings.session_hours),
            address=address,
            user_agent=user_agent[:200],
        )
        work.session.add(row)
        work.session.flush()
        work.record("session.signed_in", subject_kind="session", subject_id=row.id)
        return NewSession(row.id, user.id, token, row.expires_at)


def sign_out(work: Work) -> None:
    """Ends the actor's session."""
    work.session.execute(update(SessionRow).where(SessionRow.id == work.actor.session_id).values(ended_at=work.now))
    work.record("session.signed_out", subject_kind="session", subject_id=work.actor.session_id)


def prove(works: WorkFactory, actor: Actor, *, password: str | None, totp: str | None) -> datetime:
    """The person proves themselves for signing; returns when they did. Limited like signing in.

    Raises: SignatureNeeded, WrongCredentials, TooManyAttempts.
    """
    if not password and not totp:
        raise SignatureNeeded()
    with works.read(actor) as work:
        user = work.session.get_one(User, actor.id)
    who = token_hash("prove:" + user.username)
    address = actor.address or ""
    _check_rate(works, who, address)
    if password:
        right = check_password(user.password_hash, password)
    else:
        right = bool(user.totp_secret) and check_totp(user.totp_secret or "", totp or "")
    _note_attempt(works, who, address, succeeded=right)
    if not right:
        _record_refused(works, user, address, action="session.proved")
        raise WrongCredentials()
    with works.begin(actor) as work:
        work.session.execute(update(SessionRow).where(SessionRow.id == actor.session_id).values(signature_at=work.now))
        work.record("session.proved", subject_kind="session", subject_id=actor.session_id)
        return work.now


def signature_stands(work: Work, settings: Settings) -> bool:
    """Whether the session's proof for signing is still fresh."""
    at = work.session.scalar(select(SessionRow.signature_at).where(SessionRow.id == work.actor.session_id))
    return at is not None and work.now - at <= timedelta(minutes=settings.signature_idle_minutes)


def require_signature(work: Work, settings: Settings) -> None:
    """Raises SignatureNeeded unless the person proved themselves in this session and was not idle since."""
    if not signature_stands(work, settings):
        raise SignatureNeeded()


def _check_rate(works: WorkFactory, who: bytes, address: str) -> None:
    with works.read(system("sign-in")) as work:
        since = work.now - WINDOW
        failed = select(func.count(), func.max(SignInAttempt.at)).where(
            SignInAttempt.at > since, SignInAttempt.succeeded.is_(False)
        )
        last_success = func.coalesce(
            select(func.max(SignInAttempt.at))
            .where(SignInAttempt.username_hash == who, SignInAttempt.succeeded)
            .scalar_subquery(),
            since,
        )
        by_name, last = work.session.execute(
            failed.where(SignInAttempt.username_hash == who, SignInAttempt.at > last_success)
        ).one()
        by_address, _ = work.session.execute(failed.where(SignInAttempt.address == address)).one()
        if by_name >= TRIES_PER_NAME:
            # Each further failure doubles the wait, from 30 s up to the window.
            wait = min(timedelta(seconds=30 * 2 ** min(by_name - TRIES_PER_NAME, 5)), WINDOW)
            left = int((last + wait - work.now).total_seconds())
            if left > 0:
                raise TooManyAttempts(
                    f"Too many attempts. Try again in {left} s, or ask your administrator.", retry_after=left
                )
        if by_address >= TRIES_PER_ADDRESS:
            raise TooManyAttempts("Too many attempts from this address. Try again in 15 minutes.", retry_after=900)


def _note_attempt(works: WorkFactory, who: bytes, address: str, *, succeeded: bool) -> None:
    with works.begin(system("sign-in")) as work:
        work.session.add(SignInAttempt(username_hash=who, address=address, succeeded=succeeded))


def _record_refused(works: WorkFactory, user: User | None, address: str, action: str = "session.signed_in") -> None:
    with works.begin(Actor(kind="system", name="sign-in", address=address)) as work:
        work.record(
            action,
            outcome="refused",
            subject_kind="user",
            subject_id=user.id if user else None,
            reason="wrong-credentials",
        )
