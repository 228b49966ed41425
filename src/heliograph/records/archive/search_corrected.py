"""Attributes that only headers hold and that can be put right: a key matches what is told on the way out (see `corrections`)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Numeric, Text, case, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import Grouping

from heliograph.records.archive.corrections import CORRECTABLE
from heliograph.records.archive.model import Correction, Study
from heliograph.records.archive.search_columns import OF_LEVEL
from heliograph.records.archive.search_sql import Sql

IN_HEADERS: Final = CORRECTABLE - OF_LEVEL["STUDY"].keys()
_ONE_VALUE: Final = frozenset({"LT", "ST", "UT"})
_NUMBER: Final = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def element(header: Sql, tag: str, vr: str) -> Sql:
    """The element of a header (DICOM JSON model) as it goes out: of its study's correction in force, where that names it."""
    stored: Sql = header[tag]
    if tag not in IN_HEADERS:
        return stored
    text = (
        select(Correction.values[tag].astext)
        .where(Correction.id == Study.correction_id)
        .correlate(Study)
        .scalar_subquery()
    )
    if vr in _ONE_VALUE:
        values: Sql = case((text == "", cast([], JSONB)), else_=func.jsonb_build_array(text))
    else:
        parts = func.unnest(func.string_to_array(text, "\\")).table_valued(column("part", Text)).render_derived()
        gathered = select(func.jsonb_agg(_value(parts.c.part, vr))).select_from(parts).correlate(Study)
        values = func.coalesce(gathered.scalar_subquery(), cast([], JSONB))
    right = func.jsonb_build_object("Value", values, type_=JSONB)
    return Grouping(case((text.is_not(None), right), else_=stored))


def _value(part: Sql, vr: str) -> Sql:
    if vr == "PN":
        groups = ("Alphabetic", "Ideographic", "Phonetic")
        pairs = [
            p for n, group in enumerate(groups, 1) for p in (group, func.nullif(func.split_part(part, "=", n), ""))
        ]
        return func.jsonb_strip_nulls(func.jsonb_build_object(*pairs))
    if vr == "DS":
        return case((part.op("~")(_NUMBER), func.to_jsonb(cast(part, Numeric()))), else_=func.to_jsonb(part))
    return func.to_jsonb(part)
