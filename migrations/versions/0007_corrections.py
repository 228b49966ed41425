"""What is put right on the way out (corrections), and what is hidden (rejections) until it is restored or deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"
TABLES = ("corrections", "rejections")


def _id_and_study() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("study_id", sa.UUID(), nullable=False),
    ]


def _keys(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f(f"fk_{table}_organization_id")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["archive.studies.id"], name=op.f(f"fk_{table}_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "corrections",
        *_id_and_study(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=False),
        sa.Column("originals", postgresql.JSONB(), nullable=False),
        sa.Column("patient_id", sa.UUID(), nullable=True),
        sa.Column("merge_id", sa.UUID(), nullable=True),
        sa.Column("previous_id", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("made_by", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('resent','moved','merged','entered','undone')", name=op.f("ck_corrections_kind")),
        sa.ForeignKeyConstraint(["previous_id"], ["archive.corrections.id"], name=op.f("fk_corrections_previous_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patients.id"], name=op.f("fk_corrections_patient_id")),
        *_keys("corrections"),
        schema="archive",
    )
    op.create_index("ix_corrections_study", "corrections", ["study_id", "made_at"], schema="archive")
    op.create_table(
        "rejections",
        *_id_and_study(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("note_uid", sa.Text(collation="C"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("number_of_instances", sa.Integer(), server_default="0", nullable=False),
        sa.Column("made_by", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_by", sa.UUID(), nullable=True),
        sa.Column("restore_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind in ('quality','safety','worklist','retention','deletion')", name=op.f("ck_rejections_kind")
        ),
        *_keys("rejections"),
        schema="archive",
    )
    op.create_index("ix_rejections_study", "rejections", ["study_id", "made_at"], schema="archive")
    op.create_index(
        "ix_rejections_purge",
        "rejections",
        ["purge_at"],
        schema="archive",
        postgresql_where="purge_at is not null and purged_at is null and restored_at is null",
    )
    op.create_index(
        "ix_rejections_note",
        "rejections",
        ["organization_id", "note_uid"],
        schema="archive",
        postgresql_where="note_uid is not null",
    )
    op.add_column("studies", sa.Column("correction_id", sa.UUID(), nullable=True), schema="archive")
    op.add_column("studies", sa.Column("revision", sa.Integer(), server_default="0", nullable=False), schema="archive")
    op.add_column("instances", sa.Column("rejection_id", sa.UUID(), nullable=True), schema="archive")
    op.create_index(
        "ix_instances_rejection",
        "instances",
        ["rejection_id"],
        schema="archive",
        postgresql_where="rejection_id is not null",
    )
    for table, column, parent in (
        ("studies", "correction_id", "corrections"),
        ("instances", "rejection_id", "rejections"),
    ):
        op.create_foreign_key(
            op.f(f"fk_{table}_{column}"),
            table,
            parent,
            [column],
            ["id"],
            source_schema="archive",
            referent_schema="archive",
        )
    op.add_column("held_objects", sa.Column("proposal", postgresql.JSONB(), nullable=True), schema="archive")
    op.create_index(
        "ix_held_objects_study",
        "held_objects",
        ["organization_id", "study_instance_uid"],
        schema="archive",
        postgresql_where="resolved_at is null",
    )
    app_role = context.config.attributes["app_role"]
    for table in TABLES:
        seen = (
            f"{OWN} or exists (select 1 from archive.studies parent "
            f"where parent.id = {table}.study_id and parent.organization_id = {table}.organization_id)"
        )
        op.execute(f"alter table archive.{table} enable row level security")
        op.execute(f"create policy tenants on archive.{table} using ({seen}) with check ({seen})")
        op.execute(
            f"create trigger note_change after insert or update or delete on archive.{table} for each row "
            "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
            "execute function tenancy.note_change()"
        )
        op.execute(f'grant select, insert, update, delete on archive.{table} to "{app_role}"')
