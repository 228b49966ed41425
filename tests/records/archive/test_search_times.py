"""Ranges of dates and times, one by one, as one moment, and on other clocks (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import pytest

from heliograph.app.context import Context
from heliograph.records.archive.search import BadKey, Options, prepare
from tests.cast import Cast
from tests.records.archive.searching import filed, item, items, keys_of, made, searched, studies

EVE, NEW_YEAR, NOON, NO_TIME, NO_DATE = "1.1", "1.2", "1.3", "1.4", "1.5"


@pytest.fixture
def days(context: Context, cast: Cast) -> None:
    filed(
        context,
        cast,
        made(EVE, StudyDate="20251231", StudyTime="233000"),
        made(NEW_YEAR, StudyDate="20260101", StudyTime="0015", TimezoneOffsetFromUTC="-0500"),
        made(NOON, StudyDate="20260101", StudyTime="120000.5"),
        made(NO_TIME, StudyDate="20260102", StudyTime=None),
        made(NO_DATE, StudyDate=None, StudyTime="120100"),
    )


APART = [
    ({"StudyDate": "20260101"}, {NEW_YEAR, NOON}),
    ({"StudyDate": "2026.01.01"}, {NEW_YEAR, NOON}),
    ({"StudyDate": "20260101-"}, {NEW_YEAR, NOON, NO_TIME}),
    ({"StudyDate": "-20260101"}, {EVE, NEW_YEAR, NOON}),
    ({"StudyDate": "20251231-20260101"}, {EVE, NEW_YEAR, NOON}),
    ({"StudyDate": ""}, {EVE, NEW_YEAR, NOON, NO_TIME, NO_DATE}),
    ({"StudyTime": "12"}, {NOON, NO_DATE}),
    ({"StudyTime": "1200"}, {NOON}),
    ({"StudyTime": "120000"}, {NOON}),
    ({"StudyTime": "120000.5"}, {NOON}),
    ({"StudyTime": "120000.4"}, set()),
    ({"StudyTime": "-1200"}, {NEW_YEAR, NOON}),
    ({"StudyTime": "0015-1200"}, {NEW_YEAR, NOON}),
    ({"StudyTime": "001500-120000"}, {NEW_YEAR, NOON}),
    ({"StudyTime": "12:01-"}, {EVE, NO_DATE}),
    ({"StudyTime": "120000.6-"}, {EVE, NO_DATE}),
]


def test_apart(context: Context, cast: Cast, days: None) -> None:
    wrong = {}
    for keys, expected in APART:
        if (found := studies(context, cast, **keys)) != expected:
            wrong[str(keys)] = found
    assert wrong == {}


BOTH = [
    # From one night to the next day's noon: as one range it includes what is neither after 23:00 nor before 12:00 by itself.
    ("20251231-20260101", "2300-1200", {EVE, NEW_YEAR, NOON}, set()),
    ("20251231-20260101", "2300-0100", {EVE, NEW_YEAR}, set()),
    ("20260101", "00-11", {NEW_YEAR}, {NEW_YEAR}),
    ("20260101-", "1200-", {NOON, NO_TIME}, {NOON}),
    ("-20260101", "-0015", {EVE, NEW_YEAR}, {NEW_YEAR}),
    ("20260102", "00", {NO_TIME}, set()),
]


def test_as_one_moment_or_one_by_one(context: Context, cast: Cast, days: None) -> None:
    wrong = {}
    for day, time, together, apart in BOTH:
        for combined, expected in ((True, together), (False, apart)):
            found = studies(context, cast, Options(combined=combined), StudyDate=day, StudyTime=time)
            if found != expected:
                wrong[day, time, combined] = found
    assert wrong == {}


CLOCKS = [
    # The facility's clock is Oslo's (UTC+1 in winter); NEW_YEAR says that its own is New York's: 05:15 UTC.
    ("+0100", {"StudyDate": "20251231"}, {EVE}),
    ("+0200", {"StudyDate": "20251231"}, set()),
    ("+0200", {"StudyDate": "20260101"}, {EVE, NEW_YEAR, NOON}),
    ("+0200", {"StudyDate": "20260101", "StudyTime": "0030"}, {EVE}),
    ("+0000", {"StudyTime": "0515"}, {NEW_YEAR}),
    ("-0500", {"StudyTime": "0015"}, {NEW_YEAR}),
    ("+0000", {"StudyDate": "20260101", "StudyTime": "1100-1101"}, {NOON}),
    ("-0500", {"StudyDate": "20251231-20260101", "StudyTime": "17-00"}, {EVE, NEW_YEAR}),
]


def test_on_another_clock(context: Context, cast: Cast, days: None) -> None:
    wrong = {}
    for offset, keys, expected in CLOCKS:
        if (found := studies(context, cast, Options(timezone=offset), **keys)) != expected:
            wrong[offset, str(keys)] = found
    assert wrong == {}


def test_dates_and_times_of_series_and_instances(context: Context, cast: Cast) -> None:
    filed(
        context,
        cast,
        made("1.1", SeriesDate="20251231", SeriesTime="2330", AcquisitionDateTime="20260101003000.5+0100"),
        made("1.2", SeriesDate="20260101", SeriesTime="0100", AcquisitionDateTime="202601010030"),
    )

    def found(level: str, options: Options | None = None, **keys: str) -> set[str]:
        _, matches = searched(context, cast, level, keys_of(**keys), options=options)  # type: ignore[arg-type]
        return {m.study_instance_uid for m in matches}

    assert found("SERIES", SeriesDate="20251231") == {"1.1"}
    assert found("SERIES", Options(combined=False), SeriesDate="-20260101", SeriesTime="01") == {"1.2"}
    assert found("SERIES", SeriesDate="-20260101", SeriesTime="01") == {"1.1", "1.2"}
    night = {"SeriesDate": "20251231-20260101", "SeriesTime": "23-01"}
    assert found("SERIES", **night) == {"1.1", "1.2"}
    assert found("SERIES", Options(combined=False), **night) == set()
    assert found("IMAGE", AcquisitionDateTime="20260101003000") == {"1.1", "1.2"}
    assert found("IMAGE", AcquisitionDateTime="20260101003000.1-") == {"1.1"}
    # With an offset, moments are compared; what has none is on the study's or facility's clock, here Oslo's.
    assert found("IMAGE", AcquisitionDateTime="20251231233000.1+0000-") == {"1.1"}
    assert found("IMAGE", AcquisitionDateTime="20251231183000-0500") == {"1.1", "1.2"}
    assert found("IMAGE", AcquisitionDateTime="-20260101003000-0500") == {"1.1", "1.2"}
    assert found("IMAGE", AcquisitionDateTime="-20260101003000+0500") == set()
    assert found("IMAGE", Options(timezone="+0500"), AcquisitionDateTime="202601010430") == {"1.1", "1.2"}


def test_dates_in_sequences(context: Context, cast: Cast) -> None:
    for uid, day in (("1.1", "20260101"), ("1.2", "20260201")):
        step = item(ScheduledProcedureStepID="S", ScheduledProcedureStepStartDate=day)
        filed(context, cast, made(uid, RequestAttributesSequence=items(step)))
    keys = keys_of(RequestAttributesSequence__ScheduledProcedureStepStartDate="20260115-")
    _, found = searched(context, cast, "SERIES", keys)
    assert [m.study_instance_uid for m in found] == ["1.2"]


BAD = [
    ("StudyDate", "yesterday"), ("StudyDate", "20260230"), ("StudyDate", "2026010"), ("StudyDate", "20260101-20260101-"),
    ("StudyDate", "20260102-20260101"), ("StudyDate", "-"), ("StudyDate", "*"), ("StudyDate", "20260101\\20260102"),
    ("StudyTime", "25"), ("StudyTime", "123"), ("StudyTime", "1261"), ("StudyTime", "12?"), ("StudyTime", "12.5"),
    ("AcquisitionDateTime", "soon"), ("AcquisitionDateTime", "-"), ("AcquisitionDateTime", "20260101+2500"),
]  # fmt: skip


def test_what_is_no_date_or_time_is_told_without_its_value() -> None:
    for keyword, text in BAD:
        with pytest.raises(BadKey) as told:
            prepare("IMAGE", keys_of(**{keyword: text}))
        assert told.value.path == keys_of(**{keyword: text})[0].path
        assert text not in told.value.detail or text in {"-", "*"}, (keyword, text)
