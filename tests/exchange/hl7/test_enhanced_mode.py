"""Accept and application acknowledgements (MSH-15, MSH-16): kept before CA, processed after it, in order, once, also after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from heliograph.app.context import Context
from heliograph.app.worker.tasks import make_tasks
from heliograph.exchange.hl7.afterwards import process_all
from heliograph.kit.codecs.hl7 import build_ack, parse, parse_ack
from heliograph.kit.net.mllp import MllpListener, NoAnswer, Peer, send
from tests.cast import Cast
from tests.exchange.hl7.door import MSH, PID, Door, listening, order

BOTH = MSH + "|||{accept}|{application}"
FATES = "select fate, acknowledgement from sites.messages where direction = 'in' order by id"
ORDERS = "select placer_number from orders.orders order by placer_number"


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    with listening(context, owner_url) as door:
        yield door


def asking(control: str, accept: str, application: str, **values: Any) -> bytes:
    """An order with MSH-15 and MSH-16."""
    msh = BOTH.replace("{accept}", accept).replace("{application}", application)
    return order(control, msh=msh, **values)


def numbered(n: int, accept: str = "AL", application: str = "NE", **values: Any) -> bytes:
    """One of several orders."""
    return asking(f"E-{n}", accept, application, placer=f"P-{n}", filler=f"F-{n}", accession=f"A{n}", **values)


def until(true: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_ca_is_answered_and_the_message_processed_after_it(door: Door) -> None:
    answer = door.send(asking("E-1", "AL", "ER"))
    ack = parse_ack(answer)
    assert (ack.code, ack.control_id, ack.error) == ("CA", "E-1", None)
    assert parse(answer, "ASCII").text("MSH-9.1") == "ACK"
    until(lambda: door.rows(FATES) == [("processed", "CA")], "it is processed")
    assert door.rows(ORDERS) == [("P-100",)]
    assert door.rows("select payload, answer from sites.messages") == [(asking("E-1", "AL", "ER"), answer)]
    assert [a for (a,) in door.rows("select action from audit.events where action like 'message.%' order by id")] == [
        "message.received",
        "message.processed",
    ]


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        ("AL", "NE", "CA", "CR"),
        ("SU", "NE", "CA", None),
        ("ER", "NE", None, "CR"),
        ("NE", "NE", None, None),
        ("NE", "AL", "AA", "AR"),
        ("", "AL", "AA", "AR"),
        ("NE", "ER", None, "AR"),
        ("NE", "SU", "AA", None),
        ("AL", "", "CA", "CR"),
    ],
)
def test_each_condition_is_kept(door: Door, accept: str, application: str, good: str | None, bad: str | None) -> None:
    with door.connection() as site:
        site.write(numbered(1, accept, application), numbered(2, accept, application, status="SC"))
        wrong = numbered(3, accept, application).replace(b"ORM^O01", b"QRY^A19")
        site.write(wrong, order("LAST", placer="P-9", filler="F-9", accession="A9"))
        acks = []
        while not acks or acks[-1].control_id != "LAST":
            acks.append(parse_ack(site.answer()))
    assert [(a.control_id, a.code) for a in acks[:-1]] == [
        *([("E-1", good), ("E-2", good)] if good else []),
        *([("E-3", bad)] if bad else []),
    ]
    assert door.rows(ORDERS) == [("P-1",), ("P-2",), ("P-9",)]


def test_cr_and_ce_say_what_is_wrong_and_where(door: Door) -> None:
    version = parse_ack(door.send(asking("E-1", "AL", "NE").replace(b"|2.3.1", b"|3.9")))
    assert (version.code, version.error and version.error.code) == ("CR", "203")
    unknown = parse_ack(door.send(asking("E-1", "AL", "NE").replace(b"NFRIS", b"WHO")))
    assert (unknown.code, unknown.error and unknown.error.code) == ("CR", "204")
    nameless = parse_ack(door.send(asking("", "AL", "NE")))
    assert (nameless.code, nameless.error and str(nameless.error.location)) == ("CE", "MSH^1^10")
    assert parse_ack(door.send(asking("E-1", "AL", "NE"))).code == "CA"
    taken = parse_ack(door.send(asking("E-1", "AL", "NE", indication="Other")))
    assert (taken.code, taken.error and taken.error.code) == ("CE", "205")
    assert [code for _, code in door.rows(FATES)] == ["CR", "CR", "CE", "CA", "CE"]


def test_the_same_again_is_answered_alike_and_processed_once(door: Door) -> None:
    first, second = door.send(numbered(1)), door.send(numbered(1))
    assert first == second
    until(lambda: [f for f, _ in door.rows(FATES)] == ["processed", "duplicate"], "it is processed")
    assert len(door.rows(ORDERS)) == 1


def test_what_was_taken_over_before_a_crash_is_processed_in_order_and_before_what_comes_next(
    context: Context, cast: Cast, owner_url: str
) -> None:
    """The door is stopped before anything is processed: as if it had been killed after CA."""
    with listening(context, owner_url) as door:
        door.listener._afterwards.stop()
        for n, status, orc in ((1, "SC", "NW"), (1, "IP", "SC"), (1, "CM", "SC")):
            message = asking(f"E-{status}", "AL", "NE", orc=orc, status=status, placer=f"P-{n}", filler=f"F-{n}")
            assert parse_ack(door.send(message)).code == "CA"
        assert [f for f, _ in door.rows(FATES)] == ["received"] * 3
        assert door.rows(ORDERS) == []
        # Original mode, about the same order: what was taken over comes first.
        assert door.ack(order("LAST", orc="CA", status="CA", placer="P-1", filler="F-1")).code == "AA"
        assert [f for f, _ in door.rows(FATES)] == ["processed"] * 4
    assert [s for (s,) in door.rows("select status from orders.orders")] == ["cancelled"]
    assert process_all(context.works) == 0


def test_what_another_process_left_is_taken_up(context: Context, cast: Cast, owner_url: str) -> None:
    with listening(context, owner_url) as door:
        door.listener._afterwards.stop()
        assert parse_ack(door.send(numbered(1))).code == "CA"
    with listening(context, owner_url) as door:
        until(lambda: door.rows(FATES) == [("processed", "CA")], "it is taken up")


def test_a_refused_one_stops_nobody_and_its_answer_is_in_the_log(door: Door) -> None:
    bad = numbered(1, "AL", "ER", pid=PID.replace("19771115", "15.11.1977"))
    assert [parse_ack(door.send(m)).code for m in (bad, numbered(2))] == ["CA", "CA"]
    until(lambda: [f for f, _ in door.rows(FATES)] == ["rejected", "processed"], "both are done")
    ((fate, kind, payload),) = door.rows(
        "select fate, message_type, payload from sites.messages where direction = 'out'"
    )
    assert (fate, kind) == ("not_sent", "ACK^O01")
    ack = parse_ack(payload)
    assert (ack.code, ack.control_id, ack.error and ack.error.code) == ("AE", "E-1", "102")


class Receiver:
    """The sender's own listener for application acknowledgements."""

    def __init__(self, code: str = "CA") -> None:
        self.taken: list[bytes] = []
        self.code = code
        self.listener = MllpListener("127.0.0.1", 0, self._take)
        self.listener.start()

    def _take(self, payload: bytes, _peer: Peer) -> bytes:
        self.taken.append(payload)
        return build_ack(parse(payload, "ASCII"), self.code, control_id_of_answer="R1", now=datetime.now(UTC))  # type: ignore[arg-type]


def run_replies(context: Context, door: Door) -> None:
    """Runs the jobs that wait, as a worker would."""
    jobs = door.rows(
        "select args from jobs.procrastinate_jobs where task_name = 'hl7.reply' and status = 'todo' order by id"
    )
    run = make_tasks(context).tasks["hl7.reply"].func
    for (args,) in jobs:
        run(**args)


def test_the_application_acknowledgement_goes_out_as_a_message_of_its_own(door: Door, context: Context) -> None:
    receiver = Receiver()
    try:
        door.feed(reply_host="127.0.0.1", reply_port=receiver.listener.port)
        assert parse_ack(door.send(numbered(1, "AL", "AL"))).code == "CA"
        until(lambda: bool(door.rows("select 1 from sites.messages where fate = 'due'")), "it is due")
        run_replies(context, door)
    finally:
        receiver.listener.stop(grace=1)
    (payload,) = receiver.taken
    message = parse(payload, "ASCII")
    assert (message.text("MSA-1"), message.text("MSA-2")) == ("AA", "E-1")
    assert (message.text("MSH-15"), message.text("MSH-16")) == ("AL", "NE")
    assert (message.text("MSH-5"), message.text("MSH-6")) == ("NFRIS", "NORFJORD")
    assert door.rows("select fate, acknowledgement from sites.messages where direction = 'out'") == [("sent", "CA")]
    run_replies(context, door)
    assert len(receiver.taken) == 1


def test_an_acknowledgement_that_nobody_takes_is_tried_again(door: Door, context: Context) -> None:
    door.feed(reply_host="127.0.0.1", reply_port=9)
    assert parse_ack(door.send(numbered(1, "AL", "AL"))).code == "CA"
    until(lambda: bool(door.rows("select 1 from sites.messages where fate = 'due'")), "it is due")
    run_replies(context, door)
    later = door.rows(
        "select (args ->> 'attempt')::int, scheduled_at is not null from jobs.procrastinate_jobs where task_name = 'hl7.reply' order by id"
    )
    assert later[-1] == (1, True)
    assert door.rows("select fate from sites.messages where direction = 'out'") == [("due",)]


def test_an_application_acknowledgement_from_a_site_is_kept_and_only_ever_committed(door: Door) -> None:
    ack = BOTH.format(control="X1", accept="AL", application="NE").replace("ORM^O01", "ACK^R01") + "\rMSA|AA|OURS-1\r"
    answer = parse_ack(door.send(ack.encode()))
    assert (answer.code, answer.control_id) == ("CA", "X1")
    assert door.rows(FATES) == [("ignored", "CA")]
    plain = MSH.format(control="X2").replace("ORM^O01", "ACK^R01") + "\rMSA|AA|OURS-2\r"
    with pytest.raises(NoAnswer):
        send("127.0.0.1", door.listener.port, plain.encode(), timeout=0.7, connect_timeout=5)
