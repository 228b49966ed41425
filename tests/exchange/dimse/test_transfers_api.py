"""Nodes are tried by administrators, transfers asked for by who looks after the site, and by nobody else."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import AE
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.exchange.dimse.transfers_api import router
from heliograph.kit.actor import system
from heliograph.kit.net.dicom import Acceptance, StorageListener
from heliograph.kit.net.dicom.tls import server_context
from heliograph.records.sites import transfers
from tests.cast import Cast
from tests.exchange.dimse.test_transfers import Archive, add_node, file_all, filed, known_patient, run, studies
from tests.kit.net.dicom.certificates import issue
from tests.records.archive import files
from tests.records.sites.web import browser


def test_a_node_is_tried(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, router)
    ae = AE("ARCHIVE")
    ae.require_called_aet = True
    ae.add_supported_context("1.2.840.10008.1.1")
    server = ae.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    port = server.server_address[1]
    try:
        good = astrid.post(f"/api/admin/nodes/{add_node(context, cast, port)}/echo").json()
        assert (good["is_ok"], good["why"]) == (True, None)
        assert 0 < good["seconds"] < 8
        wrong = add_node(context, cast, port, name="B", ae_title="WRONG")
        rejected = astrid.post(f"/api/admin/nodes/{wrong}/echo").json()
        assert (rejected["is_ok"], rejected["why"]) == (False, "rejected")
        assert "does not answer to that (called) AE title" in rejected["words"]
    finally:
        server.shutdown()
    closed = add_node(context, cast, 1, name="C", ae_title="CLOSED")
    assert astrid.post(f"/api/admin/nodes/{closed}/echo").json()["why"] == "refused"
    unknown = add_node(context, cast, 104, name="D", ae_title="UNKNOWN", host="no-such-host.invalid")
    assert astrid.post(f"/api/admin/nodes/{unknown}/echo").json()["why"] == "unknown_host"
    with listening(context) as listener:  # it speaks no TLS
        plain = add_node(context, cast, listener.port, name="E", ae_title="PLAIN", tls="verify")
        assert astrid.post(f"/api/admin/nodes/{plain}/echo").json()["why"] == "tls"
    with context.works.read(system("t", cast.norfjord)) as work:
        tested = work.session.execute(
            text("select outcome, reason from audit.events where action = 'node.tested' order by id")
        ).all()
    assert [tuple(t) for t in tested] == [
        ("done", None), ("failed", "rejected"), ("failed", "refused"), ("failed", "unknown_host"), ("failed", "tls"),
    ]  # fmt: skip


def _giving(tls: ssl.SSLContext) -> Callable[[], ssl.SSLContext]:
    return lambda: tls


def test_tls_is_verified_where_it_is_to_be(context: Context, cast: Cast, tmp_path: Path) -> None:
    ours = issue(tmp_path, "authority", is_authority=True)
    good, other = issue(tmp_path, "good", ours), issue(tmp_path, "other")
    trusting = dataclasses.replace(
        context, settings=context.settings.model_copy(update={"dimse_tls_ca_file": ours.certificate})
    )
    astrid = browser(trusting, cast.astrid, router)
    told = {}
    for name, certificate in (("good", good), ("other", other)):
        tls = server_context(certificate.files(), "none")
        with StorageListener(
            "127.0.0.1", None, accept=Acceptance, store=lambda _a, _r: 0, tls_port=0, tls=_giving(tls)
        ) as listener:
            for mode in ("on", "verify"):
                node = add_node(
                    context, cast, listener.tls_port, name=f"{name} {mode}", ae_title=f"{name}_{mode}", tls=mode
                )
                answer = astrid.post(f"/api/admin/nodes/{node}/echo").json()
                told[name, mode] = answer["why"]
                if answer["why"]:
                    assert "certificate is not trusted" in answer["words"]
    assert told == {("good", "on"): None, ("good", "verify"): None, ("other", "on"): None, ("other", "verify"): "tls"}


def test_priors_are_asked_for_and_seen(context: Context, cast: Cast, tmp_path: Path) -> None:
    patient = known_patient(context, cast)
    (uid,), paths = studies(tmp_path / "in", 2)
    nadia = browser(context, cast.nadia, router)
    with Archive(paths).serving() as port:
        node = add_node(context, cast, port)
        add_node(context, cast, 1, name="For nothing", ae_title="X", is_queried=False, is_sent_to=False)
        assert [(n["name"], n["is_queried"]) for n in nadia.get("/api/nodes").json()] == [("Old archive", True)]
        asked = nadia.post("/api/transfers/fetch", json={"node_id": str(node), "patient_id": str(patient)})
        assert asked.status_code == 201
        (line,) = nadia.get("/api/transfers").json()
        assert (line["state"], line["node_name"], line["patient_name"]) == ("waiting", "Old archive", "LARSEN, Kari")
        run(context, cast, asked.json()["id"])
    file_all(context)
    (line,) = browser(context, cast.eirik, router).get("/api/transfers").json()
    assert (line["state"], line["expected"], line["received"]) == ("done", 2, 2)
    assert [(s["uid"], s["done"]) for s in line["studies"]] == [(uid, True)]
    assert nadia.post(f"/api/transfers/{line['id']}/again").status_code == 409
    assert nadia.post(f"/api/transfers/{line['id']}/cancel").status_code == 409


def test_a_transfer_is_cancelled_and_asked_for_again(context: Context, cast: Cast) -> None:
    study = filed(context, cast, files.series_of(1)[2])
    node = add_node(context, cast, 1)
    eirik = browser(context, cast.eirik, router)
    asked = eirik.post("/api/transfers/send", json={"node_id": str(node), "study_id": str(study)}).json()["id"]
    same = eirik.post("/api/transfers/send", json={"node_id": str(node), "study_id": str(study)}).json()["id"]
    assert asked == same
    assert run(context, cast, asked).state == "waiting"
    assert eirik.post(f"/api/transfers/{asked}/cancel").status_code == 204
    assert run(context, cast, asked).state == "cancelled"
    assert eirik.post(f"/api/transfers/{asked}/again").status_code == 204
    with context.works.read(system("t", cast.norfjord)) as work:
        found = transfers.transfer(work.session, asked)
    assert found is not None
    assert (found.state, found.attempts, found.direction) == ("waiting", 0, "send")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422), ({"accession_number": "A*"}, 422), ({"study_instance_uid": "1.2.x"}, 422), ({"accession_number": "OLD1"}, 201),
    ],
)  # fmt: skip
def test_what_can_be_asked(context: Context, cast: Cast, body: dict[str, str], status: int) -> None:
    node = add_node(context, cast, 1)
    nadia = browser(context, cast.nadia, router)
    assert nadia.post("/api/transfers/fetch", json={"node_id": str(node), **body}).status_code == status


def test_a_node_is_used_for_what_it_is_for(context: Context, cast: Cast) -> None:
    study = filed(context, cast, files.series_of(1)[2])
    node = add_node(context, cast, 1, is_queried=False, is_sent_to=False, facility_id=None)
    nadia = browser(context, cast.nadia, router)
    body = {"node_id": str(node), "accession_number": "A1"}
    assert nadia.post("/api/transfers/fetch", json=body).json()["code"] == "invalid"
    body["facility_id"] = str(cast.norfjord_facility)
    assert nadia.post("/api/transfers/fetch", json=body).json()["code"] == "not-for-this"
    sent = nadia.post("/api/transfers/send", json={"node_id": str(node), "study_id": str(study)})
    assert sent.json()["code"] == "not-for-this"
    body["facility_id"] = str(cast.llano_facility)
    assert nadia.post("/api/transfers/fetch", json=body).status_code == 404


@pytest.mark.parametrize(
    ("who", "status"), [("harper", 404), ("olga", 404), ("imogen", 403), ("astrid", 403), ("pat", 403), ("runa", 403)]
)
def test_an_outsider_moves_nothing(context: Context, cast: Cast, who: str, status: int) -> None:
    study = filed(context, cast, files.series_of(1)[2])
    node = add_node(context, cast, 1)
    with context.works.begin(system("t", cast.norfjord)) as work:
        made = transfers.add_transfer(
            work, cast.norfjord, node, cast.norfjord_facility, direction="send", study_id=study
        )
    other = browser(context, getattr(cast, who), router)
    calls = [
        ("/api/transfers/fetch", {"node_id": str(node), "accession_number": "A1"}),
        ("/api/transfers/send", {"node_id": str(node), "study_id": str(study)}),
        (f"/api/transfers/{made}/cancel", None),
        (f"/api/transfers/{made}/again", None),
    ]
    for path, body in calls:
        assert other.post(path, json=body).status_code == status, path
    for path in ("/api/transfers", "/api/nodes"):
        answer = other.get(path)
        assert answer.status_code == 403 or answer.json() == [], path
    if who != "astrid":
        assert other.post(f"/api/admin/nodes/{node}/echo").status_code == 403


def test_an_administrator_elsewhere_calls_nobody(context: Context, cast: Cast, owner_url: str) -> None:
    node = add_node(context, cast, 1)
    owner = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        moved = text("update access.role_assignments set organization_id = :llano where role = 'administrator'")
        connection.execute(moved, {"llano": cast.llano})
    owner.dispose()
    assert browser(context, cast.astrid, router).post(f"/api/admin/nodes/{node}/echo").status_code == 404
