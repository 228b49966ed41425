"""A person has a message processed again: through the door's own steps, as a new line that points to the first, on record with why."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from heliograph.app.context import Context
from heliograph.exchange.hl7.replay import NotReplayed, WhyReplayed, replay
from heliograph.exchange.hl7.replay_api import router
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.records.sites.messages import log_message
from tests.cast import Cast
from tests.exchange.hl7.door import PID, Door, listening, order
from tests.records.sites.web import browser

LOG = "select fate, replay_of is not null, payload from sites.messages order by id"


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    with listening(context, owner_url) as door:
        yield door


def _id(door: Door, nth: int = 0) -> UUID:
    return door.rows("select id from sites.messages order by id")[nth][0]


def test_what_was_refused_is_taken_once_its_cause_is_gone(context: Context, cast: Cast, door: Door) -> None:
    cancel = order("NF-2", orc="CA", status="CA")
    assert door.ack(cancel).code == "AE"
    refused = _id(door)
    door.send(order())
    client = browser(context, cast.nadia, router)
    answer = client.post(f"/api/messages/{refused}/replay", json={"reason": "Its order came too late"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["fate"] == "processed"
    assert door.rows("select status from orders.orders") == [("cancelled",)]
    assert door.rows(LOG) == [
        ("rejected", False, cancel), ("processed", False, order()), ("processed", True, cancel),
    ]  # fmt: skip
    assert door.rows("select id, replay_of from sites.messages where replay_of is not null") == [
        (UUID(answer.json()["id"]), refused)
    ]
    assert door.rows(
        "select actor_kind, actor_name, reason from audit.events where action = 'message.replayed' order by id"
    ) == [("user", "Nadia Rourke", "Its order came too late")]
    # What is sent again is known by the replay.
    assert door.ack(cancel).code == "AA"
    assert door.rows(LOG)[-1][0] == "duplicate"


def test_what_is_refused_again_says_so(context: Context, cast: Cast, door: Door) -> None:
    door.send(order("NF-2", orc="CA", status="CA"))
    again = replay(context.works, cast.nadia, _id(door), "Let us see")
    assert again.fate == "rejected"
    assert again.fault
    assert [r[:2] for r in door.rows(LOG)] == [("rejected", False), ("rejected", True)]


def test_a_held_message_is_taken_though_its_control_id_is_another_s(context: Context, cast: Cast, door: Door) -> None:
    other = PID.replace("NF-7001", "NF-7002").replace("Bakke", "Strand").replace("15117711223", "15117711224")
    held = order(placer="P-2", filler="F-2", accession="A2", pid=other, zds="")
    door.send(order())
    assert door.ack(held).code == "AE"
    assert [r[0] for r in door.rows(LOG)] == ["processed", "held"]
    assert replay(context.works, cast.nadia, _id(door, 1), "Both are right").fate == "processed"
    assert door.rows("select count(*) from orders.orders") == [(2,)]


def test_an_administrator_may_and_sees_nothing_by_it(context: Context, cast: Cast, door: Door) -> None:
    door.send(order())
    client = browser(context, cast.astrid, router)
    answer = client.post(f"/api/messages/{_id(door)}/replay", json={"reason": "The mapping was wrong"})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"id", "fate", "fault"}
    assert door.rows("select count(*) from orders.orders") == [(1,)]


def test_what_is_not_processed_again(context: Context, cast: Cast, door: Door) -> None:
    door.send(order())
    id_ = _id(door)
    with pytest.raises(WhyReplayed):
        replay(context.works, cast.nadia, id_, "  ")
    with pytest.raises(NotFound):
        replay(context.works, cast.nadia, uuid4(), "x")
    ack = b"MSH|^~\\&|NFRIS|NORFJORD|HELIO|HUB|20261125023000||ACK|A-1|P|2.3.1\rMSA|AA|1\r"
    for direction, payload, fate in (("out", order(), "sent"), ("in", ack, "ignored"), ("in", order(), "received")):
        with context.works.begin(system("hl7", cast.norfjord)) as work:
            kept = log_message(
                work, organization_id=cast.norfjord, endpoint_id=cast.hl7_in, direction=direction, payload=payload, fate=fate
            )  # fmt: skip
        with pytest.raises(NotReplayed):
            replay(context.works, cast.nadia, kept, "x")
    assert len(door.rows(LOG)) == 4
    assert len(door.rows("select 1 from audit.events where action = 'message.replayed'")) == 0


@pytest.mark.parametrize(
    ("who", "status"), [("harper", 403), ("olga", 404), ("imogen", 403), ("pat", 403), ("eirik", 403)]
)
def test_an_outsider_replays_nothing(context: Context, cast: Cast, door: Door, who: str, status: int) -> None:
    door.send(order())
    client = browser(context, getattr(cast, who), router)
    answer = client.post(f"/api/messages/{_id(door)}/replay", json={"reason": "x"})
    assert answer.status_code == status
    assert len(door.rows(LOG)) == 1
