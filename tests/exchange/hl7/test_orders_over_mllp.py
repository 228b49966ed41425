"""Orders over a real socket: kept, processed once, acknowledged only when committed, refused with the reason."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.kit.codecs.hl7 import parse, parse_ack
from heliograph.kit.net.mllp import ConnectionLost
from tests.cast import Cast
from tests.exchange.hl7.door import MSH, PID, Door, listening, order, set_patience


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    with listening(context, owner_url) as door:
        yield door


ORDERS = "select placer_number, filler_number, accession_number, accession_issuer, priority, status, indication from orders.orders"


def test_an_order_is_committed_before_it_is_acknowledged(door: Door, cast: Cast) -> None:
    answer = door.send(order())
    # A second connection, at the moment the answer is here:
    assert door.rows(ORDERS) == [
        ("P-100", "F-100", "A26110001", "NORFJORD", "STAT", "scheduled", "Fall; on anticoagulant")
    ]
    ack = parse_ack(answer)
    assert (ack.code, ack.control_id) == ("AA", "NF-1")
    assert parse(answer, "ASCII").text("MSH-3") == "HELIO"
    assert door.rows(
        "select family_name, given_name, birth_date::text, sex, authority, value from patients.patients p "
        "join patients.identifiers i on i.patient_id = p.id"
    ) == [("Bakke", "Solveig M", "1977-11-15", "F", "NORFJORD", "NF-7001")]
    assert door.rows(
        "select code, description, modality, exam_class, study_instance_uid, placer_number from orders.requested_procedures"
    ) == [("CTHEAD", "CT hode uten kontrast", "CT", "ct_head_wo", "2.999.10.1", "P-100")]
    assert door.rows(
        "select referrer_name, referrer_phone, patient_class, source, to_char(ordered_at at time zone 'UTC', 'HH24:MI') from orders.orders"
    ) == [("Dr Nils Haugen", "+47 00 55 90 12", "E", "hl7", "01:29")]
    assert door.rows("select fate, acknowledgement, direction, peer, payload, answer from sites.messages") == [
        ("processed", "AA", "in", "127.0.0.1", order(), answer)
    ]
    actions = [a for (a,) in door.rows("select action from audit.events order by id")]
    assert actions == ["patient.created", "order.received", "message.processed"]


def test_a_resent_message_is_processed_once_and_answered_twice(door: Door) -> None:
    first, second = door.send(order()), door.send(order())
    assert first == second
    assert len(door.rows(ORDERS)) == 1
    assert door.rows("select fate from sites.messages order by id") == [("processed",), ("duplicate",)]


def test_the_same_message_on_two_connections_at_once_is_processed_once(door: Door) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(door.send, [order()] * 4))
    assert len(set(answers)) == 1
    assert len(door.rows(ORDERS)) == 1
    assert sorted(door.rows("select fate from sites.messages")) == [("duplicate",)] * 3 + [("processed",)]


def test_a_refused_message_is_tried_again_when_it_is_sent_again(door: Door) -> None:
    cancel = order("NF-2", orc="CA", status="CA")
    assert door.ack(cancel).code == "AE"
    door.send(order())
    assert door.ack(cancel).code == "AA"
    assert [r[5] for r in door.rows(ORDERS)] == ["cancelled"]


def test_of_a_feed_that_repeats_control_ids_other_content_is_processed_too(door: Door) -> None:
    door.feed(repeats_control_ids=True)
    other = PID.replace("NF-7001", "NF-7002").replace("Bakke", "Strand")
    assert door.ack(order("ALWAYS-1")).code == "AA"
    assert door.ack(order("ALWAYS-1", placer="P-2", filler="F-2", accession="A2", pid=other)).code == "AA"
    assert len(door.rows(ORDERS)) == 2
    assert len(door.rows("select 1 from patients.patients")) == 2


def test_a_changed_order_stays_one_order_and_its_priority_change_is_recorded(door: Door) -> None:
    door.send(order())
    assert door.ack(order("NF-2", orc="XO", priority="A")).code == "AA"
    assert [r[4] for r in door.rows(ORDERS)] == ["ASAP"]
    ((detail,),) = door.rows("select detail from audit.events where action = 'order.changed'")
    assert detail == {"fields": ["priority"], "priority": {"from": "STAT", "to": "ASAP"}}


def test_a_resend_without_priority_and_indication_leaves_both(door: Door) -> None:
    door.send(order())
    assert door.ack(order("NF-2", orc="XO", priority="", indication="")).code == "AA"
    assert [(r[4], r[6]) for r in door.rows(ORDERS)] == [("STAT", "Fall; on anticoagulant")]
    assert door.rows("select 1 from audit.events where action = 'order.changed'") == []


def test_a_null_deletes(door: Door) -> None:
    door.send(order())
    assert door.ack(order("NF-2", orc="XO", indication='""')).code == "AA"
    assert [r[6] for r in door.rows(ORDERS)] == [None]


def test_status_and_cancellation(door: Door) -> None:
    door.send(order())
    assert door.ack(order("NF-2", orc="SC", status="CM")).code == "AA"
    assert [r[5] for r in door.rows(ORDERS)] == ["completed"]
    assert door.ack(order("NF-3", orc="CA", status="CA")).code == "AA"
    assert [r[5] for r in door.rows(ORDERS)] == ["cancelled"]
    assert door.ack(order("NF-4", orc="CA", status="CA")).code == "AA"
    assert len(door.rows("select 1 from audit.events where action = 'order.cancelled'")) == 1


def test_new_demographics_reach_the_patient_and_the_record_names_only_fields(door: Door) -> None:
    door.send(order())
    changed = PID.replace("Bakke^Solveig^M", "Bakke^Sol").replace("19771115", "19771116")
    assert door.ack(order("NF-2", orc="XO", pid=changed)).code == "AA"
    assert door.rows("select family_name, birth_date::text, name_key from patients.patients") == [
        ("Bakke", "1977-11-16", "bakke sol")
    ]
    ((detail,),) = door.rows("select detail from audit.events where action = 'patient.changed'")
    assert detail == {"fields": ["given_name", "birth_date"]}


def test_a_vendors_form_accession_in_obr_3_escapes_no_zone(door: Door) -> None:
    message = (
        b"MSH|^~\\&|NFRIS|NORFJORD|HELIO|HUB|202611250231||ORM^O01|LM-771|P|2.3\r"
        b"PID|1||NF-5512^^^NORFJORD^MR||O'Dea^Fionnuala||19630219|F\r"
        b"PV1|1|I|3W^301^2\r"
        b"ORC|NW|998001|NF26-004417||IP\r"
        b"OBR|1|998001|NF26-004417|XRCH2^XR CHEST 2 VIEWS|R||||||||Cough \\T\\ fever, r\\E\\o pneumonia \\F\\ see note"
        b"\\.br\\Temp 38.9\\X0A\\Allergy: none|||88^Brandt^Leif||||||||RAD"
    )
    assert door.ack(message).code == "AA"
    assert door.rows(ORDERS) == [
        ("998001", "NF26-004417", "NF26-004417", "NORFJORD", "ROUTINE", "in_progress",
         "Cough & fever, r\\o pneumonia | see note\nTemp 38.9\nAllergy: none")
    ]  # fmt: skip
    assert door.rows("select exam_class, modality from orders.requested_procedures") == [("xr_chest_2v", "DX")]


def test_two_groups_of_one_accession_are_one_order_with_two_procedures(door: Door) -> None:
    second = (
        b"ORC|NW|P-101^CPOE|F-101^NFRIS||SC||1^^^^^R\r"
        b"OBR|2|P-101^CPOE|F-101^NFRIS|CTCS^CT cervikalcolumna^NF||||||||||||||A26110001||||||CT\r"
    )
    assert door.ack(order(zds="") + second).code == "AA"
    assert [r[4] for r in door.rows(ORDERS)] == ["STAT"]  # the most urgent of both
    wanted = "select exam_class, is_cancelled from orders.requested_procedures order by position"
    assert door.rows(wanted) == [("ct_head_wo", False), ("ct_cspine_wo", False)]
    # Cancelling one of them leaves the order and the other.
    cancel = (
        MSH.format(control="NF-2").encode() + b"\r" + PID.encode() + b"\rORC|CA|P-101^CPOE|F-101^NFRIS||CA\r"
        b"OBR|1|P-101^CPOE|F-101^NFRIS|CTCS^CT cervikalcolumna^NF||||||||||||||A26110001\r"
    )
    assert door.ack(cancel).code == "AA"
    assert door.rows(wanted) == [("ct_head_wo", False), ("ct_cspine_wo", True)]
    assert [r[5] for r in door.rows(ORDERS)] == ["scheduled"]


def test_two_accessions_are_two_orders(door: Door) -> None:
    second = (
        b"ORC|NW|P-101^CPOE|F-101^NFRIS||SC\r"
        b"OBR|2|P-101^CPOE|F-101^NFRIS|CTCS^CT cervikalcolumna^NF||||||||||||||A26110002||||||CT\r"
    )
    assert door.ack(order() + second).code == "AA"
    assert sorted(r[2] for r in door.rows(ORDERS)) == ["A26110001", "A26110002"]


def test_an_order_for_another_patient_under_a_known_accession_is_refused_and_kept(door: Door) -> None:
    door.send(order())
    other = PID.replace("NF-7001", "NF-7002").replace("Bakke", "Strand")
    ack = door.ack(order("NF-2", placer="P-2", filler="F-2", pid=other))
    assert ack.code == "AE"
    assert ack.error is not None
    assert ack.error.code == "205"
    assert len(door.rows(ORDERS)) == 1
    assert len(door.rows("select 1 from patients.patients")) == 1  # nothing of the refused message stays
    assert door.rows("select fate, acknowledgement from sites.messages where control_id = 'NF-2'") == [
        ("rejected", "AE")
    ]


BROKEN = {
    "no PID-3": (order(pid="PID|1||||Doe^Unknown|||U"), "AE", "101", "PID^1^3"),
    "no PID": (order(pid=""), "AE", "101", "PID^1"),
    "a birth date that is none": (order(pid=PID.replace("19771115", "15.11.1977")), "AE", "102", "PID^1^7"),
    "an unknown order control": (order(orc="ZZ"), "AE", "103", "ORC^1^1"),
    "no procedure": (order(procedure=""), "AE", "101", "OBR^1^4"),
    "an accession that no image can carry": (order(accession="A" * 17), "AE", "104", "OBR^1^18"),
    "OBR-2 against ORC-2": (order().replace(b"OBR|1|P-100", b"OBR|1|P-999"), "AE", "207", "OBR^1^2"),
    "a cancellation of what never was": (order(orc="CA", status="CA"), "AE", "204", "ORC^1^2"),
    "no number at all": (order(placer="", filler="", accession=""), "AE", "101", "ORC^1^2"),
    "no control id": (order(""), "AE", "101", "MSH^1^10"),
    "a training message": (order(msh=MSH.replace("|P|", "|T|")), "AR", "202", "MSH^1^11"),
    "a debugging message": (order(msh=MSH.replace("|P|", "|D|")), "AR", "202", "MSH^1^11"),
    "another type": (order(msh=MSH.replace("ORM^O01", "QRY^A19")), "AR", "200", "MSH^1^9^1^1"),
    "another trigger": (order(msh=MSH.replace("ORM^O01", "ORM^Z99")), "AR", "201", "MSH^1^9^1^2"),
    "an unknown sender": (order(msh=MSH.replace("NFRIS", "SOMEBODY")), "AR", "204", "MSH^1^3"),
    "another version": (order(msh=MSH.replace("|2.3.1", "|3.9")), "AR", "203", "MSH^1^12"),
    "two messages in one frame": (order() + order("NF-2"), "AR", "100", "MSH^1^1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_is_answered_with_its_fault_and_kept(door: Door, cast: Cast, name: str) -> None:
    payload, code, fault, place = BROKEN[name]
    ack = door.ack(payload)
    assert (ack.code, ack.error and ack.error.code) == (code, fault)
    assert ack.error is not None
    assert str(ack.error.location) == place
    assert door.rows(ORDERS) == []
    assert door.rows("select 1 from patients.patients") == []
    organization = None if name == "an unknown sender" else cast.norfjord
    assert door.rows("select organization_id, fate, acknowledgement, payload from sites.messages") == [
        (organization, "rejected", code, payload)
    ]
    ((action, outcome, reason),) = door.rows("select action, outcome, reason from audit.events")
    assert (action, outcome) == ("message.refused", "refused")
    assert "Bakke" not in reason


def test_what_is_no_hl7_is_refused_and_kept(door: Door) -> None:
    assert door.ack(b"GET / HTTP/1.1").code == "AR"
    assert door.rows("select organization_id, fate, payload from sites.messages") == [
        (None, "rejected", b"GET / HTTP/1.1")
    ]


def test_an_acknowledgement_is_not_acknowledged(door: Door) -> None:
    ack = b"MSH|^~\\&|NFRIS|NORFJORD|HELIO|HUB|20261125||ACK^O01|X1|P|2.3.1\rMSA|AA|1\r"
    with socket.create_connection(("127.0.0.1", door.listener.port)) as s:
        s.sendall(b"\x0b" + ack + b"\x1c\r" + b"\x0b" + order() + b"\x1c\r")
        s.settimeout(5)
        answer = s.recv(65536)
    assert b"MSA|AA|NF-1" in answer  # the order's answer came first: the ACK got none


def test_frames_split_anywhere_and_two_in_one_write(door: Door) -> None:
    other = order("NF-2", placer="P-2", filler="F-2", accession="A2")
    stream = b"\x0b" + order() + b"\x1c\r\r\n\x00\x0b" + other + b"\x1c\r"
    with socket.create_connection(("127.0.0.1", door.listener.port)) as s:
        s.settimeout(5)
        for i in range(0, len(stream), 50):
            s.sendall(stream[i : i + 50])
        got = b""
        while got.count(b"\x1c\r") < 2:
            got += s.recv(65536)
    assert got.index(b"MSA|AA|NF-1") < got.index(b"MSA|AA|NF-2")
    assert len(door.rows(ORDERS)) == 2


def test_the_declared_character_set_is_read(door: Door) -> None:
    message = order(pid=PID.replace("Bakke", "Bråten"), msh=MSH + "||||||8859/1").decode().encode("latin-1")
    assert door.ack(message).code == "AA"
    assert door.rows("select family_name, name_key from patients.patients") == [("Bråten", "braten solveig m")]


def test_without_a_database_there_is_no_answer_and_the_resend_is_taken(
    door: Door, context: Context, owner_url: str
) -> None:
    engine = create_engine(owner_url)
    with engine.connect() as blocking:
        # The sender's table is locked for longer than we wait: as a database that does not answer.
        blocking.execute(text("lock table sites.endpoints in access exclusive mode"))
        set_patience(context, 200)
        with pytest.raises(ConnectionLost):
            door.send(order())
        blocking.rollback()
    engine.dispose()
    assert door.rows("select 1 from sites.messages") == []
    set_patience(context, 60_000)
    assert door.ack(order()).code == "AA"


def test_no_patient_data_in_the_log(
    door: Door, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    door.send(order())
    door.send(order("NF-2", pid=PID.replace("NF-7001", "NF-7002"), placer="P-2", filler="F-2"))
    door.send(order("NF-3", pid=PID.replace("19771115", "15.11.1977")))
    said = caplog.text + "".join(capsys.readouterr())
    assert "hl7.message_refused" in said
    for secret in ("Bakke", "Solveig", "NF-7001", "NF-7002", "1977", "anticoagulant", "15117711223"):
        assert secret not in said
