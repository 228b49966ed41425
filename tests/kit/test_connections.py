"""Connections stay warm between transactions, forget nothing that matters, and dead ones are never handed out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from heliograph.kit.db import connections, postgres
from heliograph.kit.db.session import make_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, pool=3)
    yield engine
    engine.dispose()


def _pid(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("select pg_backend_pid()")).scalar_one())


def _end(server_url: str, pid: int) -> None:
    admin = make_url(server_url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 5000)", (pid,))


def test_statements_stay_prepared_when_a_transaction_is_rolled_back(engine: Engine) -> None:
    for _ in range(8):
        with engine.connect() as connection:
            connection.execute(text("select 1 + :x"), {"x": 2})
            connection.rollback()
    with engine.connect() as connection:
        found = connection.execute(text("select statement from pg_prepared_statements")).scalars().all()
    assert any("1 + $1" in s for s in found)


def test_rolling_back_undoes(engine: Engine) -> None:
    insert = text("insert into access.sign_in_attempts (username_hash, address, succeeded) values ('x', '::1', false)")
    with engine.connect() as connection:
        connection.execute(insert)
        connection.rollback()
    with engine.connect() as connection:
        connection.execute(insert)
        with pytest.raises(ProgrammingError):
            connection.execute(text("select nonsense"))
        connection.rollback()
        assert connection.execute(text("select count(*) from access.sign_in_attempts")).scalar_one() == 0


def test_a_connection_that_the_server_ended_is_never_handed_out(engine: Engine, server: postgres.Running) -> None:
    dead = _pid(engine)
    assert _pid(engine) == dead, "one connection is used again and again"
    _end(server.admin_url, dead)
    assert _pid(engine) != dead


def test_one_that_rested_is_asked_first(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    ask = engine.dialect.do_ping

    def noted(connection: Any) -> bool:
        asked.append(connection)
        return ask(connection)

    monkeypatch.setattr(engine.dialect, "do_ping", noted)
    _pid(engine)
    _pid(engine)
    assert asked == []
    monkeypatch.setattr(connections, "ASK_AFTER_SECONDS", -1.0)
    _pid(engine)
    assert len(asked) == 1
