"""The command line: help everywhere, users, the record's proof, and a doctor who says how to mend."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from heliograph.app import PARTS
from heliograph.app.cli import cli
from heliograph.app.context import Context, make_context
from heliograph.kit.actor import system
from heliograph.kit.settings import PREFIX
from tests.cast import Cast
from tests.web import stranger

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, context: Context, owner_url: str) -> Run:
    """Runs `heliograph` on the test's database."""
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in {
        "DATA_DIR": str(context.settings.data_dir), "DATABASE_URL": context.database_url, "DATABASE_OWNER_URL": owner_url,
        "HTTP_PORT": "0", "DIMSE_PORT": "0", "HL7_PORT": "0", "MIN_FREE_MB": "0",
    }.items():  # fmt: skip
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*arguments: str, **options: str) -> Result:
        return CliRunner().invoke(cli, arguments, **options)

    return invoke


def _commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    yield before
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *before, name)
        else:
            yield (*before, name)


@pytest.mark.parametrize("command", list(_commands(cli)), ids=" ".join)
def test_help_is_everywhere(command: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        done = CliRunner().invoke(cli, [*command, flag], prog_name="heliograph")
        assert done.exit_code == 0
        assert f"Usage: heliograph {' '.join(command)}".strip() in done.output
        told = done.output.split("\n\n")[1].strip()
        assert len(told) > 15
        assert told.splitlines()[-1].endswith((".", ":")) or "." in told, "it says what it does"


@pytest.mark.parametrize("command", list(_commands(cli)), ids=" ".join)
def test_every_option_is_explained(command: tuple[str, ...]) -> None:
    found: click.Command = cli
    for name in command:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, (command, parameter.name)


def test_the_program_starts_quickly_and_tells_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "heliograph.app.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("heliograph, version ")


def test_a_part_that_there_is_not(run: Run) -> None:
    done = run("serve", "--only", "fax")
    assert done.exit_code == 2
    for part in PARTS:
        assert part in done.output


def test_a_user_is_added_and_can_sign_in(run: Run, context: Context, cast: Cast) -> None:
    done = run(
        "user", "add", "liv", "--name", "Liv Moen", "--role", "site_staff@norfjord", "--time-zone", "Europe/Oslo", "--password-stdin",
        input="a long password\n",
    )  # fmt: skip
    assert (done.exit_code, done.output) == (0, "liv can sign in.\n")
    now = make_context(context.settings, context.database_url)  # the command line goes by the machine's clock
    signed_in = stranger(now).post("/api/sign-in", json={"username": "liv", "password": "a long password"})
    assert [r["organization_id"] for r in signed_in.json()["roles"]] == [str(cast.norfjord)]
    assert signed_in.json()["user"]["time_zone"] == "Europe/Oslo"
    now.engine.dispose()


def test_a_password_is_asked_twice_and_never_shown(run: Run, cast: Cast) -> None:
    done = run("user", "add", "liv", "--name", "Liv", input="a long password\na long password\n")
    assert done.exit_code == 0
    assert "a long password" not in done.output
    assert run("user", "add", "ole", "--name", "Ole", input="a long password\nanother one\n").exit_code != 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("eirik", "--name", "Eirik"), "There is a user of this name already."),
        (("liv", "--name", "Liv", "--role", "site_staff@nowhere"), "There is no organisation 'nowhere'."),
        (("liv", "--name", "Liv", "--role", "king@norfjord"), "There is no role 'king'"),
        (("liv", "--name", "Liv", "--role", "reader"), "ROLE@ORGANISATION"),
        (("liv", "--name", "Liv", "--time-zone", "Mars/Base"), "no such time zone"),
        (("liv", "--name", " "), "needs a name"),
    ],
)
def test_what_is_wrong_with_a_user_is_said(
    run: Run, cast: Cast, owner_url: str, arguments: tuple[str, ...], says: str
) -> None:
    done = run("user", "add", *arguments, "--password-stdin", input="a long password\n")
    assert done.exit_code in (1, 2)
    assert says in done.output
    assert not isinstance(done.exception, (AttributeError, ValueError))
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from access.users where username = 'liv'")) == 0, (
            "nothing half done stays"
        )
    engine.dispose()


def test_a_short_password_is_refused(run: Run, cast: Cast) -> None:
    done = run("user", "add", "liv", "--name", "Liv", "--password-stdin", input="short\n")
    assert done.exit_code == 1
    assert "at least 10 characters" in done.output


def _record(context: Context, n: int) -> None:
    for _ in range(n):
        with context.works.begin(system("test")) as work:
            work.record("test.noted")


def test_a_whole_record_verifies(run: Run, context: Context) -> None:
    _record(context, 3)
    done = run("audit", "verify")
    assert done.exit_code == 0
    assert "The record is whole: 3 events, sealed and signed." in done.output


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        ("update audit.events set actor_name = 'someone else' where id = (select event_id from audit.leaves where position = 1)",
         "changed: the event at position 1 was changed"),
        ("delete from audit.events where id = (select event_id from audit.leaves where position = 1)",
         "removed: the event at position 1 was removed"),
        ("delete from audit.leaves where position = 1", "removed: nothing stands at position 1"),
        ("with two as (select max(case when position = 0 then event_id::text end)::uuid as a, "
         "max(case when position = 1 then event_id::text end)::uuid as b from audit.leaves), "
         "gone as (delete from audit.leaves where position < 2 returning position, hash, event_id) "
         "insert into audit.leaves (position, event_id, hash) select 1 - position + 100, event_id, hash from gone",
         "removed: nothing stands at position 0"),
        ("delete from audit.tree_heads", "removed: the witness saw a tree head"),
    ],
    ids=["changed", "removed", "leaf", "moved", "heads"],
)  # fmt: skip
def test_tampering_is_told_with_its_place(run: Run, context: Context, owner_url: str, tamper: str, says: str) -> None:
    _record(context, 4)
    assert run("audit", "verify").exit_code == 0
    engine = create_engine(owner_url)  # as somebody who got hold of the owner's role
    with engine.begin() as connection:
        connection.execute(text(tamper))
    engine.dispose()
    done = run("audit", "verify")
    assert done.exit_code == 1
    assert says in done.output
    assert "whole" not in done.output


def test_migrate_says_what_it_did(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("migrate").output == "The database has the newest schema.\n"
    monkeypatch.delenv("HELIOGRAPH_DATABASE_OWNER_URL")
    done = run("migrate")
    assert done.exit_code == 1
    assert "HELIOGRAPH_DATABASE_OWNER_URL" in done.output


def test_a_healthy_installation(run: Run) -> None:
    done = run("doctor")
    assert "wrong" not in done.output.replace("wrong  web app", ""), done.output
    for what in (
        "data folder",
        "database",
        "schema",
        "clock",
        "objects",
        "web port",
        "DICOM port",
        "HL7 port",
        "disk",
        "viewer",
    ):
        assert what in done.output
    assert done.exit_code == 0


def test_the_doctor_says_how_to_mend_the_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL", "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none")
    done = run("doctor")
    assert done.exit_code == 1
    assert "wrong" in done.output
    assert "HELIOGRAPH_DATABASE_URL" in done.output
    assert "hunter2" not in done.output
    assert "Traceback" not in done.output


def test_the_doctor_says_how_to_mend_the_schema(run: Run, owner_url: str) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(text("update public.alembic_version set version_num = '0001'"))
    engine.dispose()
    done = run("doctor")
    assert done.exit_code == 1
    assert "heliograph migrate" in done.output


def test_the_doctor_finds_a_role_that_sees_everything(
    run: Run, monkeypatch: pytest.MonkeyPatch, server: object, context: Context
) -> None:
    from sqlalchemy import make_url

    admin = make_url(server.admin_url).set(database=make_url(context.database_url).database)  # type: ignore[attr-defined]
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL", admin.render_as_string(hide_password=False))
    done = run("doctor")
    assert done.exit_code == 1
    assert "bypasses row-level security" in done.output
    assert "NOBYPASSRLS" in done.output or "BYPASSRLS" in done.output


def test_the_doctor_finds_a_taken_port_and_a_full_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("HELIOGRAPH_DIMSE_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("HELIOGRAPH_MIN_FREE_MB", str(10**9))
        done = run("doctor")
    assert "HELIOGRAPH_DIMSE_PORT" in done.output
    assert "images are refused" in done.output
    assert done.exit_code == 1


def test_the_doctor_finds_a_folder_that_can_not_be_written(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELIOGRAPH_DATA_DIR", str(tmp_path / "file" / "data"))
    done = run("doctor")
    assert done.exit_code == 1
    assert "HELIOGRAPH_DATA_DIR" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "command", [("migrate",), ("user", "add", "liv", "--name", "Liv", "--password-stdin"), ("audit", "verify")]
)
def test_a_database_that_does_not_answer_is_said_in_words(command: tuple[str, ...], tmp_path: Path) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(PREFIX)},
        "HELIOGRAPH_DATA_DIR": str(tmp_path), "HELIOGRAPH_DATABASE_URL": "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none",
        "HELIOGRAPH_DATABASE_OWNER_URL": "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "heliograph.app.cli", *command],
        input="a long password\n", capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "HELIOGRAPH_DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr
