"""Fills every table that holds patient data with one row of an organisation, made from the models alone.

A new table is filled without a word here, unless a check constraint or a meaning asks for a certain value (`VALUES`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Boolean, Column, Connection, DateTime, Integer, LargeBinary, Table, Text, insert
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from heliograph.app.models import metadata
from heliograph.governance.tenancy.model import Organization
from heliograph.records.sites.model import Node
from tests.cast import Cast

PATIENT_SCHEMAS = frozenset(
    {"patients", "archive", "orders", "worklist", "questions", "reading", "results", "delivery"}
)
PATIENT_TABLES = tuple(
    t
    for t in metadata.sorted_tables
    if t.schema in PATIENT_SCHEMAS or t.fullname in ("sites.messages", "sites.transfers", "tenancy.grants")
)
"""Every table of which rows are about patients, those that are referred to first."""

VALUES: dict[str, Any] = {
    "orders.orders.source": "hl7",
    "orders.order_aliases.kind": "accession",
    "archive.corrections.kind": "entered",
    "archive.rejections.kind": "quality",
    "worklist.case_intervals.kind": "hold",
    "reading.report_versions.kind": "final",
    "reading.withdrawals.because": "other",
    "delivery.deliveries.channel": "page",
    "delivery.tellings.way": "phone",
    "patients.doubts.kind": "two_patients",
    "results.site_reports.status": "final",
    "results.discrepancies.kind": "impression",
    "tenancy.grants.purpose": "interpretation",
    "sites.transfers.direction": "fetch",
    "questions.questions.subject_kind": "case",
}
_REFERRED = {
    "patient_id": "patients.patients",
    "case_id": "worklist.cases",
    "study_id": "archive.studies",
    "order_id": "orders.orders",
}
"""Columns that refer without a foreign key, or may be empty: filled, so that grants of the patient reach the row."""


@dataclass
class Filler:
    """Puts rows of one client into the tables, as the owner."""

    connection: Connection
    cast: Cast
    organization: UUID
    facility: UUID
    author: UUID
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Full table name -> the row, as it stands in the database."""

    def fill(self) -> None:
        nobody = self.connection.execute(
            insert(Organization).values(slug=f"zenith-{uuid4().hex[:6]}", name="Z", short_name="Z", kind="reading_group")
            .returning(Organization.id)
        ).scalar_one()  # fmt: skip
        node = self.connection.execute(
            insert(Node).values(organization_id=self.organization, name="x", ae_title="X", calling_ae="Y", host="x", port=104)
            .returning(Node.id)
        ).scalar_one()  # fmt: skip
        self.rows["sites.nodes"] = {"id": node}
        left = list(PATIENT_TABLES)
        while left:
            table = left.pop(0)
            unmet = [
                c for c in table.columns if not c.foreign_keys and _REFERRED.get(c.name) in {t.fullname for t in left}
            ]
            if unmet:  # refers to a later table without a foreign key
                left.append(table)
                continue
            values = {c.name: self._value(table, c, nobody) for c in table.columns if _is_needed(c)}
            made = self.connection.execute(insert(table).values(values).returning(*table.columns)).one()
            self.rows[table.fullname] = dict(made._mapping)

    def _value(self, table: Table, column: Column[Any], nobody: UUID) -> Any:
        named = {
            "organization_id": self.organization,
            "facility_id": self.facility,
            "grantee_organization_id": nobody,
            "author_id": self.author,
            "user_id": self.author,
            "signed_by": self.author,
        }
        if (value := VALUES.get(f"{table.fullname}.{column.name}")) is not None:
            return value
        if column.name in named:
            return named[column.name]
        for key in column.foreign_keys:
            target = key.column
            return self.rows[target.table.fullname][target.name]
        if target_table := _refers(column):
            return self.rows[target_table]["id"]
        return _plain(column)


def _refers(column: Column[Any]) -> str | None:
    """The table that a column refers to by its name. A DICOM Study ID is text and none of these."""
    return _REFERRED.get(column.name) if column.type.python_type is UUID else None


def _is_needed(column: Column[Any]) -> bool:
    must = not column.nullable and column.server_default is None
    return must or column.name == "organization_id" or _refers(column) is not None


def _plain(column: Column[Any]) -> Any:
    """A value of the column's type. Natural keys are equal in all organisations on purpose."""
    kinds: list[tuple[Any, Any]] = [
        (DateTime, datetime(2026, 11, 25, tzinfo=UTC)), (Boolean, False), (Integer, 1), (LargeBinary, b"x"), (JSONB, {}), (ARRAY, []),
        (Text, "x"),
    ]  # fmt: skip
    return next((value for kind, value in kinds if isinstance(column.type, kind)), None) or _other(column)


def _other(column: Column[Any]) -> Any:
    python = column.type.python_type
    if python is UUID:
        return uuid4()
    return {"bool": False, "int": 0, "list": [], "dict": {}, "str": "x"}.get(python.__name__)
