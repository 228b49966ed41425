"""What was found, told as elements of the DICOM JSON model (PS3.18 F.2): from columns, counts, and the headers of the images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, literal, null, select, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from heliograph.kit.codecs.dicom import json_element, person_name
from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.corrections import CORRECTABLE
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.overlay import overlays
from heliograph.records.archive.search import Scope, Search, ids_of, order_of
from heliograph.records.archive.search_attributes import OF_DOORS, Level, is_at_or_above, level_of, vr_of
from heliograph.records.archive.search_columns import (
    GATHERED,
    INSTANCE_COUNT,
    ISSUER,
    MODALITIES,
    OF_LEVEL,
    PATIENT_COUNTS,
    SERIES_COUNT,
    SOP_CLASSES,
)
from heliograph.records.archive.search_sql import Sql

Json = dict[str, Any]
_FIXED: Final = 7
"""Columns of `_rows` before those that were wanted."""

_ENTITY: Final[dict[Level, Any]] = {"PATIENT": Study, "STUDY": Study, "SERIES": Series, "IMAGE": Instance}
_series: Final = aliased(Series)
_counted: Final = (
    select(func.count().label("series"), func.coalesce(func.sum(_series.number_of_instances), 0).label("instances"))
    .where(_series.study_id == Study.id, _series.number_of_instances > 0)
    .lateral("counted")
)
_COUNTS: Final[dict[str, Sql]] = {SERIES_COUNT: _counted.c.series, INSTANCE_COUNT: _counted.c.instances}
"""Counts over the study as it is retrieved, what we made ourselves included."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attributes: tags, each with the tags wanted of its items (none: all); `everything` at the level and above."""

    tags: Mapping[str, Any]
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One match. `elements` holds what is known of what was wanted, in any order; attributes with columns also when they are empty."""

    id: UUID
    study_instance_uid: str
    series_instance_uid: str | None
    sop_instance_uid: str | None
    elements: Json = field(repr=False)


def element(vr: str, value: Any) -> Json:
    """One element of the DICOM JSON model (PS3.18 F.2); without a value it is only its VR. A list is several values."""
    if not value and value != 0:
        return {"vr": vr}
    if isinstance(value, str) and vr != "PN":  # most of them
        return {"vr": vr, "Value": [value]}
    if isinstance(value, list):
        return {"vr": vr, "Value": value}
    if vr == "PN":
        name = person_name(str(value))
        groups = {"Alphabetic": name.alphabetic, "Ideographic": name.ideographic, "Phonetic": name.phonetic}
        return {"vr": vr, "Value": [{key: text for key, text in groups.items() if text}]}
    if isinstance(value, date):
        return {"vr": vr, "Value": [value.isoformat().replace("-", "")]}
    return {"vr": vr, "Value": [value]}


def described(session: ActorSession, scope: Scope, level: Level, ids: Sequence[UUID], wanted: Wanted) -> list[Match]:
    """What is wanted of each, in the order of `ids`; what went meanwhile, or can't be seen, is left out."""
    if not ids:
        return []
    fields = _fields(level, wanted)
    query = _rows(level, fields)
    query = query.where(_ENTITY[level].id == func.any(list(ids)), Study.organization_id == scope.organization_id)
    if scope.only is not None:
        query = query.where(scope.only)
    rows = {row[0]: row for row in session.execute(query)}
    return _told(session, scope, level, [rows[i] for i in ids if i in rows], fields, wanted)


def page(
    session: ActorSession, scope: Scope, search: Search, wanted: Wanted, *, limit: int, offset: int = 0
) -> list[Match]:
    """What is wanted of each that `search.matching` finds, in its order: both in one statement."""
    level, fields = search.level, _fields(search.level, wanted)
    ids = ids_of(scope, search, limit=limit, offset=offset).subquery("found")
    query = _rows(level, fields).join(ids, ids.c.id == _ENTITY[level].id).order_by(*order_of(level))
    return _told(session, scope, level, session.execute(query).all(), fields, wanted)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The tags that are wanted of a level or above, and those of them that the rows tell by columns."""

    tags: frozenset[str]
    columns: Mapping[str, Sql]


def _fields(level: Level, wanted: Wanted) -> _Fields:
    tags = {tag for tag in wanted.tags if is_at_or_above(tag, level)} - OF_DOORS
    if wanted.everything:
        tags |= {tag for tag in (*OF_LEVEL[level], SERIES_COUNT, INSTANCE_COUNT) if _is_of(tag, level)}
    columns = {tag: column for tag, column in (OF_LEVEL[level] | _COUNTS).items() if tag in tags}
    return _Fields(frozenset(tags), columns)


def _told(
    session: ActorSession, scope: Scope, level: Level, found: Sequence[Any], fields: _Fields, wanted: Wanted
) -> list[Match]:
    """The rows of `_rows` as matches, with what has no column."""
    tags, columns = fields.tags, fields.columns
    kinds = [(tag, vr_of(tag)) for tag in columns]
    made: dict[UUID, Json] = {
        row[0]: {tag: element(vr, value) for (tag, vr), value in zip(kinds, row[_FIXED:], strict=True)} for row in found
    }
    if MODALITIES in columns:
        for elements in made.values():
            elements[MODALITIES] = _several(elements[MODALITIES])
    if SOP_CLASSES in tags:
        _add_classes(session, made, {row.id: row.study_id for row in found})
    if not tags.isdisjoint(PATIENT_COUNTS):
        _add_patient_counts(session, scope, made, found, tags)
    of_headers = tags - columns.keys() - GATHERED - set(PATIENT_COUNTS)
    _add_from_headers(session, level, made, of_headers, everything=wanted.everything)
    if wanted.everything or not of_headers.isdisjoint(CORRECTABLE):
        _put_right(
            session, level, made, {row.id: row.study_id for row in found}, of_headers, everything=wanted.everything
        )
    for tag, tree in wanted.tags.items():
        for elements in made.values() if tree else ():
            if tag in elements:
                elements[tag] = pruned(elements[tag], tree)
    return [Match(row.id, row.study_uid, row.series_uid, row.sop_uid, made[row.id]) for row in found]


def _several(entry: Json) -> Json:
    return {"vr": entry["vr"], "Value": entry["Value"][0].split("\\")} if "Value" in entry else entry


def _is_of(tag: str, level: Level) -> bool:
    """Whether "all" at `level` means this attribute; a study's are its patient's, too, and an instance has no level below."""
    return level_of(tag) == level or (level == "STUDY" and level_of(tag) == "PATIENT") or level == "IMAGE"


def pruned(entry: Json, tree: Mapping[str, Any]) -> Json:
    """A sequence with only the wanted attributes of its items; anything else as it is."""
    if not tree or entry.get("vr") != "SQ" or "Value" not in entry:
        return entry
    items = [{t: pruned(item[t], tree[t]) for t in sorted(tree) if t in item} for item in entry["Value"]]
    return {"vr": "SQ", "Value": items}


def _rows(level: Level, fields: _Fields) -> Select[Any]:
    """What a level's rows tell: `_FIXED` columns, of which the issuer is looked up only if it is needed, and those wanted."""
    series = Series.series_instance_uid if level in {"SERIES", "IMAGE"} else literal(None)
    sop = Instance.sop_instance_uid if level == "IMAGE" else literal(None)
    query = select(
        _ENTITY[level].id,
        Study.id.label("study_id"),
        Study.study_instance_uid.label("study_uid"),
        series.label("series_uid"),
        sop.label("sop_uid"),
        Study.dicom_patient_id.label("patient"),
        (null() if fields.tags.isdisjoint(PATIENT_COUNTS) else ISSUER).label("issuer"),
        # An array would be taken apart one by one, at a price that shows in a page of a hundred.
        *(
            (func.array_to_string(c, "\\") if tag == MODALITIES else c).label(f"t{tag}")
            for tag, c in fields.columns.items()
        ),
    )
    if level == "SERIES":
        query = query.join(Study, Study.id == Series.study_id)
    elif level == "IMAGE":
        query = query.join(Series, Series.id == Instance.series_id).join(Study, Study.id == Series.study_id)
    return query.join(_counted, true()) if fields.columns.keys() & _COUNTS.keys() else query


def _add_classes(session: ActorSession, made: dict[UUID, Json], studies: Mapping[UUID, UUID]) -> None:
    """The SOP classes of each one's study."""
    query = select(Series.study_id, func.array_agg(Instance.sop_class_uid.distinct())).join(
        Instance, (Instance.series_id == Series.id) & Instance.rejection_id.is_(None)
    )
    query = query.where(Series.study_id == func.any(list(set(studies.values())))).group_by(Series.study_id)
    of = {row[0]: sorted(row[1]) for row in session.execute(query)}
    for id_, elements in made.items():
        elements[SOP_CLASSES] = element("UI", of.get(studies[id_], []))


def _add_patient_counts(
    session: ActorSession, scope: Scope, made: dict[UUID, Json], found: Iterable[Row[Any]], tags: Collection[str]
) -> None:
    """Counts over those studies of the patient that the actor may see."""
    patients = {row.id: (row.patient, row.issuer) for row in found}
    counts: dict[tuple[str | None, str | None], tuple[int, int, int]] = {}
    if wanted := {p for p, _ in patients.values() if p is not None}:
        query: Any = (
            select(
                Study.dicom_patient_id,
                ISSUER.label("issuer"),
                func.count(Study.id.distinct()),
                func.count(),
                func.sum(Series.number_of_instances),
            )
            .join(Series, and_(Series.study_id == Study.id, Series.number_of_instances > 0))
            .where(
                Study.organization_id == scope.organization_id,
                Study.number_of_series > 0,
                Study.dicom_patient_id == func.any(list(wanted)),
            )
            .group_by(Study.dicom_patient_id, text("issuer"))
        )
        if scope.only is not None:
            query = query.where(scope.only)
        counts = {(r[0], r[1]): (r[2], r[3], int(r[4])) for r in session.execute(query)}
    for id_, elements in made.items():
        for tag, number in zip(PATIENT_COUNTS, counts.get(patients[id_], (1, 0, 0)), strict=True):
            if tag in tags:
                elements[tag] = element("IS", number)


def _add_from_headers(
    session: ActorSession, level: Level, made: dict[UUID, Json], tags: Collection[str], *, everything: bool
) -> None:
    """What only the images' headers tell. Of a study each attribute is from the first series that has it."""
    if not made or not (tags or everything):
        return
    for id_, header in session.execute(_headers(level, list(made), None if everything else sorted(tags))):
        elements = made[id_]
        for tag, entry in (header or {}).items():
            if entry and tag not in elements and (tag in tags or _is_of(tag, level)) and "BulkDataURI" not in entry:
                elements[tag] = entry


def _put_right(
    session: ActorSession,
    level: Level,
    made: dict[UUID, Json],
    studies: Mapping[UUID, UUID],
    tags: Collection[str],
    *,
    everything: bool,
) -> None:
    """What headers tell as it goes out; columns bear what is put right already."""
    right = overlays(session, set(studies.values()))
    for id_, elements in made.items():
        overlay = right.get(studies[id_])
        for number, value in overlay.values.items() if overlay else ():
            tag = f"{number:08X}"
            if tag in tags or (everything and tag in CORRECTABLE and tag not in OF_LEVEL[level] and _is_of(tag, level)):
                elements[tag] = json_element(vr_of(tag), value)


def _headers(level: Level, ids: list[UUID], tags: list[str] | None) -> Select[Any]:
    picked: Any = Instance.header if tags is None else _picked(tags)
    if level == "IMAGE":
        return select(Instance.id, picked).where(Instance.id == func.any(ids))
    of_series = select(picked).where(Instance.series_id == Series.id, Instance.rejection_id.is_(None))
    one = of_series.limit(1).correlate(Series).scalar_subquery()
    if level == "SERIES":
        return select(Series.id, one).where(Series.id == func.any(ids))
    query = select(Series.study_id, one).where(Series.study_id == func.any(ids), Series.number_of_instances > 0)
    return query.order_by(Series.study_id, Series.series_number, Series.id)


def _picked(tags: Sequence[str]) -> Sql:
    """Elements of a header as one object, null for what it lacks; a function takes a hundred arguments and no more."""
    parts = []
    for at in range(0, len(tags), 45):
        pairs = [part for tag in tags[at : at + 45] for part in (literal(tag), Instance.header[tag])]
        parts.append(func.jsonb_build_object(*pairs, type_=JSONB))
    return reduce(lambda one, other: one.concat(other), parts)
