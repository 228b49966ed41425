"""Tables of orders."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Order(Base):
    """An order of one organisation. An accession is unique only per issuer, and a repeated one blocks automatic matching, not storage."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("source in ('hl7','manual')", name="source"),
        CheckConstraint("status in ('scheduled','in_progress','completed','cancelled')", name="status"),
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


class RequestedProcedure(Base):
    """One procedure asked for in an order."""

    __tablename__ = "requested_procedures"
    __table_args__ = (Index("ix_requested_procedures_order", "order_id"), {"schema": "orders"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.orders.id"))
    position: Mapped[int]
    placer_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    """The site's number of this procedure, where an order has several."""
    code: Mapped[str | None]
    description: Mapped[str]
    modality: Mapped[str | None]
    exam_class: Mapped[str]
    laterality: Mapped[str | None]
    study_instance_uid: Mapped[str | None]
    is_cancelled: Mapped[bool] = mapped_column(server_default="false")
    """Cancelled by itself, while others of its order stay."""


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
