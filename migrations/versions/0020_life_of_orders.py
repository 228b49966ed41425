"""The life of orders: what was said when, former numbers, cancellations that are asked for, orders in another's place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"
OF_AN_ORDER = "exists (select 1 from orders.orders p where p.id = order_aliases.order_id and p.organization_id = order_aliases.organization_id)"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_orders_status"), "orders", schema="orders")
    op.create_check_constraint(
        op.f("ck_orders_status"),
        "orders",
        "status in ('scheduled','in_progress','completed','cancel_requested','cancelled')",
        schema="orders",
    )
    for column in (
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("told", JSONB(), server_default="{}", nullable=False),
        sa.Column("replaced_by_id", sa.UUID(), nullable=True),
    ):
        op.add_column("orders", column, schema="orders")
    op.create_foreign_key(
        op.f("fk_orders_replaced_by_id"),
        "orders",
        "orders",
        ["replaced_by_id"],
        ["id"],
        source_schema="orders",
        referent_schema="orders",
    )
    for column in (
        sa.Column("filler_number", sa.Text(collation="C"), nullable=True),
        sa.Column("requested_procedure_id", sa.Text(), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
    ):
        op.add_column("requested_procedures", column, schema="orders")
    for name in ("placer_number", "filler_number", "study_instance_uid"):
        op.create_index(
            f"ix_requested_procedures_{name.removesuffix('_number').removesuffix('_instance_uid')}",
            "requested_procedures",
            ["organization_id", name],
            schema="orders",
            postgresql_where=f"{name} is not null",
        )
    _aliases()


def _aliases() -> None:
    op.create_table(
        "order_aliases",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("order_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(collation="C"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('accession','filler','placer')", name=op.f("ck_order_aliases_kind")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_order_aliases_order_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_order_aliases_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_aliases")),
        schema="orders",
    )
    op.create_index("ix_order_aliases_value", "order_aliases", ["organization_id", "kind", "value"], schema="orders")
    op.create_index("ix_order_aliases_order", "order_aliases", ["order_id"], schema="orders")
    app_role = context.config.attributes["app_role"]
    op.execute("alter table orders.order_aliases enable row level security")
    op.execute(
        f"create policy tenants on orders.order_aliases using ({OWN} or {OF_AN_ORDER}) with check ({OWN} or {OF_AN_ORDER})"
    )
    op.execute(
        "create trigger note_change after insert or update or delete on orders.order_aliases for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    op.execute(f'grant select, insert, update, delete on orders.order_aliases to "{app_role}"')
