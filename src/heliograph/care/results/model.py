"""Tables of what sites report."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class SiteReport(Base):
    """One version of a site's report, as it was told: immutable (a trigger refuses changes but to whom and what it is filed under).

    The versions of one report bear one `report_key`; which of them counts is told by `rules.standing`.
    """

    __tablename__ = "site_reports"
    __table_args__ = (
        CheckConstraint(
            "status in ('preliminary','final','corrected','appended','withdrawn','cancelled')", name="status"
        ),
        Index("ix_site_reports_patient", "patient_id"),
        Index("ix_site_reports_order", "order_id"),
        Index("ix_site_reports_key", "facility_id", "report_key"),
        Index("ix_site_reports_held", "organization_id", "received_at", postgresql_where="held_reason is not null"),
        {"schema": "results"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    merge_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.merges.id"))
    """The merge by which it came to this patient."""
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.orders.id"))
    held_reason: Mapped[str | None]
    """Why it waits for a person, who says what it belongs to; without patient data."""
    report_key: Mapped[str] = mapped_column(Text(collation="C"))
    status: Mapped[str]
    result_code: Mapped[str]
    """OBR-25 as it came (table 0123)."""
    placer_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    filler_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    accession_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    accession_issuer: Mapped[str | None]
    description: Mapped[str]
    sections: Mapped[list[Any]]
    """[{id, title, text}], in the order in which they came."""
    text: Mapped[str]
    author: Mapped[str | None]
    is_critical: Mapped[bool] = mapped_column(server_default="false")
    """The site marked an observation as critically abnormal (OBX-8 AA)."""
    examined_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    """OBR-22."""
    sent_at: Mapped[datetime | None]
    """MSH-7."""
    received_at: Mapped[Stamp]
    control_id: Mapped[str | None]


class SiteAttachment(Base):
    """A document that came with a site's report. Its bytes are in `data` until a job has made them an object."""

    __tablename__ = "site_attachments"
    __table_args__ = (Index("ix_site_attachments_report", "report_id"), {"schema": "results"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    report_id: Mapped[UUID] = mapped_column(ForeignKey("results.site_reports.id"))
    name: Mapped[str]
    media_type: Mapped[str]
    length: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    object_key: Mapped[str | None]
    data: Mapped[bytes | None] = mapped_column(LargeBinary)


class Discrepancy(Base):
    """A site's report says otherwise than ours, or was withdrawn after we reported: a person of the coordinators closes it."""

    __tablename__ = "discrepancies"
    __table_args__ = (
        UniqueConstraint("site_report_id", "report_version_id"),
        CheckConstraint("kind in ('impression','withdrawn')", name="kind"),
        CheckConstraint("outcome in ('agrees','minor','major','superseded')", name="outcome"),
        Index("ix_discrepancies_case", "case_id"),
        {"schema": "results"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    site_report_id: Mapped[UUID] = mapped_column(ForeignKey("results.site_reports.id"))
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("reading.report_versions.id"))
    kind: Mapped[str]
    side_differs: Mapped[bool] = mapped_column(server_default="false")
    opened_at: Mapped[Stamp]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]
    outcome: Mapped[str | None]
    note: Mapped[str | None]
