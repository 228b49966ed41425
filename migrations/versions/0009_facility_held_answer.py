"""What a facility wants its senders told of an object that is held since other content is here under its UID."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "facilities", sa.Column("held_answer", sa.Text(), server_default="warning", nullable=False), schema="sites"
    )
    op.create_check_constraint(
        op.f("ck_facilities_held_answer"),
        "facilities",
        "held_answer in ('warning','success','failure')",
        schema="sites",
    )
