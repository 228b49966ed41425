"""Brings a database to the newest schema. Forward only."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import create_engine, make_url, text

import heliograph
from heliograph.kit.errors import Conflict


class NewerDatabase(Conflict):
    """The database is newer than this program: run the version that migrated it, or a later one."""


def migrations_folder() -> Path:
    """The folder of migrations: inside the package when installed from a wheel, at the root of a checkout."""
    package = Path(heliograph.__file__).parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parents[1] / "migrations"


def _config(owner_url: str, app_role: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = owner_url
    config.attributes["app_role"] = app_role
    return config


def upgrade(owner_url: str, app_url: str) -> None:
    """Runs every migration that is missing. Safe to run from several processes at once.

    Raises: NewerDatabase.
    """
    config = _config(owner_url, _role(app_url))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if isinstance(error.__cause__, ResolutionError):
            raise NewerDatabase() from error
        raise


def revise(owner_url: str, app_url: str, message: str, rev_id: str) -> None:
    """Writes a new migration from the difference between the models and the database."""
    command.revision(_config(owner_url, _role(app_url)), message=message, autogenerate=True, rev_id=rev_id)


def is_current(url: str) -> bool:
    """Whether the database at `url` has the newest schema."""
    head = ScriptDirectory(str(migrations_folder())).get_current_head()
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if connection.scalar(text("select to_regclass('public.alembic_version')")) is None:
                return False
            return bool(connection.scalar(text("select version_num from public.alembic_version")) == head)
    finally:
        engine.dispose()


def _role(app_url: str) -> str:
    role = make_url(app_url).username
    if not role:
        raise ValueError("the application's database URL names no role")
    return role
