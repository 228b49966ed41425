"""Every door, asked for a hidden instance, a hidden series and a hidden study: nothing of them; and all again once they are restored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
)

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.net.dicom import StorageListener
from heliograph.records.archive.rejections import reject, restore
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_dicomweb import as_key, index, study_id
from tests.exchange.dicomweb.test_wado_rs import body_of
from tests.exchange.dimse.test_query_retrieve import associated, got, identifier, moved
from tests.exchange.dimse.test_transfers import add_node
from tests.records.archive import notes
from tests.records.archive.searching import filed, made

STUDY = "2.999.1"
ALL = ["1.1", "1.2", "2.1", "2.2"]
Seen = dict[str, list[str]]


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    with listening(context) as running:
        yield running


@pytest.fixture
def study(context: Context, cast: Cast) -> UUID:
    """Two series of two slices; the second series is an MR. Each image has its own comments about the patient."""
    data = []
    for series, modality in ((1, "CT"), (2, "MR")):
        for number in (1, 2):
            attributes = {"Modality": modality, "SeriesNumber": series, "PatientComments": f"{series}.{number}"}
            data.append(made(STUDY, f"{STUDY}.{series}", number, **attributes))
    filed(context, cast, *data)
    return study_id(context, cast, STUDY)


@pytest.fixture
def there(context: Context, cast: Cast) -> Iterator[list[str]]:
    """What has come to a destination of C-MOVE."""
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(event.request.AffectedSOPInstanceUID)
        return 0

    ae = AE(ae_title="THERE")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        add_node(context, cast, server.socket.getsockname()[1], ae_title="THERE", is_destination=True)
        yield came
    finally:
        server.shutdown()


def short(uids: Any) -> list[str]:
    return sorted(str(uid).removeprefix(f"{STUDY}.") for uid in uids)


def by_web(eirik: httpx.Client) -> Seen:
    """What each route of DICOMweb gives of each of the four images."""
    root, at = "/dicomweb/norfjord", f"/dicomweb/norfjord/studies/{STUDY}"
    seen: Seen = {}

    def found(path: str) -> list[dict[str, Any]]:
        answer = eirik.get(path)
        assert answer.status_code in (200, 204, 404), answer.text
        return json.loads(answer.content) if answer.status_code == 200 else []

    def uids(answers: list[dict[str, Any]]) -> list[str]:
        return short(a["00080018"]["Value"][0] for a in answers)

    seen["QIDO, all instances"] = uids(found(f"{root}/instances?StudyInstanceUID={STUDY}"))
    seen["QIDO, the study's instances"] = uids(found(f"{at}/instances"))
    seen["metadata of the study"] = uids(found(f"{at}/metadata"))
    for whole, path in (("study", at), ("series 1", f"{at}/series/{STUDY}.1"), ("series 2", f"{at}/series/{STUDY}.2")):
        parts = eirik.get(path, headers={"Accept": 'multipart/related; type="application/dicom"'})
        objects = body_of(parts) if parts.status_code == 200 else []
        read = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)) for _, content in objects]
        seen[f"objects of the {whole}"] = short(ds.SOPInstanceUID for ds in read)
    seen["metadata of the series"] = sorted(
        uid for s in "12" for uid in uids(found(f"{at}/series/{STUDY}.{s}/metadata"))
    )
    seen["QIDO, the series' instances"] = sorted(
        uid for s in "12" for uid in uids(found(f"{at}/series/{STUDY}.{s}/instances"))
    )
    routes: dict[str, Callable[[str], str]] = {
        "object": lambda i: i,
        "metadata": lambda i: f"{i}/metadata",
        "frame": lambda i: f"{i}/frames/1",
        "pixel data": lambda i: f"{i}/bulkdata/7FE00010",
        "picture": lambda i: f"{i}/rendered",
        "picture of a frame": lambda i: f"{i}/frames/1/rendered",
        "thumbnail": lambda i: f"{i}/thumbnail",
    }
    for name, path_of in routes.items():
        given = []
        for one in ALL:
            answer = eirik.get(path_of(f"{at}/series/{STUDY}.{one[0]}/instances/{STUDY}.{one}"))
            assert answer.status_code in (200, 404), (name, answer.status_code, answer.text)
            given += [one] if answer.status_code == 200 else []
        seen[name] = given
    seen["WADO-URI"] = []
    for one in ALL:
        uri = {
            "requestType": "WADO",
            "studyUID": STUDY,
            "seriesUID": f"{STUDY}.{one[0]}",
            "objectUID": f"{STUDY}.{one}",
        }
        answer = eirik.get(f"{root}/wado", params=uri)
        assert answer.status_code in (200, 404), answer.text
        seen["WADO-URI"] += [one] if answer.status_code == 200 else []
    return seen


def by_dimse(listener: StorageListener, there: list[str]) -> Seen:
    """What C-FIND, C-GET and C-MOVE give."""
    seen: Seen = {}
    with associated(listener, StudyFind) as association:
        for series in "12":
            asked = identifier(
                "IMAGE", StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.{series}", SOPInstanceUID=""
            )
            answers = [d for s, d in association.send_c_find(asked, StudyFind) if s.Status == 0xFF00]
            seen["C-FIND"] = seen.get("C-FIND", []) + short(d.SOPInstanceUID for d in answers)
    _, came = got(listener, identifier("STUDY", StudyInstanceUID=STUDY))
    seen["C-GET"] = short(d.SOPInstanceUID for d in came)
    everything = "\\".join(f"{STUDY}.{one}" for one in ALL)
    _, came = got(listener, identifier("IMAGE", StudyInstanceUID=STUDY, SOPInstanceUID=everything))
    seen["C-GET by name"] = short(d.SOPInstanceUID for d in came)
    there.clear()
    moved(listener, identifier("STUDY", StudyInstanceUID=STUDY), "THERE")
    seen["C-MOVE"] = short(there)
    return seen


def told_of_the_study(eirik: httpx.Client, listener: StorageListener) -> tuple[Any, set[str]]:
    """What searches tell at the levels of study and series: counts and modalities; and what only a header tells, of whichever image."""
    include = "&includefield=PatientComments,SOPClassesInStudy,NumberOfStudyRelatedInstances,NumberOfStudyRelatedSeries"
    studies = eirik.get(f"/dicomweb/norfjord/studies?StudyInstanceUID={STUDY}{include}")
    series = eirik.get(f"/dicomweb/norfjord/studies/{STUDY}/series?includefield=PatientComments")
    asked = identifier("STUDY", StudyInstanceUID=STUDY, NumberOfStudyRelatedInstances="", ModalitiesInStudy="")
    with associated(listener, StudyFind) as association:
        by_find = [
            (int(d.NumberOfStudyRelatedInstances), d.ModalitiesInStudy)
            for s, d in association.send_c_find(asked, StudyFind)
            if s.Status == 0xFF00
        ]

    def value(entry: dict[str, Any], tag: str) -> Any:
        return entry.get(tag, {}).get("Value", [])

    def rows(answer: httpx.Response) -> list[dict[str, Any]]:
        return json.loads(answer.content) if answer.status_code == 200 else []

    told = (
        [(value(s, "00201206"), value(s, "00201208"), value(s, "00080061")) for s in rows(studies)],
        [(short(value(s, "0020000E")), value(s, "00201209")) for s in rows(series)],
        [(n, [m] if isinstance(m, str) else list(m)) for n, m in by_find],
    )
    return told, {str(v) for one in (*rows(studies), *rows(series)) for v in value(one, "00104000")}


def matching(eirik: httpx.Client, level: str, comments: str) -> int:
    """How many match by what only the headers tell."""
    answer = eirik.get(f"/dicomweb/norfjord/{level}?PatientComments={comments}")
    return len(json.loads(answer.content)) if answer.status_code == 200 else 0


CASES: dict[str, tuple[dict[str, Any], list[str], Any]] = {
    "an instance": (
        {"sop_instance_uids": [f"{STUDY}.1.1"]},
        ["1.2", "2.1", "2.2"],
        ([([2], [3], ["CT", "MR"])], [(["1"], [1]), (["2"], [2])], [(3, ["CT", "MR"])]),
    ),
    "a series": (
        {"series_instance_uid": f"{STUDY}.1"},
        ["2.1", "2.2"],
        ([([1], [2], ["MR"])], [(["2"], [2])], [(2, ["MR"])]),
    ),
    "a study": ({}, [], ([], [], [])),
}


@pytest.mark.parametrize("case", CASES)
def test_no_door_gives_what_is_hidden(
    context: Context, cast: Cast, served: Served, listener: StorageListener, study: UUID, there: list[str], case: str
) -> None:
    scope, left, told = CASES[case]
    before = by_web(served.client(cast.eirik)) | by_dimse(listener, there)
    before_told, _ = told_of_the_study(served.client(cast.eirik), listener)
    assert before == {door: [one for one in ALL if door[-1] not in "12" or one[0] == door[-1]] for door in before}
    with context.works.begin(cast.eirik) as work:
        rejection = reject(work, study, "safety", "Wrong side", **scope)
    eirik = served.client(cast.eirik)  # who was there before is believed for half a minute
    seen = by_web(eirik) | by_dimse(listener, there)
    assert seen == {door: [one for one in left if door[-1] not in "12" or one[0] == door[-1]] for door in before}
    tells, of_images = told_of_the_study(eirik, listener)
    assert (tells, of_images - set(left)) == (told, set())
    for level in ("studies", "series", "instances"):
        assert matching(eirik, level, "1.1") == 0, level
    with context.works.begin(cast.eirik) as work:
        restore(work, rejection, "The right side")
    eirik = served.client(cast.eirik)
    assert by_web(eirik) | by_dimse(listener, there) == before
    assert told_of_the_study(eirik, listener)[0] == before_told


def test_nothing_hidden_is_given_to_who_saw_it_before_after_half_a_minute(
    context: Context, cast: Cast, served: Served, study: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a session has seen is remembered, by the study's revision; here for no time at all."""
    from heliograph.exchange.dicomweb import visible

    monkeypatch.setattr(visible, "BELIEVED_SECONDS", 0.0)
    eirik = served.client(cast.eirik)
    assert by_web(eirik)["frame"] == ALL
    with context.works.begin(cast.eirik) as work:
        reject(work, study, "quality", "Blurred", sop_instance_uids=[f"{STUDY}.1.1"])
    seen = by_web(eirik)
    assert {door for door, given in seen.items() if "1.1" in given} == set()


def test_a_note_by_each_door(
    context: Context, cast: Cast, served: Served, listener: StorageListener, study: UUID
) -> None:
    """STOW-RS and C-STORE answer success; the note is hidden with what it names. Sent again, all is success and stays hidden."""
    first = notes.note(STUDY, {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}, title=notes.SAFETY)
    as_key(served).store_instances([pydicom.dcmread(pydicom.filebase.DicomBytesIO(first))])
    index(context)
    second = notes.note(STUDY, {STUDY: {f"{STUDY}.2": [f"{STUDY}.2.2"]}}, title=notes.WORKLIST)
    image = made(STUDY, f"{STUDY}.1", 1, Modality="CT", SeriesNumber=1, PatientComments="1.1")
    for _ in range(2):
        with associated(listener, KeyObjectSelectionDocumentStorage, CTImageStorage) as association:
            for data in (second, image):
                status = association.send_c_store(pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)))
                assert status.Status == 0x0000
        index(context)
    seen = by_web(served.client(cast.eirik))
    assert {tuple(given) for door, given in seen.items() if door[-1] not in "12"} == {("1.2", "2.1")}


def test_what_only_headers_tell_is_never_a_hidden_image_s(
    context: Context, cast: Cast, served: Served, listener: StorageListener, study: UUID
) -> None:
    """Any image of a series may speak for it. Here those that are hidden lie before those that were hidden and restored since."""
    with context.works.begin(cast.eirik) as work:
        reject(work, study, "quality", "x", sop_instance_uids=[f"{STUDY}.1.1", f"{STUDY}.2.1"])
    for _ in range(2):
        with context.works.begin(cast.eirik) as work:
            others = reject(work, study, "quality", "x", sop_instance_uids=[f"{STUDY}.1.2", f"{STUDY}.2.2"])
        with context.works.begin(cast.eirik) as work:
            restore(work, others, "x")
    eirik = served.client(cast.eirik)
    _, of_images = told_of_the_study(eirik, listener)
    assert of_images == {"1.2", "2.2"}
    for level in ("studies", "series", "instances"):
        assert (matching(eirik, level, "1.1"), matching(eirik, level, "1.2")) == (0, 1), level
