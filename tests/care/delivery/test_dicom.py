"""Reports as DICOM objects: Encapsulated PDF and Basic Text SR, by C-STORE and by STOW-RS."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import BasicTextSRStorage, EncapsulatedPDFStorage
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.delivery.api import router
from heliograph.care.delivery.dicom import multipart, read_status, unzipped, zipped
from heliograph.care.reading.pdf import report_pdf
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.settings import Settings
from heliograph.records.sites.errors import BadSite
from heliograph.records.sites.nodes import add_node
from tests.care.delivery.help import alarms, rows, try_
from tests.care.delivery.test_deliver import add
from tests.care.delivery.ways import destination, signed, tried
from tests.care.reading.help import with_session
from tests.cast import Cast
from tests.kit.net.test_http_out import OK, server
from tests.records.sites.web import browser

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
CLASSES = (EncapsulatedPDFStorage, BasicTextSRStorage)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"outgoing_networks": "127.0.0.0/8", "delivery_timeout_seconds": 5.0})


@contextmanager
def archive(statuses: list[int] | None = None, classes: tuple[str, ...] = CLASSES) -> Iterator[tuple[int, list]]:
    """An archive that is not ours: answers each C-STORE by the next of `statuses`, then success."""
    taken: list[pydicom.Dataset] = []
    answers = list(statuses or [])

    def store(event: evt.Event) -> int:
        status = answers.pop(0) if answers else 0
        if status == 0:
            taken.append(pydicom.dcmread(io.BytesIO(event.encoded_dataset())))
        return status

    ae = AE("PACS")
    for uid in classes:
        ae.add_supported_context(uid)
    running = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield running.socket.getsockname()[1], taken
    finally:
        running.shutdown()


def to_node(context: Context, cast: Cast, owner_url: str, port: int, *objects: str) -> UUID:
    with context.works.begin(cast.astrid) as work:
        made = add_node(
            work,
            cast.norfjord,
            {"name": "Archive", "ae_title": "PACS", "calling_ae": "HELIO", "host": "127.0.0.1", "port": port},
        )
    return destination(context, cast, owner_url, "dicom_out", {"node_id": str(made), "objects": list(objects)})


def checked(data: bytes, folder: Path) -> str:
    """What dicom3tools say of a file."""
    path = folder / "x.dcm"
    path.write_bytes(data)
    return subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False).stderr


def test_it_works(context: Context, cast: Cast, owner_url: str, tmp_path: Path) -> None:
    with archive() as (port, taken):
        to_node(context, cast, owner_url, port, "pdf", "sr")
        signed(context, cast)
        row, result = tried(context, cast, "dicom")
    assert result is not None
    assert (result.outcome, row.state, row.acknowledgement_code) == ("acknowledged", "acknowledged", "0000")
    pdf, sr = taken
    with context.works.read(system("t", cast.norfjord)) as work:
        page = report_pdf(work.session, row.report_version_id)
        logged = work.session.execute(text("select * from sites.messages where direction = 'out'")).one()
    assert bytes(pdf.EncapsulatedDocument)[: pdf.EncapsulatedDocumentLength] == page
    assert {d.StudyInstanceUID for d in taken} == {"2.25.41"}
    assert {(d.PatientID, d.AccessionNumber) for d in taken} == {("NF-1", "A1")}
    assert (logged.message_type, logged.acknowledgement, logged.peer) == ("DICOM", "0000", f"PACS@127.0.0.1:{port}")
    files = unzipped(logged.payload)
    assert [pydicom.dcmread(io.BytesIO(f)).SOPInstanceUID for f in files] == [d.SOPInstanceUID for d in taken]
    assert (sr.CompletionFlag, sr.VerificationFlag, sr.PreliminaryFlag) == ("COMPLETE", "VERIFIED", "FINAL")
    assert str(sr.VerifyingObserverSequence[0].VerifyingObserverName) == "Tarrant^Imogen^^Dr"
    assert sr.ReferencedRequestSequence[0].PlacerOrderNumberImagingServiceRequest == "P-A1"
    headings = [
        (c.ConceptNameCodeSequence[0].CodeMeaning, c.ContentSequence[0].TextValue)
        for c in sr.ContentSequence
        if c.ValueType == "CONTAINER"
    ]
    assert [h for h, _ in headings] == ["History", "Findings", "Impressions"]
    assert headings[-1][1] == "1. No acute abnormality.\r\n2. Æsj, Ødegård."
    assert sr.ContentTemplateSequence[0].TemplateIdentifier == "2000"
    if DCIODVFY.exists():
        said = checked(files[1], tmp_path)
        assert "BasicTextSR" in said
        assert "Error" not in said


def test_an_addendum_names_the_document_before_it(context: Context, cast: Cast, owner_url: str) -> None:
    with archive() as (port, taken):
        to_node(context, cast, owner_url, port, "sr")
        made = signed(context, cast)
        add(context, with_session(context, cast.imogen), made)
        first, second = rows(context, cast, "dicom")
        assert try_(context, cast, second.id) is None, "it waits for what it adds to"
        for row in (first, second):
            assert try_(context, cast, row.id).outcome == "acknowledged"
        browser(context, with_session(context, cast.imogen), router).post(
            f"/api/reports/{second.report_version_id}/withdraw", json={"because": "wrong_patient", "reason": "Ola"}
        )
        assert try_(context, cast, rows(context, cast, "dicom")[-1].id).outcome == "acknowledged"
    one, two, gone = taken

    def before(ds: pydicom.Dataset) -> str:
        series = ds.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
        return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)

    assert "PredecessorDocumentsSequence" not in one
    assert (before(two), before(gone)) == (one.SOPInstanceUID, two.SOPInstanceUID)
    assert "Told Dr Solbakken." in two.to_json()
    assert "No acute abnormality" in two.to_json()
    assert (gone.VerificationFlag, gone.CompletionFlagDescription) == ("UNVERIFIED", "Withdrawn")
    assert "No acute abnormality" not in gone.to_json()
    assert "Ola" not in gone.to_json()


def test_what_the_archive_can_not_take_now_is_tried_again_with_the_same_objects(
    context: Context, cast: Cast, owner_url: str, clock: FixedClock
) -> None:
    with archive([0xA700]) as (port, taken):
        to_node(context, cast, owner_url, port, "pdf")
        signed(context, cast)
        row, result = tried(context, cast, "dicom")
        assert result is not None
        assert (result.outcome, row.state, row.acknowledgement_code) == ("refused_AE", "queued", "A700")
        clock.advance(timedelta(minutes=1))
        row, result = tried(context, cast, "dicom")
        assert row.state == "acknowledged"
    with context.works.read(system("t", cast.norfjord)) as work:
        (payload,) = work.session.scalars(text("select payload from sites.messages where direction = 'out'"))
    assert pydicom.dcmread(io.BytesIO(unzipped(payload)[0])).SOPInstanceUID == taken[0].SOPInstanceUID


@pytest.mark.parametrize("how", ["status", "class"])
def test_what_the_archive_never_takes_is_held_at_once(context: Context, cast: Cast, owner_url: str, how: str) -> None:
    scene = archive([0xA900]) if how == "status" else archive(classes=(BasicTextSRStorage,))
    with scene as (port, _):
        to_node(context, cast, owner_url, port, "pdf")
        signed(context, cast)
        row, result = tried(context, cast, "dicom")
    assert result is not None
    if how == "class":  # no presentation context at all: the association itself is of no use
        assert row.state in ("held", "queued")
        assert row.last_error
    else:
        assert (result.outcome, row.state, row.hold_kind) == ("refused_AR", "held", "refused")
        assert [kind for kind, _ in alarms(context, cast)] == ["delivery_failed"]


def test_an_archive_that_is_down_is_tried_later(context: Context, cast: Cast, owner_url: str) -> None:
    with archive() as (port, _):
        pass
    to_node(context, cast, owner_url, port, "pdf")
    signed(context, cast)
    row, result = tried(context, cast, "dicom")
    assert result is not None
    assert (result.outcome, row.state) == ("not_connected", "queued")


def test_stow(context: Context, cast: Cast, owner_url: str, clock: FixedClock) -> None:
    answers = [b"503 Service Unavailable", b"200 OK"]

    def talk(line: object, _: object) -> None:
        line.sendall(b"HTTP/1.1 " + answers.pop(0) + b"\r\nContent-Length: 2\r\n\r\n{}")  # type: ignore[attr-defined]

    with server(talk) as (port, taken):
        destination(
            context, cast, owner_url, "dicom_out", {"url": f"http://127.0.0.1:{port}/studies", "objects": ["pdf", "sr"]}
        )
        signed(context, cast)
        row, result = tried(context, cast, "dicom")
        assert result is not None
        assert (result.outcome, row.state) == ("no_answer", "queued")
        clock.advance(timedelta(minutes=1))
        row, result = tried(context, cast, "dicom")
    assert (row.state, row.acknowledgement_code) == ("acknowledged", "200")
    assert taken[0].partition(b"\r\n\r\n")[2] == taken[1].partition(b"\r\n\r\n")[2], "every try sends the same bytes"
    head, _, body = taken[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /studies HTTP/1.1")
    boundary = f"heliograph-{row.message_control_id}".encode()
    assert b'multipart/related; type="application/dicom"; boundary=' + boundary in head
    parts = body.split(b"--" + boundary)
    assert parts[-1] == b"--\r\n"
    files = [p.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for p in parts[1:-1]]
    assert [pydicom.dcmread(io.BytesIO(f)).Modality for f in files] == ["DOC", "SR"]


def test_stow_never_goes_into_our_own_network(context: Context, cast: Cast, owner_url: str) -> None:
    context.settings.__dict__["outgoing_networks"] = ""
    with server(OK) as (port, taken):
        destination(context, cast, owner_url, "dicom_out", {"url": f"https://127.0.0.1:{port}/studies"})
        signed(context, cast)
        row, result = tried(context, cast, "dicom")
    assert result is not None
    assert (result.outcome, row.state) == ("refused_AR", "held")
    assert taken == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "acknowledged"), (202, "refused_AE"), (302, "refused_AR"), (401, "refused_AR"), (409, "refused_AR"),
     (429, "no_answer"), (500, "no_answer")],
)  # fmt: skip
def test_answers_of_stow(status: int, outcome: str) -> None:
    assert read_status(status, b"").outcome == outcome


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": "https://a.example/studies", "node_id": "0191f3f0-0000-7000-8000-000000000000"},
        {"node_id": "0191f3f0-0000-7000-8000-000000000000"},
        {"url": "ftp://a.example/studies"},
        {"url": "https://a.example/studies", "objects": []},
        {"url": "https://a.example/studies", "objects": ["pdf", "dcm"]},
        {"url": "https://a.example/studies", "unknown": True},
    ],
)
def test_what_is_no_destination(context: Context, cast: Cast, owner_url: str, wrong: dict) -> None:
    with pytest.raises(BadSite):
        destination(context, cast, owner_url, "dicom_out", wrong)


def test_archives_and_bodies() -> None:
    files = [b"a" * 3, b"--x--\r\n", b""]
    assert unzipped(zipped(files)) == files
    assert zipped(files) == zipped(files)
    assert multipart("b", [b"x"]) == b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n"
