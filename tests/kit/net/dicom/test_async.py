"""The asynchronous operations window (PS3.7 D.3.3.3): told honestly, and requests that come early are all answered in order."""

from __future__ import annotations

from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation

from heliograph.kit.net.dicom import Limits, pdu
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
    window,
)


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        ((0, 0), (6, 1)),  # any number: as many as we allow
        ((8, 1), (6, 1)),
        ((6, 4), (6, 1)),
        ((3, 1), (3, 1)),
        ((1, 1), (1, 1)),
        ((0xFFFF, 0xFFFF), (6, 1)),
    ],
)
def test_the_window_is_bounded_and_we_never_have_more_than_one_under_way(
    proposed: tuple[int, int], answered: tuple[int, int]
) -> None:
    with listening(Limits(window=6)) as (_heard, listener):
        sock = connect(listener.port)
        with associated(sock, request(more=window(*proposed))) as accept:
            assert accept.window == answered


def test_who_does_not_ask_is_told_nothing() -> None:
    with listening() as (_heard, listener), connect(listener.port) as sock:
        sock.sendall(request())
        kind, body = read_pdu(sock)
        assert kind == pdu.ASSOCIATE_AC
        assert b"\x53\x00\x00\x04" not in body
        assert pdu.decode_associate_accept(body).window == (1, 1)


@pytest.mark.parametrize(("proposed", "ahead"), [((0, 0), 16), ((8, 1), 8), (None, 4)])
@pytest.mark.parametrize("size", [4, 40_000])
def test_requests_that_come_before_an_answer_are_kept_and_answered_in_order(
    proposed: tuple[int, int] | None, ahead: int, size: int
) -> None:
    """Also from one that has not asked for it: what it sends early waits in the socket."""
    sent = [(f"1.2.{n}", bytes([n]) * size) for n in range(1, 3 * ahead + 1)]
    with listening() as (heard, listener):
        sock = connect(listener.port)
        with associated(sock, request(more=window(*proposed) if proposed else b"")):
            answers = []
            for n, (uid, data) in enumerate(sent, 1):
                sock.sendall(store(n, uid, data))
                if n > ahead:
                    answers.append(read_answer(sock))
            answers += [read_answer(sock) for _ in range(ahead)]
            assert [(a.responded_to, a.sop_instance_uid, a.status) for a in answers] == [
                (n, uid, 0) for n, (uid, _) in enumerate(sent, 1)
            ]
        eventually(lambda: bool(heard.closed))
    assert heard.stored == sent
    assert (heard.closed[0].how, heard.closed[0].stored) == ("released", len(sent))


def test_different_operations_and_the_release_in_one_segment() -> None:
    with listening() as (heard, listener), connect(listener.port) as sock:
        sock.sendall(
            request(more=window(0, 0))
            + store(1, "1.2.1", b"first1")
            + echo(2)
            + store(3, "1.2.3", b"third3")
            + pdu.RELEASE_REQUEST
        )
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        assert [read_answer(sock).responded_to for _ in range(3)] == [1, 2, 3]
        assert read_pdu(sock) == (pdu.RELEASE_RP, bytes(4))
    assert heard.stored == [("1.2.1", b"first1"), ("1.2.3", b"third3")]


@pytest.mark.parametrize("proposed", [(0, 0), (8, 1), None])
def test_pynetdicom_hears_the_same(proposed: tuple[int, int] | None) -> None:
    with listening() as (_heard, listener):
        ae = AE("CT1")
        ae.add_requested_context(CT)
        asked: list[Any] = []
        if proposed:
            item = AsynchronousOperationsWindowNegotiation()
            item.maximum_number_operations_invoked, item.maximum_number_operations_performed = proposed
            asked = [item]
        peer = ae.associate("127.0.0.1", listener.port, ae_title="HELIO", ext_neg=asked)
        assert peer.is_established
        assert peer.acceptor.asynchronous_operations == ((proposed[0] or 16, 1) if proposed else (1, 1))
        peer.release()
        assert peer.is_released
