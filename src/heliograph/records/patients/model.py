"""Tables of patients."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


class Patient(Base):
    """A patient of one organisation. The same human elsewhere is another row."""

    __tablename__ = "patients"
    __table_args__ = (
        Index("ix_patients_name", "organization_id", "name_key"),
        Index("ix_patients_born", "organization_id", "birth_date"),
        CheckConstraint("merged_into_id <> id", name="not_merged_into_itself"),
        Index("ix_patients_merged_into", "merged_into_id", postgresql_where="merged_into_id is not null"),
        {"schema": "patients"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    family_name: Mapped[str] = mapped_column(server_default="")
    given_name: Mapped[str] = mapped_column(server_default="")
    ideographic_name: Mapped[str | None]
    phonetic_name: Mapped[str | None]
    """The name in other representations, `family^given`: groups of a DICOM PN (PS3.5 6.2.1)."""
    name_key: Mapped[str] = mapped_column(Text(collation="C"), server_default="")
    """Normalised for prefix search by >= and <, since LIKE can't use an index under row-level security."""
    birth_date: Mapped[date | None]
    sex: Mapped[str | None]
    """M, F, O or null (DICOM PatientSex)."""
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.patients.id"))
    """The same human under another row, which goes on; this one and its identifiers point there until the merge is undone."""
    created_at: Mapped[Stamp]
    updated_at: Mapped[Stamp]


class Doubt(Base):
    """What a site's messages said of a patient and a person must look at: see `doubts`. One is open per kind and pair; never deleted."""

    __tablename__ = "doubts"
    __table_args__ = (
        CheckConstraint("kind in ('told_differs','two_patients','merged_differ')", name="kind"),
        CheckConstraint("decision in ('same','other')", name="decision"),
        Index(
            "uq_doubts_open",
            "patient_id",
            "kind",
            "other_patient_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where="settled_at is null",
        ),
        Index("ix_doubts_open", "organization_id", "raised_at", postgresql_where="settled_at is null"),
        {"schema": "patients"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    kind: Mapped[str]
    other_patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.patients.id"))
    merge_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.merges.id"))
    """The merge that was made although the two differ."""
    told: Mapped[dict[str, Any]]
    """What the message said: family_name, given_name, birth_date (ISO), sex; empty where two patients are in doubt."""
    raised_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None]
    decision: Mapped[str | None]
    reason: Mapped[str | None]


class Merge(Base):
    """Two rows were found to be one human. Never deleted; undone where that was wrong."""

    __tablename__ = "merges"
    __table_args__ = (
        Index("ix_merges_merged", "merged_id", unique=True, postgresql_where="undone_at is null"),
        Index("ix_merges_survivor", "survivor_id"),
        {"schema": "patients"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    survivor_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    merged_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    reason: Mapped[str]
    made_by: Mapped[UUID | None]
    made_at: Mapped[datetime]
    undone_by: Mapped[UUID | None]
    undone_at: Mapped[datetime | None]
    undo_reason: Mapped[str | None]


class Identifier(Base):
    """(organisation, assigning authority, value) names exactly one patient."""

    __tablename__ = "identifiers"
    __table_args__ = (
        UniqueConstraint("organization_id", "authority", "value"),
        Index("ix_identifiers_patient", "patient_id"),
        {"schema": "patients"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.patients.id"))
    authority: Mapped[str] = mapped_column(Text(collation="C"))
    value: Mapped[str] = mapped_column(Text(collation="C"))
    type: Mapped[str] = mapped_column(server_default="MR")
