"""Keys of objects whose rows are gone, until their bytes are gone, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0011"
down_revision = "0010"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


def upgrade() -> None:
    op.create_table(
        "discarded_objects",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("rejection_id", sa.UUID(), nullable=False),
        sa.Column("object_key", sa.Text(collation="C"), nullable=False),
        sa.Column("is_folder", sa.Boolean(), server_default="false", nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_discarded_objects_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["rejection_id"], ["archive.rejections.id"], name=op.f("fk_discarded_objects_rejection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discarded_objects")),
        schema="archive",
    )
    op.create_index("ix_discarded_objects_rejection", "discarded_objects", ["rejection_id"], schema="archive")
    op.execute("alter table archive.discarded_objects enable row level security")
    op.execute(f"create policy tenants on archive.discarded_objects using ({OWN}) with check ({OWN})")
    op.execute(
        "create trigger note_change after insert or update or delete on archive.discarded_objects for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    app_role = context.config.attributes["app_role"]
    op.execute(f'grant select, insert, update, delete on archive.discarded_objects to "{app_role}"')
