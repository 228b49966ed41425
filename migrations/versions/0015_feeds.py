"""What is particular to one sender of HL7 messages: where it puts values, how it numbers and what it wants for an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    for column in (
        sa.Column("mapping", JSONB(), server_default="{}", nullable=False),
        sa.Column("repeats_control_ids", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("ignored", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("order_answer", sa.Text(), server_default="ack", nullable=False),
        sa.Column("tls_required", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("certificate_sha256", sa.Text(), nullable=True),
    ):
        op.add_column("endpoints", column, schema="sites")
    op.create_check_constraint(
        op.f("ck_endpoints_order_answer"), "endpoints", "order_answer in ('ack','order_response')", schema="sites"
    )
    op.create_check_constraint(
        op.f("ck_endpoints_certificate_sha256"), "endpoints", "certificate_sha256 ~ '^[0-9a-f]{64}$'", schema="sites"
    )
