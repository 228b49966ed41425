"""Silent, slow and greedy callers: none of them keeps a scanner out (field report E02)."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from heliograph.app.demo.studies import make_slices
from heliograph.kit.net.dicom import Acceptance, Caller, Limits, Refusal, StoreRequest, pdu
from heliograph.kit.net.dicom.command import encode_store_request
from tests.kit.net.dicom.peers import (
    CT,
    associated,
    connect,
    echo,
    eventually,
    is_closed,
    listening,
    read_answer,
    read_pdu,
    request,
    store,
    value,
    works,
)

STORESCU = Path("/usr/bin/storescu")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


@pytest.mark.dcmtk
@pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed")
def test_silent_sockets_at_the_limit_keep_no_scanner_out(tmp_path: Path) -> None:
    slices = make_slices(tmp_path, 3)
    limits = Limits(pending=12, pending_per_address=8, associations=4, associate_timeout=60)
    with ExitStack() as stack:
        heard, listener = stack.enter_context(listening(limits, host="0.0.0.0"))
        silent = [stack.enter_context(connect(listener.port)) for _ in range(8)]
        eventually(lambda: listener.gate.figures().silent == 8)
        command = [str(STORESCU), "-aet", "CT1", "-aec", "HELIO", "127.0.0.1", str(listener.port), *map(str, slices)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert len(heard.stored) == 3
        # The oldest gave way, the others still may ask.
        assert is_closed(silent[0])
        assert listener.gate.figures().dropped["displaced"] == 1
        works(listener.port, "127.0.0.2")
        with associated(silent[7]):
            pass
        # The bound for all addresses together: one of the address that has most gives way.
        for n in range(3, 10):
            stack.enter_context(connect(listener.port, f"127.0.0.{n}"))
        eventually(lambda: listener.gate.figures().silent == 12)
        works(listener.port, "127.0.0.99")
        eventually(lambda: listener.gate.figures().silent <= 12)


def test_silence_ends_at_the_deadline_and_a_drip_gains_nothing() -> None:
    with listening(Limits(associate_timeout=0.6)) as (heard, listener):
        with connect(listener.port) as silent, connect(listener.port) as slow:
            whole = request()
            started = time.monotonic()
            for byte in whole[:40]:
                try:
                    slow.sendall(bytes([byte]))
                except ConnectionError:
                    break
                time.sleep(0.05)
            assert is_closed(slow)
            assert is_closed(silent)
            assert time.monotonic() - started < 5
        eventually(lambda: listener.gate.figures().silent == 0)
        assert listener.gate.figures().dropped == {"silent": 2}
        assert not heard.callers


@pytest.mark.parametrize("part", ["head of a PDU", "command", "data set", "many small values"])
def test_a_pdu_that_drips_ends_at_its_deadline(part: str) -> None:
    """One byte now and then keeps any wait for the next byte short: the whole PDU has a deadline."""
    many = b"".join(struct.pack(">IBB", 3, 1, 0) + b"x" for _ in range(100))
    begun, dripped = {
        "head of a PDU": (b"", store(1, "1.2.3")[:10]),
        "command": (b"", value(1, 3, encode_store_request(1, CT, "1.2.3"))),
        "data set": (value(1, 3, encode_store_request(1, CT, "1.2.3")), value(1, 2, bytes(500))),
        "many small values": (
            value(1, 3, encode_store_request(1, CT, "1.2.3")),
            struct.pack(">BxI", 4, len(many)) + many,
        ),
    }[part]
    with listening(Limits(network_timeout=0.5)) as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request())
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        sock.sendall(begun)
        started = time.monotonic()
        for byte in dripped:
            try:
                sock.sendall(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.15)
            if heard.closed:
                break
        eventually(lambda: bool(heard.closed))
        assert time.monotonic() - started < 5
        assert heard.closed[0].how == "timed out"
        assert listener.associations == 0
        assert not heard.stored


def test_a_message_of_small_fragments_has_a_least_rate() -> None:
    """Each PDU is whole at once, the message would take for ever."""
    with listening(Limits(network_timeout=0.4)) as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request())
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        sock.sendall(value(1, 3, encode_store_request(1, CT, "1.2.3")))
        for _ in range(100):
            try:
                sock.sendall(value(1, 0, b"x"))
            except ConnectionError:
                break
            time.sleep(0.05)
            if heard.closed:
                break
        assert [c.how for c in heard.closed] == ["timed out"]  # while it still came


def test_an_association_without_messages_ends_after_its_time() -> None:
    with listening(Limits(idle_timeout=0.4)) as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request())
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        assert read_pdu(sock) == (pdu.ABORT, b"\0\0\2\0")
        eventually(lambda: [c.how for c in heard.closed] == ["timed out"])


@pytest.mark.parametrize("how", ["reset", "half-closed", "closed"])
@pytest.mark.parametrize("stage", ["silent", "in the request", "associated", "in a message"])
def test_the_place_of_a_lost_peer_is_free_at_once(stage: str, how: str) -> None:
    whole = request()
    limits = Limits(associations=1, pending_per_address=1, associate_timeout=30, network_timeout=30, idle_timeout=30)
    with listening(limits) as (_heard, listener), connect(listener.port) as sock:
        if stage == "in the request":
            sock.sendall(whole[:50])
        elif stage != "silent":
            sock.sendall(whole)
            assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
            assert listener.associations == 1
            if stage == "in a message":
                sock.sendall(store(1, "1.2.3")[:-2])
        if how == "half-closed":
            sock.shutdown(socket.SHUT_WR)
        else:
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
        eventually(lambda: (listener.associations, listener.gate.figures().silent) == (0, 0), 5)
        works(listener.port)


def test_associations_are_bounded_for_all_an_address_and_a_caller() -> None:
    limits = Limits(associations=4, associations_per_address=3, associations_per_caller=2)

    def asked(stack: ExitStack, calling: bytes, source: str = "127.0.0.1") -> tuple[int, bytes]:
        sock = stack.enter_context(connect(listener.port, source))
        sock.sendall(request(calling=calling.ljust(16)))
        return read_pdu(sock)

    with listening(limits, host="0.0.0.0") as (heard, listener):
        full = (pdu.ASSOCIATE_RJ, b"\0\2\3\2")  # transient, presentation, local limit exceeded
        with ExitStack() as stack:
            assert [asked(stack, b"CT1")[0] for _ in range(2)] == [pdu.ASSOCIATE_AC] * 2
            assert asked(stack, b"CT1") == full  # of this caller
            assert asked(stack, b"CT2")[0] == pdu.ASSOCIATE_AC
            assert asked(stack, b"CT3") == full  # from this address
            assert asked(stack, b"CT3", "127.0.0.2")[0] == pdu.ASSOCIATE_AC
            assert asked(stack, b"CT4", "127.0.0.3") == full  # of all
            figures = listener.gate.figures()
            assert (figures.associations, figures.accepted, figures.refused) == (4, 4, {"limit_reached": 3})
        eventually(lambda: listener.associations == 0)
        eventually(lambda: len(heard.refused) == 3)
        works(listener.port)


def test_an_address_that_guesses_titles_is_heard_no_more_but_its_scanner_is() -> None:
    asked: list[Caller] = []

    def accept(caller: Caller) -> Acceptance | Refusal:
        asked.append(caller)
        return Acceptance(caller) if caller.calling_ae_title == "CT1" else Refusal.CALLING_NOT_RECOGNISED

    def call(calling: str, source: str = "127.0.0.1") -> tuple[int, bytes]:
        with connect(listener.port, source) as sock:
            sock.sendall(request(calling=calling.encode().ljust(16)))
            return read_pdu(sock)

    limits = Limits(refused_per_minute=5)
    with listening(limits, host="0.0.0.0", accept=accept) as (heard, listener), capture_logs() as logged:
        works(listener.port)
        asked.clear()
        answers = [call(f"GUESS{n}") for n in range(8)]
        assert answers[:5] == [(pdu.ASSOCIATE_RJ, b"\0\1\1\3")] * 5
        assert answers[5:] == [(pdu.ASSOCIATE_RJ, b"\0\2\3\1")] * 3  # for now: it may be somebody new
        assert len(asked) == 5  # nobody looks the others up
        works(listener.port)
        assert call("GUESS9", "127.0.0.2") == (pdu.ASSOCIATE_RJ, b"\0\1\1\3")  # another address is another's
        eventually(lambda: len(heard.refused) == 9)
        assert listener.gate.figures().refused == {"calling_not_recognised": 6, "too_often": 3}
    assert not [entry for entry in logged if entry["log_level"] == "error"]


def test_a_bound_that_is_reached_is_logged_and_not_for_each_connection() -> None:
    with (
        listening(Limits(pending_per_address=2, associate_timeout=30)) as (_heard, listener),
        capture_logs() as logged,
        ExitStack() as stack,
    ):
        for _ in range(11):
            stack.enter_context(connect(listener.port))
        eventually(lambda: listener.gate.figures().dropped["displaced"] == 9)
    lines = [entry for entry in logged if entry.get("why") == "displaced"]
    assert [(line["address"], line["log_level"]) for line in lines] == [("127.0.0.1", "warning")]


def test_a_running_store_is_not_disturbed_by_a_flood() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(_acceptance: Acceptance, _request: StoreRequest) -> int:
        began.set()
        assert go_on.wait(30)
        return 0

    with (
        listening(Limits(pending=4, pending_per_address=4, associate_timeout=30), store=slow) as (_heard, listener),
        ExitStack() as stack,
    ):
        sock = connect(listener.port)
        with associated(sock):
            sock.sendall(store(1, "1.2.3"))
            assert began.wait(10)
            for _ in range(40):
                stack.enter_context(connect(listener.port))
            go_on.set()
            assert read_answer(sock).status == 0
            sock.sendall(echo(2))
            assert read_answer(sock).status == 0


def test_log_lines_of_all_threads_name_their_part() -> None:
    with bound_contextvars(part="dimse"), listening() as (_heard, listener):
        with capture_logs(processors=[merge_contextvars]) as logged:
            with connect(listener.port) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert is_closed(sock)
            eventually(lambda: listener.gate.figures().dropped == {"not DICOM": 1})
            eventually(lambda: bool(logged))
        assert [entry["part"] for entry in logged] == ["dimse"]
