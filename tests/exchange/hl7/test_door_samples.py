"""Messages as the field sends them, and the exact answer that each is given: MSA-1, MSA-2, MSH-9, ERR; framing of all kinds."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from heliograph.app.context import Context
from heliograph.exchange.hl7.kinds import KINDS
from heliograph.kit.codecs.hl7 import parse, parse_ack
from heliograph.kit.net.mllp_framing import frame
from tests.cast import Cast
from tests.exchange.hl7.door import Door, add_feed, change_feed, listening, order

AT = "20260312081500-0500"
PID = "PID|1||104417^^^NORTHBAY&2.999.1.1&ISO^MR~NX-7782201^^^NATID&2.999.1.2&ISO^NI||Okonkwo-Reyes^Tamsin^J^^^^L||19810704|F"
PV1 = "PV1|1|E|ED^12^A^NORTHBAY||||4471^Abara^Nneka^^^Dr||||||||||||V-90311^^^NORTHBAY&2.999.1.1&ISO^VN"
NUMBERS = "PL-20260312-77^CPOE|FL-88120^RISX"


def adt(kind: str, control: str, version: str, *segments: str, end: str = "\r", last: bool = True) -> bytes:
    event = kind.split("^")[1]
    lines = [f"MSH|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|{AT}||{kind}|{control}|P|{version}", f"EVN|{event}|{AT}", *segments]
    return (end.join(lines) + (end if last else "")).encode()


def orm(control: str, orc: str, status: str, priority: str = "S", danger: str = "") -> bytes:
    timing = f"1^^^20260312103000-0500^^{priority}"
    lines = [
        f"MSH|^~\\&|RISX|NORTHBAY|TELERAD|HUB|20260312101000-0500||ORM^O01|{control}|P|2.3.1",
        f"{PID}||||||||||ACC-55021^^^NORTHBAY&2.999.1.1&ISO^AN",
        PV1,
        f"ORC|{orc}|{NUMBERS}||{status}||{timing}||20260312101000-0500|||4471^Abara^Nneka^^^Dr|||||ED^Emergency^NBDEPT",
        f"OBR|1|{NUMBERS}|CTHEAD^CT Head without contrast^NBPROC|||||||||Fall; on anticoagulant||^^^Head|4471^Abara^Nneka^^^Dr||"
        f"A2603120045|RP-5591|SPS-5591-1|{danger}|||CT|||{timing}|||CART|^Head injury on anticoagulant",
        "ZDS|2.999.3.10.20260312.45^RISX^Application^DICOM",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


@dataclass(frozen=True)
class Expected:
    """An answer, field by field."""

    msa1: str
    msa2: str
    msh9: str
    err2: str = ""
    err3: str = ""


MISSING = "PID|1||||Doe^Unknown|||U"
OMG = (
    f"MSH|^~\\&|RISX|NORTHBAY|TELERAD|HUB|{AT}||OMG^O19^OMG_O19|NB-O19-0301|P|2.5.1|||AL|ER\r{PID}\r{PV1}\r"
    "ORC|NW|PL-20260312-95^CPOE|||||||20260312123000-0500\rTQ1|1||||||||S^Stat^HL70485\r"
    "OBR|1|PL-20260312-95^CPOE||USABD^US Abdomen^NBPROC\r"
).encode()
SAMPLES: dict[str, tuple[bytes, Expected]] = {
    "an admission": (adt("ADT^A01^ADT_A01", "NB-A01-0001", "2.5.1", PID, PV1), Expected("AA", "NB-A01-0001", "ACK^A01^ACK")),
    "an order, v2.3.1": (orm("NB-O01-1001", "NW", "SC"), Expected("AA", "NB-O01-1001", "ACK^O01")),
    "an order in enhanced mode": (OMG, Expected("CA", "NB-O19-0301", "ACK^O19^ACK")),
    "an unknown trigger": (
        adt("ADT^Z99", "NB-Z99-0001", "2.5.1", PID),
        Expected("AR", "NB-Z99-0001", "ACK^Z99^ACK", "MSH^1^9^1^2", "201^Unsupported event code^HL70357"),
    ),
    "no patient identifier": (
        adt("ADT^A04^ADT_A01", "NB-A04-0099", "2.5.1", MISSING, "PV1|1|E"),
        Expected("AE", "NB-A04-0099", "ACK^A04^ACK", "PID^1^3", "101^Required field missing^HL70357"),
    ),
    "segments ended by LF, and the last by nothing": (
        adt("ADT^A08", "LF-0001", "2.4", "PID|1||AG-77^^^NORTHBAY^MR||Lindqvist^Per||1949|M", "PV1|1|O", end="\n", last=False),
        Expected("AA", "LF-0001", "ACK^A08"),
    ),
    "segments ended by CR LF": (adt("ADT^A08", "LF-2", "2.4", PID, PV1, end="\r\n"), Expected("AA", "LF-2", "ACK^A08")),
    "a version that is none": (
        adt("ADT^A08", "V-1", "3.9", PID, PV1),
        Expected("AR", "V-1", "ACK^A08^ACK", "MSH^1^12", "203^Unsupported version id^HL70357"),
    ),
    "a training message": (
        adt("ADT^A08", "T-1", "2.5.1", PID, PV1).replace(b"|P|2.5.1", b"|T|2.5.1"),
        Expected("AR", "T-1", "ACK^A08^ACK", "MSH^1^11", "202^Unsupported processing id^HL70357"),
    ),
    "a query": (
        adt("QRY^A19", "Q-1", "2.5.1", PID),
        Expected("AR", "Q-1", "ACK^A19^ACK", "MSH^1^9^1^1", "200^Unsupported message type^HL70357"),
    ),
}  # fmt: skip


@pytest.fixture
def door(context: Context, cast: Cast, owner_url: str) -> Iterator[Door]:
    for application in ("ADTX", "RISX"):
        add_feed(owner_url, cast.norfjord, cast.norfjord_facility, application, "NORTHBAY")
    with listening(context, owner_url) as door:
        yield door


def told(answer: bytes) -> Expected:
    """What an answer says, as it is written."""
    message = parse(answer, "ASCII")
    err = message.segment("ERR")
    msh, msa = message.need("MSH"), message.need("MSA")
    place = err.field(2) if err else ""
    return Expected(msa.field(1), msa.field(2), msh.field(9), place, err.field(3) if err else "")


@pytest.mark.parametrize("name", SAMPLES)
def test_each_is_answered_exactly(door: Door, name: str) -> None:
    payload, expected = SAMPLES[name]
    answer = door.send(payload)
    assert told(answer) == expected
    message = parse(answer, "ASCII")
    assert [message.text(f"MSH-{n}") for n in (3, 4, 6)] == ["TELERAD", "HUB", "NORTHBAY"]
    if expected.err2:
        assert message.text("ERR-4") == "E"
        assert message.text("MSA-3")
    ((kept,),) = door.rows("select payload from sites.messages where direction = 'in'")
    assert kept == payload


def test_the_control_id_comes_back_byte_for_byte(door: Door) -> None:
    for control in ("A\\T\\B", "  7", "x" * 60, "0x1d^2"):
        answer = door.send(order(control, placer=f"P{len(control)}", filler="", accession=f"A{len(control)}"))
        assert b"\rMSA|AA|" + control.encode() + b"\r" in answer


def test_an_ignored_message_is_acknowledged_and_has_no_effect(door: Door, owner_url: str) -> None:
    change_feed(owner_url, "ADTX", ignored=["ADT^A02", "ZZZ^Z01", "ADT^A08"])
    for kind in ("ADT^A02", "ZZZ^Z01", "ADT^A08"):
        payload = adt(kind, f"I-{kind[4:]}", "2.5.1", PID, PV1)
        assert told(door.send(payload)).msa1 == "AA"
        assert door.send(payload) == door.send(payload)
    assert door.rows("select fate, count(*) from sites.messages group by fate order by fate") == [
        ("duplicate", 6),
        ("ignored", 3),
    ]
    assert door.rows("select count(*) from patients.patients") == [(0,)]
    training = adt("ADT^A02", "I-T", "2.5.1", PID).replace(b"|P|2.5.1", b"|T|2.5.1")
    assert told(door.send(training)).msa1 == "AR"


# ---------------------------------------------------------------- order responses


def test_an_order_response_says_what_came_of_each_order(door: Door, owner_url: str) -> None:
    change_feed(owner_url, "RISX", order_answer="order_response")
    new = parse(door.send(orm("R-1", "NW", "SC")), "ASCII")
    assert (new.text("MSH-9"), new.text("MSH-9.2"), new.text("MSA-1")) == ("ORR", "O02", "AA")
    assert new.need("ORC").raw == f"ORC|OK|{NUMBERS}"
    changed = parse(door.send(orm("R-2", "XO", "SC", "A")), "ASCII")
    assert changed.need("ORC").field(1) == "XR"
    cancelled = parse(door.send(orm("R-3", "CA", "CA")), "ASCII")
    assert cancelled.need("ORC").raw == f"ORC|CR|{NUMBERS}"
    unknown = orm("R-4", "CA", "CA").replace(b"PL-20260312-77", b"PL-0").replace(b"FL-88120", b"FL-0")
    answer = parse(door.send(unknown.replace(b"A2603120045", b"A0")), "ASCII")
    assert (answer.text("MSH-9"), answer.text("MSA-1"), answer.text("ERR-3")) == ("ORR", "AE", "204")
    assert answer.need("ORC").field(1) == "UC"
    refused = parse(door.send(orm("R-5", "NW", "SC").replace(b"|P|2.3.1", b"|D|2.3.1")), "ASCII")
    assert (refused.text("MSH-9"), refused.text("MSA-1")) == ("ACK", "AR")


def test_imaging_and_general_orders_have_responses_of_their_own(door: Door, owner_url: str) -> None:
    change_feed(owner_url, "RISX", order_answer="order_response")
    general = parse(door.send(OMG.replace(b"|||AL|ER", b"")), "ASCII")
    assert general.need("MSH").field(9) == "ORG^O20^ORG_O20"
    assert general.need("ORC").raw == "ORC|OK|PL-20260312-95^CPOE"
    ipc = "IPC|A2603120101^RISX|RP-6001|2.999.3.10.20260312.101|SPS-6001-1|MR^Magnetic Resonance^DCM"
    obr = "OBR|1|PL-90^CPOE|FL-90^RISX|MRKNEE^MR Knee left^NBPROC"
    imaging = (
        f"MSH|^~\\&|RISX|NORTHBAY|TELERAD|HUB|{AT}||OMI^O23^OMI_O23|NB-O23-0201|P|2.5.1\r{PID}\r{PV1}\r"
        f"ORC|NW|PL-90^CPOE|FL-90^RISX||SC\rTQ1|1||||||20260313090000-0500||R^Routine^HL70485\r{obr}\r{ipc}\r"
    )
    answer = parse(door.send(imaging.encode()), "ASCII")
    assert answer.need("MSH").field(9) == "ORI^O24^ORI_O24"
    assert [s.raw for s in answer.all_segments[2:]] == ["ORC|OK|PL-90^CPOE|FL-90^RISX", obr, ipc]


# ---------------------------------------------------------------- frames (field reports G01 and G02)


def numbered(n: int) -> bytes:
    return order(f"F-{n}", placer=f"P-{n}", filler=f"F-{n}", accession=f"A{n}")


def test_one_byte_a_write(door: Door) -> None:
    with door.connection() as site:
        for byte in frame(numbered(1)):
            site.socket.sendall(bytes([byte]))
        assert told(site.answer()).msa2 == "F-1"
    assert door.rows("select count(*) from sites.messages") == [(1,)]


def test_the_start_alone_then_the_end_in_two_pieces(door: Door) -> None:
    with door.connection() as site:
        whole = frame(numbered(1))
        for piece in (whole[:1], whole[1:-1], whole[-1:]):
            site.socket.sendall(piece)
            time.sleep(0.5)
        assert told(site.answer()).msa2 == "F-1"
        site.write(numbered(2))
        assert told(site.answer()).msa2 == "F-2"
    assert door.rows("select count(*) from sites.messages") == [(2,)]


def test_several_frames_in_one_write_with_other_bytes_between(door: Door) -> None:
    with door.connection() as site:
        whole = b"\x00\x00log\n" + frame(numbered(1)) + b"\r\n\x00" + frame(numbered(2)) + b"\n" + frame(numbered(3))
        site.socket.sendall(whole[: len(whole) // 2])
        time.sleep(0.2)
        site.socket.sendall(whole[len(whole) // 2 :])
        assert [told(site.answer()).msa2 for _ in range(3)] == ["F-1", "F-2", "F-3"]


def test_a_frame_whose_end_is_cut_off_is_not_taken(door: Door) -> None:
    with door.connection() as site:
        site.socket.sendall(frame(numbered(1))[:-2])
        site.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            site.answer()
    assert door.rows("select count(*) from sites.messages") == [(0,)]


# ---------------------------------------------------------------- remembered feeds


def test_what_changes_of_a_feed_counts_for_the_next_message(door: Door, owner_url: str, cast: Cast) -> None:
    with door.connection() as site:
        assert parse_ack(site.ask(numbered(1))).code == "AA"
        door.feed(is_active=False)
        assert parse_ack(site.ask(numbered(2))).code == "AR"
        door.feed(is_active=True)
        assert parse_ack(site.ask(numbered(2))).code == "AA"
        door.feed(tls_required=True)
        assert parse_ack(site.ask(numbered(3))).code == "AR"
        door.feed(tls_required=False, ignored=["ORM^O01"])
        assert parse_ack(site.ask(numbered(3))).code == "AA"
        assert door.rows("select fate from sites.messages order by id desc limit 1") == [("ignored",)]
        nearer = add_feed(owner_url, cast.norfjord, cast.norfjord_facility, "NFRIS", "NORFJORD", host="127.0.0.1")
        assert parse_ack(site.ask(numbered(4))).code == "AA"
        assert door.rows("select endpoint_id from sites.messages order by id desc limit 1") == [(nearer,)]


# ---------------------------------------------------------------- what the documents say


def test_the_conformance_statement_names_every_message_that_is_taken() -> None:
    said = (Path(__file__).resolve().parents[3] / "docs" / "conformance" / "hl7.md").read_text("utf-8")
    listed = said[said.index("## Messages") : said.index("## Answers")]
    named = {(kind, trigger) for kind in {k for k, _ in KINDS} for trigger in re.findall(r"\b[A-Z]\d\d\b", listed)}
    assert set(KINDS) <= named
    assert {trigger for _, trigger in KINDS} == set(re.findall(r"\b[A-Z]\d\d\b", listed)) - {"A02"}
