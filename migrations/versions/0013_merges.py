"""Merges of patients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0013"
down_revision = "0012"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


def upgrade() -> None:
    op.add_column("patients", sa.Column("merged_into_id", sa.UUID(), nullable=True), schema="patients")
    op.create_foreign_key(
        op.f("fk_patients_merged_into_id"),
        "patients",
        "patients",
        ["merged_into_id"],
        ["id"],
        source_schema="patients",
        referent_schema="patients",
    )
    op.create_check_constraint(
        op.f("ck_patients_not_merged_into_itself"), "patients", "merged_into_id <> id", schema="patients"
    )
    op.create_index(
        "ix_patients_merged_into",
        "patients",
        ["merged_into_id"],
        schema="patients",
        postgresql_where="merged_into_id is not null",
    )
    op.create_table(
        "merges",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("survivor_id", sa.UUID(), nullable=False),
        sa.Column("merged_id", sa.UUID(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.UUID(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["merged_id"], ["patients.patients.id"], name=op.f("fk_merges_merged_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_merges_organization_id")
        ),
        sa.ForeignKeyConstraint(["survivor_id"], ["patients.patients.id"], name=op.f("fk_merges_survivor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        schema="patients",
    )
    op.create_index(
        "ix_merges_merged",
        "merges",
        ["merged_id"],
        unique=True,
        schema="patients",
        postgresql_where="undone_at is null",
    )
    op.create_index("ix_merges_survivor", "merges", ["survivor_id"], schema="patients")
    op.add_column("orders", sa.Column("merge_id", sa.UUID(), nullable=True), schema="orders")
    op.create_foreign_key(
        op.f("fk_orders_merge_id"),
        "orders",
        "merges",
        ["merge_id"],
        ["id"],
        source_schema="orders",
        referent_schema="patients",
    )
    app_role = context.config.attributes["app_role"]
    op.execute("alter table patients.merges enable row level security")
    op.execute(f"create policy tenants on patients.merges using ({OWN}) with check ({OWN})")
    op.execute(
        "create trigger note_change after insert or update or delete on patients.merges for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    op.execute(f'grant select, insert, update, delete on patients.merges to "{app_role}"')
