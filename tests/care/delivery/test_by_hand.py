"""A person steps in: cancel, send anew, tell by phone, withdraw; and the sweeps respect it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.delivery.api import router
from heliograph.care.delivery.deliver import prepare, record_result
from heliograph.care.delivery.hl7 import read_answer
from heliograph.care.delivery.ledger import enqueue_due, sweep_ledger
from heliograph.care.reading.api import router as reading_router
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from tests.care.delivery.help import Receiver, ack, alarms, nothing, rows, try_, waiting_jobs
from tests.care.delivery.test_deliver import add
from tests.care.reading.help import Made, actions, make_read, sign, with_session
from tests.cast import Cast
from tests.records.sites.web import browser


@pytest.fixture
def signed(context: Context, cast: Cast, receiver: Receiver) -> tuple[Made, Actor, object]:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    return made, imogen, sign(context, imogen, made.read_id)


def test_a_cancelled_delivery_is_over(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    made, imogen, _ = signed
    receiver.answers = [nothing]
    add(context, imogen, made)
    first, second = rows(context, cast)
    try_(context, cast, first.id)
    clock.advance(timedelta(minutes=20))
    assert sweep_ledger(context.works)[1] > 0
    nadia = browser(context, cast.nadia, router)
    url = f"/api/deliveries/{first.id}/cancel"
    assert nadia.post(url, json={"reason": " "}).json()["code"] == "reason-needed"
    done = nadia.post(url, json={"reason": "They read it on the page"}).json()
    assert (done["state"], done["cancel_reason"], done["next_step"]) == (
        "cancelled", "They read it on the page", "Cancelled: They read it on the page",
    )  # fmt: skip
    assert nadia.post(url, json={"reason": "again"}).json()["code"] == "illegal-step"
    first, second = rows(context, cast)
    assert (first.state, first.cancelled_by, first.next_attempt_at) == ("cancelled", cast.nadia.id, None)
    assert not [1 for kind, _ in alarms(context, cast) if kind == "delivery_failed"]
    assert str(second.id) in waiting_jobs(context, cast)
    clock.advance(timedelta(hours=3))
    enqueue_due(context.works, context.settings)
    sweep_ledger(context.works)
    assert try_(context, cast, first.id) is None
    assert rows(context, cast)[0].state == "cancelled", "no sweep takes up what a person ended"
    assert len(receiver.payloads) == 1
    assert try_(context, cast, second.id).outcome == "acknowledged", "what waited for it goes on"
    assert actions(context, cast, "delivery.cancelled") == ["delivery.cancelled"]


def test_an_answer_that_comes_after_the_cancellation_is_kept_and_nothing_overtakes_the_try(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    made, imogen, _ = signed
    add(context, imogen, made)
    first, second = rows(context, cast)
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        claimed = prepare(work, context.settings, first.id)  # and it is on its way
    assert claimed is not None
    browser(context, cast.nadia, router).post(f"/api/deliveries/{first.id}/cancel", json={"reason": "Not needed"})
    assert try_(context, cast, second.id) is None, "the first may still arrive, and would take its place"
    from heliograph.kit.codecs.hl7 import parse

    answer = ack("AA")(parse(claimed.prepared.payload, "UNICODE UTF-8"))
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        record_result(work, first.id, read_answer(answer, claimed.one.control_id), claimed.one.control_id)
    first, second = rows(context, cast)
    assert (first.state, first.acknowledgement_code) == ("cancelled", "AA")
    assert first.acknowledged_at is not None
    assert try_(context, cast, second.id).outcome == "acknowledged"


def test_what_the_site_lost_is_sent_anew_as_another_message(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    nadia = browser(context, cast.nadia, router)
    clock.advance(timedelta(minutes=1))
    again = nadia.post(f"/api/deliveries/{row.id}/send-anew", json={"reason": "They lost it"}).json()
    assert (again["state"], again["acknowledged_at"], again["attempts"]) == ("queued", None, 0)
    receiver.answers = [ack("AE"), ack("AE")]
    for _ in range(2):
        assert try_(context, cast, row.id).outcome == "refused_AE"
        clock.advance(timedelta(minutes=2))
    assert rows(context, cast)[0].state == "queued", "errors are counted for the new message alone"
    assert try_(context, cast, row.id).outcome == "acknowledged"
    one, two, *repeats = receiver.taken
    assert one.text("MSH-10") != two.text("MSH-10")
    assert {m.text("MSH-10") for m in repeats} == {two.text("MSH-10")}
    assert one.text("OBR-3") == two.text("OBR-3")
    with context.works.read(system("t", cast.norfjord)) as work:
        logged = work.session.execute(
            text("select control_id, acknowledgement from sites.messages where direction = 'out' order by received_at")
        ).all()
    assert [r.acknowledgement for r in logged] == ["AA", "AA"]
    assert len({r.control_id for r in logged}) == 2


def test_an_old_version_never_takes_the_place_of_a_later_one(
    context: Context, cast: Cast, receiver: Receiver, signed
) -> None:
    made, imogen, _ = signed
    add(context, imogen, made)
    first, second = rows(context, cast)
    try_(context, cast, first.id)
    try_(context, cast, second.id)
    nadia = browser(context, cast.nadia, router)
    refused = nadia.post(f"/api/deliveries/{first.id}/send-anew", json={"reason": "once more"})
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal-step")
    assert nadia.post(f"/api/deliveries/{second.id}/send-anew", json={"reason": "once more"}).status_code == 200


def test_told_by_phone_in_place_of_the_page(context: Context, cast: Cast, clock: FixedClock, signed) -> None:
    made, _, version = signed
    (page,) = rows(context, cast, "page")
    clock.advance(timedelta(minutes=9))
    nadia = browser(context, cast.nadia, router)
    told = {"way": "phone", "told_to": "Dr Solbakken, +47 00 55 90 00", "note": "Read back", "instead_of": str(page.id)}
    url = f"/api/reports/{version.id}/tellings"
    for bad in (
        {**told, "told_at": (clock.now() + timedelta(hours=1)).isoformat()},
        {**told, "told_at": (clock.now() - timedelta(hours=1)).isoformat()},
        {**told, "told_to": " "},
        {**told, "way": "pigeon"},
    ):
        assert nadia.post(url, json=bad).status_code == 422
    assert nadia.post(url, json=told).status_code == 201
    (page,) = rows(context, cast, "page")
    assert (page.state, page.cancel_reason) == ("cancelled", "Told by phone instead.")
    shown = nadia.get(f"/api/cases/{made.case_id}/deliveries").json()
    (line,) = shown["tellings"]
    assert (line["way"], line["told_to"], line["teller_name"], line["note"], line["version_number"]) == (
        "phone", "Dr Solbakken, +47 00 55 90 00", cast.nadia.name, "Read back", 1,
    )  # fmt: skip
    assert shown["may_steer"] is True
    assert actions(context, cast, "report.told", "delivery.cancelled") == ["report.told", "delivery.cancelled"]
    eirik = browser(context, cast.eirik, router)
    assert eirik.get(f"/api/cases/{made.case_id}/deliveries").json()["may_steer"] is False
    assert eirik.post(url, json=told).status_code == 404
    imogen = browser(context, cast.imogen, router)
    own = imogen.post(url, json={"way": "fax", "told_to": "Ward 3"})
    assert own.status_code == 201, "who signed it may note that they told the site"
    assert imogen.post(url, json={**told, "instead_of": str(rows(context, cast)[0].id)}).status_code == 404


def test_what_was_told_can_not_be_changed(context: Context, cast: Cast, signed) -> None:
    _, _, version = signed
    browser(context, cast.nadia, router).post(
        f"/api/reports/{version.id}/tellings", json={"way": "print", "told_to": "Reception"}
    )
    for statement in ("update delivery.tellings set told_to = 'x'", "delete from delivery.tellings"):
        with pytest.raises(Exception, match="immutable"), context.works.begin(cast.nadia) as work:
            work.session.execute(text(statement))


def test_the_case_closes_when_its_last_delivery_is_cancelled(
    context: Context, cast: Cast, receiver: Receiver, signed
) -> None:
    nadia = browser(context, cast.nadia, router)
    for channel in ("hl7", "archive"):
        (row,) = rows(context, cast, channel)
        try_(context, cast, row.id)
    (page,) = rows(context, cast, "page")
    nadia.post(f"/api/deliveries/{page.id}/cancel", json={"reason": "The site has no page"})
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select closed_at from worklist.cases")) is not None


def test_a_report_on_the_wrong_patient_is_withdrawn_where_it_may_be(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    made, imogen, version = signed
    add(context, imogen, made)
    first, second = rows(context, cast)
    try_(context, cast, first.id)
    (archive,) = rows(context, cast, "archive")[:1]
    try_(context, cast, archive.id)
    nadia = browser(context, cast.nadia, router, reading_router)
    url = f"/api/reports/{version.id}/withdraw"
    secret = "It was about Ola Nordmann"
    assert nadia.post(url, json={"because": "wrong_patient", "reason": secret}).status_code == 204
    assert nadia.post(url, json={"because": "other", "reason": "again"}).json()["code"] == "already-withdrawn"
    first, second, gone = rows(context, cast)
    assert (first.state, second.state, second.cancel_reason) == (
        "acknowledged",
        "cancelled",
        "The report was withdrawn.",
    )
    assert (gone.is_withdrawal, gone.version_number, gone.state) == (True, 2, "queued")
    assert try_(context, cast, gone.id).outcome == "acknowledged"
    final, withdrawn = receiver.taken
    assert [withdrawn.text(p) for p in ("OBR-25", "OBX-11", "OBX-3.1.2")] == ["C", "W", "IMP"]
    assert {o.text(11) for o in withdrawn.segments("OBX")} == {"W"}
    assert withdrawn.text("OBR-3") == final.text("OBR-3")
    assert "Reported on the wrong patient. Please disregard." in [o.text(5) for o in withdrawn.segments("OBX")]
    for sent in (secret.encode(), b"No acute abnormality", b"%PDF", b"JVBER"):
        assert sent not in receiver.payloads[-1]
    assert nadia.get(f"/api/reports/{version.id}").json()["state"] == "withdrawn"
    held = nadia.post(f"/api/deliveries/{first.id}/send-anew", json={"reason": "x"})
    assert held.json()["code"] == "illegal-step"
    assert actions(context, cast, "report.withdrawn") == ["report.withdrawn"]
    clock.advance(timedelta(minutes=1))
    assert sweep_ledger(context.works)[0] == 0


def test_what_never_arrived_is_not_withdrawn_there(context: Context, cast: Cast, receiver: Receiver, signed) -> None:
    _, imogen, version = signed
    reader = browser(context, imogen, router)
    done = reader.post(f"/api/reports/{version.id}/withdraw", json={"because": "other", "reason": "Wrong protocol"})
    assert done.status_code == 204, "who signed it may withdraw it"
    assert [(r.state, r.is_withdrawal) for r in rows(context, cast)] == [("cancelled", False)]
    assert sweep_ledger(context.works) == (0, 0)


def test_a_withdrawal_that_lacks_its_delivery_is_found(
    context: Context, cast: Cast, receiver: Receiver, signed, owner_url: str
) -> None:
    _, imogen, version = signed
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    browser(context, imogen, router).post(
        f"/api/reports/{version.id}/withdraw", json={"because": "other", "reason": "Wrong protocol"}
    )
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("delete from delivery.deliveries where is_withdrawal"))
    engine.dispose()
    assert sweep_ledger(context.works)[0] == 1
    assert try_(context, cast, rows(context, cast)[-1].id).outcome == "acknowledged"
    assert receiver.taken[-1].text("OBX-11") == "D"


@pytest.mark.parametrize("name", ["harper", "otto", "olga", "pat", "astrid"])
def test_an_outsider_sees_and_does_nothing(context: Context, cast: Cast, signed, name: str) -> None:
    made, _, version = signed
    (row,) = rows(context, cast)
    client = browser(context, getattr(cast, name), router)
    answers = [
        client.get(f"/api/cases/{made.case_id}/deliveries"),
        client.post(f"/api/deliveries/{row.id}/cancel", json={"reason": "x"}),
        client.post(f"/api/deliveries/{row.id}/send-anew", json={"reason": "x"}),
        client.post(f"/api/reports/{version.id}/tellings", json={"way": "fax", "told_to": "x"}),
        client.post(f"/api/reports/{version.id}/withdraw", json={"because": "other", "reason": "x"}),
    ]
    assert [a.status_code for a in answers] == [404] * 5
    assert rows(context, cast)[0].state == "queued"


@pytest.mark.parametrize("name", ["eirik", "runa"])
def test_the_site_and_other_readers_do_not_steer(context: Context, cast: Cast, signed, name: str) -> None:
    _, _, version = signed
    (row,) = rows(context, cast)
    client = browser(context, getattr(cast, name), router)
    for verb in ("cancel", "send-anew"):
        assert client.post(f"/api/deliveries/{row.id}/{verb}", json={"reason": "x"}).status_code == 404
    withdraw = client.post(f"/api/reports/{version.id}/withdraw", json={"because": "other", "reason": "x"})
    assert withdraw.status_code == 404


def test_held_by_hand_or_for_its_order_it_is_alarmed_all_the_same(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    (row,) = rows(context, cast)
    (archive,) = rows(context, cast, "archive")
    try_(context, cast, archive.id)
    browser(context, cast.nadia, router).post(f"/api/deliveries/{row.id}/hold", json={"reason": "Called them"})
    clock.advance(timedelta(minutes=6))
    assert sweep_ledger(context.works) == (0, 1)
    assert sweep_ledger(context.works) == (0, 0)
    assert alarms(context, cast) == [
        ("report_unacknowledged", "A signed report is not acknowledged. Held by a coordinator: Called them")
    ]


def test_a_report_that_waits_for_its_order_is_one_alarm(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver
) -> None:
    made, imogen = make_read(context, cast, order=False), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id)
    clock.advance(timedelta(minutes=61))
    assert sweep_ledger(context.works) == (0, 1)
    assert sweep_ledger(context.works) == (0, 0)
