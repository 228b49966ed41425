"""Administration of users, their roles, and machines' keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, SecretStr

from heliograph.governance.access import users
from heliograph.governance.access.door import CurrentUser, ReadDep, WorkDep
from heliograph.governance.access.errors import NotYourUser
from heliograph.kit.actor import Actor, Role
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work


def administrator(actor: CurrentUser) -> Actor:
    """Administrators of any organisation, and the operator; use-cases check which organisation."""
    if not actor.is_operator and not actor.holds("administrator"):
        raise NotAllowed("This is for administrators.")
    return actor


router = APIRouter(prefix="/api/admin", tags=["administration"], dependencies=[Depends(administrator)])
Administrator = Annotated[Actor, Depends(administrator)]


class RoleBody(BaseModel):
    """A role in an organisation."""

    organization_id: UUID
    role: Role
    facility_id: UUID | None = None


class NewUser(BaseModel):
    """A person who is to sign in."""

    username: str = Field(min_length=2, max_length=100, pattern=r"^[\w.@+-]+$")
    display_name: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(max_length=500)
    time_zone: str = Field("UTC", max_length=60)
    email: str | None = Field(None, max_length=200)
    roles: list[RoleBody] = []


class ChangedUser(BaseModel):
    """What can be changed of a user; a missing member stays as it is."""

    is_active: bool | None = None
    password: SecretStr | None = Field(None, max_length=500)


class UserBody(BaseModel):
    """A user without secrets."""

    id: UUID
    username: str
    display_name: str
    email: str | None
    time_zone: str
    has_totp: bool
    is_operator: bool
    is_active: bool
    roles: list[RoleBody]


class Made(BaseModel):
    """The id of what was made."""

    id: UUID


class Totp(BaseModel):
    """Shown once: the address that an authenticator app takes."""

    address: str


class NewKey(BaseModel):
    """A key for a machine of a facility."""

    organization_id: UUID
    facility_id: UUID
    name: str = Field(min_length=1, max_length=100)
    may_store: bool = True
    may_read: bool = False
    expires_at: datetime | None = None


class MadeKey(Made):
    """The token is told once and kept nowhere."""

    token: str


class KeyBody(BaseModel):
    """A key without its token."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    name: str
    may_store: bool
    may_read: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@router.get("/users")
def list_users(work: ReadDep) -> list[UserBody]:
    """Users with a role where the actor administers; all for the operator."""
    actor = work.actor
    found = (
        users.all_users(work.session)
        if actor.is_operator
        else users.users_of(work.session, actor.organizations_with("administrator"))
    )
    return [_body(u) for u in found]


@router.post("/users", status_code=201)
def add_user(body: NewUser, work: WorkDep) -> Made:
    """A new user with roles where the actor administers."""
    if not body.roles and not work.actor.is_operator:
        raise NotAllowed("Give the user a role in an organisation that you administer.")
    user_id = users.add_user(
        work,
        username=body.username,
        display_name=body.display_name,
        password=body.password.get_secret_value(),
        time_zone=body.time_zone,
        email=body.email,
    )
    for role in body.roles:
        users.give_role(work, user_id, role.organization_id, role.role, facility_id=role.facility_id)
    return Made(id=user_id)


@router.patch("/users/{user_id}")
def change_user(user_id: UUID, body: ChangedUser, work: WorkDep) -> UserBody:
    """Stops or resumes a user, or sets a password."""
    _require_own(work, user_id)
    if body.is_active is not None:
        users.set_active(work, user_id, is_active=body.is_active)
    if body.password is not None:
        users.set_password(work, user_id, body.password.get_secret_value())
    return _body(users.user_facts(work.session, user_id))


@router.post("/users/{user_id}/totp")
def begin_totp(user_id: UUID, work: WorkDep) -> Totp:
    """Gives the user a second factor."""
    _require_own(work, user_id)
    return Totp(address=users.begin_totp(work, user_id))


@router.post("/users/{user_id}/roles", status_code=204)
def give_role(user_id: UUID, body: RoleBody, work: WorkDep) -> None:
    """Gives a role where the actor administers."""
    users.user_facts(work.session, user_id)
    users.give_role(work, user_id, body.organization_id, body.role, facility_id=body.facility_id)


@router.delete("/users/{user_id}/roles", status_code=204)
def end_role(user_id: UUID, organization_id: UUID, role: Role, work: WorkDep) -> None:
    """Ends a role now."""
    users.end_role(work, user_id, organization_id, role)


@router.get("/keys")
def list_keys(work: ReadDep) -> list[KeyBody]:
    """Keys where the actor administers."""
    return [
        KeyBody(
            id=k.id,
            organization_id=k.organization_id,
            facility_id=k.facility_id,
            name=k.name,
            may_store=k.may_store,
            may_read=k.may_read,
            created_at=k.created_at,
            expires_at=k.expires_at,
            revoked_at=k.revoked_at,
        )
        for k in users.keys_of(work.session, work.actor.organizations_with("administrator"))
    ]


@router.post("/keys", status_code=201)
def add_key(body: NewKey, work: WorkDep) -> MadeKey:
    """A key for a machine; its token is in the answer and nowhere else."""
    key_id, token = users.add_key(
        work,
        body.organization_id,
        body.facility_id,
        body.name,
        may_store=body.may_store,
        may_read=body.may_read,
        expires_at=body.expires_at,
    )
    return MadeKey(id=key_id, token=token)


@router.delete("/keys/{key_id}", status_code=204)
def revoke_key(key_id: UUID, work: WorkDep) -> None:
    """Revokes a key at once."""
    users.revoke_key(work, key_id)


def _require_own(work: Work, user_id: UUID) -> None:
    """A user may be changed by the operator, or by someone who administers every organisation in which the user holds a role: else an
    administrator of one client could take over a colleague of another."""
    facts = users.user_facts(work.session, user_id)
    mine = set(work.actor.organizations_with("administrator"))
    theirs = {organization for organization, _, _ in facts.roles}
    if not work.actor.is_operator and not theirs & mine:
        raise NotFound()  # absent and somebody else's look the same
    if not work.actor.is_operator and (facts.is_operator or not theirs <= mine):
        raise NotYourUser()


def _body(u: users.UserFacts) -> UserBody:
    return UserBody(
        id=u.id,
        username=u.username,
        display_name=u.display_name,
        email=u.email,
        time_zone=u.time_zone,
        has_totp=u.has_totp,
        is_operator=u.is_operator,
        is_active=u.is_active,
        roles=[RoleBody.model_validate({"organization_id": o, "role": r, "facility_id": f}) for o, r, f in u.roles],
    )
