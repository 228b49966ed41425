"""`heliograph archive`: bringing files in, and proving that index and objects agree."""

from __future__ import annotations

import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from heliograph.app.cli.archive_export import export
from heliograph.app.cli.archive_rebuild import rebuild
from heliograph.app.cli.archive_where import caller_titled, facility_at
from heliograph.app.cli.common import settings_or_exit

if TYPE_CHECKING:
    from heliograph.records.archive.bring_in import BroughtIn

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

    The files stay as they are, and what is filed already is passed over, so that a run that was stopped can be begun again. What can't be
    taken is named with its reason (exit 1). A running worker files what came.
    """
    from heliograph.app.context import open_context
    from heliograph.kit.actor import system
    from heliograph.records.archive.bring_in import BroughtIn, bring_in, sources
    from heliograph.records.archive.present import digest_filed

    settings = settings_or_exit()
    done = BroughtIn()
    with open_context(settings, part="cli") as context:
        with context.works.read(system("command line")) as work:
            facility = facility_at(work, at)
            caller_id = caller_titled(work, facility, caller) if caller else None
        organization_id = facility.organization_id

        def filed(uid: str) -> bytes | None:
            with context.works.read(system("command line", organization_id)) as work:
                return digest_filed(work.session, organization_id, uid)

        try:
            with (
                sources(path) as files,
                click.progressbar(length=len(files), label="Bringing in", file=sys.stderr) as bar,
            ):
                bring_in(
                    settings.spool_dir,
                    organization_id,
                    facility.id,
                    caller_id,
                    files,
                    min_free_mb=settings.min_free_mb,
                    filed=filed,
                    on_each=lambda _source: bar.update(1),
                    into=done,
                )
        except zipfile.BadZipFile as error:
            raise click.ClickException(f"{path} can't be read: {error}") from error
        finally:
            with context.works.begin(system("command line", organization_id)) as work:
                work.record(
                    "archive.imported",
                    organization_id=organization_id,
                    subject_kind="facility",
                    subject_id=facility.id,
                    detail={
                        "stored": done.stored,
                        "known": done.known,
                        "refused": len(done.refused),
                        "missing": len(done.missing),
                        "others": done.others,
                    },
                )
    _show_import(done)
    sys.exit(1 if done.refused or done.missing else 0)


def _show_import(done: BroughtIn) -> None:
    told = [f"{name}: {why}" for name, why in done.refused]
    told += [f"{name}: the DICOMDIR names it, and it is not there" for name in done.missing]
    for line in told[:_MOST_SHOWN]:
        click.secho(line, fg="red", err=True)
    if len(told) > _MOST_SHOWN:
        click.secho(f"and {len(told) - _MOST_SHOWN} more", fg="red", err=True)
    if len(done.refused) > 1:
        for why, number in Counter(why for _, why in done.refused).most_common():
            click.secho(f"{number} refused: {why}", err=True)
    known = f"{done.known} here already, " if done.known else ""
    missing = f", {len(done.missing)} missing" if done.missing else ""
    click.echo(
        f"{done.stored} brought in, {known}{len(done.refused)} refused, {done.others} no DICOM objects{missing}."
    )


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
