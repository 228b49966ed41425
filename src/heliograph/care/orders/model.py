"""Tables of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Order(Base):
    """An order of one organisation. An accession is unique only per issuer, and a repeated one blocks automatic matching, not storage."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("source in ('hl7','manual')", name="source"),
        CheckConstraint(
            "status in ('scheduled','in_progress','completed','cancel_requested','cancelled')", name="status"
        ),
        Index("ix_orders_accession", "organization_id", "accession_number"),
        Index("ix_orders_placer", "organization_id", "facility_id", "placer_number"),
        Index("ix_orders_filler", "organization_id", "facility_id", "filler_number"),
        Index("ix_orders_patient", "patient_id"),
        {"schema": "orders"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    source: Mapped[str]
    placer_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    filler_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    accession_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    accession_issuer: Mapped[str | None]
    priority: Mapped[str] = mapped_column(server_default="ROUTINE")
    status: Mapped[str] = mapped_column(server_default="scheduled")
    indication: Mapped[str | None]
    notes: Mapped[str | None]
    referrer_name: Mapped[str | None]
    referrer_phone: Mapped[str | None]
    patient_class: Mapped[str | None]
    ordered_at: Mapped[datetime | None]
    received_at: Mapped[Stamp]
    updated_at: Mapped[Stamp]
    merge_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.merges.id"))
    """The merge by which whom the order names is this patient: of several one after another the first."""
    reconciled_at: Mapped[datetime | None]
    """When the HL7 order came for one entered by hand."""
    told: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """Field -> when the site said what stands there (see `told.stamp`): an older message does not overwrite a newer one."""
    replaced_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.orders.id"))
    """The order that the site placed in place of this one."""


class OrderAlias(Base):
    """A number that an order had before: images and messages that still bear it are found by it."""

    __tablename__ = "order_aliases"
    __table_args__ = (
        CheckConstraint("kind in ('accession','filler','placer')", name="kind"),
        Index("ix_order_aliases_value", "organization_id", "kind", "value"),
        Index("ix_order_aliases_order", "order_id"),
        {"schema": "orders"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"))
    kind: Mapped[str]
    value: Mapped[str] = mapped_column(Text(collation="C"))
    issuer: Mapped[str | None]
    """Of an accession number."""
    ended_at: Mapped[Stamp]


class RequestedProcedure(Base):
    """One procedure asked for in an order."""

    __tablename__ = "requested_procedures"
    __table_args__ = (
        Index("ix_requested_procedures_order", "order_id"),
        Index(
            "ix_requested_procedures_placer",
            "organization_id",
            "placer_number",
            postgresql_where="placer_number is not null",
        ),
        Index(
            "ix_requested_procedures_filler",
            "organization_id",
            "filler_number",
            postgresql_where="filler_number is not null",
        ),
        Index(
            "ix_requested_procedures_study",
            "organization_id",
            "study_instance_uid",
            postgresql_where="study_instance_uid is not null",
        ),
        {"schema": "orders"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"))
    position: Mapped[int]
    placer_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    """The site's number of this procedure, where an order has several."""
    filler_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    requested_procedure_id: Mapped[str | None]
    """The site's id of the requested procedure (0040,1001)."""
    code: Mapped[str | None]
    description: Mapped[str]
    modality: Mapped[str | None]
    exam_class: Mapped[str]
    laterality: Mapped[str | None]
    study_instance_uid: Mapped[str | None]
    is_cancelled: Mapped[bool] = mapped_column(server_default="false")
    """Cancelled by itself, while others of its order stay."""
    told: Mapped[str | None]
    """When the site said what stands here (see `told.stamp`)."""


class OrderDocument(Base):
    """A requisition scan or worksheet attached to an order."""

    __tablename__ = "order_documents"
    __table_args__ = (Index("ix_order_documents_order", "order_id"), {"schema": "orders"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"))
    kind: Mapped[str]
    """requisition, worksheet, other."""
    name: Mapped[str]
    media_type: Mapped[str]
    object_key: Mapped[str]
    length: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[UUID | None]
    created_at: Mapped[Stamp]


class OrderStudy(Base):
    """A study answers an order: matched automatically by patient and accession, or by a person."""

    __tablename__ = "order_studies"
    __table_args__ = (
        UniqueConstraint("order_id", "study_id"),
        Index("ix_order_studies_study", "study_id"),
        {"schema": "orders"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"))
    matched_by: Mapped[UUID | None]
    """The user who matched; null when automatic."""
    matched_at: Mapped[Stamp]
