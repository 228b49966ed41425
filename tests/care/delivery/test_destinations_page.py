"""The page of a destination: numbers and words without a patient, a harmless test, everything refused tried again, secrets kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.delivery.destinations_api import router
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.settings import Settings
from tests.care.delivery.help import Receiver, ack, nothing, rows, try_, waiting_jobs
from tests.care.delivery.sftp_server import Drop
from tests.care.delivery.smtp_server import Mailbox
from tests.care.delivery.ways import destination, secret, signed
from tests.cast import Cast
from tests.kit.net.test_http_out import OK, says, server
from tests.records.sites.web import browser


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"outgoing_networks": "127.0.0.0/8"})


@pytest.fixture
def astrid(context: Context, cast: Cast) -> TestClient:
    return browser(context, cast.astrid, router)


def _page(client: TestClient, id_: UUID) -> dict[str, Any]:
    answer = client.get(f"/api/admin/destinations/{id_}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_it_works(
    context: Context, cast: Cast, receiver: Receiver, astrid: TestClient, clock: FixedClock, owner_url: str
) -> None:
    receiver.answers += [nothing, ack("AR")]
    signed(context, cast)
    (row,) = rows(context, cast)
    fare = _page(astrid, cast.hl7_out)["fare"]
    assert (fare["queued"], fare["last_success_at"], fare["median_seconds"]) == (1, None, None)
    try_(context, cast, row.id)
    page = _page(astrid, cast.hl7_out)
    assert page["fare"]["last_error"].startswith("The receiving system did not answer")
    assert [(o["state"], o["attempts"]) for o in page["open"]] == [("queued", 1)]
    clock.advance(timedelta(minutes=1))
    try_(context, cast, row.id)
    fare = _page(astrid, cast.hl7_out)["fare"]
    assert (fare["held"], fare["retriable"], fare["queued"]) == (1, 1, 0)
    assert astrid.post(f"/api/admin/destinations/{cast.hl7_out}/retry", json={"reason": " "}).status_code == 422
    told = astrid.post(f"/api/admin/destinations/{cast.hl7_out}/retry", json={"reason": "They fixed it"})
    assert told.json() == {"count": 1}
    assert str(row.id) in waiting_jobs(context, cast)
    clock.advance(timedelta(minutes=1))
    try_(context, cast, row.id)
    page = _page(astrid, cast.hl7_out)
    fare = page["fare"]
    assert (fare["acknowledged"], fare["held"], page["open"]) == (1, 0, [])
    assert fare["median_seconds"] == fare["slow_seconds"] == 120.0
    lines = {one["id"]: one for one in astrid.get("/api/admin/destinations").json()}
    assert lines[str(cast.hl7_out)]["fare"] == fare
    assert str(cast.hl7_in) not in lines
    for word in ("LARSEN", "Larsen", "NF-1", str(row.case_id)):
        assert word not in str(page) + str(lines)
    with context.works.read(system("t", cast.norfjord)) as work:
        told = work.session.execute(
            text("select actor_name, reason from audit.events where action = 'delivery.retried'")
        ).all()
    assert [tuple(r) for r in told] == [("Astrid Vik", "They fixed it")]


def test_what_a_coordinator_holds_stays(
    context: Context, cast: Cast, receiver: Receiver, astrid: TestClient, owner_url: str
) -> None:
    signed(context, cast)
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(
            text(
                "update delivery.deliveries set state = 'held', hold_kind = 'by_hand', hold_reason = 'x' where channel = 'hl7'"
            )
        )
    engine.dispose()
    assert astrid.post(f"/api/admin/destinations/{cast.hl7_out}/retry", json={"reason": "all"}).json() == {"count": 0}
    assert rows(context, cast)[0].state == "held"


def _test(client: TestClient, id_: UUID) -> dict[str, Any]:
    answer = client.post(f"/api/admin/destinations/{id_}/test")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("code", "is_ok"), [("AA", True), ("AR", True), ("AE", True)])
def test_an_hl7_receiver_is_tried(
    context: Context, cast: Cast, receiver: Receiver, astrid: TestClient, code: str, is_ok: bool
) -> None:
    receiver.answers.append(ack(code))
    trial = _test(astrid, cast.hl7_out)
    assert trial["is_ok"] is is_ok
    assert f"MSA|{code}|TEST" in trial["answer"]
    (message,) = receiver.taken
    assert (message.type, message.text("MSH-11")) == ("NMD", "P")
    assert message.segment("PID") is None
    assert rows(context, cast) == []


def test_a_receiver_that_is_away_says_why(context: Context, cast: Cast, receiver: Receiver, astrid: TestClient) -> None:
    receiver.answers.append(nothing)
    trial = _test(astrid, cast.hl7_out)
    assert (trial["is_ok"], trial["answer"]) == (False, None)
    assert "did not answer" in trial["words"]
    with context.works.read(system("t", cast.norfjord)) as work:
        (event,) = work.session.execute(
            text("select actor_name, outcome from audit.events where action = 'endpoint.tested'")
        )
    assert tuple(event) == ("Astrid Vik", "failed")


def test_a_webhook_is_tried(context: Context, cast: Cast, owner_url: str, astrid: TestClient) -> None:
    with server(OK) as (port, taken):
        hook = destination(context, cast, owner_url, "webhook", {"url": f"http://127.0.0.1:{port}/"})
        refused = astrid.post(f"/api/admin/destinations/{hook}/test")
        assert (refused.status_code, refused.json()["code"]) == (409, "not-tried")
        secret(context, cast, hook, "signing", None)
        trial = _test(astrid, hook)
    assert (trial["is_ok"], trial["answer"]) == (True, "ok")
    assert b'"type":"heliograph.test"' in taken[0]
    with server(says(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno")) as (port, _):
        hook = destination(context, cast, owner_url, "webhook", {"url": f"http://127.0.0.1:{port}/"})
        secret(context, cast, hook, "signing", None)
        trial = _test(astrid, hook)
    assert (trial["is_ok"], trial["words"], trial["answer"]) == (False, "It answered 404.", "no")


def test_the_other_kinds_are_tried(context: Context, cast: Cast, owner_url: str, astrid: TestClient, tmp_path) -> None:
    box, far = Mailbox(), Drop(tmp_path / "far")
    (tmp_path / "far").mkdir()
    (tmp_path / "drops").mkdir()
    for name, value in {
        "smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_tls": "none", "smtp_from": "a@read.example",
        "drop_folder": tmp_path / "drops",
    }.items():  # fmt: skip
        setattr(context.settings, name, value)
    try:
        mail = destination(context, cast, owner_url, "email", {"recipients": ["desk@norfjord.example"]})
        assert _test(astrid, mail)["is_ok"]
        assert b"no patient data" in box.mails[0][2]
        folder = destination(context, cast, owner_url, "folder", {"folder": "reports"})
        assert _test(astrid, folder)["is_ok"]
        assert [p.name for p in (tmp_path / "drops" / "norfjord" / "reports").iterdir()] == ["heliograph-test.txt"]
        told = {"user": "helio", "host_key": far.fingerprint}
        sftp = destination(context, cast, owner_url, "sftp", told, host="127.0.0.1", port=far.port)
        secret(context, cast, sftp, "password", "open sesame")
        assert _test(astrid, sftp)["is_ok"]
        assert [p.name for p in (tmp_path / "far").iterdir()] == ["heliograph-test.txt"]
        secret(context, cast, sftp, "password", "another")
        assert _test(astrid, sftp)["words"] == "The server refused our sign-in."
    finally:
        box.stop()
        far.stop()


def test_a_secret_is_shown_once(context: Context, cast: Cast, owner_url: str, astrid: TestClient) -> None:
    hook = destination(context, cast, owner_url, "webhook", {"url": "https://hooks.example/"})
    path = f"/api/admin/destinations/{hook}/secret"
    made = astrid.post(path, json={"name": "signing"}).json()["secret"]
    assert made.startswith("whsec_")
    page = astrid.get(f"/api/admin/destinations/{hook}")
    assert made not in page.text
    assert [(s["name"], s["ends_at"]) for s in page.json()["secrets"]] == [("signing", None)]
    given = "whsec_" + "A" * 43 + "="
    assert astrid.post(path, json={"name": "signing", "value": given, "overlap_hours": 48}).json() == {"secret": None}
    ends = [s["ends_at"] for s in _page(astrid, hook)["secrets"]]
    assert sorted(e is None for e in ends) == [False, True]
    for wrong in ({"name": "signing", "value": "short"}, {"name": "private_key", "value": "x"}, {"name": "password"}):
        assert astrid.post(path, json=wrong).json()["code"] == "bad-secret"


@pytest.mark.parametrize("who", ["eirik", "harper", "nadia", "imogen", "olga", "pat", "runa"])
def test_outsiders_see_and_do_nothing(context: Context, cast: Cast, owner_url: str, who: str) -> None:
    hook = destination(context, cast, owner_url, "webhook", {"url": "https://hooks.example/"})
    client = browser(context, getattr(cast, who), router)
    assert client.get("/api/admin/destinations").status_code == 403
    for method, path, body in (
        ("GET", "", None), ("POST", "/test", None), ("POST", "/retry", {"reason": "x"}), ("POST", "/secret", {"name": "signing"}),
    ):  # fmt: skip
        assert client.request(method, f"/api/admin/destinations/{hook}{path}", json=body).status_code == 403


def test_an_administrator_elsewhere_sees_and_does_nothing(context: Context, cast: Cast, owner_url: str) -> None:
    hook = destination(context, cast, owner_url, "webhook", {"url": "https://hooks.example/"})
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(
            text(
                "update access.role_assignments set organization_id = :o where user_id = :u and role = 'administrator'"
            ),
            {"o": cast.llano, "u": cast.astrid.id},
        )
    engine.dispose()
    client = browser(context, cast.astrid, router)
    assert str(hook) not in client.get("/api/admin/destinations").text
    for method, path, body in (
        ("GET", "", None), ("POST", "/test", None), ("POST", "/retry", {"reason": "x"}), ("POST", "/secret", {"name": "signing"}),
    ):  # fmt: skip
        assert client.request(method, f"/api/admin/destinations/{hook}{path}", json=body).status_code == 404
