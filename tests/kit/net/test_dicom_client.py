"""Our query and retrieve SCU against DCMTK's archive and against peers that misbehave (field reports E04, E06, E11)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from heliograph.app.demo.studies import make_slices
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.net.dicom import (
    Acceptance,
    Failed,
    NotConnected,
    PeerGone,
    ProtocolError,
    Rejected,
    Remote,
    StorageListener,
    StoreRequest,
    TimedOut,
    associate,
    verify,
)  # fmt: skip
from heliograph.kit.net.dicom.client import (
    PLAIN,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Progress,
    find,
    get,
    get_proposals,
    move,
)  # fmt: skip
from heliograph.kit.net.dicom.identifiers import query_for, text_of
from heliograph.kit.net.dicom.sender import SendResult, ToSend, file_to_send, send_objects
from tests.kit.net.archive import DCMQRSCP, STORESCP, dcmqrscp, storescp
from tests.kit.net.test_dicom_listener import data_set_of
from tests.records.archive import files

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
STUDY_QUERY = {"StudyInstanceUID": "", "PatientName": "", "NumberOfStudyRelatedInstances": ""}
with_dcmqrscp = [pytest.mark.dcmtk, pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")]


def remote(port: int, **options: Any) -> Remote:
    values = {"connect_timeout": 3.0, "response_timeout": 10.0, "longest": 60.0, **options}
    return Remote("127.0.0.1", port, "ARCHIVE", "HELIO", **values)


def studies(folder: Path, *counts: int) -> tuple[list[str], list[Path]]:
    """Studies of so many images each: their UIDs and all their files."""
    folder.mkdir(exist_ok=True)
    uids, paths = [], []
    for count in counts:
        study, series = generate_uid(), generate_uid()
        uids.append(study)
        for n in range(count):
            paths.append(folder / f"{len(paths):04d}.dcm")
            paths[-1].write_bytes(files.ct(study, series, n, fill=n))
    return uids, paths


def found_by(peer: Any, keys: dict[str, str] | None = None, **options: Any) -> list[Dataset]:
    return list(find(peer, STUDY_FIND, query_for("STUDY", {**STUDY_QUERY, **(keys or {})}), **options))


@pytest.mark.dcmtk
@pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")
def test_it_finds_in_dcmtks_archive(tmp_path: Path) -> None:
    uids, paths = studies(tmp_path / "in", 1, 2, 3)
    with dcmqrscp(paths) as port, associate(remote(port), [(STUDY_FIND, PLAIN)]) as peer:
        found = found_by(peer)
        assert {text_of(f, "StudyInstanceUID") for f in found} == set(uids)
        (one,) = found_by(peer, {"StudyInstanceUID": uids[2]})
        assert text_of(one, "PatientName")
        # Cancelled after one match; the association then goes on.
        assert len(found_by(peer, limit=1)) == 1
        assert len(found_by(peer)) == 3
        (series,) = find(peer, STUDY_FIND, query_for("SERIES", {"StudyInstanceUID": uids[2], "SeriesInstanceUID": ""}))
        wanted = {"StudyInstanceUID": uids[2], "SeriesInstanceUID": series.SeriesInstanceUID, "SOPInstanceUID": ""}
        images = list(find(peer, STUDY_FIND, query_for("IMAGE", wanted)))
        assert {text_of(i, "SOPInstanceUID") for i in images} == {
            read_file_meta(memoryview(p.read_bytes())).sop_instance_uid for p in paths[3:]
        }


@pytest.mark.dcmtk
@pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")
def test_it_gets_byte_for_byte(tmp_path: Path) -> None:
    (_, uid), paths = studies(tmp_path / "in", 2, 4)
    stored: dict[str, bytes] = {}
    seen: list[Progress] = []

    def store(request: StoreRequest) -> int:
        assert request.transfer_syntax_uid == EXPLICIT
        stored[request.sop_instance_uid] = request.read()
        return 0

    with dcmqrscp(paths) as port, associate(remote(port), get_proposals([CT]), storage_roles=[CT]) as peer:
        assert peer.storage_roles == {CT}
        query = query_for("STUDY", {"StudyInstanceUID": uid})
        done = get(peer, STUDY_GET, query, store, on_progress=seen.append)
    assert (done.status, done.completed, done.failed) == (0, 4, 0)
    assert len(seen) > 1
    sent = {read_file_meta(memoryview(p.read_bytes())).sop_instance_uid: data_set_of(p) for p in paths[2:]}
    assert stored == sent


@pytest.mark.dcmtk
@pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed")
def test_it_moves_and_says_what_the_peer_says(tmp_path: Path) -> None:
    (uid,), paths = studies(tmp_path / "in", 5)
    stored: list[bytes] = []

    def store(_acceptance: Acceptance, request: StoreRequest) -> int:
        stored.append(request.read())
        return 0xA700 if len(stored) == 5 else 0

    with (
        StorageListener("127.0.0.1", 0, accept=Acceptance, store=store) as listener,
        dcmqrscp(paths, {"HELIO": listener.port}) as port,
        associate(remote(port), [(STUDY_MOVE, PLAIN)]) as peer,
    ):
        query = query_for("STUDY", {"StudyInstanceUID": uid})
        seen: list[Progress] = []
        done = move(peer, STUDY_MOVE, query, "HELIO", on_progress=seen.append)
        assert (done.completed, done.failed) == (4, 1)
        assert done.status != 0xFF00
        assert any(p.is_pending for p in seen)
        unknown = move(peer, STUDY_MOVE, query, "NOBODY")
        assert unknown.status == 0xA801


@contextmanager
def pynetdicom(handlers: list[Any], contexts: list[str], scp: bool = True, titles: bool = False) -> Iterator[int]:
    ae = AE("ARCHIVE")
    ae.require_called_aet = titles
    for uid in contexts:
        ae.add_supported_context(uid, [EXPLICIT, IMPLICIT])
    if scp:
        ae.add_supported_context(CT, [EXPLICIT], scu_role=True, scp_role=True)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def test_matches_come_one_by_one_and_a_cancel_stops_them() -> None:
    cancelled = threading.Event()

    def endless(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(100_000):
            if event.is_cancelled:
                cancelled.set()
                yield 0xFE00, None
                return
            yield 0xFF00, query_for("STUDY", {"StudyInstanceUID": f"1.2.{number}", "PatientName": "Ærø^Åse"})
            time.sleep(0.002)

    with (
        pynetdicom([(evt.EVT_C_FIND, endless)], [STUDY_FIND]) as port,
        associate(remote(port), [(STUDY_FIND, PLAIN)]) as peer,
    ):
        first = found_by(peer, limit=3)
        assert [text_of(f, "StudyInstanceUID") for f in first] == ["1.2.0", "1.2.1", "1.2.2"]
        assert text_of(first[0], "PatientName") == "Ærø^Åse"
        assert cancelled.wait(5)


def test_a_failure_says_its_status() -> None:
    def refuse(_event: evt.Event) -> Iterator[tuple[int, None]]:
        yield 0xA700, None

    with (
        pynetdicom([(evt.EVT_C_FIND, refuse)], [STUDY_FIND]) as port,
        associate(remote(port), [(STUDY_FIND, PLAIN), (STUDY_MOVE, PLAIN)]) as peer,
    ):
        with pytest.raises(Failed, match="A700: it has no room"):
            found_by(peer)
        with pytest.raises(ProtocolError, match="does not do this kind"):
            move(peer, STUDY_MOVE, query_for("STUDY", {"StudyInstanceUID": "1.2"}), "X")


def test_a_peer_that_stops_in_the_middle_of_a_get_is_left_in_time(tmp_path: Path) -> None:
    _, paths = studies(tmp_path / "in", 2)
    stuck = threading.Event()

    def stop_half_way(_event: evt.Event) -> Iterator[Any]:
        yield 2
        yield 0xFF00, pydicom.dcmread(paths[0])
        stuck.wait(30)
        yield 0xFF00, pydicom.dcmread(paths[1])

    stored: list[str] = []
    started = time.monotonic()
    try:
        with (
            pynetdicom([(evt.EVT_C_GET, stop_half_way)], [STUDY_GET]) as port,
            pytest.raises(TimedOut),
            associate(remote(port, response_timeout=1.0), get_proposals([CT]), storage_roles=[CT]) as peer,
        ):
            try:
                get(
                    peer,
                    STUDY_GET,
                    query_for("STUDY", {"StudyInstanceUID": "1.2"}),
                    lambda r: stored.append(r.sop_instance_uid) or 0,
                )
            finally:
                stuck.set()
    finally:
        stuck.set()
    assert len(stored) == 1
    assert time.monotonic() - started < 20


@contextmanager
def _mute(then: Callable[[socket.socket], object]) -> Iterator[int]:
    """A listener that treats each connection by `then`."""
    server = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            open_.append(sock)
            threading.Thread(target=then, args=(sock,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for sock in open_:
            sock.close()


def test_a_peer_that_never_answers_is_left_in_time() -> None:
    with _mute(lambda _s: None) as port, pytest.raises(TimedOut):
        verify("127.0.0.1", port, called="A", calling="B", timeout=0.5)


def test_a_peer_that_drips_is_left_when_its_whole_time_is_over() -> None:
    def drip(sock: socket.socket) -> None:
        try:
            while True:
                sock.sendall(b"\x02")
                time.sleep(0.2)
        except OSError:
            return

    started = time.monotonic()
    with (
        _mute(drip) as port,
        pytest.raises((TimedOut, ProtocolError, PeerGone)),
        associate(remote(port, response_timeout=30.0, longest=1.0), [(STUDY_FIND, PLAIN)]),
    ):
        pass
    assert time.monotonic() - started < 15


def test_a_black_hole_is_left_in_time() -> None:
    """A listener whose queue is full drops the SYN, as a firewall does."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    address = server.getsockname()
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(address)
        fillers.append(filler)
    started = time.monotonic()
    try:
        with pytest.raises(NotConnected) as caught:
            verify("127.0.0.1", address[1], called="A", calling="B", timeout=1.0)
        assert caught.value.why == "timed_out"
        assert time.monotonic() - started < 10
    finally:
        for s in (*fillers, server):
            s.close()


def test_why_there_is_no_association() -> None:
    with pytest.raises(NotConnected) as refused:
        verify("127.0.0.1", 1, called="A", calling="B", timeout=2)
    assert refused.value.why == "refused"
    with pytest.raises(NotConnected) as unknown:
        verify("no-such-host.invalid", 104, called="A", calling="B", timeout=2)
    assert unknown.value.why == "unknown_host"
    with pynetdicom([], ["1.2.840.10008.1.1"], titles=True) as port:
        with pytest.raises(Rejected, match="does not answer to that") as rejected:
            verify("127.0.0.1", port, called="OTHER", calling="B", timeout=5)
        assert (rejected.value.result, rejected.value.source, rejected.value.reason) == (1, 1, 7)


@pytest.mark.dcmtk
@pytest.mark.skipif(STORESCP is None, reason="DCMTK is not installed")
@pytest.mark.parametrize("options", [["-pdu", "4096"], ["+xi"]])
def test_dcmtks_receiver_takes_what_we_send(tmp_path: Path, options: list[str]) -> None:
    paths = make_slices(tmp_path / "in", 3)
    results: list[SendResult] = []
    converted: list[str] = []

    def convert(item: ToSend, syntax: str) -> ToSend:
        assert item.path is not None
        converted.append(syntax)
        ds = pydicom.dcmread(item.path)
        path = tmp_path / f"{item.sop_instance_uid}.dcm"
        ds.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(path, ds, implicit_vr=True, little_endian=True)
        return file_to_send(path)

    with storescp(options) as (port, folder):
        send_objects(
            remote(port), [file_to_send(p) for p in paths], on_result=results.append, convert=convert,
            originator=("MOVER", 7),
        )  # fmt: skip
        assert [r.status for r in results] == [0, 0, 0]
        kept = [pydicom.dcmread(p) for p in folder.iterdir()]
    assert converted == ([IMPLICIT] * 3 if options == ["+xi"] else [])
    assert {d.file_meta.TransferSyntaxUID for d in kept} == {IMPLICIT if converted else EXPLICIT}
    assert {d.PixelData for d in kept} == {pydicom.dcmread(p).PixelData for p in paths}


def test_the_move_originator_is_named(tmp_path: Path) -> None:
    paths = make_slices(tmp_path, 1)
    told: list[tuple[str, int]] = []

    def store(event: evt.Event) -> int:
        told.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return 0

    with pynetdicom([(evt.EVT_C_STORE, store)], []) as port:
        send_objects(remote(port), [file_to_send(paths[0])], on_result=lambda _: None, originator=("MOVER", 7))
    assert told == [("MOVER", 7)]


def test_what_can_not_be_read_to_its_end_ends_the_association_and_is_told(tmp_path: Path) -> None:
    paths = make_slices(tmp_path, 2)
    good = file_to_send(paths[0])

    @contextmanager
    def broken() -> Iterator[Any]:
        def chunks() -> Iterator[bytes]:
            yield b"\0" * 2048
            raise FileNotFoundError

        yield chunks()

    results: list[SendResult] = []
    stored: list[str] = []

    def store(event: evt.Event) -> int:
        stored.append(event.request.AffectedSOPInstanceUID)
        return 0

    bad = ToSend(CT, "1.2.3", EXPLICIT, broken)
    with pynetdicom([(evt.EVT_C_STORE, store)], []) as port:
        send_objects(remote(port), [good, bad, file_to_send(paths[1])], on_result=results.append)
    assert [r.stored for r in results] == [True, False, False]
    assert stored == [good.sop_instance_uid]
    assert "could not be read" in results[1].reason


def test_proposals_for_a_get_fit_into_one_association() -> None:
    for count in (0, 1, 5, 30, 60, 200):
        proposals = get_proposals([f"1.2.3.{n}" for n in range(count)])
        assert len(proposals) <= 128
        assert {a for a, _ in proposals} >= {f"1.2.3.{n}" for n in range(min(count, 120))}
