"""Facts about readers, in few statements for many readers at once. People are no patient data: no row-level security here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select, text

from heliograph.kit.db.session import ActorSession
from heliograph.records.people.model import (
    Certificate,
    Engagement,
    Licence,
    Reader,
    ReaderLanguage,
    ReadingPlace,
)
from heliograph.records.people.rules import valid_at

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EngagementFacts:
    """Works for a reading group in [valid_from, valid_until)."""

    id: UUID
    organization_id: UUID
    organization_name: str
    is_locum: bool
    malpractice_jurisdictions: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class LicenceFacts:
    """A licence; `status` is active, suspended or revoked. Not verified: nobody looked at the register yet."""

    id: UUID
    jurisdiction: str
    number: str
    scope: str
    status: str
    valid_from: datetime
    valid_until: datetime | None
    is_verified: bool


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A board certificate in a subspecialty."""

    id: UUID
    subspecialty: str
    board: str
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class PrivilegeFacts:
    """A facility lets the reader read; no subspecialties named means all."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    facility_name: str
    subspecialties: tuple[str, ...]
    status: str
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """A place read from."""

    id: UUID
    name: str
    jurisdiction: str
    time_zone: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """All that the rules ask about one reader, except the rota and the load, which rooms above know."""

    reader_id: UUID
    user_id: UUID
    name: str
    is_active: bool
    capacity: int
    engagements: tuple[EngagementFacts, ...] = ()
    licences: tuple[LicenceFacts, ...] = ()
    certificates: tuple[CertificateFacts, ...] = ()
    languages: tuple[str, ...] = ()
    privileges: tuple[PrivilegeFacts, ...] = ()
    places: tuple[PlaceFacts, ...] = ()

    @property
    def place(self) -> PlaceFacts | None:
        """Where the reader is now; None when nobody said."""
        return next((p for p in self.places if p.is_current), None)

    @property
    def hub(self) -> str:
        """The name of the place, for lists."""
        return self.place.name if self.place else "unknown"

    def engagement_with(self, organization_id: UUID, at: datetime) -> EngagementFacts | None:
        """The engagement with a group that holds at `at`."""
        return next(
            (
                e
                for e in self.engagements
                if e.organization_id == organization_id and valid_at(e.valid_from, e.valid_until, at)
            ),
            None,
        )


def reader_facts(session: ActorSession, reader_ids: Sequence[UUID]) -> list[ReaderFacts]:
    """The facts of some readers, by id: seven statements however many they are."""
    ids = list(reader_ids)
    if not ids:
        return []
    engagements = _grouped(_engagements(session, ids), lambda e: e[0])
    licences = _grouped(
        session.scalars(select(Licence).where(Licence.reader_id.in_(ids)).order_by(Licence.valid_from, Licence.id)),
        lambda x: x.reader_id,
    )
    certificates = _grouped(
        session.scalars(select(Certificate).where(Certificate.reader_id.in_(ids)).order_by(Certificate.id)),
        lambda x: x.reader_id,
    )
    languages = _grouped(
        session.scalars(
            select(ReaderLanguage).where(ReaderLanguage.reader_id.in_(ids)).order_by(ReaderLanguage.language)
        ),
        lambda x: x.reader_id,
    )
    places = _grouped(
        session.scalars(select(ReadingPlace).where(ReadingPlace.reader_id.in_(ids)).order_by(ReadingPlace.id)),
        lambda x: x.reader_id,
    )
    privileges = _grouped(_privileges(session, ids), lambda p: p[0])
    return [
        ReaderFacts(
            reader_id=r.id,
            user_id=r.user_id,
            name=reader_name(r.title, r.given_name, r.family_name),
            is_active=r.is_active,
            capacity=r.capacity,
            engagements=tuple(e for _, e in engagements[r.id]),
            licences=tuple(
                LicenceFacts(
                    x.id,
                    x.jurisdiction,
                    x.number,
                    x.scope,
                    x.status,
                    x.valid_from,
                    x.valid_until,
                    x.verified_at is not None,
                )
                for x in licences[r.id]
            ),
            certificates=tuple(
                CertificateFacts(x.id, x.subspecialty, x.board, x.valid_from, x.valid_until) for x in certificates[r.id]
            ),
            languages=tuple(x.language for x in languages[r.id]),
            privileges=tuple(p for _, p in privileges[r.id]),
            places=tuple(PlaceFacts(x.id, x.name, x.jurisdiction, x.time_zone, x.is_current) for x in places[r.id]),
        )
        for r in session.scalars(select(Reader).where(Reader.id.in_(ids)).order_by(Reader.family_name, Reader.id))
    ]


def facts_of_groups(session: ActorSession, groups: Sequence[UUID]) -> list[ReaderFacts]:
    """The facts of every reader who is or was engaged by one of `groups`: the candidates of an assignment."""
    ids = session.scalars(select(Engagement.reader_id).where(Engagement.organization_id.in_(groups)).distinct())
    return reader_facts(session, list(ids))


def facts_for_clients(session: ActorSession, organizations: Sequence[UUID]) -> list[ReaderFacts]:
    """The facts of every reader who has or had a privilege at a facility of `organizations`, or whose group has an agreement with one."""
    ids = session.scalars(
        text(
            "select reader_id from people.privileges where organization_id = any(:ids) union "
            "select e.reader_id from people.engagements e join agreements.agreements a "
            "on a.group_organization_id = e.organization_id where a.organization_id = any(:ids)"
        ),
        {"ids": list(organizations)},
    )
    return reader_facts(session, list(ids))


def reader_of_user(session: ActorSession, user_id: UUID | None) -> UUID | None:
    """The reader that a user is, if any."""
    if user_id is None:
        return None
    return session.scalar(select(Reader.id).where(Reader.user_id == user_id, Reader.is_active))


def reader_name(title: str, given: str, family: str) -> str:
    """`Dr Imogen Tarrant`."""
    return " ".join(part for part in (title, given, family) if part)


def names_of(session: ActorSession, reader_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names of some readers."""
    ids = {i for i in reader_ids if i}
    if not ids:
        return {}
    rows = session.execute(
        select(Reader.id, Reader.title, Reader.given_name, Reader.family_name).where(Reader.id.in_(ids))
    )
    return {r.id: reader_name(r.title, r.given_name, r.family_name) for r in rows}


def _engagements(session: ActorSession, ids: list[UUID]) -> list[tuple[UUID, EngagementFacts]]:
    rows = session.execute(
        text(
            "select e.reader_id, e.id, e.organization_id, o.short_name, e.is_locum, e.malpractice_jurisdictions, "
            "e.valid_from, e.valid_until from people.engagements e join tenancy.organizations o on o.id = e.organization_id "
            "where e.reader_id = any(:ids) order by e.valid_from, e.id"
        ),
        {"ids": ids},
    )
    return [(r[0], EngagementFacts(r[1], r[2], r[3], r[4], tuple(r[5]), r[6], r[7])) for r in rows]


def _privileges(session: ActorSession, ids: list[UUID]) -> list[tuple[UUID, PrivilegeFacts]]:
    rows = session.execute(
        text(
            "select p.reader_id, p.id, p.organization_id, p.facility_id, f.short_name, p.subspecialties, p.status, "
            "p.valid_from, p.valid_until from people.privileges p join sites.facilities f on f.id = p.facility_id "
            "where p.reader_id = any(:ids) order by p.valid_from, p.id"
        ),
        {"ids": ids},
    )
    return [(r[0], PrivilegeFacts(r[1], r[2], r[3], r[4], tuple(r[5]), r[6], r[7], r[8])) for r in rows]


def _grouped(rows: Iterable[_T], key: Callable[[_T], UUID]) -> defaultdict[UUID, list[_T]]:
    found: defaultdict[UUID, list[_T]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found
