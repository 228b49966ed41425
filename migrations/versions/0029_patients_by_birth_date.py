"""Patients of one day are found fast: whom somebody may be one with is asked on every page of a patient."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0020"


def upgrade() -> None:
    op.create_index("ix_patients_born", "patients", ["organization_id", "birth_date"], schema="patients")
