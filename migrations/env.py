"""Runs migrations as the owner of the tables, one upgrade at a time whatever how many processes ask."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text

from heliograph.app.models import SCHEMAS, metadata

UPGRADE_LOCK = 0x68656C69  # "heli": any number will do, so long as it is always the same


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    return type_ != "schema" or name in SCHEMAS


def run(connection: Connection) -> None:
    connection.execute(text("set lock_timeout = '10s'"))
    connection.execute(text("set statement_timeout = '10min'"))
    connection.execute(text("select pg_advisory_lock(:n)"), {"n": UPGRADE_LOCK})
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_schemas=True,
            include_name=include_name,
            version_table="alembic_version",
            version_table_schema="public",
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.execute(text("select pg_advisory_unlock(:n)"), {"n": UPGRADE_LOCK})
        connection.commit()


def main() -> None:
    url = context.config.attributes["url"]
    engine = create_engine(url)
    with engine.connect() as connection:
        run(connection)
    engine.dispose()


main()
