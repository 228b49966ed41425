"""What a running part holds: settings, database, objects, and the factory of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from heliograph.app import migrate, wiring
from heliograph.app import models as _models
from heliograph.governance.audit.recorder import record_event
from heliograph.kit import jobs
from heliograph.kit.clock import Clock, SystemClock
from heliograph.kit.db import postgres
from heliograph.kit.db.session import ActorSession, make_engine, make_sessions
from heliograph.kit.events import Reactions
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory

_ = _models  # every table must be known before the first query


@dataclass(frozen=True)
class Context:
    """One part's hold on the world. Doors get it once, at start."""

    settings: Settings
    database_url: str
    engine: Engine
    sessions: sessionmaker[ActorSession]
    works: WorkFactory
    objects: Objects


def make_context(
    settings: Settings, database_url: str, *, part: str = "heliograph", clock: Clock | None = None
) -> Context:
    """A context on a database that is already there and migrated."""
    engine = make_engine(database_url, pool=settings.database_pool, application_name=f"heliograph {part}")
    sessions = make_sessions(engine)
    works = WorkFactory(sessions, record_event, jobs.defer_in, wiring.wire(Reactions()), clock or SystemClock())
    objects = Objects(settings.objects_location, remembered=settings.data_dir / "objects.mark")
    return Context(settings, database_url, engine, sessions, works, objects)


@dataclass(frozen=True)
class Database:
    """Where the database is, for the application and for the owner of its tables."""

    app_url: str
    owner_url: str | None
    embedded: postgres.Running | None


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The configured database, or the embedded server: started or adopted, and stopped by the last process that leaves."""
    if settings.database_url is not None:
        owner = settings.database_owner_url
        yield Database(settings.database_url.get_secret_value(), owner.get_secret_value() if owner else None, None)
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with postgres.start(settings.data_dir) as running:
        yield Database(running.app_url, running.owner_url, running)


@contextmanager
def open_context(settings: Settings, *, part: str) -> Iterator[Context]:
    """A context on the configured database, migrated where we hold the owner's role."""
    with open_database(settings) as database:
        if database.owner_url and not migrate.is_current(database.app_url):
            migrate.upgrade(database.owner_url, database.app_url)
        context = make_context(settings, database.app_url, part=part)
        try:
            yield context
        finally:
            context.engine.dispose()
