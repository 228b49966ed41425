"""`heliograph archive rebuild`: the index made anew from the objects."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import click

from heliograph.app.cli.archive_where import facility_at, organization_named
from heliograph.app.cli.common import settings_or_exit

if TYPE_CHECKING:
    from heliograph.app.context import Context
    from heliograph.records.archive.owners import Owner
    from heliograph.records.archive.refile import Rebuilt

_STATES = {
    "matched": "answer an order",
    "unmatched": "wait for their order",
    "not_needed": "need no order",
    "held": "wait for a person",
    "prior": "are filed as earlier studies",
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--organization",
    "taken",
    multiple=True,
    metavar="ID=SLUG",
    help="The organisation SLUG is the one that had this id in a database that is lost; may be repeated.",
)
@click.option("--by-name", is_flag=True, help="The same for each lost id whose short address an organisation has now.")
@click.option(
    "--facility",
    "chosen",
    multiple=True,
    metavar="CODE@ORGANISATION",
    help="Where to file objects that don't tell their facility, or tell one that is gone; one an organisation.",
)
@click.option(
    "--wait-days",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Studies that came longer ago and that no order names are filed as earlier studies: no alarm, no case.",
)
def rebuild(dry_run: bool, taken: tuple[str, ...], by_name: bool, chosen: tuple[str, ...], wait_days: int) -> None:
    """Make the index anew from the objects: file again what no row names, as it came.

    For a database that was restored from an older backup, or lost. It may run while the server does, and be stopped and begun again.
    Exit 1 when something is left that it can't file.
    """
    from heliograph.app.context import open_context
    from heliograph.records.archive.fsck import unknown_objects
    from heliograph.records.archive.rebuild import Rebuild, rebuild

    settings = settings_or_exit()
    settings.spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    done: dict[str, Rebuilt] = {}
    with open_context(settings, part="cli") as context:
        owners, lost = _owners(context, taken, by_name, chosen)
        unknown = [(o, unknown_objects(context.works, context.objects, o.folder, o.organization_id)) for o in owners]
        how = Rebuild(
            context.works, context.objects, settings.spool_dir, wait=timedelta(days=wait_days), dry_run=dry_run
        )
        total = sum(len(found) for _, found in unknown)
        label = "Looking" if dry_run else "Filing"
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            for owner, found in unknown:
                made = rebuild(how, owner, found, on_each=bar.update)
                if owner.slug in done:
                    done[owner.slug].add(made)
                else:
                    done[owner.slug] = made
    for slug, made in sorted(done.items()):
        if any(made.detail().values()):
            _show(slug, made, dry_run=dry_run)
    if not total and not lost:
        click.echo("The index names every object; there is nothing to file.")
    for line in lost:
        click.secho(line, fg="red", err=True)
    if any(made.left for made in done.values()):
        click.secho("`--facility CODE@ORGANISATION` says where to file objects whose facility is not known.", err=True)
    sys.exit(1 if lost or any(made.left for made in done.values()) else 0)


def _owners(
    context: Context, taken: tuple[str, ...], by_name: bool, chosen: tuple[str, ...]
) -> tuple[list[Owner], list[str]]:
    """Who the folders of objects belong to, and lines about those that nobody owns."""
    from heliograph.governance.tenancy.queries import organization, organization_by_slug
    from heliograph.kit.actor import system
    from heliograph.records.archive.names import names_kept
    from heliograph.records.archive.owners import folders_of, owner_of

    owned: dict[UUID, UUID] = {}
    lost: list[str] = []
    usual: dict[UUID, UUID] = {}
    folders = folders_of(context.objects)
    with context.works.read(system("command line")) as work:
        said = {_id(old): organization_named(work, slug) for old, slug in (_pair(t) for t in taken)}
        for at in chosen:
            facility = facility_at(work, at)
            usual[facility.organization_id] = facility.id
        for folder in folders:
            names = None
            if folder in said:
                owned[folder] = said[folder].id
            elif organization(work.session, folder) is not None:
                owned[folder] = folder
            elif names := names_kept(context.objects, folder):
                now = organization_by_slug(work.session, names.slug)
                if now is not None and by_name:
                    owned[folder] = now.id
                elif now is not None:
                    lost.append(
                        f"{folder} was {names.slug} ({names.name}), which has another id now: if it is the same, "
                        f"`--by-name` or `--organization {folder}={names.slug}` files its objects."
                    )
                else:
                    lost.append(
                        f"{folder} was {names.slug} ({names.name}), which this database doesn't know: make it anew with the "
                        f"facilities {', '.join(sorted(names.facilities.values())) or '(none)'}, then rebuild with --by-name."
                    )
            else:
                lost.append(
                    f"{folder}: no organisation has this id, and no name is kept. `--organization {folder}=SLUG` says whose it is."
                )
    if strangers := said.keys() - set(folders):
        raise click.ClickException(f"There are no objects of {min(strangers)}.")
    made = [owner_of(context.works, context.objects, f, o, usual=usual.get(o)) for f, o in owned.items()]
    return made, lost


def _show(slug: str, done: Rebuilt, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    parts = [f"{done.filed} {would}filed in {len(done.studies)} studies"]
    if done.made:
        parts.append(f"{done.made} of our own {would}filed")
    if done.held:
        parts.append(f"{done.held.total()} {would}held ({_counted(done.held)})")
    if done.known:
        parts.append(f"{done.known} {would}noted as copies")
    click.echo(f"{slug}: {', '.join(parts)}.")
    for state, words in _STATES.items():
        if number := sum(s == state for s in done.studies.values()):
            click.echo(f"  {number} studies {words}")
    if done.left:
        click.secho(f"  {done.left.total()} left: {_counted(done.left)}", fg="red", err=True)


def _counted(what: dict[str, int]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in sorted(what.items()))


def _pair(text: str) -> tuple[str, str]:
    old, equals, slug = text.partition("=")
    if not equals or not slug:
        raise click.UsageError("--organization takes ID=SLUG.")
    return old, slug


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no id of an organisation.") from error
