"""Sealed secrets of destinations; messages that a person had processed again; a log that is searched by control id and order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0018"
down_revision = "0017"

OWN = (
    "organization_id = any((select tenancy.actor_organizations())::uuid[]) "
    "or organization_id = any((select tenancy.actor_administered())::uuid[])"
)


def upgrade() -> None:
    op.add_column("messages", sa.Column("replay_of", sa.UUID(), nullable=True), schema="sites")
    op.create_foreign_key(
        op.f("fk_messages_replay_of"),
        "messages",
        "messages",
        ["replay_of"],
        ["id"],
        source_schema="sites",
        referent_schema="sites",
    )
    op.create_index("ix_messages_organization_control", "messages", ["organization_id", "control_id"], schema="sites")
    op.create_index(
        "ix_messages_order", "messages", ["order_id"], schema="sites", postgresql_where="order_id is not null"
    )
    op.create_index(
        "ix_messages_replay", "messages", ["replay_of"], schema="sites", postgresql_where="replay_of is not null"
    )
    op.create_index(
        "ix_deliveries_endpoint",
        "deliveries",
        ["endpoint_id"],
        schema="delivery",
        postgresql_where="endpoint_id is not null",
    )
    op.create_table(
        "endpoint_secrets",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("endpoint_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("name in ('signing','password','private_key')", name=op.f("ck_endpoint_secrets_name")),
        sa.ForeignKeyConstraint(["endpoint_id"], ["sites.endpoints.id"], name=op.f("fk_endpoint_secrets_endpoint_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_endpoint_secrets_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_secrets")),
        schema="sites",
    )
    op.create_index("ix_endpoint_secrets_endpoint", "endpoint_secrets", ["endpoint_id", "name"], schema="sites")
    app_role = context.config.attributes["app_role"]
    op.execute("alter table sites.endpoint_secrets enable row level security")
    op.execute(f"create policy tenants on sites.endpoint_secrets using ({OWN}) with check ({OWN})")
    op.execute(
        "create trigger note_change after insert or update or delete on sites.endpoint_secrets for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    op.execute(f'grant select, insert, update, delete on sites.endpoint_secrets to "{app_role}"')
