"""Orders as the field sends them, byte for byte, over the wire, and what each becomes: placed, changed, cancelled, done, imaging orders."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from heliograph.app.context import Context
from heliograph.care.orders.match import match_study
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import parse
from heliograph.records.archive.model import Study
from heliograph.records.patients.identify import identify
from tests.care.reading.help import make_read, sign, with_session
from tests.cast import Cast
from tests.exchange.hl7.door import MSH, Door, add_feed, change_feed, listening

SAMPLES = {path.name[:2]: path.read_bytes() for path in (Path(__file__).parent / "samples").glob("*.hl7")}
ORDERS = "select placer_number, filler_number, accession_number, priority, status from orders.orders order by received_at, id"
PROCEDURES = (
    "select code, modality, laterality, study_instance_uid, requested_procedure_id from orders.requested_procedures "
    "order by order_id, position"
)


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    """The door, with the feeds of the samples."""
    for application, facility in (("RISX", "NORTHBAY"), ("LAKEHIS", "LAKEMOOR")):
        add_feed(owner_url, cast.norfjord, cast.norfjord_facility, application, facility)
    with listening(context, owner_url) as door:
        yield door


def images(context: Context, cast: Cast, uid: str = "2.999.3.10.20260312.45") -> UUID:
    """A study of the samples' patient under their accession number, matched as indexing does."""
    with context.works.begin(system("index", cast.norfjord)) as work:
        patient = identify(work, cast.norfjord, "NORTHBAY", "104417", names=("x", "y"), birth_date=date(1981, 7, 4))
        row = Study(
            organization_id=cast.norfjord,
            facility_id=cast.norfjord_facility,
            patient_id=patient.id,
            study_instance_uid=uid,
            accession_number="A2603120045",
            modalities=["CT"],
            number_of_instances=3,
            first_received_at=work.now,
            last_received_at=work.now,
        )
        work.session.add(row)
        work.session.flush()
        work.record("study.first_image", organization_id=cast.norfjord, study_id=row.id)
        match_study(work, row.id)
        return row.id


def test_a_vendors_form_with_the_accession_number_as_filler_number(door: Door) -> None:
    assert door.ack(SAMPLES["07"]).code == "AA"
    assert door.rows(ORDERS) == [("998001", "LM26-004417", "LM26-004417", "ROUTINE", "in_progress")]
    assert door.rows("select indication from orders.orders") == [
        ("Cough & fever, r\\o pneumonia | see note\nTemp 38.9\nAllergy: none",)
    ]


def test_another_priority_is_the_same_order_with_another_priority(door: Door) -> None:
    door.send(SAMPLES["06"])
    assert door.ack(SAMPLES["08"]).code == "AA"
    assert door.rows(ORDERS) == [("PL-20260312-77", "FL-88120", "A2603120045", "ASAP", "scheduled")]


def test_a_cancellation_before_images_ends_it_and_after_images_waits(door: Door, context: Context, cast: Cast) -> None:
    door.send(SAMPLES["06"])
    study = images(context, cast)
    assert door.ack(SAMPLES["09"]).code == "AA"
    assert door.rows(ORDERS)[0][4] == "cancel_requested"
    assert door.rows("select count(*) from orders.order_studies where study_id = :s", s=study) == [(1,)]
    assert door.rows("select kind from worklist.alarms where cleared_at is null") == [("cancel_requested",)]
    assert door.rows("select kind, ended_at from worklist.case_intervals") == [("hold", None)]
    assert "coordinators decide" in door.rows("select fault from sites.messages where control_id = 'NB-O01-1003'")[0][0]


def test_an_exam_that_is_done_is_completed_and_an_earlier_change_does_not_undo_it(door: Door) -> None:
    door.send(SAMPLES["06"])
    assert door.ack(SAMPLES["10"]).code == "AA"
    assert door.rows(ORDERS)[0][3:] == ("STAT", "completed")
    # The change of 10:18 comes after the status of 11:05.
    assert door.ack(SAMPLES["08"]).code == "AA"
    assert door.rows(ORDERS)[0][3:] == ("STAT", "completed")
    assert "priority" in door.rows("select fault from sites.messages where control_id = 'NB-O01-1002'")[0][0]


def test_an_imaging_order_with_two_steps_of_one_study(door: Door) -> None:
    answer = parse(door.send(SAMPLES["11"]), "ASCII")
    assert (answer.text("MSA-1"), answer.text("MSH-9.2"), answer.text("MSH-9.1")) == ("AA", "O23", "ACK")
    assert door.rows(ORDERS) == [("PL-20260312-90", "FL-88190", "A2603120101", "ROUTINE", "scheduled")]
    (procedure,) = door.rows(PROCEDURES)
    assert procedure == ("MRKNEE", "MR", "L", "2.999.3.10.20260312.101", "RP-6001")


def test_steps_of_two_studies_are_refused_and_kept(door: Door) -> None:
    two = SAMPLES["11"].replace(b"2.999.3.10.20260312.101|SPS-6001-2", b"2.999.3.10.20260312.102|SPS-6001-2")
    ack = door.ack(two)
    assert ack.error is not None
    assert (ack.code, ack.error.code, str(ack.error.location)) == ("AE", "207", "IPC^2^3")
    assert door.rows(ORDERS) == []
    assert door.rows("select fate from sites.messages") == [("rejected",)]


def test_a_general_order_waits_for_its_numbers(door: Door) -> None:
    assert parse(door.send(SAMPLES["12"]), "ASCII").text("MSA-1") == "CA"
    deadline = time.monotonic() + 20
    while not door.rows(ORDERS) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert door.rows(ORDERS) == [("PL-20260312-95", None, None, "STAT", "scheduled")]
    # The filler tells its number, and with it the accession number.
    assigned = (
        SAMPLES["12"]
        .replace(b"NB-O19-0301|P|2.5.1|||AL|ER", b"NB-O19-0302|P|2.5.1")
        .replace(b"ORC|NW|PL-20260312-95^CPOE||", b"ORC|NA|PL-20260312-95^CPOE|A26-95^RISX|")
    )
    assert door.ack(assigned).code == "AA"
    assert door.rows(ORDERS) == [("PL-20260312-95", "A26-95", "A26-95", "STAT", "scheduled")]


def test_a_cancellation_after_the_report_is_answered_with_unable_to_cancel(
    door: Door, context: Context, cast: Cast, owner_url: str
) -> None:
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id)
    ((placer, filler, accession, value),) = door.rows(
        "select o.placer_number, o.filler_number, o.accession_number, i.value from orders.orders o "
        "join patients.identifiers i on i.patient_id = o.patient_id"
    )
    change_feed(owner_url, "NFRIS", order_answer="order_response")
    cancel = "\r".join(
        [
            MSH.format(control="NF-9"),
            f"PID|1||{value}^^^NORFJORD^MR",
            f"ORC|CA|{placer}|{filler}||CA",
            f"OBR|1|{placer}|{filler}|X^X||||||||||||||{accession}",
        ]
    )
    answer = parse(door.send(cancel.encode()), "ASCII")
    assert (answer.text("MSH-9.1"), answer.text("MSA-1"), answer.text("ORC-1")) == ("ORR", "AA", "UC")
    assert door.rows("select state from reading.report_versions") == [("signed",)]
    assert door.rows("select status from orders.orders") == [("scheduled",)]


@pytest.mark.parametrize("whose", ["the same patient's", "another patient's"])
def test_a_filler_number_of_another_order_is_refused_with_its_place(door: Door, whose: str) -> None:
    door.send(SAMPLES["06"])
    other: dict[str, Any] = {
        "NB-O01-1001": "NB-O01-1009",
        "A2603120045": "A2603120046",
        "PL-20260312-77": "PL-20260312-78",
    }
    message = SAMPLES["06"].decode()
    for before, after in other.items():
        message = message.replace(before, after)
    if whose == "another patient's":
        message = message.replace("104417", "104418")
    ack = door.ack(message.encode())
    assert ack.error is not None
    assert (ack.code, ack.error.code, str(ack.error.location)) == ("AE", "205", "ORC^1^3")
    assert len(door.rows(ORDERS)) == 1
