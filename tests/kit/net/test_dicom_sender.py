"""Our storage SCU against pynetdicom's SCP (field reports E04, E08)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, evt

from heliograph.app.demo.studies import make_slices
from heliograph.kit.codecs.dicom import part10_header
from heliograph.kit.net.dicom import AssociationError, PeerGone, SendResult, send_files, verify
from tests.kit.net.test_dicom_listener import data_set_of

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@contextmanager
def pynetdicom(max_pdu: int, stored: list[bytes], syntaxes: list[str], abort_after: int = 99) -> Iterator[int]:
    def store(event: evt.Event) -> int:
        stored.append(event.encoded_dataset(include_meta=False))
        if len(stored) > abort_after:
            event.assoc.abort()
        return 0xB000 if len(stored) == 1 else 0

    ae = AE("SCP")
    ae.maximum_pdu_size = max_pdu
    ae.add_supported_context(CT, syntaxes)
    ae.add_supported_context("1.2.840.10008.1.1")
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("max_pdu", [0, 4096, 16382, 1 << 20])
def test_it_works_with_any_maximum_the_peer_declares(tmp_path: Path, max_pdu: int) -> None:
    files = make_slices(tmp_path, 2)
    stored: list[bytes] = []
    with pynetdicom(max_pdu, stored, [EXPLICIT]) as port:
        assert verify("127.0.0.1", port, called="SCP", calling="US") < 5
        results = send_files("127.0.0.1", port, called="SCP", calling="US", files=files)
    assert [r.status for r in results] == [0xB000, 0]
    assert all(r.stored for r in results)
    assert stored == [data_set_of(path) for path in files]


def test_a_syntax_the_peer_does_not_take_is_a_failure_of_that_file_alone(tmp_path: Path) -> None:
    (good,) = make_slices(tmp_path / "good", 1)
    coded = tmp_path / "coded"
    coded.write_bytes(part10_header(CT, "1.2.3", "1.2.840.10008.1.2.4.90") + b"abcd")
    (tmp_path / "text").write_bytes(b"no DICOM at all")
    stored: list[bytes] = []
    seen: list[SendResult] = []
    with pynetdicom(0, stored, [EXPLICIT]) as port:
        results = send_files(
            "127.0.0.1",
            port,
            called="SCP",
            calling="US",
            files=[coded, tmp_path / "text", good, tmp_path / "absent"],
            on_progress=seen.append,
        )
    assert seen == results
    assert {r.path.name: r.stored for r in results} == {
        "coded": False,
        "text": False,
        good.name: True,
        "absent": False,
    }
    assert stored == [data_set_of(good)]


def test_after_an_abort_the_files_that_are_left_say_so(tmp_path: Path) -> None:
    files = make_slices(tmp_path, 4)
    with pynetdicom(0, [], [EXPLICIT], abort_after=1) as port:
        results = send_files("127.0.0.1", port, called="SCP", calling="US", files=files)
    assert len(results) == 4
    assert results[0].stored
    assert not any(r.stored for r in results[2:])
    assert all(r.error for r in results[2:])


def test_more_than_128_contexts_take_more_than_one_association(tmp_path: Path) -> None:
    from heliograph.kit.net.dicom import Acceptance, Closed, StorageListener

    files = []
    for number in range(130):
        path = tmp_path / str(number)
        path.write_bytes(part10_header(f"1.2.3.{number}", f"1.2.4.{number}", EXPLICIT) + b"abcd")
        files.append(path)
    closed: list[Closed] = []
    with StorageListener(
        "127.0.0.1", 0, accept=Acceptance, store=lambda _a, _r: 0, on_closed=lambda _a, c: closed.append(c)
    ) as listener:
        results = send_files("127.0.0.1", listener.port, called="H", calling="C", files=files)
    assert all(r.stored for r in results)
    assert sorted(c.stored for c in closed) == [2, 128]


def test_nobody_listens() -> None:
    with pytest.raises(PeerGone):
        verify("127.0.0.1", 1, called="A", calling="B", timeout=2)
    assert issubclass(PeerGone, AssociationError)
