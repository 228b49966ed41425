"""Tables of the record. Rows are only ever added; the application role may not update or delete events, leaves or tree heads."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id


class AuditEvent(Base):
    """One line of the record. `at` is when it happened, `id` when it was written. `outcome` is done, refused or failed."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_case", "case_id", "at"),
        Index("ix_events_study", "study_id", "at"),
        Index("ix_events_order", "order_id", "at"),
        Index("ix_events_organization", "organization_id", "at"),
        {"schema": "audit"},
    )

    id: Mapped[Id]
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    session_id: Mapped[UUID | None]
    address: Mapped[str | None]
    organization_id: Mapped[UUID | None]
    action: Mapped[str]
    outcome: Mapped[str]
    case_id: Mapped[UUID | None]
    study_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    patient_id: Mapped[UUID | None]
    subject_kind: Mapped[str | None]
    subject_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Pending(Base):
    """Events not sealed yet; filled by a trigger, emptied by the sealer. Id order is not commit order, so ids are never compared."""

    __tablename__ = "pending"
    __table_args__ = ({"schema": "audit"},)

    event_id: Mapped[UUID] = mapped_column(ForeignKey("audit.events.id"), primary_key=True)


class Leaf(Base):
    """A sealed event: its gapless position in the log and its leaf hash (RFC 9162 2.1.1)."""

    __tablename__ = "leaves"
    __table_args__ = ({"schema": "audit"},)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class TreeHead(Base):
    """A signed tree head over the first `size` leaves."""

    __tablename__ = "tree_heads"
    __table_args__ = ({"schema": "audit"},)

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    root: Mapped[bytes] = mapped_column(LargeBinary)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
    """Hashes of the perfect subtrees, largest first, 32 bytes each: what the next batch is added to."""
    key_id: Mapped[str]
    signature: Mapped[bytes] = mapped_column(LargeBinary)
