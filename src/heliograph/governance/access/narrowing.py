"""Site staff whose role is narrowed to some facilities of their organisation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from heliograph.kit.actor import Actor


@dataclass(frozen=True, slots=True)
class Narrowed:
    """In `organizations` the actor works at `facilities` only; elsewhere the roles decide alone."""

    organizations: tuple[UUID, ...]
    facilities: tuple[UUID, ...]

    def lets_see(self, organization_id: UUID | None, facility_id: UUID | None) -> bool:
        """Whether what belongs to a facility may be seen as far as this goes."""
        return organization_id not in self.organizations or facility_id in self.facilities


def narrowed(actor: Actor) -> Narrowed:
    """Row-level security knows organisations; the use-cases and doors add this."""
    everywhere = {
        r.organization_id
        for r in actor.roles
        if r.role in ("coordinator", "auditor") or (r.role == "site_staff" and r.facility_id is None)
    }
    roles = [r for r in actor.roles if r.role == "site_staff" and r.facility_id and r.organization_id not in everywhere]
    return Narrowed(
        tuple(dict.fromkeys(r.organization_id for r in roles)), tuple(r.facility_id for r in roles if r.facility_id)
    )
