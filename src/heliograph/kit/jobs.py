"""Jobs on procrastinate: enqueued inside our own transaction, run by worker processes.

Two procrastinate apps, because one can't do both (see docs/decisions): `make_worker_app` runs tasks over its own asynchronous pool;
`defer_in` enqueues through a never opened synchronous app on the session's own connection, so that the job commits with the row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import procrastinate
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from heliograph.kit.db.session import ActorSession

SCHEMA = "jobs"
_outbox = App(connector=SyncPsycopgConnector())


def defer_in(
    session: ActorSession,
    task: str,
    args: dict[str, Any],
    *,
    queue: str = "default",
    lock: str | None = None,
    at: datetime | None = None,
) -> None:
    """Enqueues `task` with `args` (ids only) in the session's transaction."""
    connection = session.connection().connection.driver_connection
    with connection.cursor() as cursor:  # type: ignore[union-attr]
        cursor.execute("select set_config('search_path', 'jobs, public', true)")
    options: dict[str, Any] = {"connection": connection, "queue": queue, "lock": lock}
    if at is not None:
        options["schedule_at"] = at
    _outbox.configure_task(task, **options).defer(**args)
    with connection.cursor() as cursor:  # type: ignore[union-attr]
        cursor.execute("select set_config('search_path', 'public', true)")


def make_worker_app(url: str, *, pool: int = 4) -> App:
    """The app that tasks are registered on and that workers run. `url` is a SQLAlchemy or libpq URL of the application role."""
    conninfo = url.replace("postgresql+psycopg://", "postgresql://", 1)
    return App(
        connector=PsycopgConnector(
            conninfo=conninfo, kwargs={"options": f"-c search_path={SCHEMA}"}, min_size=1, max_size=pool
        )
    )


__all__ = ["SCHEMA", "defer_in", "make_worker_app", "procrastinate"]
