"""The schema is the sum of its migrations, made from nothing, by any number of processes at once, and only forward."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text

from heliograph.app import migrate
from heliograph.app.models import SCHEMAS, metadata
from heliograph.kit.db import postgres

VERSIONS = migrate.migrations_folder() / "versions"


@contextmanager
def _empty(server: postgres.Running, name: str) -> Iterator[tuple[str, str]]:
    """(owner's URL, application's URL) of an empty database."""

    def named(url: str, database: str) -> str:
        return make_url(url).set(database=database).render_as_string(hide_password=False)

    admin = named(server.admin_url, "postgres").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template template0 owner heliograph_owner")
    try:
        yield named(server.owner_url, name), named(server.app_url, name)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


def _heads(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.scalars(text("select version_num from public.alembic_version")))
    engine.dispose()
    return found


def test_it_works_from_nothing(server: postgres.Running) -> None:
    with _empty(server, "from_nothing") as (owner, app):
        assert not migrate.is_current(app)
        migrate.upgrade(owner, app)
        assert migrate.is_current(app)
        migrate.upgrade(owner, app)
        assert _heads(owner) == [ScriptDirectory(str(migrate.migrations_folder())).get_current_head()]


def test_the_schema_is_the_sum_of_migrations(server: postgres.Running) -> None:
    """Nobody changes a model and forgets its migration."""
    engine = create_engine(server.owner_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name in SCHEMAS,
                "compare_type": True,
                "compare_server_default": True,
                "version_table_schema": "public",
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_check_constraints_are_those_of_the_models(server: postgres.Running) -> None:
    """The comparison above doesn't look at them."""
    engine = create_engine(server.owner_url)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "select n.nspname || '.' || t.relname || '.' || c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid "
                "join pg_namespace n on n.oid = t.relnamespace where c.contype = 'c' and n.nspname = any(:schemas)"
            ),
            {"schemas": list(SCHEMAS)},
        )
        there = set(found.scalars())
    engine.dispose()
    modelled = {
        f"{table.fullname}.{constraint.name}"
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if constraint.__visit_name__ in ("check_constraint", "table_or_column_check_constraint")
    }
    assert there == modelled


def test_two_upgrades_at_once_are_safe(server: postgres.Running) -> None:
    """Web, listeners and worker of one host all start with an upgrade: as processes, since that is what they are."""
    with _empty(server, "at_once") as (owner, app):
        code = f"from heliograph.app import migrate; migrate.upgrade({owner!r}, {app!r})"

        def run(_n: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(run, range(3)))
        assert [d.returncode for d in done] == [0, 0, 0], [d.stderr[-500:] for d in done]
        assert migrate.is_current(app)


def test_migrations_go_forward_only() -> None:
    scripts = ScriptDirectory(str(migrate.migrations_folder()))
    assert len(scripts.get_heads()) == 1, "one history, no branches"
    for path in sorted(VERSIONS.glob("*.py")):
        assert "def downgrade" not in path.read_text("utf-8"), path.name


def test_names_are_for_people() -> None:
    for path in VERSIONS.glob("*.py"):
        assert re.fullmatch(r"\d{4}_[a-z][a-z_]+\.py", path.name), path.name


def test_a_newer_database_is_left_alone_with_a_clear_word(server: postgres.Running) -> None:
    """After a rollback of the program the database is ahead of it."""
    with _empty(server, "ahead") as (owner, app):
        migrate.upgrade(owner, app)
        engine = create_engine(owner)
        with engine.begin() as connection:
            connection.execute(text("update public.alembic_version set version_num = '9999'"))
        engine.dispose()
        assert not migrate.is_current(app)
        with pytest.raises(migrate.NewerDatabase, match="newer"):
            migrate.upgrade(owner, app)
        assert _heads(owner) == ["9999"]


def test_migrations_wait_for_no_lock_for_ever() -> None:
    body = (migrate.migrations_folder() / "env.py").read_text("utf-8")
    assert "lock_timeout" in body
    assert "statement_timeout" in body
