"""What a sender writes that declares no character set, and studies whose texts may be garbled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    for table in ("facilities", "callers"):
        op.add_column(table, sa.Column("fallback_charset", sa.Text(), nullable=True), schema="sites")
    op.add_column(
        "studies", sa.Column("charset_suspect", sa.Boolean(), server_default="false", nullable=False), schema="archive"
    )
