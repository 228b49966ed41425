"""The patient index: names in other representations, what is in doubt; and reports that a site's own readers wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"


GRANTED = (
    "exists (select 1 from tenancy.grants g where g.patient_id = site_reports.patient_id "
    "and g.organization_id = site_reports.organization_id and g.grantee_organization_id = any((select tenancy.actor_groups())::uuid[]) "
    "and g.valid_from <= now() and (g.valid_until is null or g.valid_until > now()))"
)
# A version stays as it was told: only whom and what it is filed under changes.
KEEP_WORDS = """
create function results.keep_words() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (to_jsonb(old) - '{patient_id,merge_id,order_id,held_reason}'::text[])
       is distinct from (to_jsonb(new) - '{patient_id,merge_id,order_id,held_reason}'::text[]) then
        raise exception 'what a site reported is immutable' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger keep_words before update or delete on results.site_reports for each row execute function results.keep_words();
"""


def upgrade() -> None:
    for name in ("ideographic_name", "phonetic_name"):
        op.add_column("patients", sa.Column(name, sa.Text(), nullable=True), schema="patients")
    op.add_column(
        "cases", sa.Column("identity_changed_at", sa.DateTime(timezone=True), nullable=True), schema="worklist"
    )
    _doubts()
    _results()


def _doubts() -> None:
    op.create_table(
        "doubts",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("patient_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("other_patient_id", sa.UUID(), nullable=True),
        sa.Column("merge_id", sa.UUID(), nullable=True),
        sa.Column("told", JSONB(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.UUID(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind in ('told_differs','two_patients','merged_differ')", name=op.f("ck_doubts_kind")),
        sa.CheckConstraint("decision in ('same','other')", name=op.f("ck_doubts_decision")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_doubts_organization_id")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patients.id"], name=op.f("fk_doubts_patient_id")),
        sa.ForeignKeyConstraint(
            ["other_patient_id"], ["patients.patients.id"], name=op.f("fk_doubts_other_patient_id")
        ),
        sa.ForeignKeyConstraint(["merge_id"], ["patients.merges.id"], name=op.f("fk_doubts_merge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doubts")),
        schema="patients",
    )
    op.create_index(
        "uq_doubts_open",
        "doubts",
        ["patient_id", "kind", "other_patient_id"],
        unique=True,
        schema="patients",
        postgresql_nulls_not_distinct=True,
        postgresql_where="settled_at is null",
    )
    op.create_index(
        "ix_doubts_open",
        "doubts",
        ["organization_id", "raised_at"],
        schema="patients",
        postgresql_where="settled_at is null",
    )
    _secure("patients.doubts", OWN)


def _results() -> None:
    app_role = context.config.attributes["app_role"]
    op.execute("create schema results")
    op.execute(f'grant usage on schema results to "{app_role}"')
    op.create_table(
        "site_reports",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("facility_id", sa.UUID(), nullable=False),
        sa.Column("patient_id", sa.UUID(), nullable=False),
        sa.Column("merge_id", sa.UUID(), nullable=True),
        sa.Column("order_id", sa.UUID(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("report_key", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("result_code", sa.Text(), nullable=False),
        sa.Column("placer_number", sa.Text(collation="C"), nullable=True),
        sa.Column("filler_number", sa.Text(collation="C"), nullable=True),
        sa.Column("accession_number", sa.Text(collation="C"), nullable=True),
        sa.Column("accession_issuer", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("sections", JSONB(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("is_critical", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("examined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status in ('preliminary','final','corrected','appended','withdrawn','cancelled')",
            name=op.f("ck_site_reports_status"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_site_reports_organization_id")
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["sites.facilities.id"], name=op.f("fk_site_reports_facility_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patients.id"], name=op.f("fk_site_reports_patient_id")),
        sa.ForeignKeyConstraint(["merge_id"], ["patients.merges.id"], name=op.f("fk_site_reports_merge_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_site_reports_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_reports")),
        schema="results",
    )
    op.create_index("ix_site_reports_patient", "site_reports", ["patient_id"], schema="results")
    op.create_index("ix_site_reports_order", "site_reports", ["order_id"], schema="results")
    op.create_index("ix_site_reports_key", "site_reports", ["facility_id", "report_key"], schema="results")
    op.create_index(
        "ix_site_reports_held",
        "site_reports",
        ["organization_id", "received_at"],
        schema="results",
        postgresql_where="held_reason is not null",
    )
    op.create_table(
        "site_attachments",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("report_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_site_attachments_organization_id")
        ),
        sa.ForeignKeyConstraint(["report_id"], ["results.site_reports.id"], name=op.f("fk_site_attachments_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_attachments")),
        schema="results",
    )
    op.create_index("ix_site_attachments_report", "site_attachments", ["report_id"], schema="results")
    op.create_table(
        "discrepancies",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("site_report_id", sa.UUID(), nullable=False),
        sa.Column("report_version_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("side_differs", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.UUID(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("kind in ('impression','withdrawn')", name=op.f("ck_discrepancies_kind")),
        sa.CheckConstraint("outcome in ('agrees','minor','major','superseded')", name=op.f("ck_discrepancies_outcome")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_discrepancies_organization_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["worklist.cases.id"], name=op.f("fk_discrepancies_case_id")),
        sa.ForeignKeyConstraint(
            ["site_report_id"], ["results.site_reports.id"], name=op.f("fk_discrepancies_site_report_id")
        ),
        sa.ForeignKeyConstraint(
            ["report_version_id"], ["reading.report_versions.id"], name=op.f("fk_discrepancies_report_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancies")),
        sa.UniqueConstraint(
            "site_report_id", "report_version_id", name=op.f("uq_discrepancies_site_report_id_report_version_id")
        ),
        schema="results",
    )
    op.create_index("ix_discrepancies_case", "discrepancies", ["case_id"], schema="results")
    _secure("results.site_reports", f"{OWN} or {GRANTED}")
    _secure("results.site_attachments", f"{OWN} or {_parent('results.site_reports', 'site_attachments', 'report_id')}")
    _secure("results.discrepancies", f"{OWN} or {_parent('worklist.cases', 'discrepancies', 'case_id')}")
    op.execute(KEEP_WORDS)


def _parent(parent: str, child: str, column: str) -> str:
    """The row that this one is part of can be seen, and is of the same organisation."""
    return f"exists (select 1 from {parent} p where p.id = {child}.{column} and p.organization_id = {child}.organization_id)"


def _secure(table: str, using: str) -> None:
    """Row-level security, the note of a change, and the application's rights."""
    app_role = context.config.attributes["app_role"]
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"create policy tenants on {table} using ({using}) with check ({using})")
    op.execute(
        f"create trigger note_change after insert or update or delete on {table} for each row "
        "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
        "execute function tenancy.note_change()"
    )
    op.execute(f'grant select, insert, update, delete on {table} to "{app_role}"')
