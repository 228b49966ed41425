"""`heliograph archive export`: studies onto a medium."""

from __future__ import annotations

import getpass
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heliograph.app.cli.archive_where import organization_named
from heliograph.app.cli.common import settings_or_exit

if TYPE_CHECKING:
    from heliograph.app.context import Context
    from heliograph.records.archive.export import Asked, Chosen, Exported

_MOST_SHOWN = 50
_DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command()
@click.argument("to", type=click.Path(path_type=Path))
@click.option("--organization", "slug", required=True, metavar="SLUG", help="Whose studies.")
@click.option("--study", "studies", multiple=True, metavar="UID", help="Study Instance UID; may be repeated.")
@click.option("--accession", "accessions", multiple=True, metavar="NUMBER", help="May be repeated.")
@click.option("--patient", "patients", multiple=True, metavar="ID", help="Patient ID of the images; may be repeated.")
@click.option("--from", "first", type=_DAY, help="Studies of this day and later.")
@click.option("--until", "last", type=_DAY, help="Studies of this day and earlier.")
@click.option("--all", "everything", is_flag=True, help="All studies of the organisation.")
@click.option("--held", is_flag=True, help="Also studies that are held because it is not sure whose they are.")
def export(
    to: Path,
    slug: str,
    studies: tuple[str, ...],
    accessions: tuple[str, ...],
    patients: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    everything: bool,
    held: bool,
) -> None:
    """Write studies to TO, a new folder or a ZIP: files, a DICOMDIR, and checksums (`sha256sum -c SHA256SUMS`).

    What is asked for narrows: --patient with --from are that patient's studies from that day. Data sets are those that came, with what
    was put right since; rejected images stay. Every study is on record. TO appears when it is whole. Exit 1 when an object is missing.
    """
    from heliograph.app.context import open_context
    from heliograph.kit.actor import system
    from heliograph.records.archive.export import Asked, choose

    with open_context(settings_or_exit(), part="cli") as context:
        with context.works.read(system("command line")) as work:
            organization_id = organization_named(work, slug).id
        asked = Asked(
            organization_id,
            studies,
            accessions,
            patients,
            first.date() if first else None,
            last.date() if last else None,
            everything,
            held,
        )
        with context.works.read(system("command line", organization_id)) as work:
            chosen, kept = choose(work.session, asked)
        if kept:
            click.secho(f"{kept} held studies stay; --held exports them, too.", fg="yellow", err=True)
        if not chosen:
            raise click.ClickException("There are no such studies.")
        done = _written(context, asked, chosen, to)
    for uid, why in done.left[:_MOST_SHOWN]:
        click.secho(f"{uid}: {why}", fg="red", err=True)
    for why, number in sorted(Counter(why for _, why in done.left).items()):
        click.secho(f"{number} left out: {why}; `heliograph archive fsck --deep` tells more.", fg="red", err=True)
    click.echo(f"{done.studies} studies, {done.objects} objects, {done.bytes / 1e6:.1f} MB in {to}.")
    sys.exit(1 if done.left else 0)


def _written(context: Context, asked: Asked, chosen: list[Chosen], to: Path) -> Exported:
    from heliograph.kit.actor import system
    from heliograph.kit.errors import HeliographError
    from heliograph.records.archive.errors import OutOfSpace
    from heliograph.records.archive.export import export
    from heliograph.records.archive.medium import new_medium

    by = getpass.getuser()
    total, size = sum(c.instances for c in chosen), sum(c.bytes for c in chosen)
    outcome, done = "failed", None
    try:
        with (
            new_medium(to, size) as medium,
            click.progressbar(length=total, label="Exporting", file=sys.stderr) as bar,
        ):
            done = export(
                context.works, context.objects, asked.organization_id, chosen, medium, by=by,
                on_each=lambda: bar.update(1),
            )  # fmt: skip
        outcome = "done"
        return done
    except OutOfSpace as error:
        raise click.ClickException(
            f"There is not enough room for {size / 1e6:.0f} MB at {to}. Nothing was left there."
        ) from error
    except HeliographError:
        raise
    except OSError as error:
        raise click.ClickException(
            f"{to} can't be written: {error.strerror or error}. Nothing was left there."
        ) from error
    finally:
        with context.works.begin(system("command line", asked.organization_id)) as work:
            work.record(
                "archive.exported",
                organization_id=asked.organization_id,
                outcome=outcome,
                subject_kind="organization",
                subject_id=asked.organization_id,
                detail={
                    "by": by,
                    "studies": len(chosen),
                    "objects": done.objects if done else 0,
                    "left": len(done.left) if done else 0,
                },
            )
