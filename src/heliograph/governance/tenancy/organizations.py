"""Adding organisations: the operator's work."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from heliograph.governance.tenancy.model import ORGANIZATION_KINDS, Organization
from heliograph.kit.errors import Conflict, Invalid, NotAllowed
from heliograph.kit.work import Work


class SlugTaken(Conflict):
    """There is an organisation with this short address already."""


def add_organization(work: Work, *, slug: str, name: str, short_name: str, kind: str) -> UUID:
    """A new client or reading group. Raises: NotAllowed unless the actor operates the platform, Invalid, SlugTaken."""
    if work.actor.kind != "system" and not work.actor.is_operator:
        raise NotAllowed("Organisations are added by the platform's operator.", action="organization.added")
    if kind not in ORGANIZATION_KINDS:
        raise Invalid(f"There is no kind {kind!r}; kinds are: {', '.join(ORGANIZATION_KINDS)}.")
    row = Organization(slug=slug, name=name, short_name=short_name, kind=kind)
    work.session.add(row)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise SlugTaken() from error
    work.record("organization.added", organization_id=row.id, subject_kind="organization", subject_id=row.id)
    return row.id


def all_organizations(work: Work) -> list[Organization]:
    """Every organisation, by name."""
    return list(work.session.scalars(select(Organization).order_by(Organization.name)))
