"""One search of the archive for all doors: QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.4.1).

Row-level security decides what is seen. Studies without images are not found. A search is prepared from its keys, gives ids, newest
study first, and what is wanted of each is then described (`search_results`), a page at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, and_, exists, func, literal, literal_column, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased

from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.search_attributes import OF_DOORS, Level, is_at_or_above, vr_of
from heliograph.records.archive.search_columns import (
    GATHERED,
    ISSUER,
    OF_LEVEL,
    PATIENT_COUNTS,
    STUDY_DATE,
    STUDY_TIME,
    TIMEZONE,
    ZONE,
    column_matches,
    in_zone,
)
from heliograph.records.archive.search_corrected import IN_HEADERS, element
from heliograph.records.archive.search_sql import (
    Sql,
    Test,
    any_item,
    as_date,
    date_matches,
    header_matches,
    header_text,
    pair_matches,
    time_matches,
)
from heliograph.records.archive.search_values import MATCHED_VRS, BadKey, Between, Condition, condition

__all__ = [
    "BadKey",
    "Key",
    "Level",
    "Options",
    "Scope",
    "Search",
    "count",
    "ids_of",
    "matching",
    "order_of",
    "prepare",
    "study_by_uid",
    "within",
]

_TIME_OF: Final = {
    STUDY_DATE: STUDY_TIME,
    "00080021": "00080031",
    "00080022": "00080032",
    "00080023": "00080033",
    "00080012": "00080013",
    "00100030": "00100032",
    "00400244": "00400245",
    "00400250": "00400251",
}
"""Dates and the times that belong to them."""
_DEEPEST: Final = 8
_NOUGHT: Final = literal_column("0", Integer())
_WHO: Final = (Study.dicom_patient_id, ISSUER)
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """A matching key: its tag, or tags down into a sequence, and its text; see `search_values.condition`."""

    path: tuple[str, ...]
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """How keys are taken. `timezone`, as +0100, is where the dates and times of the keys are (PS3.4 C.2.2.2.5)."""

    fuzzy: bool = False
    combined: bool = True
    several: bool = False
    empty: bool = False
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose studies are searched. `only` is a further condition of the door on the studies (aliased `studies`).

    `whole` says that it leaves out nothing of an organisation that the actor is of.
    """

    organization_id: UUID
    only: ColumnElement[bool] | None = None
    whole: bool = False


def not_held() -> ColumnElement[bool]:
    """A condition for `Scope`: what is held may be somebody else's than it says, and a person has not looked yet."""
    return Study.match_state != "held"


@dataclass(frozen=True, slots=True)
class Search:
    """A prepared search. `unsupported` are the keys that nothing was matched on."""

    level: Level
    tests: tuple[Test, ...]
    unsupported: tuple[tuple[str, ...], ...] = ()


def prepare(level: Level, keys: Iterable[Key], options: Options | None = None) -> Search:
    """Reads the keys. All must match.

    Raises:
        BadKey
    """
    options = options or Options()
    conditions: dict[str, Condition] = {}
    sequences: Tree = {}
    unsupported: list[tuple[str, ...]] = []
    for key in keys:
        if len(key.path) == 1 and key.path[0] in OF_DOORS | {TIMEZONE}:
            continue
        if not _is_supported(key.path, level):
            unsupported.append(key.path)
        elif found := _condition(key, options):
            if len(key.path) == 1:
                conditions[key.path[0]] = found
            else:
                _put(sequences, key.path, found)
    tests = _pairs(conditions, options)
    of_columns = OF_LEVEL[level].keys() | (GATHERED if level != "PATIENT" else frozenset())
    tests += [column_matches(tag, conditions.pop(tag)) for tag in list(conditions) if tag in of_columns]
    if conditions or sequences:
        put_right = {tag: conditions.pop(tag) for tag in list(conditions) if tag in IN_HEADERS}

        def of_header(header: Sql) -> Test:
            ours = (
                header_matches(element(header, tag, vr_of(tag)), vr_of(tag), wanted, ZONE)
                for tag, wanted in put_right.items()
            )
            return and_(_header_tests(header, conditions, sequences, options), *ours)

        tests.append(_in_header(level, of_header))
    return Search(level, tuple(tests), tuple(unsupported))


def matching(session: ActorSession, scope: Scope, search: Search, *, limit: int, offset: int = 0) -> list[UUID]:
    """The ids of what matches: of studies, series or instances; of patients the newest matching study's."""
    return list(session.scalars(ids_of(scope, search, limit=limit, offset=offset)))


def ids_of(scope: Scope, search: Search, *, limit: int, offset: int = 0) -> Select[Any]:
    """The statement of `matching`: one column `id`, in the order of `order_of`."""
    query = _ids(scope, search).limit(_number(limit))
    return query.offset(offset) if offset else query


def order_of(level: Level) -> tuple[Any, ...]:
    """How matches are ordered: the newest study first, but patients by what identifies them."""
    newest = (Study.study_date.desc().nulls_last(), Study.first_received_at.desc(), Study.id)
    of_series = (*newest, Series.series_number, Series.id)
    match level:
        case "PATIENT":
            return (*_WHO, *newest)
        case "STUDY":
            return newest
        case "SERIES":
            return of_series
        case "IMAGE":
            return (*of_series, Instance.instance_number, Instance.sop_instance_uid)


def count(session: ActorSession, scope: Scope, search: Search, *, most: int) -> int | None:
    """How many match; None: more than `most`."""
    if search.level == "STUDY" and scope.whole and not search.tests:
        # Every study of the actor's own organisation: no row needs to be asked whether it may be seen.
        own = session.scalar(select(func.archive.count_of_own(scope.organization_id, most + 1)))
        if own is not None:
            return int(own) if own <= most else None
    some = _ids(scope, search).order_by(None).limit(_number(most + 1)).subquery()
    if search.level == "PATIENT":
        some = _ids(scope, search).limit(_number(most + 1)).subquery()
    found = session.scalar(select(func.count()).select_from(some)) or 0
    return found if found <= most else None


def within(search: Search, study_id: UUID, series_instance_uid: str | None = None) -> Search:
    """The search in one study, or in one of its series."""
    tests: list[Test] = [Study.id == study_id]
    if series_instance_uid is not None:
        tests.append(Series.series_instance_uid == series_instance_uid)
    return replace(search, tests=(*search.tests, *tests))


def study_by_uid(session: ActorSession, scope: Scope, study_instance_uid: str) -> tuple[UUID, int] | None:
    """The id and the revision of the one study with images that has this UID, if it may be seen."""
    query = select(Study.id, Study.revision).where(*_in_scope(scope), Study.study_instance_uid == study_instance_uid)
    found = session.execute(query.limit(1)).one_or_none()
    return (found[0], found[1]) if found is not None else None


def _is_supported(path: tuple[str, ...], level: Level) -> bool:
    if not is_at_or_above(path[0], level) or len(path) > _DEEPEST:
        return False
    leaf = vr_of(path[-1])
    return leaf in MATCHED_VRS and all(vr_of(tag) == "SQ" for tag in path[:-1]) and path[0] not in PATIENT_COUNTS


def _condition(key: Key, options: Options) -> Condition | None:
    return condition(
        key.path,
        vr_of(key.path[-1]),
        key.text,
        fuzzy=options.fuzzy,
        several=options.several,
        empty=options.empty,
        timezone=options.timezone,
    )


def _put(tree: Tree, path: tuple[str, ...], found: Condition) -> None:
    for tag in path[:-1]:
        tree = tree.setdefault(tag, {})
    tree[path[-1]] = found


# Dates and times -----------------------------------------------------------------------------------------------------------


def _pairs(conditions: dict[str, Condition], options: Options) -> list[Test]:
    """Takes out the study's date and time where they are not compared one by one: as one moment, or on another clock."""
    days, times = conditions.get(STUDY_DATE), conditions.get(STUDY_TIME)
    day: Sql = Study.study_date
    time: Sql = Study.study_time
    tests: list[Test] = []
    of_days, of_times = (c if isinstance(c, Between) else None for c in (days, times))
    if options.timezone and (of_days or of_times):
        day, time, tests = in_zone(options.timezone, of_days)
    elif not (options.combined and of_days and of_times):
        return []
    for tag, taken in ((STUDY_DATE, of_days), (STUDY_TIME, of_times)):
        if taken:
            del conditions[tag]
    if options.combined and of_days and of_times:
        return [*tests, pair_matches(day, time, of_days, of_times, of_day=as_date)]
    tests += [date_matches(day, of_days)] if of_days else []
    return [*tests, Study.study_time.is_not(None), time_matches(time, of_times)] if of_times else tests


# Headers -------------------------------------------------------------------------------------------------------------------


def _in_header(level: Level, tests: Callable[[Sql], Test]) -> Test:
    """The condition on an instance's header: its own, or that of one instance of the series, or of any series of the study."""
    if level == "IMAGE":
        return tests(Instance.header)
    series, instance = aliased(Series), aliased(Instance)
    parent = Series.id if level == "SERIES" else series.id
    one = select(instance.header).where(instance.series_id == parent, instance.rejection_id.is_(None)).limit(1)
    if level == "SERIES":
        any_of = one.correlate(Series).lateral()
        found = select(literal(1)).select_from(any_of).where(tests(any_of.c.header))
        return exists(found.correlate_except(any_of))
    each = one.correlate(series).lateral()
    return exists(
        select(literal(1))
        .select_from(series)
        .join(each, true())
        .where(series.study_id == Study.id, series.number_of_instances > 0, tests(each.c.header))
        .correlate_except(series, each)
    )


def _header_tests(header: Sql, conditions: dict[str, Condition], sequences: Tree, options: Options) -> Test:
    """All conditions on one data set; of a sequence, one item must match them all (PS3.4 C.2.2.2.6)."""
    left = dict(conditions)
    tests: list[Test] = []
    for day, time in _TIME_OF.items():
        days, times = left.get(day), left.get(time)
        if options.combined and isinstance(days, Between) and isinstance(times, Between):
            tests.append(pair_matches(header_text(header, day), header_text(header, time), days, times, of_day=str))
            del left[day], left[time]
    tests += [header_matches(header[tag], vr_of(tag), wanted, ZONE) for tag, wanted in left.items()]
    for tag, tree in sequences.items():
        plain = {t: c for t, c in tree.items() if not isinstance(c, dict)}
        inner = {t: c for t, c in tree.items() if isinstance(c, dict)}
        tests.append(any_item(header[tag], lambda item, p=plain, i=inner: _header_tests(item, p, i, options)))  # type: ignore[misc]
    return and_(true(), *tests)


# Statements ----------------------------------------------------------------------------------------------------------------


def _number(limit: int) -> Sql:
    """A limit that the planner can see: without it, no plan that PostgreSQL keeps looks as good as a new one each time."""
    return literal_column(str(int(limit)), Integer())


def _in_scope(scope: Scope) -> list[Any]:
    mine = [Study.organization_id == scope.organization_id, Study.number_of_series > _NOUGHT]
    return [*mine, scope.only] if scope.only is not None else mine


def _ids(scope: Scope, search: Search) -> Select[Any]:
    wheres = [*_in_scope(scope), *search.tests]
    if search.level == "PATIENT":
        query = select(Study.id).ext(distinct_on(*_WHO)).where(*wheres, Study.dicom_patient_id.is_not(None))
        return query.order_by(*order_of("PATIENT"))
    if search.level == "STUDY":
        return select(Study.id).where(*wheres).order_by(*order_of("STUDY"))
    wheres += [Series.organization_id == scope.organization_id, Series.number_of_instances > _NOUGHT]
    if search.level == "SERIES":
        query = select(Series.id).join(Study, Study.id == Series.study_id)
        return query.where(*wheres).order_by(*order_of("SERIES"))
    return (
        select(Instance.id)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Series.study_id)
        .where(*wheres, Instance.organization_id == scope.organization_id, Instance.rejection_id.is_(None))
        .order_by(*order_of("IMAGE"))
    )
