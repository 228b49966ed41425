"""The queue's own tables: a frozen copy of procrastinate 3.10.0's schema, in the PostgreSQL schema `jobs`."""

from __future__ import annotations

from pathlib import Path

from alembic import context, op

revision = "0003"
down_revision = "0002"

SQL = Path(__file__).with_name("0003_jobs.sql")


def upgrade() -> None:
    app_role = context.config.attributes["app_role"]
    connection = op.get_bind().connection.driver_connection
    op.execute("create schema jobs")
    op.execute("set local search_path = jobs")
    connection.execute(SQL.read_text("utf-8"))  # type: ignore[union-attr]
    op.execute("set local search_path = public")
    op.execute(f'grant usage on schema jobs to "{app_role}"')
    op.execute(f'grant select, insert, update, delete on all tables in schema jobs to "{app_role}"')
    op.execute(f'grant usage, select on all sequences in schema jobs to "{app_role}"')
    op.execute(f'grant execute on all functions in schema jobs to "{app_role}"')
