"""Who is signed in, as the pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import text

from heliograph.governance.access.sessions import Known
from heliograph.governance.access.sign_in import signature_stands
from heliograph.governance.access.users import user_facts
from heliograph.governance.tenancy.queries import organizations
from heliograph.kit.actor import Role
from heliograph.kit.db.session import ActorSession
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.people.queries import reader_facts, reader_of_user

Room = Literal["list", "read", "board", "site", "case", "admin", "audit"]
_ROOMS: Mapping[Role, tuple[Room, ...]] = {
    "reader": ("list", "read", "case"),
    "coordinator": ("board", "case"),
    "site_staff": ("site", "case"),
    "administrator": ("admin",),
    "auditor": ("case", "audit"),
}


class UserView(BaseModel):
    """The person."""

    id: UUID
    username: str
    display_name: str
    time_zone: str


class RoleView(BaseModel):
    """A role in an organisation."""

    organization_id: UUID
    organization_name: str
    organization_kind: str
    role: Role
    facility_id: UUID | None


class PlaceView(BaseModel):
    """A place read from."""

    id: UUID
    name: str
    jurisdiction: str
    time_zone: str
    is_current: bool


class ReaderView(BaseModel):
    """The person as a reader."""

    id: UUID
    place: PlaceView | None
    places: list[PlaceView]
    on_shift_until: datetime | None


class SessionView(BaseModel):
    """Everything a page needs to know of the session. `csrf_token` goes into `X-CSRF-Token` of every change."""

    user: UserView
    roles: list[RoleView]
    reader: ReaderView | None
    csrf_token: str
    demonstration: bool
    region: str
    rooms: list[Room]
    is_operator: bool
    signature_needed: bool


_SHIFT = text("select max(ends_at) from rota.shifts where reader_id = :reader and starts_at <= :now and ends_at > :now")


def describe_session(works: WorkFactory, settings: Settings, known: Known) -> SessionView:
    """Puts the session together from the rooms that know its parts."""
    actor = known.actor
    with works.read(actor) as work:
        assert actor.id is not None  # noqa: S101 (a session belongs to a person)
        user = user_facts(work.session, actor.id)
        named = organizations(work.session, {r.organization_id for r in actor.roles})
        roles = [
            RoleView(
                organization_id=r.organization_id,
                organization_name=named[r.organization_id].name,
                organization_kind=named[r.organization_id].kind,
                role=r.role,
                facility_id=r.facility_id,
            )
            for r in actor.roles
        ]
        rooms = list(dict.fromkeys(room for r in actor.roles for room in _ROOMS[r.role]))
        if actor.is_operator and "admin" not in rooms:
            rooms.append("admin")
        return SessionView(
            user=UserView(id=user.id, username=user.username, display_name=user.display_name, time_zone=user.time_zone),
            roles=roles,
            reader=_reader(work.session, user.id, work.now),
            csrf_token=known.csrf_token or "",
            demonstration=settings.demonstration,
            region=settings.region,
            rooms=rooms,
            is_operator=actor.is_operator,
            signature_needed=not signature_stands(work, settings),
        )


def _reader(session: ActorSession, user_id: UUID, now: datetime) -> ReaderView | None:
    reader_id = reader_of_user(session, user_id)
    if reader_id is None:
        return None
    facts = reader_facts(session, [reader_id])[0]
    places = [
        PlaceView(id=p.id, name=p.name, jurisdiction=p.jurisdiction, time_zone=p.time_zone, is_current=p.is_current)
        for p in facts.places
    ]
    return ReaderView(
        id=reader_id,
        place=next((p for p in places if p.is_current), None),
        places=places,
        on_shift_until=session.scalar(_SHIFT, {"reader": reader_id, "now": now}),
    )
