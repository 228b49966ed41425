"""Tables of delivery."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Delivery(Base):
    """One version to one destination. Its life cycle is `states.DELIVERY`; only the destination's own answer makes it acknowledged.

    Channels (`channels.CHANNELS`): `archive` (Encapsulated PDF in the archive, acknowledged when stored), `page` (the site's own page,
    acknowledged when a person of the site confirms it), and one for each kind of endpoint that takes reports.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint(
            "report_version_id",
            "channel",
            "endpoint_id",
            "is_withdrawal",
            name="uq_deliveries_destination",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint(
            "channel in ('hl7','archive','page','dicom','email','webhook','folder','sftp')", name="channel"
        ),
        CheckConstraint("state in ('queued','sent','acknowledged','held','failed','cancelled')", name="state"),
        CheckConstraint("(state = 'cancelled') = (cancel_reason is not null)", name="cancelled"),
        CheckConstraint("hold_kind in ('provisional','refused','by_hand')", name="hold_kind"),
        Index("ix_deliveries_due", "next_attempt_at", postgresql_where="state = 'queued'"),
        Index("ix_deliveries_case", "case_id"),
        Index("ix_deliveries_endpoint", "endpoint_id", postgresql_where="endpoint_id is not null"),
        {"schema": "delivery"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("reading.report_versions.id"))
    version_number: Mapped[int]
    is_withdrawal: Mapped[bool] = mapped_column(server_default="false")
    """It says that the version is withdrawn, to a destination that may have it."""
    channel: Mapped[str]
    endpoint_id: Mapped[UUID | None] = mapped_column(ForeignKey("sites.endpoints.id"))
    state: Mapped[str] = mapped_column(server_default="queued")
    message_control_id: Mapped[str | None]
    """MSH-10 or its like, the same on every retry, so that the receiver can tell a repeat; another when it is sent anew by hand."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None]
    acknowledgement_code: Mapped[str | None]
    last_error: Mapped[str | None]
    hold_kind: Mapped[str | None]
    """Why it is held: provisional (its study is not matched yet), refused (by the site's system), by_hand (a coordinator)."""
    hold_reason: Mapped[str | None]
    """The same in words."""
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[UUID | None]
    cancel_reason: Mapped[str | None]
    """Why a person ended it; nothing but a person takes it up again."""
    created_at: Mapped[Stamp]


class DeliveryAttempt(Base):
    """One try, and how it went."""

    __tablename__ = "delivery_attempts"
    __table_args__ = (Index("ix_delivery_attempts_delivery", "delivery_id", "at"), {"schema": "delivery"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("delivery.deliveries.id"))
    at: Mapped[Stamp]
    outcome: Mapped[str]
    """acknowledged, refused_AE, refused_AR, no_answer, not_connected, wrong_acknowledgement, stored."""
    detail: Mapped[str | None]


class Telling(Base):
    """A person told the site of a version by phone, fax or print: who told whom, and when. Stays as it was written."""

    __tablename__ = "tellings"
    __table_args__ = (
        CheckConstraint("way in ('phone','fax','print')", name="way"),
        Index("ix_tellings_case", "case_id"),
        {"schema": "delivery"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("reading.report_versions.id"))
    way: Mapped[str]
    told_to: Mapped[str]
    """Who took it there, and the number that was dialled where that matters."""
    told_at: Mapped[datetime]
    note: Mapped[str | None]
    told_by: Mapped[UUID]
    teller_name: Mapped[str]
    recorded_at: Mapped[Stamp]
