"""Tables of the rota."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id


class Shift(Base):
    """A reader is on for a reading group in [starts_at, ends_at)."""

    __tablename__ = "shifts"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="order"),
        Index("ix_shifts_organization", "organization_id", "ends_at"),
        Index("ix_shifts_reader", "reader_id", "ends_at"),
        {"schema": "rota"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("people.readers.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
