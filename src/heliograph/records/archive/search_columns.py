"""The attributes that have a column of their own: where each is, and how it is compared."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import Date as SqlDate
from sqlalchemy import (
    Integer,
    Text,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    true,
)
from sqlalchemy import Interval as SqlInterval
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.search_attributes import Level
from heliograph.records.archive.search_sql import (
    Sql,
    Test,
    date_matches,
    name_matches,
    number_matches,
    text_matches,
    time_matches,
)
from heliograph.records.archive.search_values import Between, Condition, Empty, Moments, Names, Numbers, Texts, Words

_facilities = table(
    "facilities", column("id"), column("time_zone", Text), column("patient_id_authority", Text), schema="sites"
)


def _of_facility(name: str) -> Sql:
    return select(_facilities.c[name]).where(_facilities.c.id == Study.facility_id).correlate(Study).scalar_subquery()


ISSUER: Final[Sql] = func.coalesce(Study.dicom_patient_issuer, _of_facility("patient_id_authority"))
"""Who gave the patient's identifier: as the images say, else the facility's own authority."""
ZONE: Final[Sql] = func.coalesce(Study.timezone_offset, _of_facility("time_zone"))
"""Where the study's clock stood: its offset from UTC, else the facility's time zone."""

PATIENT_NAME, REFERRER, MODALITIES, SOP_CLASSES = "00100010", "00080090", "00080061", "00080062"
STUDY_DATE, STUDY_TIME, TIMEZONE = "00080020", "00080030", "00080201"
SERIES_COUNT, INSTANCE_COUNT, SERIES_INSTANCE_COUNT = "00201206", "00201208", "00201209"
PATIENT_COUNTS: Final = ("00201200", "00201202", "00201204")
"""Studies, series and instances of the patient."""

GATHERED: Final = frozenset({SOP_CLASSES, SERIES_COUNT, INSTANCE_COUNT})
"""What is counted or gathered of a study."""

_OF_STUDY: Final[dict[str, Sql]] = {
    STUDY_DATE: Study.study_date,
    STUDY_TIME: Study.study_time,
    "00080050": Study.accession_number,
    MODALITIES: Study.modalities,
    REFERRER: Study.referring_physician,
    TIMEZONE: Study.timezone_offset,
    "00081030": Study.study_description,
    "0020000D": Study.study_instance_uid,
    "00200010": Study.study_id,
}
_OF_PATIENT: Final[dict[str, Sql]] = {
    PATIENT_NAME: Study.dicom_patient_name,
    "00100020": Study.dicom_patient_id,
    "00100021": ISSUER,
    "00100030": Study.dicom_birth_date,
    "00100040": Study.dicom_sex,
}
_OF_SERIES: Final[dict[str, Sql]] = {
    "00080060": Series.modality,
    "0008103E": Series.series_description,
    "00180015": Series.body_part,
    "0020000E": Series.series_instance_uid,
    "00200011": Series.series_number,
    "00200060": Series.laterality,
    SERIES_INSTANCE_COUNT: Series.number_of_instances,
}
_OF_INSTANCE: Final[dict[str, Sql]] = {
    "00080016": Instance.sop_class_uid,
    "00080018": Instance.sop_instance_uid,
    "00083002": Instance.transfer_syntax_uid,
    "00200013": Instance.instance_number,
    "00280008": func.nullif(Instance.number_of_frames, 0),
    "00280010": Instance.rows,
    "00280011": Instance.columns,
    "00280100": Instance.bits_allocated,
}

OF_LEVEL: Final[dict[Level, dict[str, Sql]]] = {
    "PATIENT": _OF_PATIENT,
    "STUDY": {**_OF_PATIENT, **_OF_STUDY},
    "SERIES": {**_OF_PATIENT, **_OF_STUDY, **_OF_SERIES},
    "IMAGE": {**_OF_PATIENT, **_OF_STUDY, **_OF_SERIES, **_OF_INSTANCE},
}
"""What each level's rows tell by columns: their own attributes and those above."""

_series, _instance = aliased(Series), aliased(Instance)


def counts_of_study(*, instances: bool) -> Sql:
    """How many series or instances a study holds, what we made ourselves included, as they are all retrieved."""
    what = func.coalesce(func.sum(_series.number_of_instances), 0) if instances else func.count()
    return (
        select(what)
        .select_from(_series)
        .where(_series.study_id == Study.id, _series.number_of_instances > 0)
        .scalar_subquery()
    )


def column_matches(tag: str, wanted: Condition) -> Test:
    """The condition on an attribute of `OF_LEVEL["IMAGE"]`, or on one that is counted or gathered of a study."""
    if tag == MODALITIES:
        return _modalities(wanted)
    if tag == SOP_CLASSES:
        return _sop_classes(wanted)
    if tag in {SERIES_COUNT, INSTANCE_COUNT}:
        value: Any = counts_of_study(instances=tag == INSTANCE_COUNT)
    else:
        value = OF_LEVEL["IMAGE"][tag]
    match wanted:
        case Empty():
            return or_(value.is_(None), cast(value, Text) == "")
        case Texts():
            return text_matches(value if tag in _BY_CODE_POINT else value.collate("C"), wanted)
        case Numbers():
            return number_matches(value, wanted)
        case Names() | Words():
            return _name(tag, wanted)
        case Moments():
            raise TypeError(wanted)
        case Between():
            return time_matches(value, wanted) if wanted.vr == "TM" else date_matches(value, wanted)


_BY_CODE_POINT: Final = frozenset({"00100020", "00080050", "0020000D", "0020000E", "00080018"})
"""Columns whose collation is C already; naming it again would keep their index from serving."""


def _name(tag: str, wanted: Names | Words) -> Test:
    if tag == PATIENT_NAME:
        groups = (Study.name_alphabetic, Study.name_ideographic, Study.name_phonetic)
        return name_matches(groups, wanted, Study.name_folded)
    lowered = func.lower(Study.referring_physician.collate("pg_c_utf8")).collate("C")
    return name_matches((lowered,), wanted, func.archive.folded(Study.referring_physician).collate("C"))


def _modalities(wanted: Condition) -> Test:
    """Any of the modalities of a study is any of those wanted."""
    if isinstance(wanted, Empty):
        return func.cardinality(Study.modalities) == 0
    if not isinstance(wanted, Texts):
        raise TypeError(wanted)
    if not any(set(v) & {"*", "?"} for v in wanted.values):
        return Study.modalities.op("&&")(cast(list(wanted.values), ARRAY(Text)))
    each = func.unnest(Study.modalities).table_valued(column("value", Text)).render_derived().lateral()
    return exists(select(literal(1)).select_from(each).where(text_matches(each.c.value.collate("C"), wanted)))


def _sop_classes(wanted: Condition) -> Test:
    is_wanted: Test = text_matches(_instance.sop_class_uid, wanted) if isinstance(wanted, Texts) else true()
    found = exists(
        select(literal(1))
        .select_from(_series)
        .join(_instance, _instance.series_id == _series.id)
        .where(_series.study_id == Study.id, _instance.rejection_id.is_(None), is_wanted)
    )
    return ~found if isinstance(wanted, Empty) else found


def in_zone(offset: str, days: Between | None) -> tuple[Sql, Sql, list[Test]]:
    """The study's date (a date) and time (as text) on a clock with this offset from UTC, and what narrows the search by index."""
    written = func.concat(
        func.to_char(Study.study_date, "YYYYMMDD"), func.replace(func.coalesce(Study.study_time, ""), ":", "")
    )
    minutes = int(offset[0] + "1") * (int(offset[1:3]) * 60 + int(offset[3:5]))
    there = func.archive.instant(written, ZONE) + func.make_interval(0, 0, 0, 0, 0, minutes).cast(SqlInterval)
    near: list[Test] = []
    if days is not None and days.low:
        near.append(Study.study_date >= literal(_day(days.low)) - literal(1, Integer()))
    if days is not None and days.high:
        near.append(Study.study_date <= literal(_day(days.high)) + literal(1, Integer()))
    return cast(there, SqlDate), func.to_char(there, "HH24MISS.US").collate("C"), near


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
