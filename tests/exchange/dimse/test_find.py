"""C-FIND as a function: levels and hierarchy, what comes back in which character set, refusals, and what is on record."""

from __future__ import annotations

import itertools
import warnings
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dimse import find as module
from heliograph.exchange.dimse.find import (
    MISMATCH,
    OUT_OF_RESOURCES,
    PATIENT_ROOT,
    PENDING,
    PENDING_UNSUPPORTED,
    STUDY_ROOT,
    FindRefused,
    Negotiated,
    find,
)
from heliograph.kit.net.dicom.identifiers import decode_identifier, encode_identifier, query_for
from heliograph.records.sites.queries import KnownCaller
from tests.cast import Cast
from tests.records.archive.searching import filed, item, items, made

BIG = ExplicitVRBigEndian


def caller(cast: Cast, organization_id: UUID | None = None) -> KnownCaller:
    return KnownCaller(
        id=uuid4(),
        organization_id=organization_id or cast.norfjord,
        facility_id=cast.norfjord_facility,
        called_ae="HELIOGRAPH",
        calling_ae="STATION",
        address=None,
        description=None,
        sends_priors=False,
        is_active=True,
    )


def asked(level: str, model: str = STUDY_ROOT, **keys: Any) -> tuple[str, Dataset]:
    """The model and an identifier that went over the wire."""
    identifier = query_for(level, keys)  # type: ignore[arg-type]
    return model, decode_identifier(encode_identifier(identifier, ExplicitVRLittleEndian), ExplicitVRLittleEndian)


def found(
    context: Context, cast: Cast, query: tuple[str, Dataset], *, who: KnownCaller | None = None, **options: Any
) -> list[Dataset]:
    """The answers, each as it arrives over the wire."""
    told = []
    for given in find(context.works, who or caller(cast), *query, **options):
        read = [decode_identifier(given.encoded(s), s) for s in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, BIG)]
        read.append(decode_identifier(encode_identifier(given.identifier, BIG), BIG))
        assert all(str(one) == str(read[0]) for one in read)
        told.append(read[0])
    return told


@pytest.fixture
def archive(context: Context, cast: Cast) -> None:
    filed(
        context,
        cast,
        made(
            "1.1",
            "1.1.1",
            1,
            PatientName="LARSEN^Kari",
            PatientID="NF-1",
            AccessionNumber="A1",
            SliceThickness="1.2345678901234",
        ),
        made("1.1", "1.1.1", 2, PatientName="LARSEN^Kari", PatientID="NF-1", AccessionNumber="A1"),
        made("1.1", "1.1.2", 1, PatientName="LARSEN^Kari", PatientID="NF-1", AccessionNumber="A1", Modality="MR"),
        made("1.2", PatientName="ÅS^Ola", PatientID="NF-2", AccessionNumber="A2", InstitutionName="Ålesund"),
        made("1.3", PatientName="Yamada^Tarou=山田^太郎", PatientID="NF-3", AccessionNumber="A3"),
    )


def test_each_level_of_both_models(context: Context, cast: Cast, archive: None) -> None:
    def values(query: tuple[str, Dataset], keyword: str) -> list[str]:
        return sorted(str(d.get(keyword)) for d in found(context, cast, query))

    assert values(asked("PATIENT", PATIENT_ROOT, PatientID="", PatientName=""), "PatientID") == ["NF-1", "NF-2", "NF-3"]
    assert values(asked("PATIENT", PATIENT_ROOT, PatientName="larsen"), "PatientID") == ["NF-1"]
    assert values(asked("STUDY", PATIENT_ROOT, PatientID="NF-1"), "StudyInstanceUID") == ["1.1"]
    assert values(asked("STUDY", StudyInstanceUID="1.1\\1.2"), "StudyInstanceUID") == ["1.1", "1.2"]
    assert values(asked("STUDY", ModalitiesInStudy="MR"), "StudyInstanceUID") == ["1.1"]
    assert values(asked("SERIES", StudyInstanceUID="1.1"), "SeriesInstanceUID") == ["1.1.1", "1.1.2"]
    assert values(asked("SERIES", StudyInstanceUID="1.1", Modality="MR"), "SeriesInstanceUID") == ["1.1.2"]
    assert values(asked("SERIES", PATIENT_ROOT, PatientID="NF-2", StudyInstanceUID="1.1"), "SeriesInstanceUID") == []
    image = asked("IMAGE", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", InstanceNumber="2")
    assert values(image, "SOPInstanceUID") == ["1.1.1.2"]
    whole = asked(
        "IMAGE", PATIENT_ROOT, PatientID="NF-1", StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1", SOPInstanceUID=""
    )
    assert values(whole, "SOPInstanceUID") == ["1.1.1.1", "1.1.1.2"]


def test_an_answer_holds_what_was_asked(context: Context, cast: Cast, archive: None) -> None:
    keys = dict.fromkeys(
        ("PatientName", "PatientBirthDate", "PhysiciansOfRecord", "StudyDate", "StudyTime", "ModalitiesInStudy"), ""
    )
    (one,) = found(
        context, cast, asked("STUDY", AccessionNumber="A1", NumberOfStudyRelatedInstances="", StudyID="", **keys)
    )
    assert {e.keyword: str(e.value or "") for e in one} == {
        "StudyDate": "20261125",
        "StudyTime": "013000",
        "AccessionNumber": "A1",
        "QueryRetrieveLevel": "STUDY",
        "RetrieveAETitle": "HELIOGRAPH",
        "InstanceAvailability": "ONLINE",
        "ModalitiesInStudy": "['CT', 'MR']",
        "PatientName": "LARSEN^Kari",
        "PatientBirthDate": "19480312",
        "PhysiciansOfRecord": "",
        "StudyInstanceUID": "1.1",
        "StudyID": "1",
        "NumberOfStudyRelatedInstances": "3",
    }
    query = asked(
        "IMAGE",
        StudyInstanceUID="1.1",
        SeriesInstanceUID="1.1.1",
        InstanceNumber="1",
        SliceThickness="",
        WindowWidth="",
        Rows=None,
    )
    (image,) = found(context, cast, query)
    assert (str(image["SliceThickness"].value), image.WindowWidth, image.Rows) == ("1.2345678901234", 80, 16)


def test_sequences_are_matched_and_told(context: Context, cast: Cast) -> None:
    for uid, step in (("1.1", "S1"), ("1.2", "S2")):
        filed(
            context,
            cast,
            made(uid, RequestAttributesSequence=items(item(ScheduledProcedureStepID=step, RequestedProcedureID="P"))),
        )
    key = items(item(ScheduledProcedureStepID="S2"))
    (one,) = found(context, cast, asked("SERIES", StudyInstanceUID="1.2", RequestAttributesSequence=key))
    (told,) = one.RequestAttributesSequence
    assert {e.keyword: e.value for e in told} == {"ScheduledProcedureStepID": "S2"}
    assert found(context, cast, asked("SERIES", StudyInstanceUID="1.1", RequestAttributesSequence=key)) == []
    (whole,) = found(context, cast, asked("SERIES", StudyInstanceUID="1.1", RequestAttributesSequence=items()))
    assert whole.RequestAttributesSequence[0].RequestedProcedureID == "P"
    empty = asked(
        "SERIES", StudyInstanceUID="1.1", RequestAttributesSequence=items(item(ScheduledProcedureStepDescription=""))
    )
    assert (
        found(context, cast, empty)[0].RequestAttributesSequence[0].get("ScheduledProcedureStepDescription", "") == ""
    )


CHARACTER_SETS = [
    (None, "ISO_IR 192"),
    ("ISO_IR 100", "ISO_IR 192"),
    (["", "ISO 2022 IR 87"], ["", "ISO 2022 IR 87"]),
    ("ISO_IR 192", "ISO_IR 192"),
    ("ISO_IR 6", "ISO_IR 192"),
    ("NOTHING", "ISO_IR 192"),
]


def test_answers_are_never_mojibake(context: Context, cast: Cast, archive: None) -> None:
    """Field report A05: each answer bears its own character set."""
    for character_set, expected in CHARACTER_SETS:
        query = asked("STUDY", AccessionNumber="A3", PatientName="")
        if character_set is not None:
            query[1].SpecificCharacterSet = character_set
        (one,) = found(context, cast, query)
        answered = one.SpecificCharacterSet
        assert (answered if isinstance(answered, str) else list(answered)) == expected, character_set
        assert str(one.PatientName) == "Yamada^Tarou=山田^太郎", character_set
    latin = asked("STUDY", PatientName="ås*")
    latin[1].SpecificCharacterSet = "ISO_IR 100"
    wire = decode_identifier(encode_identifier(latin[1], ExplicitVRLittleEndian), ExplicitVRLittleEndian)
    (one,) = found(context, cast, (STUDY_ROOT, wire))
    assert (one.SpecificCharacterSet, str(one.PatientName)) == ("ISO_IR 100", "ÅS^Ola")
    for no_latin in ("ISO_IR 6", ["", "ISO 2022 IR 87"]):
        wire.SpecificCharacterSet = no_latin
        (one,) = found(context, cast, (STUDY_ROOT, wire))
        assert (one.SpecificCharacterSet, str(one.PatientName)) == ("ISO_IR 192", "ÅS^Ola")
    (plain,) = found(context, cast, asked("STUDY", PatientID="NF-1", PatientName=""))
    assert "SpecificCharacterSet" not in plain


REFUSED = [
    (asked("STUDY", "1.2.3"), None),
    ((STUDY_ROOT, Dataset()), 0x00080052),
    (asked("PATIENT"), 0x00080052),
    (asked("IMAGES"), 0x00080052),
    (asked("STUDY", PATIENT_ROOT), 0x00100020),
    (asked("STUDY", PATIENT_ROOT, PatientID="NF*"), 0x00100020),
    (asked("SERIES"), 0x0020000D),
    (asked("SERIES", StudyInstanceUID=""), 0x0020000D),
    (asked("SERIES", StudyInstanceUID="1.1\\1.2"), 0x0020000D),
    (asked("IMAGE", StudyInstanceUID="1.1"), 0x0020000E),
    (asked("STUDY", StudyInstanceUID="1.*"), 0x0020000D),
    (asked("STUDY", StudyDate="2026-11-25"), 0x00080020),
    (asked("SERIES", StudyInstanceUID="1.1", StudyTime="noon"), 0x00080030),
]


def test_what_can_not_be_answered_is_refused_with_its_reason(context: Context, cast: Cast, archive: None) -> None:
    for query, offending in REFUSED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(FindRefused) as told:
                find(context.works, caller(cast), *query)
        assert told.value.dimse_status == MISMATCH
        assert told.value.offending == ((offending,) if offending else ())
        assert 0 < len(told.value.comment) <= 64
        for secret in ("NF", "1.1", "2026", "noon"):
            assert secret not in told.value.comment


def test_a_number_with_a_wildcard_is_refused(context: Context, cast: Cast) -> None:
    model, identifier = asked("SERIES", StudyInstanceUID="1.1", Modality="XX")
    raw = encode_identifier(identifier, ExplicitVRLittleEndian) + b"\x20\x00\x11\x00IS\x02\x001*"
    with pytest.raises(FindRefused) as told:
        find(context.works, caller(cast), model, decode_identifier(raw, ExplicitVRLittleEndian))
    assert (told.value.dimse_status, told.value.offending) == (MISMATCH, (0x00200011,))


def test_relational_queries_need_no_keys_above(context: Context, cast: Cast, archive: None) -> None:
    relational = Negotiated(relational=True)
    series = found(context, cast, asked("SERIES", Modality="CT"), negotiated=relational)
    assert sorted(d.SeriesInstanceUID for d in series) == ["1.1.1", "1.2.1", "1.3.1"]
    assert {str(d.StudyInstanceUID) for d in series} == {"1.1", "1.2", "1.3"}
    images = found(context, cast, asked("IMAGE", PatientName="larsen", SOPInstanceUID=""), negotiated=relational)
    assert len(images) == 3
    studies = found(context, cast, asked("STUDY", PATIENT_ROOT, AccessionNumber="A2"), negotiated=relational)
    assert [d.StudyInstanceUID for d in studies] == ["1.2"]


def test_what_was_negotiated_is_what_is_done(context: Context, cast: Cast) -> None:
    filed(
        context,
        cast,
        made("1.1", StudyDate="20251231", StudyTime="2330", PatientName="ÅS^Ola"),
        made("1.2", StudyDate="20260101", StudyTime="0100"),
    )

    def uids(query: tuple[str, Dataset], **how: bool) -> list[str]:
        return sorted(d.StudyInstanceUID for d in found(context, cast, query, negotiated=Negotiated(**how)))

    night = asked("STUDY", StudyDate="20251231-20260101", StudyTime="2300-0200")
    assert (uids(night), uids(night, combined_date_time=True)) == ([], ["1.1", "1.2"])
    name = asked("STUDY", PatientName="ola as")
    assert (uids(name), uids(name, fuzzy=True)) == ([], ["1.1"])
    zone = asked("STUDY", StudyDate="20260101", TimezoneOffsetFromUTC="+0200")
    assert (uids(zone), uids(zone, timezone=True)) == (["1.2"], ["1.1", "1.2"])


def test_unsupported_keys_are_told_by_the_status(context: Context, cast: Cast, archive: None) -> None:
    for keys, status in (
        ({"StudyDescription": ""}, PENDING),
        ({"PatientComments": "", "OtherPatientIDsSequence": items()}, PENDING),
        ({"SeriesDescription": ""}, PENDING_UNSUPPORTED),
        ({"Modality": "MR"}, PENDING_UNSUPPORTED),
        ({"NumberOfPatientRelatedStudies": "7"}, PENDING_UNSUPPORTED),
    ):
        answers = list(find(context.works, caller(cast), *asked("STUDY", StudyInstanceUID="1.2", **keys)))
        assert [a.status for a in answers] == [status], keys
        assert all(k in answers[0].identifier for k in keys), keys
    private = asked("STUDY", StudyInstanceUID="1.2")
    private[1].add_new(0x00091001, "LO", "x")
    assert [a.status for a in find(context.works, caller(cast), *private)] == [PENDING_UNSUPPORTED]


def events(owner_url: str) -> list[Any]:
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("select actor_name, actor_kind, organization_id, subject_kind, subject_id, detail from audit.events "
                 "where action = 'studies.searched' order by id")
        ).all()  # fmt: skip
    engine.dispose()
    return list(rows)


def test_a_query_is_on_record_before_its_first_answer(
    context: Context, cast: Cast, archive: None, owner_url: str
) -> None:
    who = caller(cast)
    next(find(context.works, who, *asked("STUDY", PatientName="*")))  # and then C-CANCEL
    list(find(context.works, who, *asked("STUDY", PatientName="nobody")))
    first, second = events(owner_url)
    for row in (first, second):
        assert (row.actor_name, row.actor_kind, row.organization_id) == ("STATION", "machine", cast.norfjord)
        assert (row.subject_kind, row.subject_id) == ("caller", who.id)
    assert first.detail == {"results": 3, "level": "study"}
    assert second.detail == {"results": 0, "level": "study"}, "and not whom it asked for"


def test_a_caller_sees_its_own_organisation_alone(context: Context, cast: Cast, archive: None, owner_url: str) -> None:
    outsider = caller(cast, cast.llano)
    for query in (
        asked("STUDY"),
        asked("STUDY", StudyInstanceUID="1.1"),
        asked("PATIENT", PATIENT_ROOT),
        asked("SERIES", StudyInstanceUID="1.1"),
    ):
        assert found(context, cast, query, who=outsider) == []
    relational = Negotiated(relational=True)
    assert found(context, cast, asked("IMAGE"), who=outsider, negotiated=relational) == []
    rows = events(owner_url)
    assert {(row.organization_id, row.detail["results"]) for row in rows} == {(cast.llano, 0)}
    assert [row.detail["level"] for row in rows] == ["study", "study", "patient", "series", "image"]


def test_pages_follow_each_other_and_end(
    context: Context, cast: Cast, monkeypatch: pytest.MonkeyPatch, owner_url: str
) -> None:
    filed(context, cast, *(made(f"1.{n}", PatientID=f"P{n}", StudyDate=f"202601{n:02d}") for n in range(1, 8)))
    monkeypatch.setattr(module, "PAGE", 3)
    answers = find(context.works, caller(cast), *asked("STUDY", StudyDate=""))
    first = [a.identifier.StudyInstanceUID for a in itertools.islice(answers, 2)]
    filed(context, cast, made("1.9", PatientID="P9", StudyDate="20260201"))  # comes while the caller takes its time
    everything = [*first, *(a.identifier.StudyInstanceUID for a in answers)]
    assert everything == ["1.7", "1.6", "1.5", "1.9", "1.4", "1.3", "1.2", "1.1"]  # each once, none passed over
    told = [row.detail for row in events(owner_url)]
    assert told == [{"results": 3, "level": "study"}, {"results": 5, "level": "study", "continued": True}]
    monkeypatch.setattr(module, "MOST", 4)
    given: list[str] = []
    with pytest.raises(FindRefused) as refused:
        given.extend(a.identifier.StudyInstanceUID for a in find(context.works, caller(cast), *asked("STUDY")))
    assert (len(given), refused.value.dimse_status) == (4, OUT_OF_RESOURCES)
