"""Tables of the archive. Natural keys begin with the organisation: equal UIDs in two organisations are unrelated."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from heliograph.kit.db.base import Base, Id, Stamp


def _made_of_name(expression: str) -> Any:
    made = Computed(expression.replace("{C}", ' collate "pg_c_utf8"'), persisted=True)
    return mapped_column(Text(collation="C"), made, deferred=True)


class Study(Base):
    """A study of one organisation, as its images describe it. `patient_id` is null when the images carry no identifier."""

    __tablename__ = "studies"
    __table_args__ = (
        UniqueConstraint("organization_id", "study_instance_uid"),
        Index("ix_studies_patient", "patient_id"),
        Index("ix_studies_accession", "organization_id", "accession_number"),
        Index("ix_studies_received", "organization_id", "last_received_at"),
        Index("ix_studies_incomplete", "last_received_at", postgresql_where="completed_at is null"),
        Index(
            "ix_studies_waiting",
            "organization_id",
            "first_received_at",
            postgresql_where="match_state in ('unmatched', 'held')",
        ),
        Index("ix_studies_dicom_patient", "organization_id", "dicom_patient_id"),
        Index(
            "ix_studies_newest",
            "organization_id",
            text("study_date desc nulls last"),
            text("first_received_at desc"),
            "id",
        ),
        Index("ix_studies_with_images", "organization_id", postgresql_where=text("number_of_series > 0")),
        Index("ix_studies_name", "organization_id", "name_alphabetic"),
        Index(
            "ix_studies_name_ideographic",
            "organization_id",
            "name_ideographic",
            postgresql_where="name_ideographic is not null",
        ),
        Index(
            "ix_studies_name_phonetic", "organization_id", "name_phonetic", postgresql_where="name_phonetic is not null"
        ),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID] = mapped_column(ForeignKey("sites.facilities.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.patients.id"))
    study_instance_uid: Mapped[str] = mapped_column(Text(collation="C"))
    accession_number: Mapped[str | None] = mapped_column(Text(collation="C"))
    accession_issuer: Mapped[str | None]
    dicom_patient_id: Mapped[str | None] = mapped_column(Text(collation="C"))
    dicom_patient_issuer: Mapped[str | None]
    dicom_patient_name: Mapped[str | None]
    """As in the images, decoded, groups separated by `=`: shown beside the patient's name where they differ."""
    dicom_birth_date: Mapped[date | None]
    dicom_sex: Mapped[str | None]
    study_id: Mapped[str | None]
    study_date: Mapped[date | None]
    study_time: Mapped[str | None]
    timezone_offset: Mapped[str | None]
    study_description: Mapped[str | None]
    referring_physician: Mapped[str | None]
    body_part: Mapped[str | None]
    modalities: Mapped[list[str]] = mapped_column(server_default="{}")
    number_of_series: Mapped[int] = mapped_column(server_default="0")
    number_of_instances: Mapped[int] = mapped_column(server_default="0")
    """Instances that came from outside; what we make ourselves never counts."""
    expected_instances: Mapped[int | None]
    first_received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    indexed_at: Mapped[Stamp]
    """When a batch last added images: after an outage the spool's backlog is filed long after it was received."""
    completed_at: Mapped[datetime | None]
    completed_by: Mapped[str | None]
    """quiet, technologist, count."""
    charset_suspect: Mapped[bool] = mapped_column(server_default="false")
    """Texts of its images, names among them, may be garbled: their character set is missing, unknown or belied by the bytes."""
    match_state: Mapped[str] = mapped_column(server_default="unmatched")
    """unmatched, matched, held, not_needed (an images-only facility), prior (sent for comparison only)."""
    match_reason: Mapped[str | None]
    """Why it waits, in words without patient data."""
    correction_id: Mapped[UUID | None] = mapped_column(ForeignKey("archive.corrections.id", use_alter=True))
    """The correction in force: this row's columns bear its values, and so does every object on its way out."""
    revision: Mapped[int] = mapped_column(server_default="0")
    """Counts corrections, rejections, restorations and deletions: what is remembered of a study is of one revision."""
    # As names are compared in searches; the database makes them.
    name_alphabetic: Mapped[str | None] = _made_of_name("nullif(lower(split_part(dicom_patient_name, '=', 1){C}), '')")
    name_ideographic: Mapped[str | None] = _made_of_name("nullif(lower(split_part(dicom_patient_name, '=', 2){C}), '')")
    name_phonetic: Mapped[str | None] = _made_of_name("nullif(lower(split_part(dicom_patient_name, '=', 3){C}), '')")
    name_folded: Mapped[str | None] = _made_of_name("archive.folded(dicom_patient_name)")


class Correction(Base):
    """A step in what is put right on a study's way out; its objects stay as they were stored. `Study.correction_id` is in force.

    Rows are never changed: taking a correction back is a further step, `undone`.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        CheckConstraint("kind in ('resent','moved','merged','entered','undone')", name="kind"),
        Index("ix_corrections_study", "study_id", "made_at"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"))
    kind: Mapped[str]
    """resent: the site sent the images again with other attributes; moved: a person filed the study under another patient; merged:
    two patients are one; entered: typed by a person; undone."""
    values: Mapped[dict[str, str]] = mapped_column(JSONB)
    """All that is in force with this step: tag as eight hex digits -> text as in a data set, "" for an empty element."""
    originals: Mapped[dict[str, str | None]] = mapped_column(JSONB)
    """What the study's columns bore for these tags before anything was put right; null where nothing."""
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.patients.id"))
    """Under whom the study is filed with this step."""
    merge_id: Mapped[UUID | None]
    previous_id: Mapped[UUID | None] = mapped_column(ForeignKey("archive.corrections.id"))
    """What was in force before."""
    reason: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="")
    """Where the attributes before came from (0400,0564)."""
    made_by: Mapped[UUID | None]
    made_at: Mapped[datetime]


class Rejection(Base):
    """Instances that are hidden: rejected by a note (IHE IOCM) or by a person, or to be deleted; restored or purged later."""

    __tablename__ = "rejections"
    __table_args__ = (
        CheckConstraint("kind in ('quality','safety','worklist','retention','deletion')", name="kind"),
        Index("ix_rejections_study", "study_id", "made_at"),
        Index(
            "ix_rejections_purge",
            "purge_at",
            postgresql_where="purge_at is not null and purged_at is null and restored_at is null",
        ),
        Index("ix_rejections_note", "organization_id", "note_uid", postgresql_where="note_uid is not null"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"))
    kind: Mapped[str]
    note_uid: Mapped[str | None] = mapped_column(Text(collation="C"))
    """SOP Instance UID of the key object document that rejects, if one did."""
    reason: Mapped[str]
    number_of_instances: Mapped[int] = mapped_column(server_default="0")
    made_by: Mapped[UUID | None]
    made_at: Mapped[datetime]
    purge_at: Mapped[datetime | None]
    """When the bytes go: of deletions only."""
    purged_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    restored_by: Mapped[UUID | None]
    restore_reason: Mapped[str | None]


class DiscardedObject(Base):
    """What is still to be taken out of the object store: its rows are gone for good. Gone itself when the bytes are."""

    __tablename__ = "discarded_objects"
    __table_args__ = (Index("ix_discarded_objects_rejection", "rejection_id"), {"schema": "archive"})

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    rejection_id: Mapped[UUID] = mapped_column(ForeignKey("archive.rejections.id"))
    """The deletion that it is a part of."""
    object_key: Mapped[str] = mapped_column(Text(collation="C"))
    is_folder: Mapped[bool] = mapped_column(server_default="false")
    """Everything below the key goes."""


class Series(Base):
    """A series. `number_of_instances` counts all, also those made here: it names the metadata document."""

    __tablename__ = "series"
    __table_args__ = (
        UniqueConstraint("study_id", "series_instance_uid"),
        Index("ix_series_uid", "organization_id", "series_instance_uid"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"))
    series_instance_uid: Mapped[str] = mapped_column(Text(collation="C"))
    modality: Mapped[str | None]
    series_number: Mapped[int | None]
    series_description: Mapped[str | None]
    body_part: Mapped[str | None]
    laterality: Mapped[str | None]
    number_of_instances: Mapped[int] = mapped_column(server_default="0")


class Instance(Base):
    """An instance. Its place is (object key, offset, length); frames are found by the frame table."""

    __tablename__ = "instances"
    __table_args__ = (
        UniqueConstraint("organization_id", "sop_instance_uid"),
        Index("ix_instances_series", "series_id"),
        Index("ix_instances_rejection", "rejection_id", postgresql_where="rejection_id is not null"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    study_id: Mapped[UUID] = mapped_column(ForeignKey("archive.studies.id"))
    series_id: Mapped[UUID] = mapped_column(ForeignKey("archive.series.id"))
    sop_instance_uid: Mapped[str] = mapped_column(Text(collation="C"))
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    instance_number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    bits_allocated: Mapped[int | None]
    number_of_frames: Mapped[int] = mapped_column(server_default="0")
    object_key: Mapped[str]
    object_offset: Mapped[int] = mapped_column(BigInteger, server_default="0")
    object_length: Mapped[int] = mapped_column(BigInteger)
    """Length in bytes of the whole Part 10 file from `object_offset`."""
    dataset_offset: Mapped[int]
    """Where, in the file, the data set as it came on the wire begins."""
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """Of the data set's bytes."""
    frame_table: Mapped[bytes | None] = mapped_column(LargeBinary)
    header: Mapped[dict[str, Any]]
    """The DICOM JSON model without bulk data."""
    is_made_here: Mapped[bool] = mapped_column(server_default="false")
    received_at: Mapped[datetime]
    caller_id: Mapped[UUID | None]
    rejection_id: Mapped[UUID | None] = mapped_column(ForeignKey("archive.rejections.id"))
    """What hides it: it is in no answer, no count and no search until it is restored."""


class HeldObject(Base):
    """A received object that can't be filed as it is: kept, visible, retryable."""

    __tablename__ = "held_objects"
    __table_args__ = (
        Index("ix_held_objects_organization", "organization_id", "received_at"),
        Index("ix_held_objects_study", "organization_id", "study_instance_uid", postgresql_where="resolved_at is null"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    facility_id: Mapped[UUID | None]
    caller_id: Mapped[UUID | None]
    sop_instance_uid: Mapped[str | None]
    study_instance_uid: Mapped[str | None]
    object_key: Mapped[str]
    object_length: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    """correction, different_content, bad_identity, unreadable."""
    proposal: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    """Of `correction`: the values that this object has and the filed one, with the same pixels, has not (see `Correction.values`)."""
    detail: Mapped[str]
    received_at: Mapped[Stamp]
    resolved_at: Mapped[datetime | None]


class Commitment(Base):
    """What a caller asked us to commit ourselves to keep (PS3.4 J), and whether it has had its report."""

    __tablename__ = "commitments"
    __table_args__ = (
        UniqueConstraint("organization_id", "caller_id", "transaction_uid"),
        CheckConstraint("state in ('waiting','reported','given_up')", name="state"),
        Index("ix_commitments_due", "next_attempt_at", postgresql_where="state = 'waiting'"),
        {"schema": "archive"},
    )

    id: Mapped[Id]
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("tenancy.organizations.id"))
    caller_id: Mapped[UUID]
    calling_ae: Mapped[str]
    called_ae: Mapped[str]
    transaction_uid: Mapped[str] = mapped_column(Text(collation="C"))
    references: Mapped[list[list[str]]] = mapped_column(JSONB)
    """[SOP Class UID, SOP Instance UID] of each object."""
    state: Mapped[str] = mapped_column(server_default="waiting")
    failed: Mapped[int | None]
    """How many objects the report said are not committed."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime]
    error: Mapped[str | None]
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
