"""Tables of the worklist. A case's state is derived from its reads, report and deliveries; hold and escalation are intervals."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Case(Base):
    """The interpretation that a client wants of one patient's procedures and studies."""

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_open", "organization_id", "due_at", postgresql_where="closed_at is null"),
        Index("ix_cases_patient", "patient_id"),
        Index("ix_cases_group", "group_organization_id", "due_at"),
        {"schema": "worklist"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.patients.id"))
    agreement_id: Mapped[UUID | None] = mapped_column(ForeignKey("agreements.agreements.id"))
    group_organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenancy.organizations.id"))
    """The reading group that it was offered to."""
    priority: Mapped[str]
    exam_class: Mapped[str]
    description: Mapped[str]
    is_provisional: Mapped[bool] = mapped_column(server_default="false")
    """Read before its study was matched to an order: delivery is held until it is."""
    is_arriving: Mapped[bool] = mapped_column(server_default="false")
    """Images are still coming."""
    clock_started_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    last_image_at: Mapped[datetime | None]
    late_images_at: Mapped[datetime | None]
    """When images last joined after the read was opened."""
    identity_changed_at: Mapped[datetime | None]
    """When a merge or the site last changed who the patient is while somebody read the case, or after it was signed."""
    created_at: Mapped[Stamp]
    closed_at: Mapped[datetime | None]
    """When all its reads were done or cancelled and all deliveries acknowledged."""


class CaseProcedure(Base):
    """A requested procedure that the case answers."""

    __tablename__ = "case_procedures"
    __table_args__ = (Index("ix_case_procedures_procedure", "requested_procedure_id"), {"schema": "worklist"})

    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"), primary_key=True)
    requested_procedure_id: Mapped[UUID] = mapped_column(ForeignKey("orders.requested_procedures.id"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))


class CaseStudy(Base):
    """A study that the case interprets."""

    __tablename__ = "case_studies"
    __table_args__ = (Index("ix_case_studies_study", "study_id"), {"schema": "worklist"})

    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"), primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    added_at: Mapped[Stamp]


class CaseInterval(Base):
    """A hold or an escalation: an interval with its reason, not a state."""

    __tablename__ = "case_intervals"
    __table_args__ = (
        CheckConstraint("kind in ('hold','escalation')", name="kind"),
        Index("ix_case_intervals_case", "case_id"),
        {"schema": "worklist"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    kind: Mapped[str]
    reason: Mapped[str]
    begun_by: Mapped[UUID | None]
    begun_at: Mapped[Stamp]
    ended_at: Mapped[datetime | None]


class Read(Base):
    """One reader's interpretation inside a case. Its life cycle is `states.READ`."""

    __tablename__ = "reads"
    __table_args__ = (
        CheckConstraint(
            "kind in ('primary','second','arbiter','preliminary','oversight','opinion','addendum')", name="kind"
        ),
        CheckConstraint("state in ('waiting','ready','assigned','reading','done','cancelled')", name="state"),
        Index("ix_reads_case", "case_id"),
        Index("ix_reads_reader", "reader_id", "state"),
        Index("ix_reads_done", "organization_id", "done_at"),
        Index("ix_reads_unassigned", "organization_id", postgresql_where="state = 'ready'"),
        # All that row-level security asks of a read, so that counting the open ones touches the index alone.
        Index(
            "ix_reads_open",
            "organization_id",
            "case_id",
            postgresql_where="state in ('waiting', 'ready', 'assigned', 'reading')",
        ),
        {"schema": "worklist"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    kind: Mapped[str] = mapped_column(server_default="primary")
    state: Mapped[str] = mapped_column(server_default="waiting")
    reader_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.readers.id"))
    engagement_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.engagements.id"))
    ready_at: Mapped[datetime | None]
    assigned_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    clock_started_at: Mapped[datetime | None]
    """The read's own clock, where it is not the case's: an addendum has its own."""
    due_at: Mapped[datetime | None]
    created_at: Mapped[Stamp]


class Assignment(Base):
    """Who was chosen, when and why, and every other reader's written reason: the proof."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index("ix_assignments_read", "read_id", "assigned_at"),
        Index("ix_assignments_case", "case_id"),
        {"schema": "worklist"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.cases.id"))
    read_id: Mapped[UUID] = mapped_column(ForeignKey("worklist.reads.id"))
    occasion: Mapped[str]
    """assigned, reassigned, opened, signed, no_reader, handed_back (by the reader), no_longer_eligible (by the rules)."""
    reader_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.readers.id"))
    engagement_id: Mapped[UUID | None]
    decided_by: Mapped[UUID | None]
    """The coordinator; null when the platform decided."""
    reason: Mapped[str | None]
    verdicts: Mapped[list[Any]]
    """One document per reader looked at: see `rules.Verdict.as_document`."""
    assigned_at: Mapped[Stamp]


class Alarm(Base):
    """Something that needs a coordinator: open until cleared. At most one open alarm per kind and subject."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index("uq_alarms_open", "kind", "subject_id", unique=True, postgresql_where="cleared_at is null"),
        Index("ix_alarms_organization", "organization_id", "raised_at"),
        {"schema": "worklist"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    kind: Mapped[str]
    """no_reader, late_images, unmatched_study, delivery_failed, report_unacknowledged, promise_broken, images_left, held_objects,
    quarantine_full, question_unanswered, identity_doubt, identity_changed,
    discrepancy, held_report."""
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    case_id: Mapped[UUID | None]
    study_id: Mapped[UUID | None]
    text: Mapped[str]
    """In words, without patient data."""
    raised_at: Mapped[Stamp]
    seen_by: Mapped[UUID | None]
    cleared_at: Mapped[datetime | None]
