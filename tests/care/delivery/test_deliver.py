"""To the site's system: only its own acknowledgement makes a report delivered, and nothing is lost or overtaken."""

from __future__ import annotations

import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.delivery.deliver import control_id_of, prepare, record_result
from heliograph.care.delivery.ledger import enqueue_due, sweep_ledger
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.worklist.addendum import open_addendum
from heliograph.care.worklist.board import board
from heliograph.care.worklist.timeline import timeline
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from tests.care.delivery.help import (
    Receiver,
    ack,
    alarms,
    attempts,
    clear_jobs,
    garbage,
    nothing,
    rows,
    try_,
    waiting_jobs,
    wrong_id,
)  # fmt: skip
from tests.care.reading.help import Made, make_read, sign, with_session
from tests.cast import Cast


@pytest.fixture
def signed(context: Context, cast: Cast, receiver: Receiver) -> tuple[Made, Actor]:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id)
    return made, imogen


def add(context: Context, imogen: Actor, made: Made) -> None:
    with context.works.begin(imogen) as work:
        read_id = open_addendum(work, made.case_id, "Call from the ward")
    sign(context, imogen, read_id, {"sections": {"addendum": "Told Dr Solbakken."}})


def test_it_works(context: Context, cast: Cast, receiver: Receiver, signed) -> None:
    made, _ = signed
    (row,) = rows(context, cast)
    assert str(row.id) in waiting_jobs(context, cast)
    result = try_(context, cast, row.id)
    assert result is not None
    assert result.outcome == "acknowledged"
    (row,) = rows(context, cast)
    assert (row.state, row.attempts, row.acknowledgement_code) == ("acknowledged", 1, "AA")
    assert row.acknowledged_at is not None
    (m,) = receiver.taken
    assert m.text("MSH-10") == row.message_control_id == control_id_of(row.id)
    assert len(row.message_control_id) <= 20
    assert [m.text(p) for p in ("MSH-9.1", "MSH-9.2", "MSH-9.3", "MSH-5", "MSH-6")] == [
        "ORU", "R01", "ORU_R01", "NFRIS", "NORFJORD",
    ]  # fmt: skip
    assert [m.text(p) for p in ("PID-3.1", "PID-3.4", "PID-5.1", "PID-5.2", "PID-7", "PID-8")] == [
        "NF-1", "NORFJORD", "Larsen", "Kari", "19480312", "F",
    ]  # fmt: skip
    assert [m.text(p) for p in ("OBR-2", "OBR-3", "OBR-4.1", "OBR-4.2", "OBR-18", "OBR-24", "OBR-25")] == [
        "P-A1", "F-A1", "CTHEAD", "CT hode", "A1", "CT", "F",
    ]  # fmt: skip
    assert [m.text(f"OBR-32.1.{n}") for n in (1, 2, 3, 6)] == ["NO-1", "Tarrant", "Imogen", "Dr"]
    obx = m.segments("OBX")
    lines = [o.text(5) for o in obx if o.text(2) == "TX"]
    assert lines == [
        "INDICATION", "Fall", "FINDINGS", "Haemorrhage: none", "Acute ischaemia: none", "Midline shift: 0 mm", " ",
        "Nothing else.", "IMPRESSION", "1. No acute abnormality.", "2. Æsj, Ødegård.",
    ]  # fmt: skip
    codes = [(o.text(3), o.text(3, 1, 2)) for o in obx if o.text(2) == "TX"]
    assert list(dict.fromkeys(codes)) == [("11329-0", None), ("18748-4", "GDT"), ("18748-4", "IMP")]
    assert {(o.text(4), o.text(11)) for o in obx} == {("V1", "F")}
    assert [(o.text(2), o.text(3), o.text(5), o.text(6)) for o in obx if o.text(2) in ("CWE", "NM", "ST")] == [
        ("CWE", "haemorrhage", "none", None),
        ("CWE", "acute_ischaemia", "none", None),
        ("NM", "midline_shift", "0", "mm"),
        ("ST", "110180", "2.25.41", None),
    ]
    pdf = base64.b64decode(obx[-1].text(5, 5) or "", validate=True)
    with context.works.read(system("t", cast.norfjord)) as work:
        assert pdf == report_pdf(work.session, row.report_version_id)
        logged = work.session.execute(text("select * from sites.messages where direction = 'out'")).one()
        assert (logged.payload, logged.fate, logged.acknowledgement) == (receiver.payloads[0], "sent", "AA")
    assert try_(context, cast, row.id) is None  # nothing more to do
    assert len(receiver.taken) == 1
    assert made.case_id == row.case_id


@pytest.mark.parametrize(
    ("answer", "outcome", "fate"),
    [
        (nothing, "no_answer", "no_answer"),
        (wrong_id, "wrong_acknowledgement", "no_answer"),
        (garbage, "wrong_acknowledgement", "no_answer"),
        (ack("AE"), "refused_AE", "rejected"),
        (ack("CE"), "refused_AE", "rejected"),
    ],
)
def test_what_is_no_acknowledgement_is_tried_again_with_the_same_message(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed, answer, outcome, fate
) -> None:
    receiver.answers = [answer]
    (row,) = rows(context, cast)
    result = try_(context, cast, row.id)
    assert result is not None
    assert result.outcome == outcome
    (row,) = rows(context, cast)
    assert (row.state, row.attempts) == ("queued", 1)
    assert row.last_error
    assert timedelta(seconds=3.9) < row.next_attempt_at - clock.now() < timedelta(seconds=6.1)
    with context.works.read(system("t", cast.norfjord)) as work:
        assert work.session.scalar(text("select fate from sites.messages where direction = 'out'")) == fate
    assert try_(context, cast, row.id) is None  # not due yet
    clock.advance(timedelta(seconds=7))
    assert try_(context, cast, row.id).outcome == "acknowledged"
    assert attempts(context, cast, row.id) == [outcome, "acknowledged"]
    assert len(set(receiver.payloads)) == 1
    assert len(receiver.payloads) == 2


def test_a_site_that_is_down_is_tried_for_days(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    receiver.listener.stop(grace=0)
    (row,) = rows(context, cast)
    waits = []
    for _ in range(12):
        result = try_(context, cast, row.id)
        assert result is not None
        assert result.outcome == "not_connected"
        (row,) = rows(context, cast)
        assert row.state == "queued"
        waits.append((row.next_attempt_at - clock.now()).total_seconds())
        clock.advance(timedelta(seconds=waits[-1]))
    for n, wait in enumerate(waits):
        assert 0.8 * min(5 * 2**n, 900) <= wait <= 1.2 * min(5 * 2**n, 900)


def test_a_reject_is_held_at_once_and_a_coordinator_alarmed(
    context: Context, cast: Cast, receiver: Receiver, signed
) -> None:
    receiver.answers = [ack("AR")]
    (row,) = rows(context, cast)
    assert try_(context, cast, row.id).outcome == "refused_AR"
    (row,) = rows(context, cast)
    assert (row.state, row.hold_kind, row.next_attempt_at) == ("held", "refused", None)
    assert alarms(context, cast) == [("delivery_failed", "Norfjord results refused a report. It answered AR.")]
    assert try_(context, cast, row.id) is None


def test_a_refusal_is_a_step_of_the_case_and_a_line_of_the_board_in_words(
    context: Context, cast: Cast, receiver: Receiver, signed
) -> None:
    made, _ = signed
    receiver.answers = [ack("AR")]
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    with context.works.read(cast.nadia) as work:
        told = timeline(work, made.case_id)
        (line,) = [d for d in board(work, 10).deliveries if d.channel == "hl7"]
    assert [s.text for s in told.steps if s.action == "delivery.refused"] == [
        "Refused by the site, HL7. It answered AR."
    ]
    assert "refused" not in " ".join(s.text for s in told.seen)
    assert (line.state, line.acknowledgement_code) == ("held", "AR")
    assert line.next_step.startswith("Not sent again until a person says so.")


def test_three_errors_in_a_row_are_held(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    receiver.answers = [ack("AE"), nothing, ack("AE"), ack("AE"), ack("AE")]
    (row,) = rows(context, cast)
    states = []
    for _ in range(5):
        try_(context, cast, row.id)
        (row,) = rows(context, cast)
        states.append(row.state)
        clock.advance(timedelta(minutes=2))
    assert states == ["queued", "queued", "queued", "queued", "held"]
    assert [kind for kind, _ in alarms(context, cast)] == ["delivery_failed"]


def test_an_addendum_never_overtakes(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    made, imogen = signed
    add(context, imogen, made)
    receiver.answers = [nothing]
    first, second = rows(context, cast)
    assert try_(context, cast, second.id) is None
    try_(context, cast, first.id)
    assert try_(context, cast, second.id) is None
    assert len(receiver.taken) == 1
    clock.advance(timedelta(seconds=7))
    assert try_(context, cast, first.id).outcome == "acknowledged"
    assert waiting_jobs(context, cast).count(str(second.id)) == 2  # told to go on
    assert try_(context, cast, second.id).outcome == "acknowledged"
    one, two = receiver.taken[1:]
    assert [m.text("OBR-25") for m in (one, two)] == ["F", "C"]
    assert one.text("OBR-3") == two.text("OBR-3")
    assert one.text("MSH-10") != two.text("MSH-10")
    texts = [o.text(5) for o in two.segments("OBX") if o.text(2) == "TX"]
    assert texts[-1] == "Told Dr Solbakken."
    assert "1. No acute abnormality." in texts
    assert [o.text(3, 1, 2) for o in two.segments("OBX") if o.text(2) == "TX"][-1] == "ADT"
    assert {o.text(11) for o in two.segments("OBX")} == {"C"}


def test_a_crash_while_talking_sends_the_same_message_again(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed, owner_url: str
) -> None:
    (row,) = rows(context, cast)
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        claimed = prepare(work, context.settings, row.id)  # and the process is killed here
    assert claimed is not None
    (row,) = rows(context, cast)
    assert row.state == "sent"
    clear_jobs(owner_url)
    assert enqueue_due(context.works, context.settings) == 1  # the archive's, which was never tried
    assert try_(context, cast, row.id) is None  # its time-out is not over
    clock.advance(timedelta(seconds=40))
    assert enqueue_due(context.works, context.settings) == 1
    assert enqueue_due(context.works, context.settings) == 0  # waits already
    assert try_(context, cast, row.id).outcome == "acknowledged"
    (payload,) = receiver.payloads
    assert claimed.prepared is not None
    assert payload == claimed.prepared.payload
    assert attempts(context, cast, row.id) == ["no_answer", "acknowledged"]


def test_a_late_answer_counts(context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed) -> None:
    """The first try was taken for cut off, and its answer came after all: the site has it."""
    (row,) = rows(context, cast)
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        prepare(work, context.settings, row.id)
    from heliograph.care.delivery.hl7 import read_answer

    late = ack("AA")
    clock.advance(timedelta(seconds=40))
    receiver.answers = [nothing]
    try_(context, cast, row.id)
    with context.works.begin(system("delivery", cast.norfjord)) as work:
        answer = late(receiver.taken[0])
        assert answer is not None
        record_result(work, row.id, read_answer(answer, control_id_of(row.id)))
    (row,) = rows(context, cast)
    assert row.state == "acknowledged"


def test_of_two_workers_one_sends(context: Context, cast: Cast, receiver: Receiver, signed) -> None:
    (row,) = rows(context, cast)
    barrier, results = threading.Barrier(4), []

    def go() -> None:
        barrier.wait()
        results.append(try_(context, cast, row.id))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(receiver.taken) == 1
    assert sum(r is not None for r in results) == 1


def test_nothing_of_a_refused_signature_is_delivered(context: Context, cast: Cast, receiver: Receiver) -> None:
    made, imogen = make_read(context, cast), with_session(context, cast.imogen, proved=False)
    with pytest.raises(Exception, match="password"):
        sign(context, imogen, made.read_id)
    assert rows(context, cast) == []
    assert waiting_jobs(context, cast) == []


def test_a_destination_without_an_address_fails_with_an_alarm(
    context: Context, cast: Cast, receiver: Receiver, signed, owner_url: str
) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("update sites.endpoints set host = null where id = :id"), {"id": cast.hl7_out})
    engine.dispose()
    (row,) = rows(context, cast)
    assert try_(context, cast, row.id) is None
    (row,) = rows(context, cast)
    assert row.state == "failed"
    assert [kind for kind, _ in alarms(context, cast)] == ["delivery_failed"]


def test_what_the_charset_cannot_hold_fails_with_an_alarm(
    context: Context, cast: Cast, receiver: Receiver, signed, owner_url: str
) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("update sites.endpoints set charset = 'ASCII' where id = :id"), {"id": cast.hl7_out})
    engine.dispose()
    (row,) = rows(context, cast)
    assert try_(context, cast, row.id) is None
    (row,) = rows(context, cast)
    assert row.state == "failed"
    assert "ASCII" in row.last_error
    assert receiver.taken == []


def test_the_ledger_writes_what_is_missing_and_alarms(
    context: Context, cast: Cast, receiver: Receiver, signed, owner_url: str
) -> None:
    assert sweep_ledger(context.works) == (0, 0)
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("delete from delivery.deliveries where channel in ('hl7', 'page')"))
    engine.dispose()
    assert sweep_ledger(context.works) == (2, 0)
    assert sweep_ledger(context.works) == (0, 0)
    (row,) = rows(context, cast)
    assert [kind for kind, _ in alarms(context, cast)] == ["delivery_failed"]
    assert try_(context, cast, row.id).outcome == "acknowledged"
    assert alarms(context, cast) == []


def test_an_endpoint_set_up_later_is_not_owed_old_reports(
    context: Context, cast: Cast, receiver: Receiver, signed, owner_url: str, clock: FixedClock
) -> None:
    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(
            text(
                "insert into sites.endpoints (organization_id, facility_id, kind, name, application, facility_name, created_at) "
                "values (:o, :f, 'hl7_out', 'New', 'N', 'N', :at)"
            ),
            {"o": cast.norfjord, "f": cast.norfjord_facility, "at": clock.now() + timedelta(days=1)},
        )
    engine.dispose()
    assert sweep_ledger(context.works) == (0, 0)


def test_what_stays_unacknowledged_alarms_after_five_minutes_when_urgent(
    context: Context, cast: Cast, clock: FixedClock, receiver: Receiver, signed
) -> None:
    clock.advance(timedelta(minutes=4))
    assert sweep_ledger(context.works) == (0, 0)
    clock.advance(timedelta(minutes=2))
    assert sweep_ledger(context.works) == (0, 2)  # the site's system and the archive
    assert sweep_ledger(context.works) == (0, 0)
    (row,) = rows(context, cast)
    try_(context, cast, row.id)
    assert len(alarms(context, cast)) == 1


def test_routine_waits_an_hour(context: Context, cast: Cast, clock: FixedClock, receiver: Receiver) -> None:
    made, imogen = make_read(context, cast, priority="ROUTINE"), with_session(context, cast.imogen)
    sign(context, imogen, made.read_id)
    clock.advance(timedelta(minutes=59))
    assert sweep_ledger(context.works) == (0, 0)
    clock.advance(timedelta(minutes=2))
    assert sweep_ledger(context.works) == (0, 2)


def test_a_worker_runs_the_jobs_that_signing_enqueued(context: Context, cast: Cast, receiver: Receiver, signed) -> None:
    from heliograph.app.worker.tasks import make_tasks

    async def work() -> None:
        app = make_tasks(context)
        async with app.open_async():
            await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)

    # In a thread of its own: the browser that other tests drive keeps a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work()).result()
    assert [r.state for c in ("hl7", "archive") for r in rows(context, cast, c)] == ["acknowledged", "acknowledged"]
    assert len(receiver.taken) == 1
    assert waiting_jobs(context, cast) == []
