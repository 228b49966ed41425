"""Fixtures for all floors: a real PostgreSQL (one server a test process, one cloned database a test) and the cast."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from heliograph.app import migrate
from heliograph.app.context import Context, make_context
from heliograph.kit.clock import FixedClock
from heliograph.kit.db import postgres
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from tests.cast import Cast, make_cast

_numbers = itertools.count(1)
NOW = datetime(2026, 11, 25, 1, 41, tzinfo=UTC)
SOAK_SECONDS = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is long on purpose has long enough, also when it is run by its name.

    The usual time ends a test inside one of hypothesis' examples, which it then reports as data that differ from run to run.
    """
    for item in items:
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SOAK_SECONDS))


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Running]:
    """A PostgreSQL server whose template database `heliograph` is migrated."""
    folder = Path(tempfile.mkdtemp(prefix="heliograph-test-"))
    try:
        with postgres.start(folder, quick=True) as running:
            migrate.upgrade(running.owner_url, running.app_url)
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rename(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def database_url(server: postgres.Running) -> Iterator[str]:
    """A database of this test alone, as the application role."""
    name = f"test_{next(_numbers)}"
    admin = (
        make_url(_rename(server.admin_url, "postgres"))
        .set(drivername="postgresql")
        .render_as_string(hide_password=False)
    )
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"create database {name} template heliograph owner heliograph_owner")
    yield _rename(server.app_url, name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def owner_url(server: postgres.Running, database_url: str) -> str:
    """The same database as the owner of its tables (row-level security doesn't bind it)."""
    return _rename(server.owner_url, make_url(database_url).database or "")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", http_port=0, dimse_port=0, hl7_port=0, min_free_mb=0, quiet_seconds=1)


@pytest.fixture
def clock() -> FixedClock:
    """Stands at 01:41 UTC on 25 November 2026 until the test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def context(settings: Settings, database_url: str, clock: FixedClock) -> Iterator[Context]:
    """A whole context on the test's database, objects in a temporary folder, with the standing clock."""
    context = make_context(settings, database_url, part="test", clock=clock)
    yield context
    context.engine.dispose()


@pytest.fixture
def works(context: Context) -> WorkFactory:
    return context.works


@pytest.fixture
def cast(context: Context, owner_url: str) -> Cast:
    """The named cast: see `tests/cast.py`."""
    return make_cast(owner_url)
