"""One control id: the same message again, another message, and a feed that repeats its ids (field report G06; samples 20 and 21)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from heliograph.app.context import Context
from heliograph.app.worker.sweeps import sweeps
from heliograph.kit.clock import FixedClock
from tests.cast import Cast
from tests.exchange.hl7.door import MSH, PID, Door, add_feed, listening, order

FATES = "select fate, acknowledgement from sites.messages where direction = 'in' order by id"
OTHER = PID.replace("NF-7001", "NF-7002").replace("Bakke", "Strand")


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    with listening(context, owner_url) as door:
        yield door


def other(control: str = "NF-1") -> bytes:
    """Another patient's order."""
    return order(control, placer="P-2", filler="F-2", accession="A2", pid=OTHER)


def test_the_same_message_is_answered_twice_and_processed_once(door: Door) -> None:
    first, second = door.send(order()), door.send(order())
    assert first == second
    assert b"MSA|AA|NF-1" in first
    assert door.rows(FATES) == [("processed", "AA"), ("duplicate", "AA")]
    assert door.rows("select count(*) from orders.orders") == [(1,)]


def test_another_message_under_its_control_id_is_held_for_a_person(door: Door, cast: Cast) -> None:
    door.send(order())
    ack = door.ack(other())
    assert (ack.code, ack.control_id) == ("AE", "NF-1")
    assert ack.error is not None
    assert (ack.error.code, str(ack.error.location), ack.error.severity) == ("205", "MSH^1^10", "E")
    assert door.rows(FATES) == [("processed", "AA"), ("held", "AE")]
    assert door.rows("select payload from sites.messages where fate = 'held'") == [(other(),)]
    assert door.rows("select count(*) from orders.orders") == [(1,)]
    ((kind, subject, organization, words),) = door.rows(
        "select kind, subject_id, organization_id, text from worklist.alarms where cleared_at is null"
    )
    assert (kind, subject, organization) == ("held_messages", cast.hl7_in, cast.norfjord)
    assert "Strand" not in words
    assert "Norfjord RIS" in words


def test_what_is_held_is_answered_alike_when_it_comes_again_and_stands_once(door: Door) -> None:
    door.send(order())
    assert door.send(other()) == door.send(other())
    assert [fate for fate, _ in door.rows(FATES)] == ["processed", "held", "duplicate"]


def test_what_was_refused_is_no_other_message(door: Door) -> None:
    """A sender that mends a message sends it under the same id: nothing of the first had any effect."""
    assert door.ack(order(pid=PID.replace("19771115", "15.11.1977"))).code == "AE"
    assert door.ack(order()).code == "AA"
    assert [fate for fate, _ in door.rows(FATES)] == ["rejected", "processed"]


def test_a_feed_that_repeats_its_ids_has_all_of_them_processed_and_none_twice(door: Door) -> None:
    door.feed(repeats_control_ids=True)
    assert [door.ack(m).code for m in (order(), other(), order(), other())] == ["AA"] * 4
    assert [fate for fate, _ in door.rows(FATES)] == ["processed", "processed", "duplicate", "duplicate"]
    assert door.rows("select count(*) from orders.orders") == [(2,)]


def test_what_was_held_is_processed_once_the_feed_is_known_to_repeat_ids(door: Door) -> None:
    door.send(order())
    assert door.ack(other()).code == "AE"
    door.feed(repeats_control_ids=True)
    assert door.ack(other()).code == "AA"
    assert [fate for fate, _ in door.rows(FATES)] == ["processed", "held", "processed"]


def test_after_a_month_an_id_is_free(door: Door, clock: FixedClock) -> None:
    door.send(order())
    clock.advance(timedelta(days=31))
    assert door.ack(other()).code == "AA"
    assert door.ack(order()).code == "AA"
    assert [fate for fate, _ in door.rows(FATES)] == ["processed", "processed", "duplicate"]


def test_an_id_is_its_senders_own(door: Door, cast: Cast, owner_url: str) -> None:
    add_feed(owner_url, cast.norfjord, cast.norfjord_facility, "OTHERRIS", "NORFJORD")
    door.send(order())
    assert (
        door.ack(order(msh=MSH.replace("NFRIS", "OTHERRIS"), placer="P-3", filler="F-3", accession="A3")).code == "AA"
    )


def test_the_alarm_is_over_when_a_person_has_dealt_with_what_was_held(door: Door, context: Context) -> None:
    door.send(order())
    door.send(other())
    sweep = next(tick.sweep for tick in sweeps(context) if tick.name == "alarms of held messages that are over")
    sweep()
    assert door.rows("select count(*) from worklist.alarms where cleared_at is null") == [(1,)]
    door.feed(repeats_control_ids=True)
    door.send(other())  # now it is processed
    sweep()
    assert door.rows("select count(*) from worklist.alarms where cleared_at is null") == [(0,)]
