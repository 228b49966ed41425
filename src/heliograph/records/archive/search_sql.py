"""Conditions as SQL, always with bound parameters: on columns, and on the elements of a header in the DICOM JSON model.

Beside a pattern stands the range of its fixed beginning: under row-level security an index serves that and never the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    DOUBLE_PRECISION,
    REAL,
    ColumnElement,
    Numeric,
    SQLColumnExpression,
    and_,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from heliograph.records.archive.search_values import (
    Between,
    Condition,
    Empty,
    Moments,
    Names,
    Numbers,
    Texts,
    Words,
)

Sql: TypeAlias = SQLColumnExpression[Any]
Test: TypeAlias = ColumnElement[bool]

_LAST: Final = "\U0010ffff"
_WILD: Final = re.compile(r"[*?]")
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def text_matches(value: Sql, wanted: Texts) -> Test:
    """A text column, compared by code points, so that an index in that order can serve."""
    plain = [v for v in wanted.values if not (wanted.wild and _WILD.search(v))]
    tests: list[Test] = [value == plain[0]] if len(plain) == 1 else [value.in_(plain)] if plain else []
    tests += [like(value, v) for v in wanted.values if v not in plain]
    return or_(*tests)


def like(value: Sql, pattern: str) -> Test:
    """A pattern with the wildcards * and ?; all else is literal (PS3.4 C.2.2.2.4)."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%").replace("?", "_")
    return and_(*_begins(value, _WILD.split(pattern, maxsplit=1)[0]), value.like(escaped, escape="\\"))


def _begins(value: Sql, beginning: str) -> list[Test]:
    return [value >= beginning, value < beginning + _LAST] if beginning else []


def name_matches(groups: Sequence[Sql], wanted: Names | Words, folded: Sql) -> Test:
    """A person name: its groups in lower case, each its own column, and its words, folded.

    A key of one group may match any group, a key of several each its own (PS3.4 C.2.2.2.1).
    """
    if isinstance(wanted, Words):
        return and_(*(like(folded, f"* {word}*") for word in wanted.values))
    return or_(*(_one_name(groups, name) for name in wanted.values))


def _one_name(groups: Sequence[Sql], name: tuple[str, ...]) -> Test:
    if len(name) > 1:
        pairs = [(g, n) for g, n in zip(groups, name, strict=False) if n.strip("*")]
        return and_(true(), *(test for g, n in pairs for test in (_name_range(g, n), _name_group(g, n))))
    # Apart from the patterns: a condition serves an index only if no part of it can leak.
    return and_(or_(*(_name_range(g, name[0]) for g in groups)), or_(*(_name_group(g, name[0]) for g in groups)))


def _name_range(group: Sql, text: str) -> Test:
    beginning = _WILD.split(text, maxsplit=1)[0]
    return and_(*_begins(group, beginning)) if beginning else group.is_not(None)


def _name_group(group: Sql, text: str) -> Test:
    """What the key leaves out at its end may be anything: LARSEN finds LARSEN^KARI, and not LARSENSEN."""
    exact: Test = like(group, text) if _WILD.search(text) else group == text
    return or_(exact, like(group, text + "^*"))


def number_matches(value: Sql, wanted: Numbers) -> Test:
    """A column of numbers."""
    return or_(*(value == literal(n, Numeric()) for n in wanted.values))


def date_matches(value: Sql, wanted: Between) -> Test:
    """A column of dates."""
    low, high = (as_date(end) if end else None for end in (wanted.low, wanted.high))
    if low == high and low is not None:
        return value == low
    return and_(true(), *([value >= low] if low else []), *([value <= high] if high else []))


def as_date(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def time_matches(value: Sql, wanted: Between) -> Test:
    """A time or a date and time as text of any precision: an end of a range includes all that begins with it."""
    tests: list[Test] = []
    if wanted.low:
        tests.append(_filled(value, wanted.vr) >= _fill(wanted.low, wanted.vr))
    if wanted.high:
        tests.append(_filled(value, wanted.vr) < _digits(wanted.high) + _LAST)
    return and_(value.is_not(None), *tests)


# What is not said begins at nought: 0930 is 093000, 2026 is the first moment of that year.
_NOUGHT: Final = {"TM": "000000", "DT": "00000101000000", "DA": ""}


def _digits(text: str) -> str:
    return re.sub(r"[+-]\d{4}$", "", text)


def _fill(text: str, vr: str) -> str:
    digits = _digits(text)
    return digits + _NOUGHT[vr][len(digits) :]


def _filled(value: Sql, vr: str) -> Sql:
    digits = func.regexp_replace(func.replace(value, ":", ""), "[+-][0-9]{4}$", "")
    return func.concat(digits, func.substr(_NOUGHT[vr], func.length(digits) + 1)).collate("C")


def pair_matches(day: Sql, time: Sql, days: Between, times: Between, *, of_day: Callable[[str], Any]) -> Test:
    """A date and a time as one moment (PS3.4 C.2.2.2.5.4): from the first day's first time until the last day's last time.

    `of_day` makes of YYYYMMDD what `day` is compared with. An unknown time counts as midnight.
    """
    filled = _filled(func.coalesce(time, ""), "TM")
    tests: list[Test] = []
    if days.low:
        low = of_day(days.low)
        tests += [day >= low, or_(day > low, filled >= _fill(times.low or "", "TM"))]
    if days.high:
        high = of_day(days.high)
        tests += [day <= high, or_(day < high, filled < (times.high or "") + _LAST)]
    return and_(true(), *tests)


# In headers ----------------------------------------------------------------------------------------------------------------


def header_matches(element: Sql, vr: str, wanted: Condition, zone: Sql) -> Test:
    """Any value of an element of a header (DICOM JSON model, PS3.18 F.2). `zone`: where its clock stood, unless it says so."""
    if isinstance(wanted, Empty):
        return func.jsonb_array_length(func.coalesce(element["Value"], cast([], JSONB))) == 0
    return any_item(element, lambda value: _value_matches(value, vr, wanted, zone))


def any_item(element: Sql, test: Callable[[Sql], Test]) -> Test:
    """Any member of an element's "Value", items of sequences included."""
    values = func.jsonb_array_elements(element["Value"]).table_valued(column("value", JSONB)).lateral()
    return exists(select(literal(1)).select_from(values).where(test(values.c.value)).correlate_except(values))


def header_text(header: Sql, tag: str) -> Sql:
    """The first value of an element as text."""
    found: Sql = header[tag]["Value"][0].astext.collate("C")
    return found


def _value_matches(value: Sql, vr: str, wanted: Condition, zone: Sql) -> Test:
    match wanted:
        case Texts():
            return text_matches(_text(value), wanted)
        case Names() | Words():
            names = [func.lower(value[g].astext.collate("pg_c_utf8")).collate("C") for g in _GROUPS]
            whole = func.concat_ws("=", *(value[g].astext for g in _GROUPS))
            return name_matches(names, wanted, func.archive.folded(whole).collate("C"))
        case Numbers():
            return or_(*(_same_number(value, n, vr) for n in wanted.values))
        case Between():
            return text_between(_text(value), wanted) if wanted.vr == "DA" else time_matches(_text(value), wanted)
        case Moments():
            at = func.archive.instant(_text(value), zone)
            ends = ([at >= wanted.low] if wanted.low else []) + ([at < wanted.high] if wanted.high else [])
            return and_(*ends)
        case Empty():
            return false()


def _same_number(value: Sql, number: Decimal, vr: str) -> Test:
    exact: Test = value == func.to_jsonb(literal(number, Numeric()))
    # FL holds what 32 bits can: 0.1 is stored as 0.10000000149.
    single = func.to_jsonb(cast(cast(literal(number, Numeric()), REAL()), DOUBLE_PRECISION()))
    return or_(exact, value == single) if vr == "FL" else exact


def text_between(value: Sql, wanted: Between) -> Test:
    """A date as text YYYYMMDD."""
    plain = func.replace(value, ".", "").collate("C")
    tests: list[Test] = []
    if wanted.low:
        tests.append(plain >= wanted.low)
    if wanted.high:
        tests.append(plain <= wanted.high)
    return and_(value.is_not(None), *tests)


def _text(value: Sql) -> Sql:
    found: Sql = value[()].astext.collate("C")
    return found
