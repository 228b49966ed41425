"""How the archive's commands name organisations, facilities and callers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from heliograph.governance.tenancy.queries import OrganizationFacts
    from heliograph.kit.work import Work
    from heliograph.records.sites.queries import FacilityFacts


def organization_named(work: Work, slug: str) -> OrganizationFacts:
    """The organisation with this short address, or in words that there is none."""
    from heliograph.governance.tenancy.queries import organization_by_slug

    found = organization_by_slug(work.session, slug)
    if found is None:
        raise click.ClickException(f"There is no organisation {slug!r}.")
    return found


def facility_at(work: Work, at: str) -> FacilityFacts:
    """The facility that CODE@ORGANISATION names."""
    from heliograph.governance.tenancy.queries import organization_by_slug
    from heliograph.records.sites.queries import facilities_of

    code, _, slug = at.partition("@")
    organization = organization_by_slug(work.session, slug)
    if organization is None:
        raise click.ClickException(f"There is no organisation {slug!r}. --facility takes CODE@ORGANISATION.")
    found = [f for f in facilities_of(work.session, [organization.id]) if f.code == code]
    if not found:
        raise click.ClickException(f"{slug} has no facility {code!r}.")
    return found[0]


def caller_titled(work: Work, facility: FacilityFacts, title: str) -> UUID:
    """The caller of the facility with this calling AE title."""
    from heliograph.records.sites.queries import callers_of_facilities

    found = [c for c in callers_of_facilities(work.session, [facility.id]) if c.calling_ae == title]
    if not found:
        raise click.ClickException(f"{facility.code} has no caller {title!r}.")
    return found[0].id
