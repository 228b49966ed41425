"""The report over HTTP: the reader's whole way, and the outsiders who see nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.reading.api import router
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from tests.care.reading.help import GOOD, Made, actions, make_read
from tests.cast import PASSWORD, Cast
from tests.records.sites.web import browser


def signed(context: Context, cast: Cast, made: Made) -> tuple[TestClient, dict]:
    imogen = browser(context, cast.imogen, router)
    opened = imogen.post(f"/api/reads/{made.read_id}/open").json()
    body = {"revision": opened["draft"]["revision"], "content": GOOD, "password": PASSWORD}
    return imogen, imogen.post(f"/api/reads/{made.read_id}/sign", json=body).json()


def test_it_works(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    imogen = browser(context, cast.imogen, router)
    opened = imogen.post(f"/api/reads/{made.read_id}/open")
    assert opened.status_code == 200
    space = opened.json()
    assert (space["case"]["id"], space["read"]["state"], space["signature_needed"]) == (
        str(made.case_id),
        "reading",
        True,
    )
    assert space["report"]["template"]["id"] == "ct_head"
    assert space["viewer"] == {"organization_slug": "norfjord", "study_instance_uids": ["2.25.41"], "prior_uids": []}
    assert space["lock"]["holder"] == "Dr Imogen Tarrant"
    url = f"/api/reads/{made.read_id}"
    stops = {c["field"] for c in imogen.get(f"{url}/checks").json() if c["level"] == "stop"}
    assert stops == {"haemorrhage", "acute_ischaemia", "findings", "impression"}
    saved = imogen.put(f"{url}/draft", json={"revision": 1, "content": GOOD})
    assert (saved.status_code, saved.json()["revision"]) == (200, 2)
    moved = imogen.put(f"{url}/draft", json={"revision": 1, "content": {"sections": {"impression": "x"}}})
    assert (moved.status_code, moved.json()["code"]) == (409, "draft-moved-on")
    assert imogen.get(f"{url}/checks").json() == []
    body = {"revision": 2, "content": GOOD}
    asked = imogen.post(f"{url}/sign", json=body)
    assert (asked.status_code, asked.json()["code"]) == (401, "signature-needed")
    wrong = imogen.post(f"{url}/sign", json={**body, "password": "wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong-credentials")
    empty = imogen.post(f"{url}/sign", json={"revision": 2, "content": {}, "password": PASSWORD})
    assert (empty.status_code, empty.json()["code"]) == (422, "incomplete")
    assert {p["field"] for p in empty.json()["problems"]} == stops
    done = imogen.post(f"{url}/sign", json=body)  # proved a moment ago: not asked again
    assert done.status_code == 200
    version = done.json()
    assert (version["number"], version["kind"], version["accession"]) == (1, "final", ["A1"])
    assert [s["id"] for s in version["sections"]] == ["indication", "findings", "impression"]
    again = imogen.get(f"/api/reports/{version['id']}")
    assert again.json() == version
    pdf = imogen.get(f"/api/reports/{version['id']}/pdf")
    assert (pdf.headers["content-type"], pdf.headers["cache-control"]) == ("application/pdf", "private, no-store")
    assert pdf.content.startswith(b"%PDF-")


def test_the_password_is_asked_again_after_fifteen_idle_minutes(
    context: Context, cast: Cast, clock: FixedClock
) -> None:
    made = make_read(context, cast)
    imogen = browser(context, cast.imogen, router)
    opened = imogen.post(f"/api/reads/{made.read_id}/open").json()
    body = {"revision": opened["draft"]["revision"], "content": GOOD, "kind": "preliminary"}
    assert imogen.post(f"/api/reads/{made.read_id}/sign", json={**body, "password": PASSWORD}).status_code == 200
    body |= {"revision": body["revision"] + 1}
    clock.advance(timedelta(minutes=14))
    saved = imogen.put(f"/api/reads/{made.read_id}/draft", json=body).json()  # not idle
    clock.advance(timedelta(minutes=14))
    body |= {"revision": saved["revision"], "kind": None}
    clock.advance(timedelta(minutes=2))
    late = imogen.post(f"/api/reads/{made.read_id}/sign", json=body)
    assert (late.status_code, late.json()["code"]) == (401, "signature-needed")
    assert imogen.post(f"/api/reads/{made.read_id}/sign", json={**body, "password": PASSWORD}).status_code == 200


def test_who_sees_a_report_and_that_it_is_on_record_once(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    _, version = signed(context, cast, made)
    for who in (cast.eirik, cast.runa, cast.nadia, cast.imogen):
        client = browser(context, who, router)
        assert client.get(f"/api/reports/{version['id']}").status_code == 200
        assert client.get(f"/api/reports/{version['id']}/pdf").status_code == 200
    assert len(actions(context, cast, "report.viewed")) == 4


@pytest.mark.parametrize("name", ["harper", "otto", "olga", "pat", "astrid"])
def test_an_outsider_sees_nothing(context: Context, cast: Cast, name: str) -> None:
    made = make_read(context, cast)
    _, version = signed(context, cast, made)
    client, read = browser(context, getattr(cast, name), router), f"/api/reads/{made.read_id}"
    body = {"revision": 1, "content": GOOD, "password": PASSWORD}
    answers = [
        client.post(f"{read}/open"),
        client.put(f"{read}/draft", json=body),
        client.post(f"{read}/release"),
        client.get(f"{read}/checks"),
        client.post(f"{read}/sign", json=body),
        client.get(f"/api/reports/{version['id']}"),
        client.get(f"/api/reports/{version['id']}/pdf"),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "not-found")] * 7
    assert not any("Larsen" in a.text or "LARSEN" in a.text or "acute" in a.text for a in answers)
    assert TestClient(client.app).get(f"/api/reports/{version['id']}").status_code == 401


def test_a_reader_who_is_no_longer_eligible_loses_the_read(context: Context, cast: Cast, owner_url: str) -> None:
    made = make_read(context, cast)
    imogen = browser(context, cast.imogen, router)
    opened = imogen.post(f"/api/reads/{made.read_id}/open").json()
    with context.works.begin(system("t", cast.norfjord)) as work:
        work.session.execute(
            text("update people.licences set status = 'suspended' where reader_id = :r and jurisdiction = 'NO'"),
            {"r": cast.imogen_reader},
        )
        work.record("test.suspended", organization_id=cast.norfjord)
    body = {"revision": opened["draft"]["revision"], "content": GOOD, "password": PASSWORD}
    refused = imogen.post(f"/api/reads/{made.read_id}/sign", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "no-longer-eligible")
    assert any(c["rule"] == "licence" and c["outcome"] == "fail" for c in refused.json()["checks"])
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select state from worklist.reads")) == "ready"
        assert work.session.scalar(text("select count(*) from reading.report_versions")) == 0
