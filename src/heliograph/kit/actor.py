"""Who acts: a person with a session, a machine known to a site, or the platform itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

ActorKind = Literal["user", "machine", "system"]
Role = Literal["reader", "coordinator", "site_staff", "administrator", "auditor"]


@dataclass(frozen=True, slots=True)
class RoleHeld:
    """One role in one organisation, as it stood when the session's request began."""

    organization_id: UUID
    role: Role
    facility_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts in a transaction.

    `organizations` is what a machine or the platform acts for in this transaction; a user's come from their roles, in the database.
    `name` is shown in the record: a person's name, a caller, a job. Never a patient's.
    """

    kind: ActorKind
    name: str
    id: UUID | None = None
    organizations: tuple[UUID, ...] = ()
    roles: tuple[RoleHeld, ...] = field(default=())
    session_id: UUID | None = None
    address: str | None = None
    is_operator: bool = False

    def holds(self, role: str, organization_id: UUID | None = None) -> bool:
        """Whether the actor holds `role`, in `organization_id` where given."""
        return any(r.role == role and organization_id in (None, r.organization_id) for r in self.roles)

    def organizations_with(self, *roles: str) -> tuple[UUID, ...]:
        """The organisations in which the actor holds any of `roles`."""
        return tuple(dict.fromkeys(r.organization_id for r in self.roles if r.role in roles))


def system(name: str, *organizations: UUID) -> Actor:
    """The platform acting for `organizations`, as the job or part `name`."""
    return Actor(kind="system", name=name, organizations=organizations)


def machine(name: str, id_: UUID | None, *organizations: UUID, address: str | None = None) -> Actor:
    """A scanner, an HL7 sender or a key acting for its organisation."""
    return Actor(kind="machine", name=name, id=id_, organizations=organizations, address=address)
