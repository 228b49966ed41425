"""Tables of reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Report(Base):
    """The report of a case. It can answer several accessions; its words live in drafts and versions."""

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("case_id"), {"schema": "reading"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    template_id: Mapped[str]
    template_version: Mapped[int]
    language: Mapped[str]
    created_at: Mapped[Stamp]


class Draft(Base):
    """What one reader has written so far for one read. Seen by its author alone. `revision` rises with each save."""

    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("read_id", "author_id"), {"schema": "reading"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    report_id: Mapped[UUID] = mapped_column(ForeignKey("reading.reports.id"))
    read_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.reads.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"))
    content: Mapped[dict[str, Any]]
    """{"sections": {id: text}, "fields": {id: value}}: see `content`."""
    revision: Mapped[int] = mapped_column(server_default="0")
    recorded_session_id: Mapped[UUID | None]
    """The session whose editing was last recorded: one entry an editing session."""
    saved_at: Mapped[Stamp]


class EditLock(Base):
    """Who has the report open. One row a report: two people can never edit one."""

    __tablename__ = "edit_locks"
    __table_args__ = ({"schema": "reading"},)

    report_id: Mapped[UUID] = mapped_column(ForeignKey("reading.reports.id"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"))
    holder_name: Mapped[str]
    session_id: Mapped[UUID | None]
    taken_at: Mapped[Stamp]
    refreshed_at: Mapped[Stamp]


class ReportVersion(Base):
    """A signed version: immutable (a trigger refuses changes but to `state`). Numbered from 1 without gaps."""

    __tablename__ = "report_versions"
    __table_args__ = (
        UniqueConstraint("report_id", "number"),
        CheckConstraint("kind in ('preliminary','final','addendum','corrected')", name="kind"),
        CheckConstraint("state in ('signed','withdrawn')", name="state"),
        Index("ix_report_versions_case", "case_id"),
        {"schema": "reading"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    report_id: Mapped[UUID] = mapped_column(ForeignKey("reading.reports.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    read_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.reads.id"))
    number: Mapped[int]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="signed")
    content: Mapped[dict[str, Any]]
    """The whole current report: an addendum's version carries the text before it too. See `content`."""
    text: Mapped[str]
    """Plain text of `content`, lines separated by \\n."""
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """Of the canonical JSON of `content` (it names patient, accessions and study UIDs), number and kind."""
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("access.users.id"))
    signer_name: Mapped[str]
    signer_details: Mapped[dict[str, Any]]
    """Printed with the name: licence jurisdiction and number, place read from."""
    meaning: Mapped[str]
    """What the signature means (21 CFR 11.50): author, review, approval."""
    signed_at: Mapped[Stamp]


class Withdrawal(Base):
    """A signed version was withdrawn: by whom, when and why. Stays as it was written."""

    __tablename__ = "withdrawals"
    __table_args__ = (
        UniqueConstraint("report_version_id"),
        CheckConstraint("because in ('wrong_patient','other')", name="because"),
        Index("ix_withdrawals_case", "case_id"),
        {"schema": "reading"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("reading.report_versions.id"))
    because: Mapped[str]
    """wrong_patient, or other."""
    reason: Mapped[str]
    withdrawn_by: Mapped[UUID]
    withdrawn_at: Mapped[datetime]
