"""The archive, the site's page, provisional cases, and a coordinator's hand; outsiders see nothing."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pydicom
import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.delivery.api import router
from heliograph.care.delivery.queries import deliveries_of_case, troubled_deliveries
from heliograph.care.orders.match import match_by_hand
from heliograph.care.reading.api import router as reading_router
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.worklist.board import board
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.records.archive.queries import instance_places
from tests.care.delivery.help import Receiver, ack, alarms, nothing, rows, try_
from tests.care.reading.help import actions, make_read, receive_order, sign, with_session
from tests.cast import Cast
from tests.records.sites.web import browser

DCIODVFY = Path(sys.executable).with_name("dciodvfy")


@pytest.fixture
def version(context: Context, cast: Cast, receiver: Receiver):
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    return made, sign(context, imogen, made.read_id)


def in_archive(context: Context, cast: Cast, study_id) -> list[bytes]:
    """The Encapsulated PDFs of a study."""
    with context.works.read(system("t", cast.norfjord)) as work:
        places = instance_places(work.session, study_id)
    files = [context.objects.get_range(p.object_key, p.object_offset, p.object_length) for p in places]
    return [f for f in files if pydicom.dcmread(io.BytesIO(f)).SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"]


def test_the_archive_holds_the_pdf_and_it_never_counts(context: Context, cast: Cast, version, tmp_path: Path) -> None:
    made, signed = version
    (row,) = rows(context, cast, "archive")
    assert try_(context, cast, row.id).outcome == "stored"
    (row,) = rows(context, cast, "archive")
    assert row.state == "acknowledged"
    (data,) = in_archive(context, cast, made.study_id)
    ds = pydicom.dcmread(io.BytesIO(data))
    with context.works.read(system("t", cast.norfjord)) as work:
        pdf = report_pdf(work.session, signed.id)
        study = work.session.execute(text("select * from archive.studies")).one()
    assert bytes(ds.EncapsulatedDocument)[: ds.EncapsulatedDocumentLength] == pdf
    assert (str(ds.PatientName), ds.PatientID, ds.AccessionNumber) == ("LARSEN^Kari", "NF-1", "A1")
    assert (ds.StudyInstanceUID, ds.Modality, ds.BurnedInAnnotation) == ("2.25.41", "DOC", "YES")
    assert study.number_of_instances == 2
    assert study.modalities == ["CT"]
    assert actions(context, cast, "case.late_images") == []
    path = tmp_path / "report.dcm"
    path.write_bytes(data)
    assert DCIODVFY.exists() or shutil.which("dciodvfy") is None, "dicom3tools is installed elsewhere"
    if DCIODVFY.exists():
        said = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False).stderr
        assert "EncapsulatedPDF" in said
        assert "Error" not in said


def test_the_site_confirms_on_its_page(context: Context, cast: Cast, version) -> None:
    _, signed = version
    eirik = browser(context, cast.eirik, router)
    done = eirik.post(f"/api/reports/{signed.id}/acknowledge")
    assert (done.status_code, done.json()["state"], done.json()["channel"]) == (200, "acknowledged", "page")
    assert eirik.post(f"/api/reports/{signed.id}/acknowledge").json() == done.json()
    (row,) = rows(context, cast, "page")
    assert row.acknowledged_by == cast.eirik.id
    assert actions(context, cast, "report.acknowledged") == ["report.acknowledged"]


def test_the_case_closes_when_every_destination_has_it(context: Context, cast: Cast, version) -> None:
    _, signed = version
    for channel in ("hl7", "archive"):
        (row,) = rows(context, cast, channel)
        try_(context, cast, row.id)
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select closed_at from worklist.cases")) is None
    browser(context, cast.eirik, router).post(f"/api/reports/{signed.id}/acknowledge")
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select closed_at from worklist.cases")) is not None


@pytest.mark.parametrize("name", ["harper", "otto", "olga", "pat", "astrid"])
def test_an_outsider_sees_and_changes_nothing(context: Context, cast: Cast, version, name: str) -> None:
    _, signed = version
    (row,) = rows(context, cast)
    client = browser(context, getattr(cast, name), router)
    answers = [
        client.post(f"/api/reports/{signed.id}/acknowledge"),
        client.post(f"/api/deliveries/{row.id}/retry", json={"reason": "x"}),
        client.post(f"/api/deliveries/{row.id}/hold", json={"reason": "x"}),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "not-found")] * 3
    with context.works.read(getattr(cast, name)) as work:
        for table in ("deliveries", "delivery_attempts"):
            assert work.session.scalar(text(f"select count(*) from delivery.{table}")) == 0


def test_only_the_site_confirms_and_only_coordinators_steer(context: Context, cast: Cast, version) -> None:
    _, signed = version
    (row,) = rows(context, cast)
    for who in (cast.imogen, cast.nadia, cast.runa):
        refused = browser(context, who, router).post(f"/api/reports/{signed.id}/acknowledge")
        assert refused.status_code == 403
    for who in (cast.imogen, cast.eirik, cast.runa):
        client = browser(context, who, router)
        assert client.post(f"/api/deliveries/{row.id}/retry", json={"reason": "x"}).status_code == 404
        assert client.post(f"/api/deliveries/{row.id}/hold", json={"reason": "x"}).status_code == 404


def test_a_coordinator_tries_again_or_holds(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, version
) -> None:
    receiver.answers = [ack("AR")]
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    nadia = browser(context, cast.nadia, router)
    url = f"/api/deliveries/{row.id}"
    assert nadia.post(f"{url}/retry", json={"reason": " "}).json()["code"] == "reason-needed"
    tried = nadia.post(f"{url}/retry", json={"reason": "They mended it"}).json()
    assert (tried["state"], tried["hold_reason"]) == ("queued", None)
    held = nadia.post(f"{url}/hold", json={"reason": "By phone"}).json()
    assert (held["state"], held["hold_reason"]) == ("held", "By phone")
    assert held["next_step"] == "Held by a coordinator: By phone"
    assert try_(context, cast, row.id) is None
    assert nadia.post(f"{url}/retry", json={"reason": "After all"}).json()["state"] == "queued"
    assert try_(context, cast, row.id).outcome == "acknowledged"
    assert alarms(context, cast) == []
    assert nadia.post(f"{url}/retry", json={"reason": "again"}).json()["code"] == "illegal-step"
    assert actions(context, cast, "delivery.retried", "delivery.held") == [
        "delivery.retried", "delivery.held", "delivery.retried",
    ]  # fmt: skip


def test_words_for_the_board(context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, version) -> None:
    made, _ = version
    receiver.answers = [nothing, nothing]
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    clock.advance(timedelta(minutes=4))
    try_(context, cast, row.id)
    (row,) = rows(context, cast)
    with context.works.read(cast.nadia) as work:
        (shown,) = [d for d in troubled_deliveries(work.session, [cast.norfjord], work.now) if d.channel == "hl7"]
        again = row.next_attempt_at.astimezone(ZoneInfo("Europe/Oslo"))
        assert shown.next_step == (
            f"Norfjord's system did not answer for 4 minutes; next try {again:%H:%M}. Call +47 00 55 90 00."
        )
        assert len(deliveries_of_case(work.session, made.case_id, work.now)) == 3


def test_a_provisional_case_is_signed_and_held_until_matched(context: Context, cast: Cast, receiver: Receiver) -> None:
    made, imogen = make_read(context, cast, order=False), with_session(context, cast.imogen)
    signed = sign(context, imogen, made.read_id)
    found = [row for channel in ("hl7", "archive", "page") for row in rows(context, cast, channel)]
    assert [(r.state, r.hold_kind) for r in found] == [("held", "provisional")] * 3
    with context.works.read(cast.nadia) as work:
        assert [d.state for d in board(work, 10).deliveries] == ["held"], "one trouble, not one for each way"
    eirik, nadia = browser(context, cast.eirik, router, reading_router), browser(context, cast.nadia, router)
    assert eirik.get(f"/api/reports/{signed.id}").status_code == 404
    assert eirik.post(f"/api/reports/{signed.id}/acknowledge").status_code == 404
    refused = nadia.post(f"/api/deliveries/{found[0].id}/retry", json={"reason": "now"})
    assert (refused.status_code, refused.json()["code"]) == (409, "still-provisional")
    assert try_(context, cast, found[0].id) is None
    receive_order(context, cast, accession="A9")
    with context.works.begin(cast.nadia) as work:
        order_id = work.session.scalar(text("select id from orders.orders where accession_number = 'A9'"))
        match_by_hand(work, made.study_id, order_id, "Called the site: same patient")
    (hl7,), (archive,), (page,) = (rows(context, cast, c) for c in ("hl7", "archive", "page"))
    assert [r.state for r in (hl7, archive, page)] == ["queued", "queued", "sent"]
    assert try_(context, cast, hl7.id).outcome == "acknowledged"
    assert receiver.taken[0].text("OBR-18") == "A9"
    assert eirik.get(f"/api/reports/{signed.id}").status_code == 200
    assert eirik.post(f"/api/reports/{signed.id}/acknowledge").status_code == 200
