"""Signing in and out, and proving oneself again before a signature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text, update

from heliograph.governance.access.errors import SignatureNeeded, TooManyAttempts, TotpNeeded, WrongCredentials
from heliograph.governance.access.model import SessionRow, SignInAttempt, User
from heliograph.governance.access.passwords import check_password, new_token, token_hash, totp_step
from heliograph.governance.access.sessions import SESSION_TOPIC
from heliograph.kit.actor import Actor, system
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory

WINDOW = timedelta(minutes=15)
TRIES_PER_NAME = 5
TRIES_PER_ADDRESS = 50
_LOCK_NAME = text("select pg_advisory_xact_lock(hashtextextended(:who, 7))")


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
    attempt = _begin_attempt(works, token_hash(name), address)
    with works.read(system("sign-in")) as work:
        user = work.session.scalar(select(User).where(User.username == name))
    right = check_password(user.password_hash if user else None, password)
    if right and user and user.is_active and user.totp_secret and not totp:
        _end_attempt(works, attempt, succeeded=None)
        raise TotpNeeded()
    right = (
        right
        and user is not None
        and user.is_active
        and (not user.totp_secret or _take_code(works, user, totp or "", address))
    )
    if not right or user is None:
        _record_refused(works, user, address)
        raise WrongCredentials()
    _end_attempt(works, attempt, succeeded=True)
    actor = Actor(kind="user", name=user.display_name, id=user.id, address=address)
    with works.begin(actor) as work:
        token = new_token()
        row = SessionRow(
            token_hash=token_hash(token),
            csrf_token=new_token(),
            user_id=user.id,
            created_at=work.now,
            last_seen_at=work.now,
            expires_at=work.now + timedelta(hours=settings.session_hours),
            address=address,
            user_agent=user_agent[:200],
        )
        work.session.add(row)
        work.session.flush()
        work.record("session.signed_in", subject_kind="session", subject_id=row.id)
        return NewSession(row.id, user.id, token, row.expires_at)


def sign_out(work: Work) -> None:
    """Ends the actor's session, in every process."""
    work.session.execute(update(SessionRow).where(SessionRow.id == work.actor.session_id).values(ended_at=work.now))
    work.record("session.signed_out", subject_kind="session", subject_id=work.actor.session_id)
    if work.actor.id:
        work.touch(SESSION_TOPIC, work.actor.id)


def prove(works: WorkFactory, actor: Actor, *, password: str | None, totp: str | None) -> datetime:
    """The person proves themselves for signing; returns when they did. Limited like signing in.

    Raises: SignatureNeeded, WrongCredentials, TooManyAttempts.
    """
    if not password and not totp:
        raise SignatureNeeded()
    with works.read(actor) as work:
        user = work.session.get_one(User, actor.id)
    address = actor.address or ""
    attempt = _begin_attempt(works, token_hash("prove:" + user.username), address)
    if password:
        right = check_password(user.password_hash, password)
    else:
        right = _take_code(works, user, totp or "", address)
    if not right:
        _record_refused(works, user, address, action="session.proved")
        raise WrongCredentials()
    _end_attempt(works, attempt, succeeded=True)
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


def _begin_attempt(works: WorkFactory, who: bytes, address: str) -> UUID:
    """Counts a try as failed before it is made, under a lock of that name: a hundred guesses at once are no way round the limit.

    Raises: TooManyAttempts.
    """
    with works.begin(system("sign-in")) as work:
        work.session.execute(_LOCK_NAME, {"who": who.hex()})
        _check_rate(work, who, address)
        attempt = SignInAttempt(username_hash=who, address=address, at=work.now, succeeded=False)
        work.session.add(attempt)
        work.session.flush()
        return attempt.id


def _take_code(works: WorkFactory, user: User, code: str, address: str) -> bool:
    """A right code of the second factor counts once (RFC 6238 5.2): who looked over a shoulder comes too late.

    A code taken is kept as a try of a name of its own, as long as tries are.
    """
    step = totp_step(user.totp_secret, code) if user.totp_secret else None
    if step is None:
        return False
    taken = token_hash(f"totp:{user.id}:{step}")
    with works.begin(system("sign-in")) as work:
        work.session.execute(_LOCK_NAME, {"who": taken.hex()})
        if work.session.scalar(select(SignInAttempt.id).where(SignInAttempt.username_hash == taken).limit(1)):
            return False
        work.session.add(SignInAttempt(username_hash=taken, address=address, at=work.now, succeeded=True))
    return True


def _end_attempt(works: WorkFactory, attempt: UUID, *, succeeded: bool | None) -> None:
    """The try was right; None: it was right as far as it went, and doesn't count."""
    with works.begin(system("sign-in")) as work:
        if succeeded is None:
            work.session.execute(delete(SignInAttempt).where(SignInAttempt.id == attempt))
        else:
            work.session.execute(
                update(SignInAttempt).where(SignInAttempt.id == attempt).values(succeeded=succeeded, at=work.now)
            )


def forget_old_attempts(works: WorkFactory) -> None:
    """Sweep: tries that no limit looks at any more are deleted."""
    with works.begin(system("sign-in")) as work:
        work.session.execute(delete(SignInAttempt).where(SignInAttempt.at < work.now - 4 * WINDOW))


def _check_rate(work: Work, who: bytes, address: str) -> None:
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
        left = math.ceil((last + wait - work.now).total_seconds())
        if left > 0:
            raise TooManyAttempts(
                f"Too many attempts. Try again in {left} s, or ask your administrator.", retry_after=left
            )
    if by_address >= TRIES_PER_ADDRESS:
        raise TooManyAttempts("Too many attempts from this address. Try again in 15 minutes.", retry_after=900)


def _record_refused(works: WorkFactory, user: User | None, address: str, action: str = "session.signed_in") -> None:
    with works.begin(Actor(kind="system", name="sign-in", address=address)) as work:
        work.record(
            action,
            outcome="refused",
            subject_kind="user",
            subject_id=user.id if user else None,
            reason="wrong-credentials",
        )
