"""The command line: `heliograph`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

import heliograph
from heliograph.app import PARTS
from heliograph.app.cli.archive import archive
from heliograph.app.cli.common import settings_or_exit
from heliograph.app.cli.dicom import dicom
from heliograph.app.cli.hl7 import hl7
from heliograph.kit.errors import HeliographError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Plain(click.Group):
    """Says in words what was refused or did not answer; only a fault of the program shows where it happened."""

    def invoke(self, ctx: click.Context) -> Any:
        from sqlalchemy.exc import OperationalError

        try:
            return super().invoke(ctx)
        except HeliographError as error:
            raise click.ClickException(error.detail) from error
        except OperationalError as error:
            said = str(error.orig).strip().splitlines()[0]
            raise click.ClickException(
                f"The database does not answer: {said}\nIs it up, and is HELIOGRAPH_DATABASE_URL right? See `heliograph doctor`."
            ) from error


@click.group(cls=_Plain, context_settings=CONTEXT)
@click.version_option(heliograph.__version__, prog_name="heliograph")
def cli() -> None:
    """Heliograph runs a teleradiology network.

    Settings come from the environment (HELIOGRAPH_*); see docs/reference/settings.md. Without any, everything lives in one data folder
    with an embedded PostgreSQL.
    """


cli.add_command(archive)
cli.add_command(hl7)


@cli.command()
@click.option("--only", "parts", multiple=True, type=click.Choice(PARTS), help="Run only this part; may be repeated.")
@click.option("--reload", is_flag=True, help="Start all parts anew when a source file changes (for development).")
def serve(parts: tuple[str, ...], reload: bool) -> None:
    """Run the web server, the DICOM and HL7 listeners and a worker, each as a supervised process."""
    from heliograph.app import serve as serving

    settings = settings_or_exit()
    if len(parts) == 1 and not reload:
        from heliograph.app.parts import run_part

        sys.exit(run_part(parts[0], settings))
    sys.exit(serving.serve(settings, parts or PARTS, reload=reload))


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema. Forward only; safe to run at any time."""
    from heliograph.app import migrate as migration
    from heliograph.app.context import open_database

    with open_database(settings_or_exit()) as database:
        if database.owner_url is None:
            raise click.ClickException(
                "Set HELIOGRAPH_DATABASE_OWNER_URL: migrations run as the role that owns the tables."
            )
        migration.upgrade(database.owner_url, database.app_url)
        click.echo("The database has the newest schema.")


@cli.group()
def user() -> None:
    """Users of this installation."""


@user.command("add")
@click.argument("username")
@click.option("--name", required=True, help="The name that others see, e.g. 'Dr Imogen Tarrant'.")
@click.option("--time-zone", default="UTC", show_default=True, help="IANA zone in which the person sees times.")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE@ORGANISATION", help="e.g. reader@aurora; may be repeated."
)
@click.option("--operator", is_flag=True, help="Runs the platform: manages organisations and sees no patient data.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def user_add(
    username: str, name: str, time_zone: str, roles: tuple[str, ...], operator: bool, password_stdin: bool
) -> None:
    """Add a user who can sign in as USERNAME."""
    from heliograph.app.context import open_context
    from heliograph.governance.access.users import add_user, give_role
    from heliograph.governance.tenancy.queries import organization_by_slug
    from heliograph.kit.actor import system

    password = (
        sys.stdin.readline().rstrip("\n")
        if password_stdin
        else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    with open_context(settings_or_exit(), part="cli") as context, context.works.begin(system("command line")) as work:
        user_id = add_user(
            work, username=username, display_name=name, password=password, time_zone=time_zone, is_operator=operator
        )
        for given in roles:
            role, _, slug = given.partition("@")
            if not slug:
                raise click.UsageError("--role takes ROLE@ORGANISATION, as reader@aurora.")
            organization = organization_by_slug(work.session, slug)
            if organization is None:
                raise click.ClickException(f"There is no organisation {slug!r}.")
            give_role(work, user_id, organization.id, role)
    click.echo(f"{username} can sign in.")


@cli.group()
def audit() -> None:
    """The record of everything seen and done."""


@audit.command("verify")
def audit_verify() -> None:
    """Seal the record, then prove it whole, or say where a row was changed, removed or reordered (exit 1)."""
    from heliograph.app.context import open_context
    from heliograph.governance.audit.keys import audit_key
    from heliograph.governance.audit.verify import verify

    settings = settings_or_exit()
    with open_context(settings, part="cli") as context:
        verdict = verify(context.works, audit_key(settings.keys_dir), settings.witness_file, context.objects)
    for problem in verdict.problems:
        click.secho(f"{problem.kind}: {problem.text}", fg="red", err=True)
    if not verdict.is_whole:
        sys.exit(1)
    click.echo(f"The record is whole: {verdict.size} events, sealed and signed.")


cli.add_command(dicom)


@cli.command()
@click.option(
    "--once",
    is_flag=True,
    help="Do the whole job without a browser in a folder of its own, show each step with its time, and exit.",
)
@click.option(
    "--studies",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --once: send this folder's DICOM files.",
)
@click.option("--fresh", is_flag=True, help="Send a new round of cases even if some are still open.")
def demo(once: bool, studies: Path | None, fresh: bool) -> None:
    """Run a demonstration network of three clients and two reading groups on this machine, until Ctrl-C.

    With --once, exit 0 only if the report was delivered and acknowledged and the record verifies.
    """
    from heliograph.app.demo.run import demonstrate, demonstrate_once

    if studies and not once:
        raise click.UsageError("--studies goes with --once.")
    settings = settings_or_exit()
    sys.exit(demonstrate_once(settings, studies) if once else demonstrate(settings, fresh=fresh))


@cli.command()
def doctor() -> None:
    """Check database, objects, ports, disk and clock, and say how to mend what is wrong (exit 1)."""
    from heliograph.app.cli.doctor import examine, show

    findings = examine(settings_or_exit())
    show(findings)
    sys.exit(1 if any(f.level == "wrong" for f in findings) else 0)


def main() -> None:
    """The console script."""
    cli()
