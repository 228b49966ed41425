"""Reading organisations and grants. Organisations hold no patient data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select

from heliograph.governance.tenancy.model import Grant, Organization
from heliograph.kit.db.session import ActorSession


@dataclass(frozen=True, slots=True)
class OrganizationFacts:
    """A client or a reading group."""

    id: UUID
    slug: str
    name: str
    short_name: str
    kind: str
    is_active: bool


_FACTS = (
    Organization.id,
    Organization.slug,
    Organization.name,
    Organization.short_name,
    Organization.kind,
    Organization.is_active,
)


def _facts(o: Organization) -> OrganizationFacts:
    return OrganizationFacts(o.id, o.slug, o.name, o.short_name, o.kind, o.is_active)


def active_organizations(session: ActorSession) -> list[OrganizationFacts]:
    """All organisations that are active, by slug: what a sweep loops over."""
    rows = session.scalars(select(Organization).where(Organization.is_active).order_by(Organization.slug))
    return [_facts(o) for o in rows]


def organization(session: ActorSession, organization_id: UUID) -> OrganizationFacts | None:
    """One organisation, active or not."""
    found = session.get(Organization, organization_id)
    return _facts(found) if found else None


def organizations(session: ActorSession, ids: Iterable[UUID]) -> dict[UUID, OrganizationFacts]:
    """Several organisations by id."""
    rows = session.scalars(select(Organization).where(Organization.id.in_(list(ids))))
    return {o.id: _facts(o) for o in rows}


def organization_by_slug(session: ActorSession, slug: str) -> OrganizationFacts | None:
    """The organisation whose DICOMweb root is `/dicomweb/{slug}`."""
    found = session.execute(select(*_FACTS).where(Organization.slug == slug)).first()
    return OrganizationFacts(*found) if found else None


def coordinated_clients(session: ActorSession, groups: Sequence[UUID]) -> list[UUID]:
    """The clients that coordinators of `groups` look after, by a coordination grant that is valid now."""
    rows = session.scalars(
        select(Grant.organization_id)
        .where(
            Grant.grantee_organization_id.in_(groups),
            Grant.purpose == "coordination",
            Grant.valid_from <= func.now(),
            or_(Grant.valid_until.is_(None), Grant.valid_until > func.now()),
        )
        .distinct()
    )
    return list(rows)
