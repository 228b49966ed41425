"""Questions to sites, and their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0014"
down_revision = "0013"

OWN = "organization_id = any((select tenancy.actor_organizations())::uuid[])"

# As it was written: a question's state and end go on, its words and whom it asks don't; an answer stays whole.
KEEP_WORDS = """
create function questions.keep_words() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or tg_table_name = 'answers'
       or (to_jsonb(old) - '{state,ended_by,ended_at}'::text[]) is distinct from (to_jsonb(new) - '{state,ended_by,ended_at}'::text[]) then
        raise exception 'what was asked and answered is immutable' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
"""


def upgrade() -> None:
    op.execute("create schema questions")
    op.create_table(
        "questions",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("facility_id", sa.UUID(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("asked_by", sa.UUID(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_by", sa.UUID(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("subject_kind in ('study','held_object','case')", name=op.f("ck_questions_subject_kind")),
        sa.CheckConstraint("state in ('open','answered','closed','withdrawn')", name=op.f("ck_questions_state")),
        sa.ForeignKeyConstraint(["facility_id"], ["sites.facilities.id"], name=op.f("fk_questions_facility_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_questions_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
        schema="questions",
    )
    op.create_index("ix_questions_subject", "questions", ["subject_id"], schema="questions")
    op.create_index(
        "ix_questions_live",
        "questions",
        ["organization_id", "asked_at"],
        schema="questions",
        postgresql_where="state in ('open', 'answered')",
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.UUID(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.UUID(), nullable=False),
        sa.Column("question_id", sa.UUID(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.UUID(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["tenancy.organizations.id"], name=op.f("fk_answers_organization_id")
        ),
        sa.ForeignKeyConstraint(["question_id"], ["questions.questions.id"], name=op.f("fk_answers_question_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        schema="questions",
    )
    op.create_index("ix_answers_question", "answers", ["question_id"], schema="questions")
    op.execute(KEEP_WORDS)
    app_role = context.config.attributes["app_role"]
    op.execute(f'grant usage on schema questions to "{app_role}"')
    for table in ("questions.questions", "questions.answers"):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy tenants on {table} using ({OWN}) with check ({OWN})")
        op.execute(
            f"create trigger note_change after insert or update or delete on {table} for each row "
            "when (coalesce(current_setting('heliograph.changed', true), '') = '') "
            "execute function tenancy.note_change()"
        )
        op.execute(
            f"create trigger keep_words before update or delete on {table} for each row "
            "execute function questions.keep_words()"
        )
        op.execute(f'grant select, insert, update, delete on {table} to "{app_role}"')
