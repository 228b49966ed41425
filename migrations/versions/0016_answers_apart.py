"""Messages that are answered before they are processed, answers that go out as messages of their own, and feeds that leave files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    for column in (
        sa.Column("reply_host", sa.Text(), nullable=True),
        sa.Column("reply_port", sa.Integer(), nullable=True),
        sa.Column("takes_files", sa.Boolean(), server_default="false", nullable=False),
    ):
        op.add_column("endpoints", column, schema="sites")
    op.create_index(
        "ix_messages_waiting",
        "messages",
        ["endpoint_id", "id"],
        schema="sites",
        postgresql_where="fate in ('received', 'held')",
    )
    # With the content's hash: of a feed that gives all its messages one control id, too, a message is found at once.
    op.drop_index("ix_messages_control", table_name="messages", schema="sites")
    op.create_index("ix_messages_control", "messages", ["endpoint_id", "control_id", "payload_sha256"], schema="sites")
