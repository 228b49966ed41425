"""Connections that cost few round trips: statements stay prepared, and only one that may be dead is asked whether it lives."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

ASK_AFTER_SECONDS = 10.0
"""A connection that lay in the pool for longer is asked before it is used: a firewall may have forgotten it."""


class Connection(psycopg.Connection[Any]):
    """Keeps its prepared statements when it rolls back.

    psycopg drops them all, since rolling back may undo the making of what they name. The application role makes nothing, and every
    reading transaction ends by rolling back: each page would have all its statements planned anew.
    """

    def rollback(self) -> None:
        """Ends the transaction; as psycopg's own, but for the prepared statements."""
        if self.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            with self.lock:
                if self.pgconn.exec_(b"ROLLBACK").status == ExecStatus.COMMAND_OK:
                    return
        super().rollback()


def watch(engine: Engine) -> None:
    """Makes the engine's connections of the class above, and finds dead ones when they are taken from the pool.

    A server that goes away closes the socket, which is then readable: seen without asking. The whole pool is then made anew.
    """

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Dialect, _record: ConnectionPoolEntry, cargs: Any, cparams: Any) -> psycopg.Connection[Any]:
        return Connection.connect(*cargs, **cparams)

    @event.listens_for(engine, "checkin")
    def returned(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["returned"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: Connection, record: ConnectionPoolEntry, _fairy: PoolProxiedConnection) -> None:
        rested = time.monotonic() - record.info.get("returned", time.monotonic())
        try:
            if rested > ASK_AFTER_SECONDS or _has_news(connection):
                engine.dialect.do_ping(connection)  # type: ignore[arg-type]
        except psycopg.Error as error:
            raise InvalidatePoolError() from error


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server said something, or went away, while nobody asked. Raises psycopg.OperationalError: closed on our side."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
