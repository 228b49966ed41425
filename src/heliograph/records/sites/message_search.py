"""Searching the message log: which messages, newest first, page by page. No content: what is found names no patient."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import defer

from heliograph.governance.access.narrowing import Narrowed, narrowed
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.sites.errors import BadPlaceInList
from heliograph.records.sites.messages import Direction, Fate, MessageBrief, brief_of
from heliograph.records.sites.model import Endpoint, Message


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose messages an actor may find: of `organizations`, at `own`'s facilities where it narrows; and all of `administered`."""

    organizations: Sequence[UUID]
    administered: Sequence[UUID]
    own: Narrowed

    def finds(self, organization_id: UUID | None, facility_id: UUID | None) -> bool:
        """Whether the actor may know of a message, without its patient data."""
        return organization_id in self.administered or self.reads(organization_id, facility_id)

    def reads(self, organization_id: UUID | None, facility_id: UUID | None) -> bool:
        """Whether the actor's role may see the patient data in it."""
        return organization_id in self.organizations and self.own.lets_see(organization_id, facility_id)


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is looked for; None and empty mean any. `kind` is MSH-9 as `ORM` or `ORM^O01`; `control_id` its beginning."""

    endpoint_id: UUID | None = None
    direction: Direction | None = None
    kind: str | None = None
    control_id: str | None = None
    fates: tuple[Fate, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    order_id: UUID | None = None
    replays_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the log; `next` goes on where it ends, None at the end of all."""

    messages: list[MessageBrief]
    next: str | None


def sight_of(work: Work) -> Sight:
    """Own messages as site staff or coordinator, those of clients that the group coordinates; masked, those of whom one administers."""
    own = work.actor.organizations_with("site_staff", "coordinator")
    coordinated = coordinated_clients(work.session, work.actor.organizations_with("coordinator"))
    administered = work.actor.organizations_with("administrator")
    return Sight([*own, *coordinated], administered, narrowed(work.actor))


def search_messages(session: ActorSession, sight: Sight, query: LogQuery, *, limit: int, after: str | None) -> Found:
    """The messages that fit, newest first. Raises: BadPlaceInList (`after` is none that we gave)."""
    rows = session.execute(_statement(sight, query, limit + 1, after)).all()
    briefs = [brief_of(row, endpoint) for row, endpoint in rows[:limit]]
    return Found(briefs, _place(briefs[-1]) if len(rows) > limit else None)


def feeds_of(session: ActorSession, sight: Sight) -> list[tuple[UUID, str]]:
    """Id and name of the endpoints whose messages the actor may find, by name."""
    rows = session.execute(
        select(Endpoint.id, Endpoint.name)
        .where(
            or_(
                Endpoint.organization_id.in_(sight.administered),
                and_(
                    Endpoint.organization_id.in_(sight.organizations),
                    or_(
                        Endpoint.organization_id.not_in(sight.own.organizations),
                        Endpoint.facility_id.in_(sight.own.facilities),
                    ),
                ),
            )
        )
        .order_by(Endpoint.name, Endpoint.id)
    )
    return [(row.id, row.name) for row in rows]


def _statement(sight: Sight, query: LogQuery, limit: int, after: str | None) -> Select[Message, Endpoint]:
    own = or_(Message.organization_id.not_in(sight.own.organizations), Endpoint.facility_id.in_(sight.own.facilities))
    found = (
        select(Message, Endpoint)
        .outerjoin(Endpoint, Endpoint.id == Message.endpoint_id)
        # A thousand reports with their PDF are not for a list.
        .options(defer(Message.payload, raiseload=True), defer(Message.answer, raiseload=True))
        .where(Message.organization_id.in_({*sight.organizations, *sight.administered}))
        .where(or_(Message.organization_id.in_(sight.administered), own))
        .order_by(Message.received_at.desc(), Message.id.desc())
        .limit(limit)
    )
    for column, value in (
        (Message.endpoint_id, query.endpoint_id),
        (Message.direction, query.direction),
        (Message.order_id, query.order_id),
        (Message.replay_of, query.replays_of),
    ):
        if value is not None:
            found = found.where(column == value)
    if query.kind:
        found = found.where(
            or_(Message.message_type == query.kind, Message.message_type.startswith(f"{query.kind}^", autoescape=True))
        )
    if query.control_id:
        found = found.where(Message.control_id.startswith(query.control_id, autoescape=True))
    if query.fates:
        found = found.where(Message.fate.in_(query.fates))
    if query.since is not None:
        found = found.where(Message.received_at >= query.since)
    if query.until is not None:
        found = found.where(Message.received_at < query.until)
    if after is not None:
        found = found.where(tuple_(Message.received_at, Message.id) < _read_place(after))
    return found


def _place(last: MessageBrief) -> str:
    return base64.urlsafe_b64encode(f"{last.received_at.isoformat()} {last.id}".encode()).decode().rstrip("=")


def _read_place(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, id_ = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").rpartition(" ")
        read = datetime.fromisoformat(at)
        if read.tzinfo is None:
            raise BadPlaceInList
        return read, UUID(id_)
    except (ValueError, binascii.Error) as error:
        raise BadPlaceInList from error
