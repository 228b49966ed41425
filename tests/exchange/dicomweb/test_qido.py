"""QIDO-RS over a real server: resources, parameters, pages, warnings, media types, and who finds what (PS3.18 8.3.4, 10.6)."""

from __future__ import annotations

import gzip
import re
from typing import Any

import httpx
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.qido import BadQuery, parse, path_of, searched
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import searching
from tests.records.archive.searching import item, items, made

ROOT = "/dicomweb/norfjord"


@pytest.fixture
def archive(context: Context, cast: Cast) -> None:
    """Three studies of two patients, one of them with two series."""
    step = items(item(ScheduledProcedureStepID="S1", RequestedProcedureID="P1"))
    searching.filed(
        context,
        cast,
        made("1.1", "1.1.1", 1, PatientName="LARSEN^Kari", AccessionNumber="A1", RequestAttributesSequence=step),
        made("1.1", "1.1.1", 2, PatientName="LARSEN^Kari", AccessionNumber="A1", RequestAttributesSequence=step),
        made("1.1", "1.1.2", 1, PatientName="LARSEN^Kari", AccessionNumber="A1", Modality="MR", SeriesNumber=3),
        made("1.2", PatientName="LARSEN^Kari", AccessionNumber="A*", StudyDate="20260101", StudyTime="0800"),
        made(
            "1.3",
            PatientName="TEST",
            PatientID="NF_2",
            StudyDate="20251231",
            StudyTime="2200",
            InstitutionName="Norfjord",
        ),
    )


@pytest.fixture
def eirik(served: Served, cast: Cast) -> httpx.Client:
    return served.client(cast.eirik)


def uids(answer: httpx.Response, tag: str = "0020000D") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [found[tag]["Value"][0] for found in answer.json()]


FOUND = [
    ("", ["1.1", "1.2", "1.3"]),
    ("PatientID=NF-1", ["1.1", "1.2"]),
    ("00100020=NF_2", ["1.3"]),
    ("PatientID=NF_*", ["1.3"]),
    ("PatientID=%25", []),
    ("PatientID=_____", []),
    # The field report's names (te*, TEST, te?t, %, _): case does not count, and only * and ? are wildcards.
    ("PatientName=te*", ["1.3"]),
    ("PatientName=TEST", ["1.3"]),
    ("PatientName=test", ["1.3"]),
    ("PatientName=te?t", ["1.3"]),
    ("PatientName=te?", []),
    ("PatientName=te%25", []),
    ("PatientName=te_t", []),
    ("PatientName=larsen", ["1.1", "1.2"]),
    ("PatientName=*kari*", ["1.1", "1.2"]),
    ("PatientName=kari larsen&fuzzymatching=true", ["1.1", "1.2"]),
    ("PatientName=kari larsen&fuzzymatching=false", []),
    ("AccessionNumber=A1&StudyDescription=CT head", ["1.1", "1.3"]),
    ("AccessionNumber=A1&StudyDescription=CT HEAD", []),
    ("AccessionNumber=A?", ["1.1", "1.2", "1.3"]),
    ("StudyDate=20261125", ["1.1"]),
    ("StudyDate=20251201-20260131", ["1.2", "1.3"]),
    ("StudyDate=20251231-20260101&StudyTime=2100-0900", ["1.2", "1.3"]),
    ("StudyDate=20251231-20260101&StudyTime=2230-0900", ["1.2"]),
    ("StudyDate=20251231&TimezoneOffsetFromUTC=%2B0400", []),
    ("StudyDate=20260101&TimezoneOffsetFromUTC=+0400", ["1.2", "1.3"]),
    ("ModalitiesInStudy=MR", ["1.1"]),
    ("ModalitiesInStudy=MR,US", ["1.1"]),
    ("ModalitiesInStudy=MR&ModalitiesInStudy=US", ["1.1"]),
    ("StudyInstanceUID=1.1,1.3", ["1.1", "1.3"]),
    ("StudyInstanceUID=1.1%5C1.3", ["1.1", "1.3"]),
    ("StudyInstanceUID=1.1&StudyInstanceUID=1.3", ["1.1", "1.3"]),
    ("PatientName=&AccessionNumber=", ["1.1", "1.2", "1.3"]),
    ("PatientName=*", ["1.1", "1.2", "1.3"]),
    ("PatientID=NF-1,NF_2&multiplevaluematching=true", ["1.1", "1.2", "1.3"]),
    ("PatientID=NF-1,NF_2", []),
    ('PatientComments=""&emptyvaluematching=true', ["1.1", "1.2", "1.3"]),
    ('StudyDescription=""&emptyvaluematching=true', []),
    ("NumberOfStudyRelatedInstances=3", ["1.1"]),
    ("offset=1", ["1.2", "1.3"]),
    ("offset=3", []),
    ("includefield=all&limit=101", ["1.1", "1.2", "1.3"]),
]


def test_studies_are_found(archive: None, eirik: httpx.Client) -> None:
    wrong = {}
    for query, expected in FOUND:
        answer = eirik.get(f"{ROOT}/studies?{query}")
        if answer.status_code != 200 or uids(answer) != expected or "warning" in answer.headers:
            wrong[query] = (answer.status_code, answer.text[:200], answer.headers.get("warning"))
    assert wrong == {}


def test_nothing_found_is_an_empty_array(archive: None, eirik: httpx.Client) -> None:
    """PS3.18 10.6.3.1: 200 with no results, never 204, a page, or an array with an empty object."""
    for url in (
        "studies",
        "series",
        "instances",
        "studies/1.1/series",
        "studies/1.1/instances",
        "studies/1.1/series/9/instances",
    ):
        answer = eirik.get(f"{ROOT}/{url}?PatientID=nobody")
        assert (answer.status_code, answer.content) == (200, b"[]"), url
        assert (answer.headers["content-type"], answer.headers["x-total-count"]) == ("application/dicom+json", "0"), url


BAD = [
    ("StudyDate=yesterday", "StudyDate"),
    ("00080020=20260230", "StudyDate"),
    ("StudyTime=25", "StudyTime"),
    ("StudyInstanceUID=1.*", "StudyInstanceUID"),
    ("StudyInstanceUID=1.2.x", "StudyInstanceUID"),
    ("NumberOfStudyRelatedSeries=many", "NumberOfStudyRelatedSeries"),
    ("PatientID=A&PatientID=B", "PatientID"),
    ("PatientID=A%00B", "PatientID"),
    ("ProcedureCodeSequence.CodeValue=A%5CB", "ProcedureCodeSequence.CodeValue"),
    ("TimezoneOffsetFromUTC=CET", "TimezoneOffsetFromUTC"),
    ("limit=-1", "limit"),
    ("limit=ten", "limit"),
    ("offset=", "offset"),
    ("fuzzymatching=perhaps", "fuzzymatching"),
    ("&".join(["x=1"] * 201), "parameters"),
]


def test_a_malformed_parameter_is_named_and_its_value_is_not(archive: None, eirik: httpx.Client) -> None:
    for query, name in BAD:
        answer = eirik.get(f"{ROOT}/studies?{query}")
        assert answer.status_code == 400, query
        detail = answer.json()["detail"]
        assert name in detail, query
        value = query.split("=", 1)[1]
        assert not value or len(value) < 4 or value not in detail, query


def test_what_is_not_supported_is_told(archive: None, eirik: httpx.Client) -> None:
    for query in (
        "Nonsense=1", "Modality=MR", "SliceThickness=1", "00091001=x", "PixelData=x", "includefield=Nonsense", "orderby=PatientName",
        "NumberOfPatientRelatedStudies=1",
    ):  # fmt: skip
        answer = eirik.get(f"{ROOT}/studies?{query}")
        assert len(uids(answer)) == 3, query
        assert answer.headers["warning"].startswith('299 heliograph "'), query
        assert "ignored" in answer.headers["warning"], query
    assert "warning" not in eirik.get(f"{ROOT}/series?Modality=MR").headers


def test_pages_tell_how_many_there_are(archive: None, eirik: httpx.Client) -> None:
    pages = [eirik.get(f"{ROOT}/studies?limit=2&offset={n}") for n in (0, 2, 4)]
    assert [uids(p) for p in pages] == [["1.1", "1.2"], ["1.3"], []]
    assert [p.headers["x-total-count"] for p in pages] == ["3", "3", "3"]
    assert [p.headers.get("warning") for p in pages] == [
        '299 heliograph "There are 1 additional results that can be requested"', None, None,
    ]  # fmt: skip
    none = eirik.get(f"{ROOT}/studies?limit=0")
    assert (none.json(), none.headers["x-total-count"]) == ([], "3")
    assert "There are 3" in none.headers["warning"]
    both = eirik.get(f"{ROOT}/instances?limit=1&Nonsense=1").headers.get_list("warning", split_commas=False)
    assert len(both) == 2
    for url, number in (("series", 4), ("instances", 5), ("studies/1.1/instances", 3), ("studies/1.1/series", 2)):
        page = eirik.get(f"{ROOT}/{url}?limit=1")
        assert (len(page.json()), page.headers["x-total-count"]) == (1, str(number)), url


RESOURCES = [
    ("series", "0020000E", ["1.1.1", "1.1.2", "1.2.1", "1.3.1"]),
    ("series?Modality=MR", "0020000E", ["1.1.2"]),
    ("series?PatientName=test", "0020000E", ["1.3.1"]),
    ("series?SeriesInstanceUID=1.2.1,1.1.2", "0020000E", ["1.1.2", "1.2.1"]),
    ("series?RequestAttributesSequence.ScheduledProcedureStepID=S1", "0020000E", ["1.1.1"]),
    ("series?00400275.00400009=S?", "0020000E", ["1.1.1"]),
    ("series?00400275.00400009=S1&00400275.00401001=P2", "0020000E", []),
    ("series?InstitutionName=Norf*", "0020000E", ["1.3.1"]),
    ("studies/1.1/series", "0020000E", ["1.1.1", "1.1.2"]),
    ("studies/1.1/series?SeriesNumber=3", "0020000E", ["1.1.2"]),
    ("studies/1.1/series?StudyInstanceUID=1.2", "0020000E", []),
    ("instances", "00080018", ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1", "1.3.1.1"]),
    ("instances?InstanceNumber=2", "00080018", ["1.1.1.2"]),
    ("instances?SOPInstanceUID=1.3.1.1", "00080018", ["1.3.1.1"]),
    ("instances?Modality=MR&PatientID=NF-1", "00080018", ["1.1.2.1"]),
    ("instances?WindowWidth=80.0&StudyDate=2026-", "00080018", 400),
    ("instances?WindowWidth=80.0&StudyDate=20260102-", "00080018", ["1.1.1.1", "1.1.1.2", "1.1.2.1"]),
    ("studies/1.1/instances", "00080018", ["1.1.1.1", "1.1.1.2", "1.1.2.1"]),
    ("studies/1.1/instances?SeriesInstanceUID=1.1.2", "00080018", ["1.1.2.1"]),
    ("studies/1.1/series/1.1.1/instances", "00080018", ["1.1.1.1", "1.1.1.2"]),
    (
        "studies/1.1/series/1.1.1/instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.2&InstanceNumber=1",
        "00080018",
        ["1.1.1.1"],
    ),
    ("studies/1.1/series/1.2.1/instances", "00080018", []),
]


def test_series_and_instances_in_a_study_and_in_all(archive: None, eirik: httpx.Client) -> None:
    wrong = {}
    for url, tag, expected in RESOURCES:
        answer = eirik.get(f"{ROOT}/{url}")
        found: Any = uids(answer, tag) if answer.status_code == 200 else answer.status_code
        if found != expected:
            wrong[url] = found
    assert wrong == {}


def test_each_resource_holds_the_attributes_of_the_levels_it_spans(
    archive: None, eirik: httpx.Client, served: Served
) -> None:
    """PS3.18 10.6.3.3: all-series has the study's, all-instances and a study's instances the series', too."""
    study = eirik.get(f"{ROOT}/studies?AccessionNumber=A1").json()[0]
    root = study["00081190"]["Value"][0].removesuffix("/studies/1.1")
    assert root.endswith(ROOT)
    assert study["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "LARSEN^Kari"}]}
    assert (study["00080020"], study["00080056"]) == (
        {"vr": "DA", "Value": ["20261125"]},
        {"vr": "CS", "Value": ["ONLINE"]},
    )
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [3])
    assert study["00080201"] == {"vr": "SH"}
    expected = {
        "series": ({"00100010", "00080060", "00201209"}, {"00080018"}, "/studies/1.1/series/1.1.1"),
        "studies/1.1/series": ({"0020000D", "00080060"}, {"00100010", "00080018"}, "/studies/1.1/series/1.1.1"),
        "instances": ({"00100010", "00201209", "00080018"}, set(), "/studies/1.1/series/1.1.1/instances/1.1.1.1"),
        "studies/1.1/instances": ({"00201209", "00080018"}, {"00100010"}, "/studies/1.1/series/1.1.1/instances/1.1.1.1"),
        "studies/1.1/series/1.1.1/instances": ({"00080018"}, {"00100010", "00201209"}, "/studies/1.1/series/1.1.1/instances/1.1.1.1"),
    }  # fmt: skip
    for url, (there, absent, place) in expected.items():
        first = eirik.get(f"{ROOT}/{url}").json()[0]
        assert there <= first.keys(), url
        assert not absent & first.keys(), url
        assert first["00081190"]["Value"] == [root + place]
        assert list(first) == sorted(first)


def test_fields_are_included(archive: None, eirik: httpx.Client) -> None:
    def first(url: str) -> dict[str, Any]:
        answer = eirik.get(f"{ROOT}/{url}")
        assert "warning" not in answer.headers, url
        found: dict[str, Any] = answer.json()[0]
        return found

    plain = first("studies/1.1/instances")
    assert not {"00281050", "00280030", "00080070"} & plain.keys()
    for query in ("includefield=WindowCenter&includefield=00281051", "includefield=00281050,WindowWidth"):
        assert {"00281050", "00281051"} <= first(f"studies/1.1/instances?{query}").keys(), query
    everything = first("studies/1.1/instances?includefield=all")
    assert {"00281050", "00281051", "00100030"} <= everything.keys()
    assert "7FE00010" not in everything
    assert "BulkDataURI" not in str(everything)
    assert "00080080" in eirik.get(f"{ROOT}/series?includefield=all&InstitutionName=Norfjord").json()[0]
    assert "00280010" not in first("series?includefield=all")
    assert first("studies?includefield=PatientComments,NumberOfPatientRelatedStudies")["00201200"]["Value"] == [2]
    step = first("series?includefield=RequestAttributesSequence")["00400275"]["Value"][0]
    assert step.keys() == {"00400009", "00401001"}
    many = ",".join(f"0018{n:04X}" for n in range(0x5000, 0x5060)) + ",InstitutionName"
    named = eirik.get(f"{ROOT}/series?InstitutionName=Norfjord&includefield={many}").json()[0]
    assert named["00080080"] == {"vr": "LO", "Value": ["Norfjord"]}
    # What is matched on is told; a path gives that attribute of the items alone (PS3.18 8.3.4.3).
    keyed = first("instances?RequestAttributesSequence.ScheduledProcedureStepID=S1&WindowWidth=")
    assert keyed["00281051"]["Value"] == [80]
    path = first("studies/1.1/series/1.1.1/instances?includefield=RequestAttributesSequence.RequestedProcedureID")
    assert path["00400275"] == {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["P1"]}}]}


def test_media_types_are_negotiated(archive: None, eirik: httpx.Client) -> None:
    for accept, kind in (
        ("application/dicom+json", "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/json;q=0.5, application/dicom+json", "application/dicom+json"),
        ('multipart/related; type="application/dicom+xml", application/dicom+json;q=0.1', "application/dicom+json"),
        ('multipart/related; type="application/dicom+xml"', None),
        ("text/html", None),
        ("application/dicom+json;q=0", None),
    ):
        for url in ("studies", "series", "instances", "studies/1.1/series", "studies/1.1/instances"):
            answer = eirik.get(f"{ROOT}/{url}", headers={"Accept": accept})
            assert answer.status_code == (200 if kind else 406), (accept, url)
            if kind:
                assert answer.headers["content-type"] == kind, (accept, url)
    packed = eirik.build_request("GET", f"{ROOT}/instances?includefield=all", headers={"Accept-Encoding": "gzip"})
    answer = eirik.send(packed, stream=True)
    raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert len(gzip.decompress(raw)) > 2 * len(raw)
    bare = eirik.get(f"{ROOT}/instances?includefield=all", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in bare.headers
    assert bare.content == gzip.decompress(raw)


def test_searches_over_all_studies_are_on_record_with_counts_alone(
    archive: None, eirik: httpx.Client, owner_url: str
) -> None:
    urls = ("studies?PatientName=larsen", "series?Modality=MR", "instances?limit=2", "studies?PatientName=nobody")
    for url in (*urls, "studies?StudyInstanceUID=1.1", "studies?StudyInstanceUID=9.9.9"):
        assert eirik.get(f"{ROOT}/{url}").status_code == 200
    engine = create_engine(owner_url)
    with engine.connect() as connection:
        told = connection.execute(
            text(
                "select action, detail from audit.events where action in ('studies.searched', 'images.viewed') order by id"
            )
        ).all()
    engine.dispose()
    assert [(e.action, e.detail) for e in told] == [
        ("studies.searched", {"results": 2, "level": "study"}),
        ("studies.searched", {"results": 1, "level": "series"}),
        ("studies.searched", {"results": 2, "level": "image"}),
        ("studies.searched", {"results": 0, "level": "study"}),
        ("studies.searched", {"results": 0, "level": "study"}),
    ]


def test_outsiders_find_nothing_at_any_level(archive: None, served: Served, cast: Cast) -> None:
    for url in ("studies", "series", "instances", "studies?StudyInstanceUID=1.1", "instances?SOPInstanceUID=1.1.1.1"):
        for actor in (cast.harper, cast.otto, cast.olga, cast.pat, cast.astrid, cast.imogen):
            answer = served.client(actor).get(f"{ROOT}/{url}")
            assert (answer.json(), answer.headers["x-total-count"]) == ([], "0"), (url, actor.name)
        assert served.client(cast.nadia).get(f"{ROOT}/{url}").json() != [], url
        assert served.client(None).get(f"{ROOT}/{url}").status_code == 401
        foreign = {"Authorization": f"Bearer {served.key(outside=True)}"}
        assert served.client(None).get(f"{ROOT}/{url}", headers=foreign).json() == [], url
        storing = {"Authorization": f"Bearer {served.key(may_read=False)}"}
        assert served.client(None).get(f"{ROOT}/{url}", headers=storing).status_code == 403
        assert served.client(cast.eirik).get(f"/dicomweb/nowhere/{url}").status_code == 404


def test_dicomweb_client_searches(archive: None, served: Served) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {served.key()}"
    client = DICOMwebClient(served.norfjord, session=session)
    studies = client.search_for_studies(
        search_filters={"PatientName": "lars*"}, fields=["PatientComments"], limit=1, offset=1
    )
    assert [s["0020000D"]["Value"] for s in studies] == [["1.2"]]
    assert len(client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "kari"})) == 2
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    assert len(client.search_for_studies(limit=2, get_remaining=True)) == 3
    assert len(client.search_for_series()) == 4
    assert [s["0020000E"]["Value"] for s in client.search_for_series("1.1", search_filters={"Modality": "MR"})] == [
        ["1.1.2"]
    ]
    assert len(client.search_for_instances()) == 5
    assert len(client.search_for_instances("1.1")) == 3
    assert len(client.search_for_instances("1.1", "1.1.1", search_filters={"InstanceNumber": 2})) == 1


def test_parameters_are_read_by_keyword_and_tag() -> None:
    assert path_of("PatientName") == path_of("00100010") == ("00100010",)
    assert path_of("00400275.ScheduledProcedureStepID") == ("00400275", "00400009")
    assert path_of("0040A73a") == ("0040A73A",)
    for name in ("", "Nonsense", "PatientName.Nonsense", ".", "0010001", "patientname"):
        assert path_of(name) == (), name
    query = parse([("StudyInstanceUID", "1.1,1.2"), ("StudyInstanceUID", "1.3"), ("limit", "5000"), ("x" * 100, "")])
    assert (query.keys[0].text, query.limit, query.ignored) == ("1.1\\1.2\\1.3", 1000, ("x" * 64,))
    assert "1.1" not in repr(query)
    with pytest.raises(BadQuery, match=re.escape("StudyDate: a date as YYYYMMDD")):
        searched(parse([("00080020", "x")]), "STUDY")
