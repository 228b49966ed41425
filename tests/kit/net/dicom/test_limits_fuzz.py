"""Whatever bytes come: the listener lives, keeps within its memory, and the next association works."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliograph.kit.net.dicom import Limits, ProtocolError, StorageListener, pdu
from heliograph.kit.net.dicom.command import decode_command, encode_echo_request, encode_store_request
from tests.kit.net.dicom.peers import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    Heard,
    associated,
    connect,
    echo,
    eventually,
    item,
    listening,
    read_answer,
    read_pdu,
    request,
    store,
    value,
    works,
)

LIMITS = Limits(associate_timeout=0.3, network_timeout=0.3, idle_timeout=0.3, object_bytes=200_000, memory=100_000)
PATIENT = replace(LIMITS, associate_timeout=3, network_timeout=3, idle_timeout=3)
"""For peers that end by themselves: on a busy machine a good one may take its time."""
fuzz = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
COMMAND = encode_store_request(1, CT, "1.2.3")


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[Heard, StorageListener]]:
    with listening(PATIENT) as found:
        yield found


def say(port: int, data: bytes) -> None:
    """Sends all of it, says that this is all, and reads whatever comes until the end."""
    with connect(port) as sock, contextlib.suppress(OSError):  # it may be closed on the other side before we are done
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


def survives(listener: StorageListener) -> None:
    eventually(lambda: (listener.associations, listener.gate.figures().silent) == (0, 0))
    works(listener.port)
    eventually(lambda: listener.associations == 0)


@fuzz
@given(st.binary(max_size=300))
def test_random_bytes(door: tuple[Heard, StorageListener], data: bytes) -> None:
    say(door[1].port, data)
    survives(door[1])


@fuzz
@given(st.integers(0, 255), st.integers(0, 0xFFFFFFFF), st.binary(max_size=200))
def test_a_first_pdu_of_any_kind_and_length(
    door: tuple[Heard, StorageListener], kind: int, length: int, body: bytes
) -> None:
    say(door[1].port, struct.pack(">BxI", kind, length) + body)
    survives(door[1])


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """A right A-ASSOCIATE-RQ with bytes changed, cut out, doubled or put in."""
    data = bytearray(request(more=item(0x53, b"\0\0\0\0") + item(0x54, b"\0\x031.2\0\1")))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(6, len(data) - 1))
        how = draw(st.sampled_from(["change", "cut", "double", "put in"]))
        size = draw(st.integers(1, 40))
        if how == "change":
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at : at + size]
        elif how == "double":
            data[at:at] = data[at : at + size]
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=40))
        if len(data) < 8:
            break
    if draw(st.booleans()):
        data[2:6] = struct.pack(">I", len(data) - 6)
    return bytes(data)


@fuzz
@given(mutilated())
def test_mutilated_requests(door: tuple[Heard, StorageListener], data: bytes) -> None:
    say(door[1].port, data + echo(1) + pdu.RELEASE_REQUEST)
    survives(door[1])


@settings(max_examples=400, deadline=None)
@given(mutilated() | st.binary(max_size=400))
def test_reading_a_request_or_an_answer_gives_values_or_a_protocol_error(data: bytes) -> None:
    for read in (pdu.decode_associate_request, pdu.decode_associate_accept):
        with contextlib.suppress(ProtocolError):
            read(data[6:])


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(COMMAND)), st.integers(0, len(COMMAND)))
def test_reading_a_command_gives_values_or_a_protocol_error(data: bytes, start: int, end: int) -> None:
    with contextlib.suppress(ProtocolError):
        decode_command(COMMAND[:start] + data + COMMAND[end:])


values = st.lists(
    st.tuples(st.sampled_from([1, 3, 5, 0, 255]), st.integers(0, 7), st.sampled_from([COMMAND, b"", b"ab", bytes(50)])),
    max_size=8,
)


@fuzz
@given(st.lists(values, max_size=6), st.integers(-20, 20), st.booleans())
def test_data_in_any_order_and_with_wrong_lengths(
    door: tuple[Heard, StorageListener], pdus: list[list[tuple[int, int, bytes]]], off: int, is_pdu: bool
) -> None:
    heard, listener = door
    before = len(heard.stored)
    data = b""
    for number, those in enumerate(pdus):
        wrong = off if number == len(pdus) - 1 else 0
        body = b"".join(
            struct.pack(">IBB", max(0, len(v) + 2 + (0 if is_pdu else wrong)), context, control) + v
            for context, control, v in those
        )
        data += struct.pack(">BxI", 4, max(0, len(body) + (wrong if is_pdu else 0))) + body
    say(listener.port, request() + data + pdu.RELEASE_REQUEST)
    survives(listener)
    # A right C-STORE-RQ is among them: whatever else is stored was never a message.
    assert {uid for uid, _ in heard.stored[before:]} == {"1.2.3"}


first_words = st.builds(
    lambda kind, length, body: struct.pack(">BxI", kind, length) + body,
    st.sampled_from([1, 1, 1, 2, 4, 5, 7, 22, 71]),
    st.integers(0, 400) | st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=400),
)


@pytest.mark.soak
@settings(fuzz, max_examples=6000)
@given(first_words | st.builds(lambda rq, more: rq + more, mutilated(), st.binary(max_size=300)))
def test_first_words_for_long(door: tuple[Heard, StorageListener], data: bytes) -> None:
    say(door[1].port, data)
    survives(door[1])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data before the association", store(1, "1.2.3") + request()),
        ("two requests", request() + request()),
        ("an answer to nothing", request() + struct.pack(">BxI", 2, 68) + bytes(68)),
        ("a data set without its command", request() + value(1, 2, b"abcd")),
        ("a command set twice", request() + value(1, 3, COMMAND) + value(1, 3, COMMAND)),
        ("an endless command set", request() + b"".join(value(1, 1, bytes(10_000)) for _ in range(8))),
        ("a context that was not accepted", request() + echo(1, context=7)),
        ("a message on two contexts", request() + value(1, 3, COMMAND) + value(3, 2, b"abcd")),
        ("two messages in one PDU", request() + struct.pack(">BxI", 4, 2 * (len(echo()) - 6)) + echo()[6:] * 2),
        ("a value of no length", request() + struct.pack(">BxII", 4, 6, 0) + b"\1\3"),
        ("a PDU of no length", request() + struct.pack(">BxII", 4, 0, 0)),
        ("fragments of nothing without end", request() + value(1, 3, COMMAND) + value(1, 0, b"") * 5000),
        ("fragments without end", request() + value(1, 3, COMMAND) + value(1, 0, bytes(15_000)) * 400),
        ("a type that nobody knows", request() + struct.pack(">BxII", 9, 4, 0)),
        ("the same context twice", request(contexts=[(1, CT, (EXPLICIT,)), (1, VERIFICATION, (IMPLICIT,))])),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_no_peer_may_send_is_aborted(name: str, data: bytes) -> None:
    with listening(LIMITS) as (heard, listener):
        with connect(listener.port) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
            kinds = []
            while (found := read_pdu(sock))[0]:
                kinds.append(found[0])
            # An abort is the last word; who still sends may get a reset before reading it.
            assert kinds in ([pdu.ABORT], [pdu.ASSOCIATE_AC, pdu.ABORT], [pdu.ASSOCIATE_AC]), (name, kinds)
            assert pdu.ABORT in kinds or "without end" in name
        survives(listener)
        assert [uid for uid, _ in heard.stored] == ["1.2.3"]  # that of `survives`
        assert heard.closed[0].how == "protocol error" or not kinds.count(pdu.ASSOCIATE_AC)


def test_a_command_that_promises_a_data_set_waits_only_so_long() -> None:
    with listening(LIMITS) as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request() + value(1, 3, COMMAND))
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        assert read_pdu(sock) == (pdu.ABORT, b"\0\0\2\0")
        eventually(lambda: [c.how for c in heard.closed] == ["timed out"])


def test_a_command_without_its_data_set_is_answered_and_the_association_goes_on() -> None:
    without = COMMAND.replace(struct.pack("<HHIH", 0, 0x0800, 2, 1), struct.pack("<HHIH", 0, 0x0800, 2, 0x0101))
    assert without != COMMAND
    with listening(LIMITS) as (heard, listener):
        sock = connect(listener.port)
        with associated(sock):
            sock.sendall(value(1, 3, without))
            assert read_answer(sock).status == 0xC000
            sock.sendall(store(2, "1.2.4"))
            assert read_answer(sock).status == 0
    assert [uid for uid, _ in heard.stored] == ["1.2.4"]


def test_an_empty_data_set_and_empty_last_fragments() -> None:
    with listening(LIMITS) as (heard, listener):
        sock = connect(listener.port)
        with associated(sock):
            sock.sendall(value(1, 1, COMMAND) + value(1, 3, b"") + value(1, 0, b"ab") + value(1, 2, b""))
            assert read_answer(sock).status == 0
            sock.sendall(store(2, "1.2.4", b""))
            read_answer(sock)
    assert heard.stored[0] == ("1.2.3", b"ab")


@pytest.mark.parametrize("count", [127, 128, 129, 256])
def test_many_presentation_contexts(count: int) -> None:
    """128 odd ids there are (PS3.8 9.3.2.2); even ones harm nobody, and an id that comes twice is told by an abort."""
    ids = [(2 * n + 1) % 256 if n < 128 else 2 * (n - 128) for n in range(count)]
    contexts = [(n, VERIFICATION, (IMPLICIT, EXPLICIT)) for n in ids]
    with listening(LIMITS) as (_heard, listener):
        sock = connect(listener.port)
        with associated(sock, request(contexts=contexts)) as accept:
            assert set(accept.accepted) == set(ids)
            for n in (ids[0], ids[-1]):
                sock.sendall(echo(9, context=n))
                assert read_answer(sock).status == 0
        with connect(listener.port) as sock:
            sock.sendall(request(contexts=[*contexts, contexts[0]]))
            assert read_pdu(sock)[0] == pdu.ABORT
        works(listener.port)


def test_many_transfer_syntaxes_and_items_nobody_knows() -> None:
    syntaxes = [f"1.2.840.99999.{n}" for n in range(2000)] + [IMPLICIT]
    nested = (
        item(0x51, b"\0\0\x40\0") * 50 + item(0x50, item(0x51, b"\0\0\0\1")) + item(0x58, b"\1\0" + bytes(300)) * 20
    )
    with listening(LIMITS) as (_heard, listener):
        sock = connect(listener.port)
        with associated(sock, request(contexts=[(1, VERIFICATION, syntaxes)], more=nested)) as accept:
            assert accept.accepted == {1: IMPLICIT}
            sock.sendall(echo(1, context=1))
            assert read_answer(sock).status == 0


def test_memory_stays_bounded() -> None:
    """Large objects, endless ones and many peers at once: no more than the limits say for each."""
    before = threading.active_count()
    command = value(1, 3, COMMAND)
    tracemalloc.start()
    try:
        with listening(LIMITS) as (_heard, listener):
            for _ in range(3):
                for data in (
                    command + value(1, 0, bytes(16_000)) * 300,
                    command + value(1, 0, bytes(16_000)) * 20 + value(1, 2, b"ab"),
                    value(1, 1, bytes(16_000)) * 50,
                ):
                    say(listener.port, request() + data)
            survives(listener)
            most = tracemalloc.get_traced_memory()[1]
            eventually(lambda: threading.active_count() <= before + 1)
    finally:
        tracemalloc.stop()
    assert most < 24 << 20, most


def test_an_echo_is_an_echo_after_all_that(door: tuple[Heard, StorageListener]) -> None:
    sock = connect(door[1].port)
    with associated(sock):
        sock.sendall(value(3, 3, encode_echo_request(77)))
        answer = read_answer(sock)
        assert (answer.responded_to, answer.status) == (77, 0)
