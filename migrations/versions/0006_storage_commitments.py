"""Storage commitments that callers ask for, and their reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


def upgrade() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("caller_id", sa.UUID(), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("called_ae", sa.Text(), nullable=False),
        sa.Column("transaction_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("references", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("failed", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('waiting','reported','given_up')", name=op.f("ck_commitments_state")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_commitments_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
        sa.UniqueConstraint(
            "organization_id",
            "caller_id",
            "transaction_uid",
            name=op.f("uq_commitments_organization_id_caller_id_transaction_uid"),
        ),
        schema="archive",
    )
    op.create_index(
        "ix_commitments_due",
        "commitments",
        ["next_attempt_at"],
        schema="archive",
        postgresql_where="state = 'waiting'",
    )
    op.execute("alter table archive.commitments enable row level security")
    op.execute(f"create policy tenants on archive.commitments using ({OWN}) with check ({OWN})")
    op.execute(
        "create trigger note_change after insert or update or delete on archive.commitments for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    app_role = context.config.attributes["app_role"]
    op.execute(f'grant select, insert, update, delete on archive.commitments to "{app_role}"')
