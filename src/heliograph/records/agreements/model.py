"""Tables of agreements."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Agreement(Base):
    """One version of the agreement between a client and a reading group. Versions are never edited: a new one supersedes."""

    __tablename__ = "agreements"
    __table_args__ = (
        UniqueConstraint("organization_id", "group_organization_id", "version"),
        CheckConstraint("read_kind in ('final','preliminary')", name="read_kind"),
        Index("ix_agreements_group", "group_organization_id"),
        {"schema": "agreements"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    """The client."""
    group_organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    version: Mapped[int]
    exam_classes: Mapped[list[str]]
    """Ids of exam classes, or subspecialties prefixed with `subspecialty:`; empty means all."""
    read_kind: Mapped[str] = mapped_column(server_default="final")
    viewing_places: Mapped[list[str]]
    """Jurisdictions the client's images may be seen from; empty means nowhere is excluded by the agreement."""
    includes_coordination: Mapped[bool] = mapped_column(server_default="true")
    allows_provisional_stat: Mapped[bool] = mapped_column(server_default="true")
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    created_at: Mapped[Stamp]


class Promise(Base):
    """Minutes from the clock's start to the signed report, per priority."""

    __tablename__ = "promises"
    __table_args__ = ({"schema": "agreements"},)

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreements.agreements.id"), primary_key=True)
    priority: Mapped[str] = mapped_column(primary_key=True)
    minutes: Mapped[int]
