"""AE titles as old workstations pad them (field report E01), and who must obey whose longest PDU (E04)."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from heliograph.app.demo.studies import make_slices
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.net.dicom import Limits, Refusal, pdu, send_files
from heliograph.kit.net.dicom.command import decode_command, encode_store_request
from tests.kit.net.dicom.peers import (
    CT,
    associated,
    connect,
    echo,
    eventually,
    listening,
    read_answer,
    read_pdu,
    request,
    store,
    value,
    works,
)
from tests.kit.net.dicom.scp import receiving


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        (b"CT1             ", "CT1"),
        (b"CT1\0\0\0\0\0\0\0\0\0\0\0\0\0", "CT1"),
        (b"CT1 \0\0\0\0\0\0\0\0\0\0\0\0", "CT1"),
        (b"CT1\0            ", "CT1"),
        (b"   CT1          ", "CT1"),
        (b"\0\0\0CT1          ", "CT1"),
        (b" \0 CT1 \0 \0      ", "CT1"),
        (b"CT1\0left over\0\0\0", "CT1"),
        (b"SIXTEEN-LETTERS!", "SIXTEEN-LETTERS!"),
        (b"CT 1            ", "CT 1"),
        (b"ct1             ", "ct1"),
    ],
)
def test_titles_are_compared_without_their_padding_and_with_their_case(raw: bytes, title: str) -> None:
    assert len(raw) == 16
    with listening() as (heard, listener):
        for called, calling in ((raw, b"OTHER".ljust(16)), (b"OTHER".ljust(16), raw)):
            with connect(listener.port) as sock:
                sock.sendall(request(called, calling))
                kind, body = read_pdu(sock)
                assert kind == pdu.ASSOCIATE_AC
                assert body[4:36] == called + calling  # they go back as they came (PS3.8 9.3.3)
    assert [c.called_ae_title for c in heard.callers] == [title, "OTHER"]
    assert [c.calling_ae_title for c in heard.callers] == ["OTHER", title]
    assert heard.callers[0].called_raw == heard.callers[1].calling_raw == raw


@pytest.mark.parametrize("blank", [b" " * 16, b"\0" * 16, b" \0" * 8], ids=["spaces", "NULs", "both"])
def test_blank_titles_are_rejected_with_a_reason(blank: bytes) -> None:
    with listening() as (heard, listener):
        for called, calling, answer in (
            (b"HELIO".ljust(16), blank, b"\0\1\1\3"),
            (blank, b"CT1".ljust(16), b"\0\1\1\7"),
            (blank, blank, b"\0\1\1\3"),
        ):
            with connect(listener.port) as sock:
                sock.sendall(request(called, calling))
                assert read_pdu(sock) == (pdu.ASSOCIATE_RJ, answer)
        eventually(lambda: len(heard.refused) == 3)
    assert not heard.callers  # nobody is asked who a blank is
    assert {r for _, r in heard.refused} == {Refusal.CALLING_NOT_RECOGNISED, Refusal.CALLED_NOT_RECOGNISED}
    assert heard.refused[0][0].calling_raw == blank


@pytest.mark.parametrize("longest", [0, 1, 8, 9, 20, 64, 100, 16384, 0xFFFFFFFF])
def test_our_answers_obey_the_requestors_longest_pdu(longest: int) -> None:
    """0 is no limit (PS3.8 D.1); 8 is the shortest that carries a fragment."""
    with listening() as (heard, listener):
        sock = connect(listener.port)
        with associated(sock, request(max_pdu=longest)):
            sock.sendall(store(7, "1.2.3") + echo(8))
            lengths = []
            for message_id in (7, 8):
                command, last = b"", 0
                while not last & 2:
                    kind, body = read_pdu(sock)
                    assert kind == pdu.P_DATA
                    lengths.append(len(body))
                    last, command = body[5], command + body[6:]
                answer = decode_command(command)
                assert (answer.responded_to, answer.status) == (message_id, 0)
            assert max(lengths) <= (max(longest, 8) if longest else 1 << 32)
            assert len(lengths) == 2 or longest < 1000
    assert heard.stored == [("1.2.3", b"abcd")]


@pytest.mark.parametrize("longest", [0, 8, 64, 1000, 16384, 0xFFFFFFFF])
def test_what_we_send_obeys_the_acceptors_longest_pdu(longest: int, tmp_path: Path) -> None:
    (whole,) = make_slices(tmp_path, 1)
    content = whole.read_bytes()
    offset = read_file_meta(memoryview(content)).data_set_offset
    path = tmp_path / "short.dcm"
    path.write_bytes(content[: offset + 5000])  # as a stream of bytes: nobody reads it
    with receiving(longest) as peer:
        results = send_files("127.0.0.1", peer.port, called="STORE", calling="HELIO", files=[path])
        assert [(r.status, r.stored) for r in results] == [(0, True)]
    assert peer.data == content[offset : offset + 5000]
    assert max(peer.lengths) <= (longest or 1 << 32)
    if longest in {0, 0xFFFFFFFF}:
        assert len(peer.lengths) == 2  # one for the command, one for the data set


def test_our_longest_pdu_is_told_and_enforced() -> None:
    limits = replace(Limits(), max_pdu=4096)
    command = value(1, 3, encode_store_request(1, CT, "1.2.3"))
    with listening(limits) as (heard, listener):
        sock = connect(listener.port)
        with associated(sock) as accept:
            assert accept.max_pdu == 4096
            sock.sendall(command + value(1, 2, bytes(4096 - 6)))
            assert read_answer(sock).status == 0
        with connect(listener.port) as sock:
            sock.sendall(request())
            assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
            sock.sendall(command + value(1, 2, bytes(4096 + 100)))
            assert read_pdu(sock) == (pdu.ABORT, b"\0\0\2\6")  # invalid PDU parameter
        eventually(lambda: [c.how for c in heard.closed] == ["released", "protocol error"])
        assert len(heard.stored) == 1
        works(listener.port)


def test_a_pdu_of_four_gigabytes_is_not_awaited() -> None:
    with listening() as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request())
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        sock.sendall(struct.pack(">BxIIBB", 4, 0xFFFFFFFF, 0xFFFFFFFB, 1, 2))
        assert read_pdu(sock) == (pdu.ABORT, b"\0\0\2\6")
        eventually(lambda: [c.how for c in heard.closed] == ["protocol error"])
