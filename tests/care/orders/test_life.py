"""The life of an order: what comes late, other numbers, several procedures, replacements, cancellations before and after images."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, text

from heliograph.app.context import Context
from heliograph.care.orders.cancel import cancel_order, decide_cancel
from heliograph.care.orders.errors import FillerTaken, OrderUnasked, OrderUnknown, ReasonNeeded
from heliograph.care.orders.incoming import IncomingProcedure, OrderMessage, OrderNumbers
from heliograph.care.orders.match import match_study
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from tests.care.orders.help import make_study, message, receive, state_of
from tests.cast import Cast

TEN = datetime(2026, 3, 12, 10, tzinfo=UTC)
SECOND: dict[str, Any] = {
    "placer_number": "P-2",
    "filler_number": "F-2",
    "procedures": (
        IncomingProcedure("CT thorax", code="CTCH", modality="CT", placer_number="P-2", filler_number="F-2"),
    ),
}
FIRST = (IncomingProcedure("CT hode", code="CTHEAD", modality="CT", placer_number="P-1", filler_number="F-1"),)


def at(minutes: float, **changes: Any) -> OrderMessage:
    """A message that the site said `minutes` after ten."""
    said = TEN + timedelta(minutes=minutes)
    return message(said_at=said, sent_at=said, **changes)


@pytest.fixture
def rows(owner_url: str) -> Iterator[Any]:
    engine: Engine = create_engine(owner_url)

    def look(sql: str, **values: object) -> list[tuple[Any, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    yield look
    engine.dispose()


def match(context: Context, cast: Cast, study: UUID) -> str:
    with context.works.begin(system("index", cast.norfjord)) as work:
        return match_study(work, study).state


ORDERS = "select placer_number, accession_number, priority, status from orders.orders order by received_at, id"


def test_an_older_change_that_comes_late_does_not_overwrite_a_newer_one(
    context: Context, cast: Cast, rows: Any
) -> None:
    receive(context, cast, at(0, priority="ROUTINE"))
    receive(context, cast, at(5, control="changed", priority="STAT", indication="Worse"))
    late = receive(context, cast, at(3, control="changed", priority="ASAP", indication="Fall", notes="Walks"))
    assert rows(ORDERS) == [("P-1", "A1", "STAT", "scheduled")]
    assert rows("select indication, notes from orders.orders") == [("Worse", "Walks")]  # what was not known is taken
    assert late.remark is not None
    assert "priority" in late.remark
    assert "notes" not in late.remark


def test_the_same_said_again_later_still_counts_as_said_then(context: Context, cast: Cast, rows: Any) -> None:
    receive(context, cast, at(0, priority="STAT"))
    receive(context, cast, at(5, control="changed", priority="STAT"))
    receive(context, cast, at(3, control="changed", priority="ROUTINE"))
    assert rows(ORDERS) == [("P-1", "A1", "STAT", "scheduled")]


def test_of_two_said_at_one_time_the_message_that_was_made_later_counts(
    context: Context, cast: Cast, rows: Any
) -> None:
    """A sender that puts the time of the order into each ORC-9."""
    for minute, priority in ((0, "ROUTINE"), (9, "STAT"), (4, "ASAP")):
        sent = TEN + timedelta(minutes=minute)
        receive(context, cast, message(control="changed", priority=priority, said_at=TEN, sent_at=sent))
    assert rows(ORDERS)[0][2] == "STAT"


def test_a_status_that_comes_before_the_order_is_filled_by_the_order(context: Context, cast: Cast, rows: Any) -> None:
    sparse = {"priority": None, "procedures": (IncomingProcedure("", placer_number="P-1"),)}
    receive(context, cast, at(9, control="status", status="completed", **sparse))
    receive(context, cast, at(0, priority="STAT", indication="Fall", procedures=FIRST))
    assert rows(ORDERS) == [("P-1", "A1", "STAT", "completed")]
    assert rows("select indication from orders.orders") == [("Fall",)]


def test_a_late_placement_does_not_revive_a_cancelled_order(context: Context, cast: Cast, rows: Any) -> None:
    receive(context, cast, at(0))
    receive(context, cast, at(8, control="cancelled"))
    receive(context, cast, at(2))
    assert rows(ORDERS)[0][3] == "cancelled"
    receive(context, cast, at(9))
    assert rows(ORDERS)[0][3] == "scheduled"


def test_a_cancellation_older_than_the_newest_change_is_left(context: Context, cast: Cast, rows: Any) -> None:
    receive(context, cast, at(0))
    receive(context, cast, at(8, control="changed", priority="STAT"))
    late = receive(context, cast, at(4, control="cancelled"))
    assert late.change is None
    assert "Older" in (late.remark or "")
    assert rows(ORDERS)[0][3] == "scheduled"


def test_another_accession_number_keeps_the_old_one_as_an_alias(context: Context, cast: Cast, rows: Any) -> None:
    order = receive(context, cast, message())
    matched = make_study(context, cast)
    assert match(context, cast, matched) == "matched"
    receive(context, cast, message(control="changed", accession_number="A9"))
    # What was matched stays; images that still bear the old number, and those with the new, find the order.
    for uid, accession in (("2.999.2", "A1"), ("2.999.3", "A9")):
        assert match(context, cast, make_study(context, cast, uid=uid, accession=accession)) == "matched"
    assert rows("select distinct order_id from orders.order_studies") == [(order.id,)]
    assert rows("select kind, value, issuer from orders.order_aliases") == [("accession", "A1", "NORFJORD")]
    # A message by the old number alone finds it, too.
    by_old = message(control="changed", placer_number=None, filler_number=None, priority="STAT")
    assert receive(context, cast, by_old).id == order.id


def test_a_number_that_another_order_has_now_is_that_ones(context: Context, cast: Cast) -> None:
    receive(context, cast, message())
    receive(context, cast, message(control="changed", accession_number="A9"))
    other = receive(context, cast, message(placer_number="P-2", filler_number="F-2"))
    study = make_study(context, cast)
    with context.works.begin(system("index", cast.norfjord)) as work:
        assert match_study(work, study).order_id == other.id


def test_images_that_wait_find_the_order_when_its_number_is_put_right(context: Context, cast: Cast) -> None:
    """Field report C11."""
    study = make_study(context, cast, accession="A9")
    receive(context, cast, message(procedures=(IncomingProcedure("CT hode", study_instance_uid="2.999.8"),)))
    assert state_of(context, cast, study)[0] == "unmatched"
    receive(context, cast, message(control="changed", accession_number="A9"))
    assert state_of(context, cast, study)[0] == "matched"


@pytest.mark.parametrize("of", ["an order", "a cancelled order", "a procedure", "a former number"])
def test_a_filler_number_is_never_used_again(context: Context, cast: Cast, rows: Any, of: str) -> None:
    receive(context, cast, message(procedures=FIRST))
    if of == "a cancelled order":
        receive(context, cast, message(control="cancelled"))
    if of == "a procedure":
        receive(context, cast, message(**SECOND))
    if of == "a former number":
        receive(context, cast, message(control="changed", filler_number="F-9"))
    taken = {"filler_number": "F-2" if of == "a procedure" else "F-1", "accession_number": "A7"}
    with pytest.raises(FillerTaken):
        receive(context, cast, message(placer_number="P-7", **taken))
    assert len(rows(ORDERS)) == 1


def test_procedures_of_one_accession_number_come_one_by_one(context: Context, cast: Cast, rows: Any) -> None:
    one = receive(context, cast, message(procedures=FIRST, priority="STAT", indication="Fall"))
    two = receive(context, cast, message(**SECOND, priority="ROUTINE", indication="Cough"))
    assert one.id == two.id
    assert rows(ORDERS) == [("P-1", "A1", "STAT", "scheduled")]  # no less urgent than the first
    assert rows("select indication, filler_number from orders.orders") == [("Fall; Cough", "F-1")]
    wanted = "select placer_number, filler_number, is_cancelled from orders.requested_procedures order by position"
    assert rows(wanted) == [("P-1", "F-1", False), ("P-2", "F-2", False)]
    # A message that names the second by its filler number alone is about it.
    only_filler = {"placer_number": None, "filler_number": "F-2", "accession_number": None}
    by_filler = message(control="cancelled", **only_filler, procedures=SECOND["procedures"])
    assert receive(context, cast, by_filler).id == one.id
    assert rows(wanted)[1] == ("P-2", "F-2", True)


def test_a_procedure_that_gets_another_accession_number_is_an_order_of_its_own(
    context: Context, cast: Cast, rows: Any
) -> None:
    one = receive(context, cast, message(procedures=FIRST))
    receive(context, cast, message(**SECOND))
    moved = receive(context, cast, message(control="changed", **SECOND, accession_number="A2"))
    assert moved.id != one.id
    assert [r[:2] for r in rows(ORDERS)] == [("P-1", "A1"), ("P-2", "A2")]
    live = (
        "select o.accession_number, p.description from orders.requested_procedures p "
        "join orders.orders o on o.id = p.order_id where not p.is_cancelled order by 1"
    )
    assert rows(live) == [("A1", "CT hode"), ("A2", "CT thorax")]


def test_two_accession_numbers_of_one_study_are_linked(context: Context, cast: Cast, rows: Any) -> None:
    """One study and one report for both, whichever comes first."""

    def with_uid(procedure: IncomingProcedure) -> tuple[IncomingProcedure, ...]:
        return (
            IncomingProcedure(procedure.description, code=procedure.code, modality="CT", study_instance_uid="2.999.1"),
        )

    receive(context, cast, message(procedures=with_uid(FIRST[0])))
    study = make_study(context, cast, uid="2.999.1")
    assert match(context, cast, study) == "matched"
    receive(
        context, cast, message(**{**SECOND, "procedures": with_uid(SECOND["procedures"][0])}, accession_number="A2")
    )
    linked = (
        "select o.accession_number from orders.order_studies s join orders.orders o on o.id = s.order_id order by 1"
    )
    assert rows(linked) == [("A1",), ("A2",)]
    assert rows("select description from worklist.cases") == [("CT hode + CT thorax",)]
    # Cancelling one of them leaves the case for the other.
    with context.works.begin(cast.eirik) as work:
        (second,) = rows("select id from orders.orders where accession_number = 'A2'")
        cancel_order(work, second[0], "Ordered twice")
    assert rows("select description, closed_at from worklist.cases") == [("CT hode", None)]


def test_a_replaced_order_ends_and_names_the_one_in_its_place(context: Context, cast: Cast, rows: Any) -> None:
    old = receive(context, cast, message(procedures=FIRST))
    new = receive(context, cast, message(**SECOND, accession_number="A2", replaces=OrderNumbers("P-1", "F-1")))
    assert new.id != old.id
    assert rows("select id, status, replaced_by_id from orders.orders order by received_at, id") == [
        (old.id, "cancelled", new.id),
        (new.id, "scheduled", None),
    ]
    # Images with the number of the old one are for the new one.
    study = make_study(context, cast)
    assert match(context, cast, study) == "matched"
    assert rows("select order_id from orders.order_studies") == [(new.id,)]


def test_a_cancellation_before_images_ends_the_order(context: Context, cast: Cast, rows: Any) -> None:
    receive(context, cast, message())
    assert receive(context, cast, message(control="cancelled")).change == "cancelled"
    assert rows(ORDERS)[0][3] == "cancelled"
    with pytest.raises(OrderUnknown):
        receive(
            context, cast, message(control="cancelled", placer_number="P-9", filler_number="F-9", accession_number="A9")
        )


def test_a_cancellation_after_images_waits_for_a_person(context: Context, cast: Cast, rows: Any) -> None:
    order = receive(context, cast, message()).id
    study = make_study(context, cast)
    match(context, cast, study)
    received = receive(context, cast, message(control="cancelled"))
    assert (received.change, received.is_unable) == ("cancel_requested", False)
    assert receive(context, cast, message(control="cancelled")).change is None
    assert receive(context, cast, message(control="status", status="completed")).id == order
    assert rows(ORDERS)[0][3] == "cancel_requested"
    assert state_of(context, cast, study)[0] == "matched"
    for who in (cast.imogen, cast.harper):
        with pytest.raises(NotFound), context.works.begin(who) as work:
            decide_cancel(work, order, "Reader asked", keep=True)
    with pytest.raises(ReasonNeeded), context.works.begin(cast.nadia) as work:
        decide_cancel(work, order, " ", keep=False)
    with context.works.begin(cast.nadia) as work:
        decide_cancel(work, order, "The site called", keep=True)
    assert rows(ORDERS)[0][3] == "in_progress"
    with pytest.raises(OrderUnasked), context.works.begin(cast.nadia) as work:
        decide_cancel(work, order, "Again", keep=False)


def test_a_coordinator_may_end_it_after_all(context: Context, cast: Cast, rows: Any) -> None:
    order = receive(context, cast, message()).id
    match(context, cast, make_study(context, cast))
    receive(context, cast, message(control="cancelled"))
    with context.works.begin(cast.nadia) as work:
        decide_cancel(work, order, "Wrong patient scanned", keep=False)
    assert rows(ORDERS)[0][3] == "cancelled"


def test_a_placement_anew_takes_the_cancellation_back(context: Context, cast: Cast, rows: Any) -> None:
    receive(context, cast, message())
    match(context, cast, make_study(context, cast))
    receive(context, cast, message(control="cancelled"))
    receive(context, cast, message())
    assert rows(ORDERS)[0][3] == "scheduled"
    assert rows("select count(*) from worklist.alarms where kind = 'cancel_requested' and cleared_at is null") == [(0,)]
