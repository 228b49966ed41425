"""Destinations of reports of several kinds, deliveries that are cancelled or told by a person, and withdrawals on their way out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


# What was told and withdrawn stays on record as it was written.
KEEP = """
create function {table}_stay() returns trigger language plpgsql as $$
begin
    raise exception 'what was told and withdrawn is immutable' using errcode = 'restrict_violation';
end $$;
create trigger stay before update or delete on {table} for each row execute function {table}_stay();
"""


def of_a_case(table: str) -> str:
    """The row's case can be seen, and is of the same organisation."""
    return f"exists (select 1 from worklist.cases p where p.id = {table}.case_id and p.organization_id = {table}.organization_id)"


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("settings", JSONB(), server_default="{}", nullable=False), schema="sites")
    # What took preliminary reports goes on taking them; a new destination says whether it wants them.
    op.execute("update sites.endpoints set settings = '{\"preliminary\": true}' where kind = 'hl7_out'")
    _check("sites", "endpoints", "kind", "kind in ('hl7_in','hl7_out','dicom_out','email','webhook','folder','sftp')")
    op.create_index(
        "ix_messages_delivery",
        "messages",
        ["delivery_id"],
        schema="sites",
        postgresql_where="delivery_id is not null",
    )
    _check(
        "delivery",
        "deliveries",
        "channel",
        "channel in ('hl7','archive','page','dicom','email','webhook','folder','sftp')",
    )
    _check("delivery", "deliveries", "state", "state in ('queued','sent','acknowledged','held','failed','cancelled')")
    for column in (
        sa.Column("is_withdrawal", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.UUID(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
    ):
        op.add_column("deliveries", column, schema="delivery")
    op.create_check_constraint(
        op.f("ck_deliveries_cancelled"),
        "deliveries",
        "(state = 'cancelled') = (cancel_reason is not null)",
        schema="delivery",
    )
    op.drop_constraint(
        op.f("uq_deliveries_report_version_id_channel_endpoint_id"), "deliveries", schema="delivery", type_="unique"
    )
    op.create_unique_constraint(
        op.f("uq_deliveries_destination"),
        "deliveries",
        ["report_version_id", "channel", "endpoint_id", "is_withdrawal"],
        schema="delivery",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "tellings",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("report_version_id", sa.UUID(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("told_to", sa.Text(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("told_by", sa.UUID(), nullable=False),
        sa.Column("teller_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("way in ('phone','fax','print')", name=op.f("ck_tellings_way")),
        sa.ForeignKeyConstraint(["case_id"], ["worklist.cases.id"], name=op.f("fk_tellings_case_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_tellings_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["report_version_id"], ["reading.report_versions.id"], name=op.f("fk_tellings_report_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tellings")),
        schema="delivery",
    )
    op.create_index("ix_tellings_case", "tellings", ["case_id"], schema="delivery")
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("report_version_id", sa.UUID(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("withdrawn_by", sa.UUID(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("because in ('wrong_patient','other')", name=op.f("ck_withdrawals_because")),
        sa.ForeignKeyConstraint(["case_id"], ["worklist.cases.id"], name=op.f("fk_withdrawals_case_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_withdrawals_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["report_version_id"], ["reading.report_versions.id"], name=op.f("fk_withdrawals_report_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("report_version_id", name=op.f("uq_withdrawals_report_version_id")),
        schema="reading",
    )
    op.create_index("ix_withdrawals_case", "withdrawals", ["case_id"], schema="reading")
    for table in ("delivery.tellings", "reading.withdrawals"):
        seen = f"{OWN} or {of_a_case(table.split('.')[1])}"
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy tenants on {table} using ({seen}) with check ({seen})")
        op.execute(
            f"create trigger note_change after insert or update or delete on {table} for each row "
            "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
            "execute function tenancy.note_change()"
        )
        op.execute(KEEP.format(table=table))


def _check(schema: str, table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, schema=schema, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition, schema=schema)
