"""The storage SCP against DCMTK, pynetdicom, our own sender and raw sockets (field reports E, J01)."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom import build_context as context

from heliograph.app.demo.studies import make_slices
from heliograph.kit.codecs.dicom import opened, part10_header, read_file_meta, read_header
from heliograph.kit.net.dicom import (
    Acceptance,
    Answer,
    Caller,
    Closed,
    Limits,
    Refusal,
    Rejected,
    StorageListener,
    StoreRequest,
    send_files,
    verify,
)
from heliograph.kit.net.dicom import pdu as wire_pdu

STORESCU = Path("/usr/bin/storescu")
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass
class Got:
    """What a listener received."""

    folder: Path
    callers: list[Caller] = field(default_factory=list)
    stored: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    refused: list[tuple[Caller, Refusal]] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)

    def accept(self, caller: Caller) -> Acceptance | Refusal:
        self.callers.append(caller)
        if caller.called_ae_title == "NOBODY":
            return Refusal.CALLED_NOT_RECOGNISED
        return Acceptance(caller) if caller.calling_ae_title != "STRANGER" else Refusal.CALLING_NOT_RECOGNISED

    def store(self, _acceptance: Acceptance, request: StoreRequest) -> int:
        path = self.folder / str(len(self.stored))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            request.write_to(descriptor, b"head")
        finally:
            os.close(descriptor)
        written = path.read_bytes()
        assert written == b"head" + request.read()
        self.stored[request.sop_instance_uid] = (request.sop_class_uid, request.transfer_syntax_uid, written[4:])
        return 0

    def wait_closed(self, count: int) -> None:
        deadline = time.monotonic() + 5
        while len(self.closed) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.closed) >= count


@contextmanager
def listening(
    folder: Path,
    limits: Limits | None = None,
    store: Callable[[Acceptance, StoreRequest], int | Answer] | None = None,
) -> Iterator[tuple[Got, StorageListener]]:
    (folder / "got").mkdir(exist_ok=True)
    got = Got(folder / "got")
    listener = StorageListener(
        "127.0.0.1",
        0,
        accept=got.accept,
        store=store or got.store,
        on_refused=lambda caller, refusal: got.refused.append((caller, refusal)),
        on_closed=lambda _acceptance, closed: got.closed.append(closed),
        limits=limits,
        overflow_folder=folder,
    )
    with listener:
        yield got, listener


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return make_slices(tmp_path_factory.mktemp("slices"), 12)


def data_set_of(path: Path) -> bytes:
    with opened(path) as content:
        return bytes(content[read_file_meta(content).data_set_offset :])


def small(folder: Path, name: str, sop_class: str = CT, syntax: str = EXPLICIT, body: bytes = b"") -> Path:
    """A file whose data set is `body` after a SOP Instance UID."""
    uid = f"1.2.{abs(hash(name)) % 10**9}"
    path = folder / name
    path.write_bytes(part10_header(sop_class, uid, syntax) + body)
    return path


def test_it_works_byte_for_byte(tmp_path: Path, slices: tuple[Path, ...]) -> None:
    with listening(tmp_path) as (got, listener):
        seen: list[str] = []
        results = send_files(
            "127.0.0.1",
            listener.port,
            called="HELIO",
            calling="CT1",
            files=slices,
            on_progress=lambda result: seen.append(result.sop_instance_uid),
        )
        got.wait_closed(1)
        assert listener.associations == 0
    assert [r.path for r in results] == list(slices)
    assert all(r.stored for r in results)
    assert seen == [r.sop_instance_uid for r in results]
    assert got.callers == [Caller("HELIO", "CT1", "127.0.0.1")]
    for result in results:
        assert got.stored[result.sop_instance_uid] == (CT, EXPLICIT, data_set_of(result.path))
    assert (got.closed[0].how, got.closed[0].stored, got.closed[0].failed) == ("released", 12, 0)


@pytest.mark.dcmtk
@pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed")
@pytest.mark.parametrize("options", [[], ["-R"], ["-xi"], ["-xb"], ["--max-send-pdu", "4096"]])
def test_dcmtk_sends(tmp_path: Path, slices: tuple[Path, ...], options: list[str]) -> None:
    with listening(tmp_path) as (got, listener):
        command = [str(STORESCU), *options, "-aet", "CT1", "-aec", "HELIO", "127.0.0.1", str(listener.port)]
        subprocess.run([*command, *map(str, slices)], check=True, capture_output=True, timeout=60)
    assert len(got.stored) == len(slices)
    for path in slices:
        sent = pydicom.dcmread(path)
        sop_class, syntax, content = got.stored[sent.SOPInstanceUID]
        whole = part10_header(sop_class, sent.SOPInstanceUID, syntax) + content
        (tmp_path / "back").write_bytes(whole)
        back = pydicom.dcmread(tmp_path / "back")
        assert (back.pixel_array == sent.pixel_array).all()
        assert read_header(whole).patient_name == read_header(path).patient_name


@pytest.mark.dcmtk
@pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed")
def test_a_sender_with_nagle_is_not_slowed_down(tmp_path: Path) -> None:
    files = make_slices(tmp_path / "many", 60)
    with listening(tmp_path) as (got, listener):
        started = time.monotonic()
        command = [str(STORESCU), "-R", "127.0.0.1", str(listener.port), *map(str, files)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        took = time.monotonic() - started
    assert len(got.stored) == 60
    assert took < 60 * 0.04  # with delayed acknowledgements each object costs 40 ms


def test_pynetdicom_sends_and_verifies(tmp_path: Path, slices: tuple[Path, ...]) -> None:
    with listening(tmp_path) as (got, listener):
        ae = AE("PYNETDICOM")
        ae.requested_contexts = [context(CT), context("1.2.840.10008.1.1")]
        peer = ae.associate("127.0.0.1", listener.port, ae_title="HELIO")
        assert peer.is_established
        assert peer.send_c_echo().Status == 0
        assert peer.send_c_store(slices[0]).Status == 0
        peer.release()
        assert peer.is_released
    assert next(iter(got.stored.values()))[2] == data_set_of(slices[0])


def test_private_and_future_classes_and_any_syntax_but_no_query(tmp_path: Path) -> None:
    sent = [
        small(tmp_path, "private", "1.2.826.0.1.3680043.9.9", EXPLICIT, b"abcd"),
        small(tmp_path, "future", "1.2.840.10008.5.1.4.1.1.999.1", EXPLICIT, b"efgh"),
        small(tmp_path, "htj2k", CT, "1.2.840.10008.1.2.4.201", b"ijkl"),
        small(tmp_path, "vendor", CT, "1.3.46.670589.33.1.4.1", b"mnop"),
    ]
    never = [
        small(tmp_path, "find", "1.2.840.10008.5.1.4.1.2.2.1", EXPLICIT, b"abcd"),
        small(tmp_path, "jpip", CT, "1.2.840.10008.1.2.4.94", b"abcd"),
    ]
    with listening(tmp_path) as (got, listener):
        results = send_files("127.0.0.1", listener.port, called="H", calling="C", files=[*sent, *never])
    assert [r.stored for r in results] == [True] * 4 + [False] * 2
    assert all("did not accept" in r.error for r in results[4:])
    for path in sent:
        with opened(path) as content:
            meta = read_file_meta(content)
        assert got.stored[meta.sop_instance_uid] == (
            meta.sop_class_uid,
            meta.transfer_syntax_uid,
            data_set_of(path),
        )


def test_explicit_little_endian_is_preferred_among_uncompressed(tmp_path: Path) -> None:
    with listening(tmp_path) as (_got, listener):
        ae = AE("SCU")
        ae.add_requested_context(CT, ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", EXPLICIT])
        ae.add_requested_context(CT, ["1.2.840.10008.1.2.4.70", EXPLICIT])
        peer = ae.associate("127.0.0.1", listener.port)
        chosen = [c.transfer_syntax[0] for c in peer.accepted_contexts]
        peer.release()
    assert chosen == [EXPLICIT, "1.2.840.10008.1.2.4.70"]


@pytest.mark.parametrize(
    ("called", "calling", "fields"),
    [("HELIO", "STRANGER", (1, 1, 3)), ("NOBODY", "CT1", (1, 1, 7)), ("HELIO", "", (1, 1, 3))],
)
def test_unknown_callers_are_rejected_and_reported(
    tmp_path: Path, called: str, calling: str, fields: tuple[int, int, int]
) -> None:
    with listening(tmp_path) as (got, listener):
        with pytest.raises(Rejected) as rejected:
            verify("127.0.0.1", listener.port, called=called, calling=calling)
        assert (rejected.value.result, rejected.value.source, rejected.value.reason) == fields
    assert [(c.called_ae_title, c.calling_ae_title) for c, _ in got.refused] == [(called, calling)]
    assert not got.closed


def test_titles_padded_with_nul_are_understood(tmp_path: Path) -> None:
    request = wire_pdu.encode_associate_request("X", "Y", [wire_pdu.ProposedContext(1, CT, (EXPLICIT,))], 16384)
    request = request[:10] + b"HELIO".ljust(16, b"\0") + b" CT1\0 ".ljust(16, b"\0") + request[42:]
    with listening(tmp_path) as (got, listener), socket.create_connection(("127.0.0.1", listener.port), 5) as sock:
        sock.sendall(request)
        assert sock.recv(1) == b"\x02"
    assert got.callers == [Caller("HELIO", "CT1", "127.0.0.1")]


def test_every_byte_in_its_own_segment(tmp_path: Path) -> None:
    body = b"\x08\x00\x16\x00"
    command = _store_command("1.2.3")
    message = wire_pdu.encode_message(1, command) + struct.pack(">BxIIBB", 4, 10, 6, 1, 2) + body
    request = wire_pdu.encode_associate_request("HELIO", "CT1", [wire_pdu.ProposedContext(1, CT, (EXPLICIT,))], 0)
    with listening(tmp_path) as (got, listener), socket.create_connection(("127.0.0.1", listener.port), 5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            sock.sendall(bytes([byte]))
        assert sock.recv(4096)[0] == 2
        for byte in message:
            sock.sendall(bytes([byte]))
        assert sock.recv(4096)[0] == 4
        sock.sendall(wire_pdu.RELEASE_REQUEST)
        assert sock.recv(10) == wire_pdu.RELEASE_RESPONSE
    assert got.stored["1.2.3"][2] == body


def test_several_values_in_one_pdu_and_empty_fragments(tmp_path: Path) -> None:
    command = _store_command("1.2.3")
    values = [(1, command[:20]), (3, command[20:]), (0, b"ab"), (0, b""), (2, b"cd")]
    body = b"".join(struct.pack(">IBB", len(v) + 2, 1, control) + v for control, v in values)
    with listening(tmp_path) as (got, listener), _associated(listener.port) as sock:
        sock.sendall(struct.pack(">BxI", 4, len(body)) + body)
        assert sock.recv(4096)[0] == 4
    assert got.stored["1.2.3"][2] == b"abcd"


@pytest.mark.parametrize("uid", ["../../etc/x", "/etc/x", "1.2.a", "1." * 40 + "1", ""])
def test_an_invalid_instance_uid_is_for_the_store_function_to_refuse(tmp_path: Path, uid: str) -> None:
    """Its data set must not be lost with it; `tests/exchange/dimse` sees that the archive's door refuses it."""
    with listening(tmp_path) as (got, listener), _associated(listener.port) as sock:
        assert _store(sock, uid) == 0
    assert list(got.stored) == [uid]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (OSError(errno.ENOSPC, "full"), 0xA700),
        (OSError(errno.EROFS, "read-only"), 0x0110),
        (RuntimeError("database"), 0x0110),
    ],
)
def test_what_is_not_stored_is_never_answered_with_success(tmp_path: Path, failure: Exception, status: int) -> None:
    def store(_acceptance: Acceptance, _request: StoreRequest) -> int:
        raise failure

    with listening(tmp_path, store=store) as (got, listener):
        with _associated(listener.port) as sock:
            assert _store(sock, "1.2.3") == status
            assert _store(sock, "1.2.4") == status
        got.wait_closed(1)
    assert (got.closed[0].stored, got.closed[0].failed) == (0, 2)


def test_the_store_function_decides_status_and_comment(tmp_path: Path, slices: tuple[Path, ...]) -> None:
    def store(_acceptance: Acceptance, _request: StoreRequest) -> Answer:
        return Answer(0xC123, "Parked")

    with listening(tmp_path, store=store) as (_got, listener):
        (result,) = send_files("127.0.0.1", listener.port, called="H", calling="C", files=slices[:1])
    assert (result.status, result.error, result.stored) == (0xC123, "Parked", False)


def test_large_objects_go_by_way_of_a_file(tmp_path: Path, slices: tuple[Path, ...]) -> None:
    with listening(tmp_path, Limits(memory=100_000)) as (got, listener):
        results = send_files("127.0.0.1", listener.port, called="H", calling="C", files=slices[:2])
    for result in results:
        assert got.stored[result.sop_instance_uid][2] == data_set_of(result.path)


def test_objects_above_the_limit_are_refused_and_the_association_goes_on(
    tmp_path: Path, slices: tuple[Path, ...]
) -> None:
    files = [slices[0], small(tmp_path, "small", body=b"abcd")]
    with listening(tmp_path, Limits(object_bytes=100_000)) as (got, listener):
        results = send_files("127.0.0.1", listener.port, called="H", calling="C", files=files)
    assert [r.status for r in results] == [0xA700, 0]
    assert len(got.stored) == 1


def test_silent_sockets_do_not_keep_a_modality_out(tmp_path: Path) -> None:
    limits = Limits(associations=2, pending_per_address=4, associate_timeout=0.6)
    with listening(tmp_path, limits) as (_got, listener):
        silent = [socket.create_connection(("127.0.0.1", listener.port), 5) for _ in range(3)]
        verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")
        for sock in silent:
            sock.sendall(b"\x01")  # dripping does not help either
        time.sleep(0.9)
        for sock in silent:
            assert sock.recv(1) == b""
            sock.close()
        verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")


def test_the_number_of_associations_is_bounded(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(associations=3, associations_per_caller=2)) as (got, listener):
        with _associated(listener.port), _associated(listener.port):
            with pytest.raises(Rejected) as rejected:
                verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")
            assert (rejected.value.result, rejected.value.reason) == (2, 2)
            verify("127.0.0.1", listener.port, called="HELIO", calling="OTHER")
        got.wait_closed(3)
        verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")


def test_a_peer_that_stops_within_a_message_is_let_go(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(network_timeout=0.4)) as (got, listener), _associated(listener.port) as sock:
        sock.sendall(wire_pdu.encode_message(1, _store_command("1.2.3")) + struct.pack(">BxI", 4, 1000))
        sock.sendall(b"\0")
        got.wait_closed(1)
    assert got.closed[0].how == "timed out"
    assert not got.stored


def test_a_lost_connection_stores_nothing_half(tmp_path: Path) -> None:
    with listening(tmp_path) as (got, listener):
        with _associated(listener.port) as sock:
            sock.sendall(wire_pdu.encode_message(1, _store_command("1.2.3")))
            sock.sendall(struct.pack(">BxIIBB", 4, 1006, 1002, 1, 2) + bytes(500))
        got.wait_closed(1)
    assert got.closed[0].how == "lost"
    assert not got.stored


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x02\x01\x03",
        b"\x01\x00\xff\xff\xff\xff",
        b"\x01\x00\x00\x00\x00\x04abcd",
        bytes(300),
    ],
)
def test_other_protocols_harm_nobody(tmp_path: Path, rubbish: bytes) -> None:
    with listening(tmp_path, Limits(associate_timeout=1)) as (got, listener):
        with socket.create_connection(("127.0.0.1", listener.port), 5) as sock:
            sock.sendall(rubbish)
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(100):
                    pass
        verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")
    assert len(got.callers) == 1


def test_a_failing_look_up_asks_the_caller_to_try_again(tmp_path: Path) -> None:
    def accept(_caller: Caller) -> Acceptance:
        raise RuntimeError("no database")

    listener = StorageListener("127.0.0.1", 0, accept=accept, store=lambda _a, _r: 0)
    with listener, pytest.raises(Rejected) as rejected:
        verify("127.0.0.1", listener.port, called="HELIO", calling="CT1")
    assert rejected.value.result == 2


def test_close_lets_a_running_store_end(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def store(_acceptance: Acceptance, _request: StoreRequest) -> int:
        started.set()
        go_on.wait(5)
        return 0

    with listening(tmp_path, store=store) as (got, listener):
        with _associated(listener.port) as busy, _associated(listener.port) as idle:
            statuses: list[int] = []
            sender = threading.Thread(target=lambda: statuses.append(_store(busy, "1.2.3")))
            sender.start()
            assert started.wait(5)
            closer = threading.Thread(target=listener.close)
            closer.start()
            assert idle.recv(1) == b""
            go_on.set()
            sender.join(5)
            closer.join(5)
        assert statuses == [0]
    assert sorted(c.stored for c in got.closed) == [0, 1]


def test_four_associations_at_once(tmp_path: Path, slices: tuple[Path, ...]) -> None:
    lock = threading.Lock()
    seen: dict[str, bytes] = {}

    def store(_acceptance: Acceptance, request: StoreRequest) -> int:
        with lock:
            seen[request.sop_instance_uid] = request.read()
        return 0

    with listening(tmp_path, store=store) as (_got, listener):
        senders = [
            threading.Thread(
                target=send_files,
                args=("127.0.0.1", listener.port),
                kwargs={"called": "H", "calling": f"C{k}", "files": slices[k::4]},
            )
            for k in range(4)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(30)
    assert seen == {str(read_header(path).sop_instance_uid): data_set_of(path) for path in slices}


@contextmanager
def _associated(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        contexts = [wire_pdu.ProposedContext(1, CT, (EXPLICIT,))]
        sock.sendall(wire_pdu.encode_associate_request("HELIO", "CT1", contexts, 16384))
        kind, length = struct.unpack(">BxI", sock.recv(6, socket.MSG_WAITALL))
        assert kind == 2
        assert wire_pdu.decode_associate_accept(sock.recv(length, socket.MSG_WAITALL)).accepted == {1: EXPLICIT}
        yield sock


def _store_command(uid: str) -> bytes:
    from heliograph.kit.net.dicom.command import encode_store_request

    return encode_store_request(7, CT, uid)


def _store(sock: socket.socket, uid: str) -> int:
    from heliograph.kit.net.dicom.command import decode_command

    sock.sendall(wire_pdu.encode_message(1, _store_command(uid)) + struct.pack(">BxIIBB", 4, 10, 6, 1, 2) + b"abcd")
    kind, length = struct.unpack(">BxI", sock.recv(6, socket.MSG_WAITALL))
    assert kind == 4
    answer = decode_command(sock.recv(length, socket.MSG_WAITALL)[6:])
    assert answer.responded_to == 7
    return answer.status
