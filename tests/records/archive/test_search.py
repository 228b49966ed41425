"""Matching of the archive's search, each kind of PS3.4 C.2.2.2 with its right values, on a real database."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, false, func, literal, select, text, true, update

from heliograph.app.context import Context
from heliograph.kit.actor import machine, system
from heliograph.records.archive.corrections import correct, undo_correction
from heliograph.records.archive.model import Study
from heliograph.records.archive.queries import study_by_uid
from heliograph.records.archive.search import BadKey, Key, Options, Scope, count, matching, prepare
from heliograph.records.archive.search_results import Wanted, described
from heliograph.records.archive.search_sql import text_matches
from heliograph.records.archive.search_values import Texts, folded_words, lower
from tests.cast import Cast
from tests.records.archive.searching import filed, item, items, keys_of, made, searched, studies

LARSEN, LARSENSEN, YAMADA, ASTROM, PERCENT = "1.1", "1.2", "1.3", "1.4", "1.5"
ALL = {LARSEN, LARSENSEN, YAMADA, ASTROM, PERCENT}


@pytest.fixture
def people(context: Context, cast: Cast) -> None:
    """Five patients, each with one study."""
    filed(
        context,
        cast,
        made(LARSEN, PatientName="LARSEN^Kari", PatientID="NF-1", AccessionNumber="A_1", StudyDescription="CT head"),
        made(
            LARSENSEN,
            PatientName="LARSENSEN^Ola^^Dr",
            PatientID="nf-1",
            AccessionNumber="AB1",
            StudyDescription="CT Head",
        ),
        made(
            YAMADA,
            PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
            PatientID="NF-3",
            AccessionNumber="A%1",
            StudyDescription="CT head*",
        ),
        made(
            ASTROM,
            PatientName="ÅSTRÖM^Lukasz Łukasz",
            PatientID="NF-4",
            AccessionNumber="A\u00e91",
            StudyDescription="Hode",
        ),
        made(
            PERCENT,
            PatientName="O'Brien-Smith^Mary Jane",
            PatientID="NF_4",
            AccessionNumber=None,
            StudyDescription=None,
        ),
    )


TEXTS = [
    # Single values are compared with regard to case, and wildcards where the VR has them (PS3.4 C.2.2.2.1, C.2.2.2.4).
    ({"PatientID": "NF-1"}, {LARSEN}),
    ({"PatientID": " NF-1 "}, {LARSEN}),
    ({"PatientID": "NF-?"}, {LARSEN, YAMADA, ASTROM}),
    ({"PatientID": "*-1"}, {LARSEN, LARSENSEN}),
    ({"PatientID": "NF_4"}, {PERCENT}),
    ({"PatientID": "NF_*"}, {PERCENT}),
    ({"PatientID": "*_4"}, {PERCENT}),
    ({"AccessionNumber": "*%1"}, {YAMADA}),
    ({"AccessionNumber": "A%1"}, {YAMADA}),
    ({"AccessionNumber": "A%*"}, {YAMADA}),
    ({"AccessionNumber": "A_*"}, {LARSEN}),
    ({"AccessionNumber": "A?1"}, {LARSEN, LARSENSEN, YAMADA, ASTROM}),
    ({"AccessionNumber": "A\u00e91"}, {ASTROM}),
    ({"StudyDescription": "CT head"}, {LARSEN}),
    ({"StudyDescription": "CT head*"}, {LARSEN, YAMADA}),
    ({"StudyInstanceUID": "1.1"}, {LARSEN}),
    ({"StudyInstanceUID": "1.1\\1.4\\1.9"}, {LARSEN, ASTROM}),
    ({"PatientSex": "F", "PatientID": "NF-4"}, {ASTROM}),
    ({"PatientSex": "f"}, set()),
    # Nothing, or asterisks alone, is anything, also what is not there (C.2.2.2.3).
    ({"AccessionNumber": ""}, ALL),
    ({"AccessionNumber": "*"}, ALL),
    ({"StudyDescription": "**"}, ALL),
    ({}, ALL),
]


def test_texts(context: Context, cast: Cast, people: None) -> None:
    wrong = {}
    for keys, expected in TEXTS:
        if (found := studies(context, cast, **keys)) != expected:
            wrong[str(keys)] = found
    assert wrong == {}


NAMES = [
    # Without case; what a key leaves out at its end may be anything; accents count.
    ("larsen", {LARSEN}),
    ("LARSEN^KARI", {LARSEN}),
    ("larsen^*", {LARSEN}),
    ("larsen^", {LARSEN}),
    ("larsen*", {LARSEN, LARSENSEN}),
    ("lars", set()),
    ("LARSEN?EN", {LARSENSEN}),
    ("larsensen^ola", {LARSENSEN}),
    ("*^kari", {LARSEN}),
    ("*kari*", {LARSEN}),
    ("åström*", {ASTROM}),
    ("astrom*", set()),
    ("l%*", set()),
    ("l_rsen", set()),
    # One group matches any group, several each its own (C.2.2.2.1.1).
    ("yamada", {YAMADA}),
    ("山田", {YAMADA}),
    ("山田^太郎", {YAMADA}),
    ("山*", {YAMADA}),
    ("やまだ*", {YAMADA}),
    ("yamada=山田", {YAMADA}),
    ("=山田", {YAMADA}),
    ("==やまだ", {YAMADA}),
    ("=yamada", set()),
    ("yamada=山本", set()),
    ("*=山田*", {YAMADA}),
    ("*", ALL),
    ("^", ALL),
    ("*^*", ALL),
]


def test_person_names(context: Context, cast: Cast, people: None) -> None:
    wrong = {}
    for name, expected in NAMES:
        if (found := studies(context, cast, PatientName=name)) != expected:
            wrong[name] = found
    assert wrong == {}


FUZZY = [
    # Words in any order, by their beginnings, without case, accents and punctuation (our fuzzy semantic matching).
    ("kari larsen", {LARSEN}),
    ("Lars", {LARSEN, LARSENSEN}),
    ("Ola^Larsensen", {LARSENSEN}),
    ("astrom", {ASTROM}),
    ("Åstrom, lukas", {ASTROM}),
    ("smith mary", {PERCENT}),
    ("obrien", set()),
    ("o brien", {PERCENT}),
    ("太郎", {YAMADA}),
    ("taro*", {YAMADA}),
    ("arsen", set()),
    ("%", set()),
    ("_", ALL),
    ("*", ALL),
]


def test_fuzzy_names(context: Context, cast: Cast, people: None) -> None:
    wrong = {}
    for name, expected in FUZZY:
        if (found := studies(context, cast, Options(fuzzy=True), PatientName=name)) != expected:
            wrong[name] = found
    assert wrong == {}


BAD = [
    ("StudyInstanceUID", "1.2.*"),
    ("StudyInstanceUID", "1.2.?"),
    ("StudyInstanceUID", "*"),
    ("StudyInstanceUID", "one"),
    ("StudyInstanceUID", "1" * 65),
    ("SOPClassesInStudy", "1.2*"),
    ("SeriesNumber", "1*"),
    ("SeriesNumber", "one"),
    ("SeriesNumber", "nan"),
    ("SeriesNumber", "1e999999"),
    ("PatientID", "A\\B"),
    ("PatientID", "A\0B"),
    ("PatientName", "LARSEN\\HANSEN"),
    ("StudyInstanceUID", "\\".join(["1.2"] * 2001)),
]


def test_what_a_key_may_not_hold_is_told_without_its_value() -> None:
    """UIDs are exact keys: a wildcard in one is refused, and never taken for a pattern or found as a letter."""
    for keyword, value in BAD:
        with pytest.raises(BadKey) as told:
            prepare("IMAGE", keys_of(**{keyword: value}))
        assert value not in told.value.detail, keyword


def test_several_values_and_none_where_agreed_on(context: Context, cast: Cast, people: None) -> None:
    several, empty = Options(several=True), Options(empty=True)
    assert studies(context, cast, several, PatientID="NF-1\\NF-4") == {LARSEN, ASTROM}
    assert studies(context, cast, several, PatientName="larsen*\\山田") == {LARSEN, LARSENSEN, YAMADA}
    assert studies(context, cast, empty, AccessionNumber='""') == {PERCENT}
    assert studies(context, cast, empty, StudyDescription='""', PatientID="NF_4") == {PERCENT}
    assert studies(context, cast, AccessionNumber='""') == set()
    assert studies(context, cast, empty, StudyDate='""') == set()


def test_attributes_of_headers(context: Context, cast: Cast) -> None:
    """What has no column is found in the images' headers, at the level that it describes and below."""
    filed(
        context,
        cast,
        made("1.1", InstitutionName="Norfjord 100%", SliceThickness="2.50", EchoNumbers=[1, 3], PatientWeight="70.5"),
        made(
            "1.2",
            InstitutionName="Norfjord",
            SliceThickness="2.5",
            ImageType=["ORIGINAL", "PRIMARY"],
            PatientWeight=None,
        ),
        made("1.3", "1.3.1", InstitutionName="norfjord", PerformingPhysicianName="Ås^Eli=大野"),
    )

    def found(level: str, options: Options | None = None, **keys: str) -> set[str]:
        search, matches = searched(context, cast, level, keys_of(**keys), options=options)  # type: ignore[arg-type]
        assert search.unsupported == ()
        return {m.study_instance_uid for m in matches}

    for level in ("SERIES", "IMAGE"):
        assert found(level, InstitutionName="Norfjord*") == {"1.1", "1.2"}
        assert found(level, InstitutionName="*%") == {"1.1"}
        assert found(level, InstitutionName="Norfjord") == {"1.2"}
        assert found(level, PerformingPhysicianName="ås") == {"1.3"}
        assert found(level, PerformingPhysicianName="大野") == {"1.3"}
        assert found(level, PerformingPhysicianName="as") == set()
        assert found(level, Options(fuzzy=True), PerformingPhysicianName="eli as") == {"1.3"}
        assert found(level, Options(empty=True), PerformingPhysicianName='""') == {"1.1", "1.2"}
    assert found("IMAGE", SliceThickness="2.5") == {"1.1", "1.2"}
    assert found("IMAGE", EchoNumbers="3") == {"1.1"}
    assert found("IMAGE", EchoNumbers="4") == set()
    assert found("IMAGE", ImageType="PRIMARY") == {"1.2"}
    assert found("IMAGE", ImageType="PRIMARY", InstitutionName="norfjord") == set()
    for level in ("STUDY", "SERIES", "IMAGE"):
        assert found(level, PatientWeight="70.50") == {"1.1"}
    search, matches = searched(context, cast, "STUDY", keys_of(InstitutionName="Norfjord", SliceThickness="9"))
    assert (search.unsupported, len(matches)) == ((("00080080",), ("00180050",)), 3)


def test_what_only_headers_hold_is_matched_as_it_is_put_right(context: Context, cast: Cast) -> None:
    stored = {
        "PatientWeight": "70", "PatientAge": "078Y", "PatientBirthName": "Berg^Kari", "PatientComments": "left", "Occupation": "Nurse",
        "OtherPatientIDs": ["X", "Y"],
    }  # fmt: skip
    filed(context, cast, made("1.1", **stored), made("1.2", **stored))
    right = {
        "00101030": "71.5", "00101010": "077Y", "00101005": "Dahl^Kari=Y", "00104000": "right\\wrong", "00102180": "", "00101000": "A\\B",
    }  # fmt: skip
    with context.works.begin(system("test", cast.norfjord)) as work:
        row = study_by_uid(work.session, cast.norfjord, "1.1")
        assert row is not None
        correct(work, row.id, "entered", right, "typed wrong")
    for keys, expected in (
        ({"PatientWeight": "71.5"}, {"1.1"}),
        ({"PatientWeight": "70"}, {"1.2"}),
        ({"PatientAge": "077Y"}, {"1.1"}),
        ({"PatientBirthName": "dahl*"}, {"1.1"}),
        ({"PatientBirthName": "Dahl^Kari=y"}, {"1.1"}),
        ({"PatientBirthName": "berg"}, {"1.2"}),
        ({"PatientComments": "right*"}, {"1.1"}),
        ({"OtherPatientIDs": "B"}, {"1.1"}),
        ({"OtherPatientIDs": "Y"}, {"1.2"}),
        ({"Occupation": "Nurse"}, {"1.2"}),
        ({"Occupation": "Nurse", "PatientWeight": "71.5"}, set()),
    ):
        assert studies(context, cast, **keys) == expected, keys
    assert studies(context, cast, Options(empty=True), Occupation='""') == {"1.1"}
    assert studies(context, cast, Options(fuzzy=True), PatientBirthName="kari dahl") == {"1.1"}
    for level in ("SERIES", "IMAGE"):
        _, found = searched(context, cast, level, keys_of(PatientAge="077Y", Modality="CT"))
        assert {match.study_instance_uid for match in found} == {"1.1"}
    with context.works.begin(system("test", cast.norfjord)) as work:
        undo_correction(work, row.id, "it was right")
    assert studies(context, cast, PatientAge="077Y") == set()
    assert studies(context, cast, PatientAge="078Y") == {"1.1", "1.2"}


def test_private_and_unknown_attributes_are_not_matched_on() -> None:
    search = prepare(
        "IMAGE", [Key(("00091001",), "x"), Key(("00089999",), "x"), Key(("7FE00010",), "x"), Key(("00400275",), "x")]
    )
    assert (len(search.unsupported), search.tests) == (4, ())


def test_items_of_sequences(context: Context, cast: Cast) -> None:
    """One item must match all keys of a sequence, at any depth (PS3.4 C.2.2.2.6)."""
    filed(
        context,
        cast,
        made(
            "1.1",
            RequestAttributesSequence=items(
                item(ScheduledProcedureStepID="S1", RequestedProcedureID="P1"),
                item(ScheduledProcedureStepID="S2", RequestedProcedureID="P2"),
            ),
            OtherPatientIDsSequence=items(item(PatientID="X-1", IssuerOfPatientID="OLD")),
            ProcedureCodeSequence=items(item(CodeValue="CT1", CodingSchemeDesignator="L", CodeMeaning="CT head")),
        ),
        made(
            "1.2",
            RequestAttributesSequence=items(
                item(
                    ScheduledProcedureStepID="S1",
                    RequestedProcedureID="P2",
                    ScheduledProtocolCodeSequence=items(
                        item(CodeValue="C", CodingSchemeDesignator="L", CodeMeaning="x")
                    ),
                )
            ),
        ),
        made("1.3", RequestAttributesSequence=items()),
    )

    def found(level: str, **keys: str) -> set[str]:
        search, matches = searched(context, cast, level, keys_of(**keys))  # type: ignore[arg-type]
        assert search.unsupported == ()
        return {m.study_instance_uid for m in matches}

    step, procedure = (
        "RequestAttributesSequence__ScheduledProcedureStepID",
        "RequestAttributesSequence__RequestedProcedureID",
    )
    for level in ("SERIES", "IMAGE"):
        assert found(level, **{step: "S1"}) == {"1.1", "1.2"}
        assert found(level, **{step: "S?"}) == {"1.1", "1.2"}
        assert found(level, **{step: "S1", procedure: "P2"}) == {"1.2"}
        assert found(level, **{step: "S2", procedure: "P1"}) == set()
        assert found(level, RequestAttributesSequence__ScheduledProtocolCodeSequence__CodeValue="C") == {"1.2"}
        assert found(level, **{step: ""}) == {"1.1", "1.2", "1.3"}
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert found(
            level, OtherPatientIDsSequence__PatientID="X-1", OtherPatientIDsSequence__IssuerOfPatientID="OLD"
        ) == {"1.1"}
        assert found(level, OtherPatientIDsSequence__PatientID="X-2") == set()
    assert found("STUDY", ProcedureCodeSequence__CodeValue="CT1", PatientID="NF-1") == {"1.1"}
    wanted = Wanted({"00400275": {"00400009": {}}, "00100020": {}, "00321064": {}})
    _, (match,) = searched(context, cast, "SERIES", keys_of(StudyInstanceUID="1.1"), wanted=wanted)
    assert match.elements["00400275"] == {
        "vr": "SQ",
        "Value": [{"00400009": {"vr": "SH", "Value": ["S1"]}}, {"00400009": {"vr": "SH", "Value": ["S2"]}}],
    }
    assert match.elements["00100020"] == {"vr": "LO", "Value": ["NF-1"]}


def test_modalities_classes_and_counts_of_studies(context: Context, cast: Cast) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    filed(
        context,
        cast,
        made("1.1", "1.1.1", 1),
        made("1.1", "1.1.1", 2),
        made("1.1", "1.1.2", 1, Modality="MR", SOPClassUID=mr),
        made("1.2", PatientID="NF-1"),
        made("1.3", PatientID="NF-2", Modality="OT"),
        made("1.4", PatientID="NF-1", IssuerOfPatientID="OTHER"),
    )
    assert studies(context, cast, ModalitiesInStudy="MR") == {"1.1"}
    assert studies(context, cast, ModalitiesInStudy="MR\\OT") == {"1.1", "1.3"}
    assert studies(context, cast, ModalitiesInStudy="?T") == {"1.1", "1.2", "1.3", "1.4"}
    assert studies(context, cast, ModalitiesInStudy="M*") == {"1.1"}
    assert studies(context, cast, ModalitiesInStudy="mr") == set()
    assert studies(context, cast, SOPClassesInStudy=mr) == {"1.1"}
    assert studies(context, cast, SOPClassesInStudy=f"{mr}\\1.2.3") == {"1.1"}
    assert studies(context, cast, NumberOfStudyRelatedInstances="3") == {"1.1"}
    assert studies(context, cast, NumberOfStudyRelatedSeries="1") == {"1.2", "1.3", "1.4"}
    tags = {
        "NumberOfPatientRelatedStudies": 2,
        "NumberOfPatientRelatedSeries": 3,
        "NumberOfPatientRelatedInstances": 4,
        "NumberOfStudyRelatedSeries": 2,
        "NumberOfStudyRelatedInstances": 3,
    }
    wanted = Wanted(
        {key.path[0]: {} for key in keys_of(**dict.fromkeys(tags, ""), ModalitiesInStudy="", SOPClassesInStudy="")}
    )
    _, (match,) = searched(context, cast, "STUDY", keys_of(StudyInstanceUID="1.1"), wanted=wanted)
    for keyword, number in tags.items():
        assert match.elements[keys_of(**{keyword: ""})[0].path[0]] == {"vr": "IS", "Value": [number]}, keyword
    assert sorted(match.elements["00080061"]["Value"]) == ["CT", "MR"]
    assert match.elements["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2", mr]
    number = Wanted({"00201209": {}, "00200011": {}})
    _, found = searched(context, cast, "SERIES", keys_of(StudyInstanceUID="1.1", Modality="CT"), wanted=number)
    assert [m.elements for m in found] == [
        {"00200011": {"vr": "IS", "Value": [2]}, "00201209": {"vr": "IS", "Value": [2]}}
    ]


def test_patients_by_identifier_and_issuer(context: Context, cast: Cast) -> None:
    """The same number of two issuers is two patients; images that name no issuer are of the facility's own."""
    filed(
        context,
        cast,
        made("1.1", PatientID="NF-1", PatientName="OLD^Name", StudyDate="20250101"),
        made("1.2", PatientID="NF-1", PatientName="NEW^Name", StudyDate="20260101"),
        made("1.3", PatientID="NF-1", IssuerOfPatientID="OTHER", PatientName="ELSE^Some", StudyDate="20250101"),
        made("1.4", PatientID=None),
    )
    wanted = Wanted({"00100010": {}, "00100020": {}, "00100021": {}, "00201200": {}})
    _, found = searched(context, cast, "PATIENT", [], wanted=wanted)
    told = [
        (
            m.elements["00100010"]["Value"][0]["Alphabetic"],
            m.elements["00100021"]["Value"][0],
            m.elements["00201200"]["Value"],
        )
        for m in found
    ]
    own = next(issuer for _, issuer, _ in told if issuer != "OTHER")
    assert sorted(told) == [("ELSE^Some", "OTHER", [1]), ("NEW^Name", own, [2])]
    assert studies(context, cast, PatientID="NF-1", IssuerOfPatientID="OTHER") == {"1.3"}
    assert studies(context, cast, PatientID="NF-1", IssuerOfPatientID=own) == {"1.1", "1.2"}
    assert studies(context, cast, IssuerOfPatientID="NOBODY") == set()


def test_pages_are_in_order_and_counted(context: Context, cast: Cast) -> None:
    filed(
        context,
        cast,
        *(made(f"1.{n}", StudyDate=f"2026010{n}", PatientID=f"P{n}") for n in range(1, 6)),
        made("1.6", StudyDate=None),
    )
    seen: list[str] = []
    for offset in range(0, 7, 2):
        _, found = searched(context, cast, "STUDY", [], limit=2, offset=offset)
        seen += [m.study_instance_uid for m in found]
    assert seen == ["1.5", "1.4", "1.3", "1.2", "1.1", "1.6"]
    with context.works.read(system("test", cast.norfjord)) as work:
        for level, most, expected in (
            ("STUDY", 6, 6),
            ("STUDY", 5, None),
            ("PATIENT", 9, 6),
            ("SERIES", 9, 6),
            ("IMAGE", 9, 6),
        ):
            assert count(work.session, Scope(cast.norfjord), prepare(level, []), most=most) == expected, level  # type: ignore[arg-type]


def test_the_whole_of_an_own_organisation_is_counted_without_asking_of_each(context: Context, cast: Cast) -> None:
    filed(context, cast, *(made(f"1.{n}") for n in range(1, 5)))
    with context.works.begin(system("test", cast.norfjord)) as work:
        work.session.execute(update(Study).where(Study.study_instance_uid == "1.1").values(number_of_series=0))
        work.session.execute(update(Study).where(Study.study_instance_uid == "1.2").values(match_state="held"))
        work.record("test")
    search, of_own = prepare("STUDY", []), select(func.archive.count_of_own(cast.norfjord, 3))
    insiders = (system("test", cast.norfjord), machine("STATION", None, cast.norfjord), cast.eirik, cast.nadia)
    for actor in (*insiders, cast.imogen, cast.harper, cast.otto, system("test", cast.llano), system("test")):
        with context.works.read(actor) as work:
            is_own = actor in insiders
            assert work.session.scalar(of_own) == (3 if is_own else None), actor.name
            for most, expected in ((3, 3), (2, None)) if is_own else ((3, 0),):
                for scope in (
                    Scope(cast.norfjord),
                    Scope(cast.norfjord, whole=True),
                    Scope(cast.norfjord, true(), True),
                ):
                    assert count(work.session, scope, search, most=most) == expected, (actor.name, scope.whole)
    with context.works.read(cast.eirik) as work:
        one = prepare("STUDY", keys_of(StudyInstanceUID="1.3"))
        assert count(work.session, Scope(cast.norfjord, whole=True), one, most=3) == 1
        assert count(work.session, Scope(cast.norfjord, Study.match_state != "held"), search, most=3) == 2


def test_others_find_nothing(context: Context, cast: Cast) -> None:
    filed(context, cast, made("1.1"))
    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        for actor in (system("test", cast.llano), cast.harper, cast.imogen):
            assert searched(context, cast, level, [], actor=actor)[1] == []  # type: ignore[arg-type]
        with context.works.read(system("test", cast.norfjord)) as work:
            nothing, everything = Scope(cast.norfjord, false()), Scope(cast.norfjord, true())
            search = prepare(level, [])  # type: ignore[arg-type]
            assert matching(work.session, nothing, search, limit=9) == []
            assert count(work.session, nothing, search, most=9) == 0
            ids = matching(work.session, everything, search, limit=9)
            assert len(ids) == count(work.session, everything, search, most=9) == 1
            assert described(work.session, nothing, level, ids, Wanted({})) == []  # type: ignore[arg-type]
        assert searched(context, cast, level, [], only=false())[1] == []  # type: ignore[arg-type]
        assert len(searched(context, cast, level, [], only=true())[1]) == 1  # type: ignore[arg-type]


@given(
    text_=st.text(
        st.characters(codec="utf-8", exclude_characters="*?\\", exclude_categories=["Cs", "Cc", "Cn"]), max_size=24
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_are_folded_alike_here_and_in_the_database(context: Context, text_: str) -> None:
    with context.works.read(system("test")) as work:
        folded, lowered = work.session.execute(
            text('select archive.folded(:t), lower(:t collate "pg_c_utf8")'), {"t": text_}
        ).one()
    assert lower(text_) == lowered
    assert tuple(w for w in folded.split(" ") if w) == folded_words(text_)


@given(value=st.text("abA%_\\.[^", max_size=6), pattern=st.text("abA%_\\.[^*?", min_size=1, max_size=6))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_asterisk_and_question_mark_are_wildcards(context: Context, value: str, pattern: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace("\\*", ".*").replace("\\?", "."), value) is not None
    wanted = Texts((pattern,))
    with context.works.read(system("test")) as work:
        assert work.session.scalar(select(text_matches(literal(value, Text()).collate("C"), wanted))) is expected
