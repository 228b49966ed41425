"""Orders by hand, their documents, and matching, over HTTP; and the outsider who sees nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.orders import queries
from heliograph.care.orders.api import router
from heliograph.care.orders.documents import attach_document
from heliograph.care.orders.incoming import IncomingPatient
from heliograph.kit.actor import system
from tests.care.orders.help import make_study, message, receive, state_of
from tests.cast import Cast
from tests.records.sites.web import browser

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


def entered(cast: Cast, **changes) -> dict:
    order = {
        "facility_id": str(cast.norfjord_facility),
        "patient": {
            "identifier": "NF-7001",
            "family_name": "Bakke",
            "given_name": "Solveig",
            "birth_date": "1977-11-15",
            "sex": "F",
        },
        "accession": "A1",
        "priority": "STAT",
        "indication": "Fall",
        "referrer_name": "Dr Haugen",
        "referrer_phone": "+47 00 55 90 11",
        "procedures": [{"description": "CT hode uten kontrast", "modality": "CT"}],
    }
    return {**order, **changes}


def test_it_works(context: Context, cast: Cast) -> None:
    eirik = browser(context, cast.eirik, router)
    made = eirik.post("/api/orders", json=entered(cast))
    assert made.status_code == 201
    shown = eirik.get(f"/api/orders/{made.json()['id']}").json()
    assert (shown["source"], shown["priority"], shown["status"], shown["accession"]) == (
        "manual",
        "STAT",
        "scheduled",
        "A1",
    )
    assert shown["patient"]["display_name"] == "BAKKE, Solveig"
    assert [(p["exam_class"], p["modality"]) for p in shown["procedures"]] == [("ct_head_wo", "CT")]
    assert eirik.post(f"/api/orders/{shown['id']}/cancel", json={"reason": "Entered twice"}).status_code == 204
    assert eirik.get(f"/api/orders/{shown['id']}").json()["status"] == "cancelled"
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(
            text("select action, reason from audit.events where order_id is not null order by id")
        )
        assert [tuple(r) for r in rows] == [
            ("order.entered", None), ("order.viewed", None), ("order.cancelled", "Entered twice"), ("order.viewed", None),
        ]  # fmt: skip


def test_an_order_entered_by_hand_is_reconciled_and_keeps_its_documents(context: Context, cast: Cast) -> None:
    eirik = browser(context, cast.eirik, router)
    id_ = eirik.post("/api/orders", json=entered(cast)).json()["id"]
    document = eirik.post(
        f"/api/orders/{id_}/documents", files={"file": ("scan.pdf", PDF, "text/html")}, data={"kind": "requisition"}
    )
    assert document.status_code == 201
    received = receive(context, cast, message(priority="ASAP"))
    assert (str(received.id), received.change) == (id_, "updated")
    shown = eirik.get(f"/api/orders/{id_}").json()
    assert shown["reconciled_at"] is not None
    assert (shown["placer_number"], shown["filler_number"], shown["priority"]) == ("P-1", "F-1", "ASAP")
    assert [(d["name"], d["media_type"]) for d in shown["documents"]] == [("scan.pdf", "application/pdf")]
    assert len(shown["procedures"]) == 1
    got = eirik.get(f"/api/orders/{id_}/documents/{document.json()['id']}")
    assert (got.content, got.headers["content-type"]) == (PDF, "application/pdf")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert receive(context, cast, message(priority="ASAP")).change is None  # and once only
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select count(*) from orders.orders")) == 1
        assert work.session.scalar(text("select count(*) from audit.events where action = 'document.viewed'")) == 1


def test_an_order_by_hand_finds_images_that_wait(context: Context, cast: Cast) -> None:
    study = make_study(context, cast)
    eirik = browser(context, cast.eirik, router)
    assert eirik.post("/api/orders", json=entered(cast)).status_code == 201
    assert state_of(context, cast, study)[0] == "matched"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        (
            {"patient": {"identifier": "NF-7001", "family_name": "Strand", "given_name": "Berit"}},
            409,
            "patient-differs",
        ),
        ({"patient": {"identifier": "NF-7002", "family_name": "Strand"}}, 409, "order-for-another-patient"),
        ({}, 409, "order-exists"),
        ({"procedures": []}, 422, "invalid"),
        ({"priority": "NOW"}, 422, "invalid"),
        ({"accession": "A" * 17}, 422, "invalid"),
        ({"accession": "A\\1"}, 422, "order-incomplete"),
        ({"patient": {"identifier": " ", "family_name": "Strand"}}, 422, "no-identifier"),
    ],
)
def test_what_cannot_be_entered(context: Context, cast: Cast, changes, status, code) -> None:
    receive(context, cast, message())
    answer = browser(context, cast.eirik, router).post("/api/orders", json=entered(cast, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Bakke" not in answer.text
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select count(*) from orders.orders")) == 1


def test_a_known_identifier_under_another_name_is_taken_when_confirmed(context: Context, cast: Cast) -> None:
    receive(context, cast, message())
    patient = {"identifier": "NF-7001", "family_name": "Bakke-Lunde", "given_name": "Solveig"}
    eirik = browser(context, cast.eirik, router)
    order = entered(cast, patient=patient, accession="A2", confirm_patient=True)
    id_ = eirik.post("/api/orders", json=order).json()["id"]
    assert eirik.get(f"/api/orders/{id_}").json()["patient"]["family_name"] == "Bakke"


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>%PDF-", b"MZ\x90", b"GIF89a", b"%PDF-" + b"0" * (25 * 1024 * 1024)],
    ids=["empty", "html", "exe", "gif", "large"],
)
def test_only_documents_can_be_attached(context: Context, cast: Cast, data) -> None:
    order = receive(context, cast, message())
    eirik = browser(context, cast.eirik, router)
    answer = eirik.post(f"/api/orders/{order.id}/documents", files={"file": ("scan.pdf", data, "application/pdf")})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-document")


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd", "passwd"), ('a"b\r\n.png', "ab.png"), ("", "document.png"), ("C:\\x\\y.png", "y.png")],
)
def test_a_documents_name_is_only_a_name(context: Context, cast: Cast, name, kept) -> None:
    order = receive(context, cast, message())
    with context.works.begin(cast.eirik) as work:
        attach_document(work, context.objects, order.id, "other", name, b"\x89PNG\r\n\x1a\n...")
        brief = queries.order(work.session, order.id)
    assert brief is not None
    assert brief.documents[0].name == kept


def test_matching_by_hand(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast, patient="NF-7002", name="Strand^Berit")
    nadia = browser(context, cast.nadia, router)
    (candidate,) = nadia.get(f"/api/studies/{study}/candidates").json()
    assert candidate["order"]["id"] == str(order.id)
    assert candidate["patient"]["display_name"] == "BAKKE, Solveig"
    assert {d["field"] for d in candidate["differences"]} == {"name", "patient_id"}
    path, choice = f"/api/studies/{study}/match", {"order_id": str(order.id), "reason": "Wrong entry chosen"}
    assert nadia.post(path, json=choice).json()["code"] == "other-patient"
    assert nadia.post(path, json={**choice, "confirm_other_patient": True}).status_code == 204
    assert state_of(context, cast, study)[0] == "matched"


def test_a_reader_sees_the_order_of_a_patient_only_with_a_read(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message(patient=IncomingPatient("NF-7009", names=("Moe", "Tor"))))
    assert browser(context, cast.imogen, router).get(f"/api/orders/{order.id}").status_code == 404


@pytest.mark.parametrize(
    ("who", "reads"), [("harper", 404), ("olga", 404), ("imogen", 404), ("otto", 404), ("pat", 404), ("astrid", 404)]
)
def test_an_outsider_sees_and_does_nothing(context: Context, cast: Cast, who, reads) -> None:
    eirik = browser(context, cast.eirik, router)
    id_ = eirik.post("/api/orders", json=entered(cast)).json()["id"]
    document = eirik.post(f"/api/orders/{id_}/documents", files={"file": ("scan.pdf", PDF, "")}).json()["id"]
    study = make_study(context, cast, accession=None)
    other = browser(context, getattr(cast, who), router)
    staff = 404 if who == "harper" else 403
    matcher = 404 if who in ("harper", "olga") else 403
    choice = {"order_id": id_, "reason": "mine"}
    assert other.get(f"/api/orders/{id_}").status_code == reads
    assert other.get(f"/api/orders/{id_}/documents/{document}").status_code == reads
    assert other.post("/api/orders", json=entered(cast, accession="A5")).status_code == staff
    assert other.post(f"/api/orders/{id_}/cancel", json={"reason": "mine"}).status_code == staff
    assert other.post(f"/api/orders/{id_}/documents", files={"file": ("x.pdf", PDF, "")}).status_code == staff
    assert other.get(f"/api/studies/{study}/candidates").status_code == matcher
    assert other.post(f"/api/studies/{study}/match", json=choice).status_code == matcher
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select status from orders.orders")) == "scheduled"
        assert work.session.scalar(text("select count(*) from orders.order_studies")) == 0


def test_the_auditor_sees_the_order(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    assert browser(context, cast.runa, router).get(f"/api/orders/{order.id}").status_code == 200
