"""Orthanc as another archive: it takes what is moved to it, asks and has moved, and is a client of every DICOMweb service."""

from __future__ import annotations

from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as StudyMove  # type: ignore[attr-defined]

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.records.archive import indexer, spool
from heliograph.records.sites import nodes
from heliograph.records.sites.administer import add_caller
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files
from tools.orthanc import DICOM_WEB, ORTHANC, TITLE, orthanc

pytestmark = [
    pytest.mark.skipif(
        ORTHANC is None or DICOM_WEB is None, reason="Orthanc and its DICOMweb plugin are not installed"
    ),
    pytest.mark.timeout(180),
]


def add_node(context: Context, cast: Cast, port: int) -> None:
    """Orthanc as a node of Norfjord, and as a caller."""
    with context.works.begin(cast.astrid) as work:
        nodes.add_node(
            work,
            cast.norfjord,
            {
                "name": "Orthanc", "ae_title": TITLE, "calling_ae": "HELIO_NF", "host": "127.0.0.1", "port": port, "is_destination": True,
                "facility_id": cast.norfjord_facility,
            },
        )  # fmt: skip
        add_caller(work, cast.norfjord_facility, {"called_ae": "HELIO_NF", "calling_ae": TITLE, "address": None})


def study_of_three(context: Context, cast: Cast) -> str:
    uid, _, data = files.series_of(3)
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, one) for one in data])
    return uid


def test_it_takes_what_is_moved_to_it_and_has_moved_what_it_found(context: Context, cast: Cast) -> None:
    uid = study_of_three(context, cast)
    with listening(context) as listener, orthanc(modalities={"us": ("HELIO_NF", "127.0.0.1", listener.port)}) as other:
        add_node(context, cast, other.port)
        ae = AE(ae_title="NF_CT1")
        ae.add_requested_context(StudyMove)
        association = ae.associate("127.0.0.1", listener.port, ae_title="HELIO_NF")
        wanted: Any = files.pydicom.Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", uid
        statuses = [status.Status for status, _ in association.send_c_move(wanted, TITLE, StudyMove)]
        association.release()
        assert statuses[-1] == 0
        assert other.count() == 3

        for study in other.http.get("/studies").json():
            other.http.delete(f"/studies/{study}").raise_for_status()
        asked = other.http.post(
            "/modalities/us/query", json={"Level": "Study", "Query": {"PatientName": "LAR*", "StudyInstanceUID": ""}}
        )
        answers = f"/queries/{asked.json()['ID']}/answers"
        assert other.http.get(answers).json() == ["0"]
        assert other.http.get(f"{answers}/0/content?simplify").json()["StudyInstanceUID"] == uid
        done = other.job(other.http.post(f"{answers}/0/retrieve", json={"TargetAet": TITLE, "Asynchronous": True}))
        assert done["State"] == "Success"
        assert other.count() == 3


def test_what_it_stores_is_kept_as_it_sent_it(context: Context, cast: Cast) -> None:
    uid, _, data = files.series_of(2)
    with listening(context) as listener, orthanc(modalities={"us": ("HELIO_NF", "127.0.0.1", listener.port)}) as other:
        add_node(context, cast, other.port)
        ids = [other.http.post("/instances", content=one).json()["ID"] for one in data]
        done = other.job(other.http.post("/modalities/us/store", json={"Resources": ids, "Asynchronous": True}))
        assert done["State"] == "Success"
        kept = [files.body(w.path.read_bytes()) for w in spool.waiting(context.settings.spool_dir)]
        assert sorted(kept) == sorted(files.body(one) for one in data)
        assert uid.encode() in kept[0]


def test_its_dicomweb_client_finds_retrieves_and_stores(context: Context, cast: Cast, served: Served) -> None:
    uid = study_of_three(context, cast)
    server = {
        "Url": f"{served.norfjord}/", "HttpHeaders": {"Authorization": f"Bearer {served.key()}"}, "ChunkedTransfers": "1",
    }  # fmt: skip
    with orthanc(servers={"us": server}) as other:
        found = other.http.post(
            "/dicom-web/servers/us/qido", json={"Uri": "/studies", "Arguments": {"PatientName": "LARSEN*"}}
        )
        assert [one["0020000D"]["Value"] for one in found.json()] == [uid]
        got = other.job(
            other.http.post(
                "/dicom-web/servers/us/retrieve", json={"Resources": [{"Study": uid}], "Asynchronous": True}
            )
        )
        assert got["State"] == "Success", got
        assert other.count() == 3
        fresh, _, (data,) = files.series_of(1)
        identity = other.http.post("/instances", content=data).json()["ID"]
        sent = other.job(
            other.http.post("/dicom-web/servers/us/stow", json={"Resources": [identity], "Asynchronous": True})
        )
        assert sent["State"] == "Success", str(sent)
    (kept,) = spool.waiting(context.settings.spool_dir)
    assert files.body(kept.path.read_bytes()) == files.body(data)
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    assert fresh.encode() in data
