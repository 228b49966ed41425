"""`heliograph archive`: bringing files in, and proving that index and objects agree."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from uuid import UUID

import click

from heliograph.app.cli.archive_export import export
from heliograph.app.cli.archive_rebuild import rebuild
from heliograph.app.cli.archive_where import caller_titled, facility_at
from heliograph.app.cli.common import settings_or_exit

_MOST_SHOWN = 50
_MENDED_BY = {
    "missing": "bring the objects back from the backup, under the same keys.",
    "wrong length": "bring the objects back from the backup, under the same keys.",
    "changed": "bring the objects back from the backup, under the same keys.",
    "unknown": "`heliograph archive rebuild` files them again.",
}


@click.group()
def archive() -> None:
    """The images of all clients: bring files in, prove the archive whole."""


@archive.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--facility",
    "at",
    required=True,
    metavar="CODE@ORGANISATION",
    help="Whose images they are, e.g. NORFJORD@norfjord.",
)
@click.option(
    "--caller",
    metavar="AE",
    help="Take them as from this calling AE title of the facility: one that sends priors, say.",
)
def import_files(path: Path, at: str, caller: str | None) -> None:
    """Bring the DICOM files of a folder, a ZIP or a DICOMDIR's medium in, as if the facility had sent them.

    The files stay as they are. What can't be taken is named with its reason (exit 1). A running worker files them.
    """
    from heliograph.app.context import open_context
    from heliograph.kit.actor import system
    from heliograph.records.archive.bring_in import bring_in, sources

    settings = settings_or_exit()
    with open_context(settings, part="cli") as context:
        with context.works.read(system("command line")) as work:
            facility = facility_at(work, at)
            caller_id = caller_titled(work, facility, caller) if caller else None
        try:
            with (
                sources(path) as files,
                click.progressbar(length=len(files), label="Bringing in", file=sys.stderr) as bar,
            ):
                done = bring_in(
                    settings.spool_dir,
                    facility.organization_id,
                    facility.id,
                    caller_id,
                    files,
                    min_free_mb=settings.min_free_mb,
                    on_each=lambda _source: bar.update(1),
                )
        except zipfile.BadZipFile as error:
            raise click.ClickException(f"{path} can't be read: {error}") from error
        with context.works.begin(system("command line", facility.organization_id)) as work:
            work.record(
                "archive.imported",
                organization_id=facility.organization_id,
                subject_kind="facility",
                subject_id=facility.id,
                detail={"stored": done.stored, "refused": len(done.refused), "others": done.others},
            )
    for name, reason in done.refused[:_MOST_SHOWN]:
        click.secho(f"{name}: {reason}", fg="red", err=True)
    if len(done.refused) > _MOST_SHOWN:
        click.secho(f"and {len(done.refused) - _MOST_SHOWN} more", fg="red", err=True)
    click.echo(f"{done.stored} brought in, {len(done.refused)} refused, {done.others} no DICOM objects.")
    sys.exit(1 if done.refused else 0)


@archive.command()
@click.option("--deep", is_flag=True, help="Read every object and compare its digest, too.")
def fsck(deep: bool) -> None:
    """Compare the index with the objects, both ways. Nothing is changed; differences are listed (exit 1)."""
    from heliograph.app.context import open_context
    from heliograph.governance.tenancy.organizations import all_organizations
    from heliograph.kit.actor import system
    from heliograph.records.archive.fsck import compare, count_indexed

    with open_context(settings_or_exit(), part="cli") as context:
        with context.works.read(system("fsck")) as work:
            organizations: list[UUID] = [o.id for o in all_organizations(work)]
        total = 0
        for organization_id in organizations:
            with context.works.read(system("fsck", organization_id)) as work:
                total += count_indexed(work.session)
        with click.progressbar(length=total, label="Comparing", file=sys.stderr) as bar:
            found = list(
                compare(context.works, context.objects, organizations, deep=deep, on_each=lambda: bar.update(1))
            )
    for difference in found[:_MOST_SHOWN]:
        click.secho(f"{difference.kind}: {difference.key}", fg="red", err=True)
    if len(found) > _MOST_SHOWN:
        click.secho(f"and {len(found) - _MOST_SHOWN} more", fg="red", err=True)
    for kind, words in _MENDED_BY.items():
        if number := sum(difference.kind == kind for difference in found):
            click.secho(f"{number} {kind}: {words}", err=True)
    if found:
        sys.exit(1)
    click.echo(f"Index and objects agree: {total} objects{', all read' if deep else ''}.")


archive.add_command(export)
archive.add_command(rebuild)
