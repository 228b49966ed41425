"""A pasted message: what it would become, what it would be answered, and that nothing of it is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from heliograph.app.context import Context
from heliograph.care.orders.exam_classes import exam_class
from heliograph.exchange.hl7.feeds_api import router
from heliograph.records.sites.api import router as sites
from tests.care.orders.help import message, receive
from tests.cast import Cast
from tests.exchange.hl7.door import MSH, PID, order
from tests.records.sites.web import browser

SECRETS = ("Bakke", "Solveig", "NF-7001", "anticoagulant", "1977")


@pytest.fixture
def owner(owner_url: str) -> Iterator[Engine]:
    engine = create_engine(owner_url)
    yield engine
    engine.dispose()


def lines(message: bytes) -> str:
    """As one pastes it: a segment a line."""
    return message.decode().replace("\r", "\n")


def tried(context: Context, cast: Cast, message: str) -> dict[str, Any]:
    answer = browser(context, cast.astrid, router).post(
        f"/api/admin/endpoints/{cast.hl7_in}/preview", json={"text": message}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def value(seen: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(v for v in seen if v["name"] == name)


def counts(owner: Engine) -> list[tuple[int, ...]]:
    tables = ("orders.orders", "patients.patients", "sites.messages", "worklist.cases", "orders.requested_procedures")
    with owner.connect() as c:
        return [tuple(c.execute(text(f"select count(*) from {t}")).one()) for t in tables]


def test_value_by_value_with_where_it_was_found(context: Context, cast: Cast, owner: Engine) -> None:
    before = counts(owner)
    found = tried(context, cast, lines(order()))
    assert (found["message_type"], found["control_id"], found["refused"]) == ("ORM^O01", "NF-1", None)
    (group,) = found["orders"]
    assert group["control"] == "NW"
    accession = value(group["values"], "accession_number")
    assert (accession["value"], accession["path"]) == ("A26110001", "OBR-18")
    assert [(t["path"], t["value"]) for t in accession["tried"]] == [("IPC-1.1", None), ("OBR-18", "A26110001")]
    assert value(group["values"], "priority")["meaning"] == "STAT"
    assert value(group["values"], "procedure")["meaning"] == exam_class("ct_head_wo").name
    assert value(group["values"], "ordered_at")["meaning"] == "2026-11-25T02:29:00+01:00"
    assert value(found["patient"], "patient_id")["value"] == "NF-7001"
    assert value(found["patient"], "name")["value"] == "Bakke, Solveig M"
    (answer,) = found["answers"]
    assert (answer["kind"], answer["code"]) == ("application", "AA")
    assert "MSA|AA|NF-1" in answer["text"]
    assert [e["action"] for e in found["effects"]] == ["patient.created", "order.received"]
    assert counts(owner) == before
    with owner.connect() as c:
        looks = c.execute(text("select action, subject_id from audit.events where action like 'feed.%'")).all()
    assert [tuple(r) for r in looks] == [("feed.message_tried", cast.hl7_in)]


def test_what_is_refused_says_where(context: Context, cast: Cast, owner: Engine) -> None:
    before = counts(owner)
    found = tried(context, cast, lines(order().replace(b"OBR|1|P-100", b"OBR|1|P-999")))
    assert found["refused"]["code"] == "207"
    assert found["refused"]["place"] == "OBR^1^2"
    assert "refused" in value(found["orders"][0]["values"], "placer_number")["warning"]
    assert found["answers"][0]["code"] == "AE"
    assert found["effects"] == []
    training = tried(context, cast, lines(order(msh=MSH.replace("|P|", "|T|"))))
    assert (training["answers"][0]["code"], training["refused"]["code"]) == ("AR", "202")
    assert tried(context, cast, "Good morning")["answers"][0]["code"] == "AR"
    assert counts(owner) == before


def test_by_the_mapping_of_the_feed_as_it_is_saved(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, sites)
    path = f"/api/admin/endpoints/{cast.hl7_in}"
    refused = astrid.patch(path, json={"mapping": {"values": {"accession_number": {"paths": ["OBR18"]}}}})
    assert refused.status_code == 422
    assert "“OBR18” is no place in a message" in refused.json()["detail"]
    assert refused.json()["problems"][0]["field"] == "mapping.accession_number"
    mapping = {"values": {"accession_number": {"paths": ["OBR-3.1"], "otherwise": []}}, "priorities": {"S": "STROKE"}}
    assert astrid.patch(path, json={"mapping": mapping}).status_code == 204
    (group,) = tried(context, cast, lines(order()))["orders"]
    assert (value(group["values"], "accession_number")["value"], value(group["values"], "priority")["meaning"]) == (
        "F-100",
        "STROKE",
    )


def test_a_known_order_would_change(context: Context, cast: Cast, owner: Engine) -> None:
    receive(context, cast, message(placer_number="P-100", filler_number="F-100", accession_number="A26110001"))
    found = tried(context, cast, lines(order("NF-2", orc="XO")))
    changed = next(e for e in found["effects"] if e["action"] == "order.changed")
    assert "priority" in changed["fields"]
    with owner.connect() as c:
        assert c.execute(text("select priority from orders.orders")).scalar_one() == "ROUTINE"


def test_enhanced_mode_shows_both_answers(context: Context, cast: Cast) -> None:
    message = order(msh=MSH + "|||AL|AL")
    found = tried(context, cast, lines(message))
    assert [(a["kind"], a["code"]) for a in found["answers"]] == [("accept", "CA"), ("application", "AA")]


def test_another_senders_message_is_said_to_be_one(context: Context, cast: Cast) -> None:
    found = tried(context, cast, lines(order(msh=MSH.replace("NFRIS", "SOMEBODY"))))
    assert any("MSH-3 and MSH-4" in w for w in found["warnings"])


def test_only_an_administrator_of_the_feeds_organisation(context: Context, cast: Cast) -> None:
    path = f"/api/admin/endpoints/{cast.hl7_in}/preview"
    statuses = {
        who.name: browser(context, who, router).post(path, json={"text": lines(order())}).status_code
        for who in (cast.eirik, cast.nadia, cast.imogen, cast.harper, cast.olga)
    }
    assert set(statuses.values()) <= {403, 404}, statuses
    assert browser(context, cast.astrid, router).get("/api/admin/feed-defaults").status_code == 200
    assert browser(context, cast.eirik, router).get("/api/admin/feed-defaults").status_code == 403


def test_a_pasted_message_is_in_no_log(
    context: Context, cast: Cast, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], owner: Engine
) -> None:
    caplog.set_level(logging.DEBUG)
    tried(context, cast, lines(order()))
    tried(context, cast, lines(order(pid=PID.replace("19771115", "15.11.1977"))))
    said = caplog.text + "".join(capsys.readouterr())
    with owner.connect() as c:
        said += str(c.execute(text("select * from audit.events")).all())
    for secret in SECRETS:
        assert secret not in said
