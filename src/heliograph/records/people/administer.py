"""Keeping the facts about readers: who they are, what they hold, whom they work for. Each change is recorded.

A group's administrator keeps the readers that the group engages; a client's administrator gives privileges at its facilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import exists, select, text

from heliograph.governance.policy.jurisdictions import jurisdiction
from heliograph.kit.db.base import Base
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.work import Work
from heliograph.records.people.errors import BadValidity, PlaceNotYours, ReaderExists, UnknownJurisdiction
from heliograph.records.people.model import (
    Certificate,
    Engagement,
    Licence,
    Privilege,
    Reader,
    ReaderLanguage,
    ReadingPlace,
)

_T = TypeVar("_T", bound=Base)
STATUSES = ("active", "suspended", "revoked")


def add_reader(
    work: Work,
    organization_id: UUID,
    user_id: UUID,
    *,
    given_name: str,
    family_name: str,
    title: str = "Dr",
    capacity: int = 10,
    malpractice_jurisdictions: Sequence[str] = (),
) -> UUID:
    """Makes a user a reader and engages them for the group `organization_id` from now on.

    Raises: NotFound, ReaderExists, Invalid (capacity below 1).
    """
    _must_administer(work, organization_id)
    if capacity < 1:
        raise Invalid("The capacity is at least 1.")
    if work.session.scalar(select(Reader.id).where(Reader.user_id == user_id)):
        raise ReaderExists()
    if not work.session.scalar(text("select 1 from access.users where id = :id"), {"id": user_id}):
        raise NotFound("There is no such user.")
    reader = Reader(user_id=user_id, title=title, given_name=given_name, family_name=family_name, capacity=capacity)
    work.session.add(reader)
    work.session.flush()
    _record(work, "reader.added", organization_id, reader.id, "reader", reader.id, capacity=capacity)
    _add(
        work,
        organization_id,
        reader.id,
        Engagement(
            organization_id=organization_id,
            reader_id=reader.id,
            malpractice_jurisdictions=list(malpractice_jurisdictions),
            valid_from=work.now,
        ),
    )
    return reader.id


def change_reader(work: Work, reader_id: UUID, *, capacity: int | None = None, is_active: bool | None = None) -> None:
    """Changes how many reads a reader may have open, or whether they read at all. Raises: NotFound, Invalid."""
    organization_id = administering(work, reader_id)
    reader = work.session.get_one(Reader, reader_id)
    if capacity is not None:
        if capacity < 1:
            raise Invalid("The capacity is at least 1.")
        reader.capacity = capacity
    if is_active is not None:
        reader.is_active = is_active
    _record(
        work, "reader.changed", organization_id, reader_id, "reader", reader_id, capacity=capacity, is_active=is_active
    )


def add_licence(
    work: Work,
    reader_id: UUID,
    *,
    jurisdiction_code: str,
    number: str,
    valid_from: datetime,
    valid_until: datetime | None,
    is_verified: bool,
    scope: str = "full",
) -> UUID:
    """Adds a licence. Not verified (nobody saw it in the register) it does not count yet.

    Raises: NotFound, BadValidity, UnknownJurisdiction.
    """
    organization_id = administering(work, reader_id)
    _check(valid_from, valid_until, jurisdiction_code)
    return _add(
        work,
        organization_id,
        reader_id,
        Licence(
            reader_id=reader_id,
            jurisdiction=jurisdiction_code,
            number=number,
            scope=scope,
            valid_from=valid_from,
            valid_until=valid_until,
            verified_by=work.actor.id if is_verified else None,
            verified_at=work.now if is_verified else None,
        ),
    )


def change_licence(
    work: Work,
    licence_id: UUID,
    *,
    valid_until: datetime | None = None,
    status: str | None = None,
    is_verified: bool | None = None,
) -> None:
    """Ends, suspends, restores, renews or verifies a licence. Raises: NotFound, BadValidity, Invalid."""
    licence = _held(work, Licence, licence_id)
    organization_id = administering(work, licence.reader_id)
    _change(licence, valid_until, status)
    if is_verified is not None:
        licence.verified_by = work.actor.id if is_verified else None
        licence.verified_at = work.now if is_verified else None
    _record(
        work, "licence.changed", organization_id, licence.reader_id, "licence", licence_id,
        status=licence.status, valid_until=_iso(licence.valid_until), is_verified=licence.verified_at is not None,
    )  # fmt: skip


def add_certificate(
    work: Work, reader_id: UUID, *, subspecialty: str, board: str, valid_from: datetime, valid_until: datetime | None
) -> UUID:
    """Adds a board certificate. Raises: NotFound, BadValidity."""
    organization_id = administering(work, reader_id)
    _check(valid_from, valid_until)
    return _add(
        work,
        organization_id,
        reader_id,
        Certificate(
            reader_id=reader_id,
            subspecialty=subspecialty,
            board=board,
            valid_from=valid_from,
            valid_until=valid_until,
        ),
    )


def end_certificate(work: Work, certificate_id: UUID, valid_until: datetime | None) -> None:
    """Moves the end of a certificate. Raises: NotFound, BadValidity."""
    held = _held(work, Certificate, certificate_id)
    organization_id = administering(work, held.reader_id)
    _change(held, valid_until, None, may_clear=True)
    _record(
        work, "certificate.changed", organization_id, held.reader_id, "certificate", held.id,
        valid_until=_iso(held.valid_until),
    )  # fmt: skip


def add_language(work: Work, reader_id: UUID, language: str) -> None:
    """Adds a language the reader reports in (BCP 47: en, nb). Adding it twice changes nothing."""
    organization_id = administering(work, reader_id)
    if work.session.get(ReaderLanguage, (reader_id, language)) is None:
        work.session.add(ReaderLanguage(reader_id=reader_id, language=language))
        _record(work, "language.added", organization_id, reader_id, "reader", reader_id, language=language)


def remove_language(work: Work, reader_id: UUID, language: str) -> None:
    """Takes a language away. Raises: NotFound."""
    organization_id = administering(work, reader_id)
    held = work.session.get(ReaderLanguage, (reader_id, language))
    if held is None:
        raise NotFound()
    work.session.delete(held)
    _record(work, "language.removed", organization_id, reader_id, "reader", reader_id, language=language)


def add_place(work: Work, reader_id: UUID, *, name: str, jurisdiction_code: str, time_zone: str) -> UUID:
    """Adds a place that the reader reads from; the first one is where they are. Raises: NotFound, UnknownJurisdiction."""
    organization_id = administering(work, reader_id)
    _check(work.now, None, jurisdiction_code)
    is_first = not work.session.scalar(select(exists().where(ReadingPlace.reader_id == reader_id)))
    return _add(
        work,
        organization_id,
        reader_id,
        ReadingPlace(
            reader_id=reader_id,
            name=name,
            jurisdiction=jurisdiction_code,
            time_zone=time_zone,
            is_current=is_first,
        ),
    )


def set_place(work: Work, reader_id: UUID, place_id: UUID) -> None:
    """The reader says where they read from now. The rules ask for it at assignment, opening and signing. Raises: PlaceNotYours."""
    places = list(
        work.session.scalars(
            select(ReadingPlace).where(ReadingPlace.reader_id == reader_id).with_for_update(key_share=True)
        )
    )
    chosen = next((p for p in places if p.id == place_id), None)
    if chosen is None:
        raise PlaceNotYours()
    if chosen.is_current:
        return
    for place in places:
        place.is_current = False
    work.session.flush()  # the old one first: at most one is current
    chosen.is_current = True
    _record(work, "reader.moved", None, reader_id, "place", place_id, jurisdiction=chosen.jurisdiction)


def add_engagement(
    work: Work,
    reader_id: UUID,
    organization_id: UUID,
    *,
    valid_from: datetime,
    valid_until: datetime | None = None,
    is_locum: bool = False,
    malpractice_jurisdictions: Sequence[str] = (),
) -> UUID:
    """Engages a reader for a group. Raises: NotFound, BadValidity."""
    _must_administer(work, organization_id)
    if work.session.get(Reader, reader_id) is None:
        raise NotFound("There is no such reader.")
    _check(valid_from, valid_until)
    return _add(
        work,
        organization_id,
        reader_id,
        Engagement(
            organization_id=organization_id,
            reader_id=reader_id,
            is_locum=is_locum,
            malpractice_jurisdictions=list(malpractice_jurisdictions),
            valid_from=valid_from,
            valid_until=valid_until,
        ),
    )


def end_engagement(work: Work, engagement_id: UUID, valid_until: datetime | None) -> None:
    """Moves the end of an engagement. Raises: NotFound, BadValidity."""
    held = _held(work, Engagement, engagement_id)
    _must_administer(work, held.organization_id)
    _change(held, valid_until, None, may_clear=True)
    _record(
        work, "engagement.changed", held.organization_id, held.reader_id, "engagement", held.id,
        valid_until=_iso(held.valid_until),
    )  # fmt: skip


def add_privilege(
    work: Work,
    reader_id: UUID,
    facility_id: UUID,
    *,
    subspecialties: Sequence[str] = (),
    valid_from: datetime,
    valid_until: datetime | None = None,
) -> UUID:
    """A facility lets a reader read for it. Given by the facility's own administrator. Raises: NotFound, BadValidity."""
    organization_id = work.session.scalar(
        text("select organization_id from sites.facilities where id = :id"), {"id": facility_id}
    )
    if organization_id is None or work.session.get(Reader, reader_id) is None:
        raise NotFound()
    _must_administer(work, organization_id)
    _check(valid_from, valid_until)
    return _add(
        work,
        organization_id,
        reader_id,
        Privilege(
            organization_id=organization_id,
            facility_id=facility_id,
            reader_id=reader_id,
            subspecialties=list(subspecialties),
            valid_from=valid_from,
            valid_until=valid_until,
        ),
    )


def change_privilege(
    work: Work, privilege_id: UUID, *, valid_until: datetime | None = None, status: str | None = None
) -> None:
    """Ends, suspends or restores a privilege. Raises: NotFound, BadValidity, Invalid."""
    held = _held(work, Privilege, privilege_id)
    _must_administer(work, held.organization_id)
    _change(held, valid_until, status)
    _record(
        work, "privilege.changed", held.organization_id, held.reader_id, "privilege", held.id,
        status=held.status, valid_until=_iso(held.valid_until),
    )  # fmt: skip


def administering(work: Work, reader_id: UUID) -> UUID:
    """The group by which the actor administers this reader. Raises: NotFound (absent and forbidden look the same)."""
    groups = work.session.scalars(
        select(Engagement.organization_id).where(Engagement.reader_id == reader_id).order_by(Engagement.id)
    )
    for group in groups:
        if _administers(work, group):
            return group
    raise NotFound()


def _administers(work: Work, organization_id: UUID) -> bool:
    if work.actor.kind == "system":
        return organization_id in work.actor.organizations
    return work.actor.holds("administrator", organization_id)


def _must_administer(work: Work, organization_id: UUID) -> None:
    if not _administers(work, organization_id):
        raise NotFound()


def _held(work: Work, kind: type[_T], id_: UUID) -> _T:
    found = work.session.get(kind, id_)
    if found is None:
        raise NotFound()
    return found


def _check(valid_from: datetime, valid_until: datetime | None, jurisdiction_code: str | None = None) -> None:
    if valid_until is not None and valid_until <= valid_from:
        raise BadValidity()
    if jurisdiction_code is not None and jurisdiction(jurisdiction_code) is None:
        raise UnknownJurisdiction()


def _change(held: Any, valid_until: datetime | None, status: str | None, *, may_clear: bool = False) -> None:
    if valid_until is not None or may_clear:
        _check(held.valid_from, valid_until)
        held.valid_until = valid_until
    if status is not None:
        if status not in STATUSES:
            raise Invalid("The status is one of: " + ", ".join(STATUSES) + ".")
        held.status = status


def _add(work: Work, organization_id: UUID, reader_id: UUID, row: Any) -> UUID:
    work.session.add(row)
    work.session.flush()
    kind = type(row).__name__.lower().removeprefix("reading")
    _record(work, f"{kind}.added", organization_id, reader_id, kind, row.id)
    id_: UUID = row.id
    return id_


def _record(
    work: Work, action: str, organization_id: UUID | None, reader_id: UUID, kind: str, id_: UUID, **detail: Any
) -> None:
    work.record(
        action,
        organization_id=organization_id,
        subject_kind=kind,
        subject_id=id_,
        detail={"reader_id": str(reader_id), **{k: v for k, v in detail.items() if v is not None}},
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
