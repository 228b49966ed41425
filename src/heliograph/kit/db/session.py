"""Sessions whose every transaction tells PostgreSQL who acts, so that row-level security can decide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from heliograph.kit.actor import Actor
from heliograph.kit.db.connections import watch

ROW_LOCK: Final[dict[str, Any]] = {"key_share": True}
"""How a row is locked before it is changed: `with_for_update=ROW_LOCK`, in a query `with_for_update(key_share=True)`.

FOR NO KEY UPDATE, since a plain FOR UPDATE also waits for, and can deadlock with, each transaction that merely refers to the row."""

_SET_ACTOR = text(
    "select set_config('heliograph.user', :user, true), set_config('heliograph.kind', :kind, true), "
    "set_config('heliograph.organizations', :organizations, true), "
    "set_config('heliograph.session', :session, true)"
)


def make_engine(url: str, *, pool: int = 10, application_name: str = "heliograph") -> Engine:
    """An engine for the application role. Statements time out after 60 s; idle transactions after 120 s."""
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_use_lifo=True,  # the one used last is warm
        pool_timeout=30,
        hide_parameters=True,  # an error's text must not carry patient data into a log
        connect_args={
            "application_name": application_name,
            "options": "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=120000 -c timezone=UTC",
        },
    )
    watch(engine)
    return engine


class ActorSession(Session):
    """A session bound to one actor. Without one the database shows no patient data at all."""

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor


def make_sessions(engine: Engine) -> sessionmaker[ActorSession]:
    """Sessions on `engine`; call with `actor=`."""
    return sessionmaker(engine, class_=ActorSession, expire_on_commit=False, autoflush=True)


@event.listens_for(ActorSession, "after_begin")
def _set_actor(session: ActorSession, _transaction: SessionTransaction, connection: Connection) -> None:
    _tell(connection, session.actor)


@contextmanager
def acting_as(session: ActorSession, actor: Actor) -> Iterator[None]:
    """Inside the block the transaction sees and writes as `actor`: for what the platform does in a person's transaction, as giving a
    read to a group that the person knows nothing of."""
    session.flush()
    before, session.actor = session.actor, actor
    _tell(session.connection(), actor)
    try:
        yield
        session.flush()
        _tell(session.connection(), before)
    except BaseException:
        # A transaction that the error broke can't be told any more; one that lives on must not stay the other actor's.
        with suppress(SQLAlchemyError):
            _tell(session.connection(), before)
        raise
    finally:
        session.actor = before


def _tell(connection: Connection, actor: Actor) -> None:
    connection.execute(_SET_ACTOR, told(actor))


def told(actor: Actor) -> dict[str, str]:
    """What PostgreSQL is told of who acts, by the names of `_SET_ACTOR`."""
    return {
        "user": str(actor.id) if actor.kind == "user" and actor.id else "",
        "kind": actor.kind,
        "organizations": "{" + ",".join(str(o) for o in actor.organizations) + "}",
        "session": str(actor.session_id) if actor.session_id else "",
    }


@contextmanager
def reading(sessions: sessionmaker[ActorSession], actor: Actor) -> Iterator[ActorSession]:
    """A read-only transaction as `actor`: always rolled back."""
    with sessions(actor=actor) as session:
        try:
            yield session
        finally:
            session.rollback()
