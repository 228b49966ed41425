"""Tables of people. Validity is [valid_from, valid_until): null until means open."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Reader(Base):
    """A person who interprets images. Capacity is how many reads they may have open over all their groups."""

    __tablename__ = "readers"
    __table_args__ = ({"schema": "people"},)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"), unique=True)
    title: Mapped[str] = mapped_column(server_default="Dr")
    given_name: Mapped[str]
    family_name: Mapped[str]
    capacity: Mapped[int] = mapped_column(server_default="10")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class Licence(Base):
    """A licence of the person in a jurisdiction."""

    __tablename__ = "licences"
    __table_args__ = (Index("ix_licences_reader", "reader_id", "jurisdiction"), {"schema": "people"})

    id: Mapped[Id]
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    jurisdiction: Mapped[str]
    number: Mapped[str]
    scope: Mapped[str] = mapped_column(server_default="full")
    status: Mapped[str] = mapped_column(server_default="active")
    """active, suspended, revoked."""
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    verified_by: Mapped[UUID | None]
    verified_at: Mapped[datetime | None]


class Certificate(Base):
    """A board certificate that makes the reader one of a subspecialty (neuro, body, chest, msk, ...)."""

    __tablename__ = "certificates"
    __table_args__ = (Index("ix_certificates_reader", "reader_id"), {"schema": "people"})

    id: Mapped[Id]
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    subspecialty: Mapped[str]
    board: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]


class ReaderLanguage(Base):
    """A language the reader reports in."""

    __tablename__ = "reader_languages"
    __table_args__ = ({"schema": "people"},)

    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"), primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)


class ReadingPlace(Base):
    """A place the reader reads from. `is_current` tells where they are now; at most one."""

    __tablename__ = "reading_places"
    __table_args__ = (
        Index("uq_reading_places_current", "reader_id", unique=True, postgresql_where="is_current"),
        {"schema": "people"},
    )

    id: Mapped[Id]
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    name: Mapped[str]
    jurisdiction: Mapped[str]
    time_zone: Mapped[str]
    is_current: Mapped[bool] = mapped_column(server_default="false")


class Engagement(Base):
    """A reader works for a reading group: dates and cover. A locum has several."""

    __tablename__ = "engagements"
    __table_args__ = (
        Index("ix_engagements_reader", "reader_id"),
        Index("ix_engagements_organization", "organization_id"),
        {"schema": "people"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    is_locum: Mapped[bool] = mapped_column(server_default="false")
    malpractice_jurisdictions: Mapped[list[str]]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]


class Privilege(Base):
    """A facility lets the reader read for it, for some subspecialties (empty: all)."""

    __tablename__ = "privileges"
    __table_args__ = (UniqueConstraint("reader_id", "facility_id", "valid_from"), {"schema": "people"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    subspecialties: Mapped[list[str]]
    status: Mapped[str] = mapped_column(server_default="active")
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
