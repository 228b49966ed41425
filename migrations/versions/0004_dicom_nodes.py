"""DICOM nodes that we call, and the transfers from and to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"
# An administrator keeps the nodes, and sees no patient by that; whoever looks after the organisation uses them.
NODES = f"{OWN} or organization_id = any((select tenancy.actor_administered())::uuid[])"


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("facility_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ae_title", sa.Text(collation="C"), nullable=False),
        sa.Column("calling_ae", sa.Text(collation="C"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.Text(), server_default="off", nullable=False),
        sa.Column("is_destination", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_queried", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_sent_to", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("tls in ('off','on','verify')", name=op.f("ck_nodes_tls")),
        sa.ForeignKeyConstraint(["facility_id"], ["sites.facilities.id"], name=op.f("fk_nodes_facility_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_nodes_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("organization_id", "ae_title", name=op.f("uq_nodes_organization_id_ae_title")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_nodes_organization_id_name")),
        schema="sites",
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("node_id", sa.UUID(), nullable=False),
        sa.Column("facility_id", sa.UUID(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.UUID(), nullable=True),
        sa.Column("study_id", sa.UUID(), nullable=True),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("studies", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("unsent", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("direction in ('fetch','send')", name=op.f("ck_transfers_direction")),
        sa.CheckConstraint(
            "state in ('waiting','running','done','partial','failed','cancelled')", name=op.f("ck_transfers_state")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["sites.facilities.id"], name=op.f("fk_transfers_facility_id")),
        sa.ForeignKeyConstraint(["node_id"], ["sites.nodes.id"], name=op.f("fk_transfers_node_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_transfers_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        schema="sites",
    )
    op.create_index("ix_transfers_organization", "transfers", ["organization_id", "created_at"], schema="sites")
    op.create_index(
        "ix_transfers_due",
        "transfers",
        ["next_attempt_at"],
        schema="sites",
        postgresql_where="state in ('waiting', 'running')",
    )
    op.create_index("ix_transfers_node", "transfers", ["node_id"], schema="sites")
    for table, using in (("sites.nodes", NODES), ("sites.transfers", OWN)):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy tenants on {table} using ({using}) with check ({using})")
        op.execute(
            f"create trigger note_change after insert or update or delete on {table} for each row "
            "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
            "execute function tenancy.note_change()"
        )
    op.add_column(
        "callers", sa.Column("tls_required", sa.Boolean(), server_default="false", nullable=False), schema="sites"
    )
    op.add_column("callers", sa.Column("certificate_sha256", sa.Text(), nullable=True), schema="sites")
    op.create_check_constraint(
        op.f("ck_callers_certificate_sha256"), "callers", "certificate_sha256 ~ '^[0-9a-f]{64}$'", schema="sites"
    )
    app_role = context.config.attributes["app_role"]
    op.execute(f'grant select, insert, update, delete on sites.nodes, sites.transfers to "{app_role}"')
