"""Tables of tenancy."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp

ORGANIZATION_KINDS = (
    "clinic",
    "community_hospital",
    "tertiary_hospital",
    "imaging_centre",
    "telemedicine_provider",
    "reading_group",
)


class Organization(Base):
    """A client or a reading group. Every row of patient data bears the id of the client that it belongs to."""

    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint(
            "kind in ('clinic','community_hospital','tertiary_hospital','imaging_centre','telemedicine_provider','reading_group')",
            name="kind",
        ),
        {"schema": "tenancy"},
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    short_name: Mapped[str]
    kind: Mapped[str]
    home_region: Mapped[str] = mapped_column(server_default="home")
    is_active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Stamp]


class Grant(Base):
    """`grantee_organization_id` may see a patient's data of `organization_id`, for a purpose, from, until.

    `patient_id` null means the whole organisation (purpose `coordination`): only coordinators of the grantee see by it.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("purpose in ('coordination','interpretation','priors')", name="purpose"),
        CheckConstraint("(patient_id is null) = (purpose = 'coordination')", name="scope"),
        Index("ix_grants_patient", "patient_id", "grantee_organization_id"),
        Index("ix_grants_grantee", "grantee_organization_id", "organization_id"),
        Index("ix_grants_coordination", "grantee_organization_id", postgresql_where="purpose = 'coordination'"),
        {"schema": "tenancy"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    grantee_organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    purpose: Mapped[str]
    patient_id: Mapped[UUID | None]
    case_id: Mapped[UUID | None]
    agreement_id: Mapped[UUID | None]
    valid_from: Mapped[Stamp]
    valid_until: Mapped[datetime | None]
