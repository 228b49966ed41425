"""Operations besides storage: what comes while one runs is seen or kept, never lost; and no operation outlives its association."""

from __future__ import annotations

import struct
import threading

import pytest

from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.services import CANCELLED, PENDING, Conversation, Offer, Operation, Reply
from tests.kit.net.dicom.peers import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    connect,
    eventually,
    item,
    listening,
    read_answer,
    read_pdu,
    request,
    value,
    window,
)

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS = ((1, CT, (EXPLICIT,)), (3, VERIFICATION, (IMPLICIT,)), (5, FIND, (IMPLICIT,)))


def ask(message_id: int, data: bytes = b"\x08\0\x52\0\6\0\0\0STUDY ") -> bytes:
    return value(5, 3, dimse.encode_query_request(dimse.C_FIND_RQ, message_id, FIND)) + value(5, 2, data)


def answers(until_cancelled: int = 10_000) -> tuple[Offer, threading.Event]:
    """An operation that gives matches until it is cancelled; the event is set when it has ended."""
    ended = threading.Event()

    def serve(_asked: Operation, talk: Conversation) -> Reply:
        try:
            for _ in range(until_cancelled):
                if talk.cancelled:
                    return Reply(CANCELLED)
                talk.tell(Reply(PENDING, data=b"12"))
            return Reply(0)
        finally:
            ended.set()

    return Offer(dimse.C_FIND_RQ, serve, b"\1\1"), ended


def final_status(sock) -> int:  # type: ignore[no-untyped-def]
    """Reads on to the last response of a query; its status."""
    while True:
        kind, body = read_pdu(sock)
        assert kind == pdu.P_DATA
        if body[5] & 1:
            command = dimse.decode_command(body[6:])
            if command.status != PENDING:
                return command.status


def test_a_cancel_ends_it_and_what_was_asked_meanwhile_is_answered_after_it() -> None:
    offer, ended = answers()
    with listening(services={FIND: offer}) as (heard, listener), connect(listener.port) as sock:
        sock.sendall(request(contexts=CONTEXTS, more=window(0, 1)))
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        sock.sendall(
            ask(7)
            + value(3, 3, dimse.encode_echo_request(8))
            + value(1, 3, dimse.encode_store_request(9, CT, "1.2.3"))
            + value(1, 2, b"kept")
            + value(5, 3, dimse.encode_cancel_request(6))  # of something else
            + value(5, 3, dimse.encode_cancel_request(7))
        )
        assert final_status(sock) == CANCELLED
        assert ended.is_set()
        assert [read_answer(sock).responded_to for _ in range(2)] == [8, 9]
        assert heard.stored == [("1.2.3", b"kept")]
        sock.sendall(pdu.RELEASE_REQUEST)
        assert read_pdu(sock)[0] == pdu.RELEASE_RP


def test_who_goes_away_ends_it() -> None:
    offer, ended = answers(1 << 30)
    with listening(services={FIND: offer}) as (heard, listener):
        with connect(listener.port) as sock:
            sock.sendall(request(contexts=CONTEXTS))
            assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
            sock.sendall(ask(1))
            read_pdu(sock)
        assert ended.wait(10)
        eventually(lambda: [c.how for c in heard.closed] == ["lost"])


def test_closing_ends_it() -> None:
    offer, ended = answers(1 << 30)
    with listening(services={FIND: offer}) as (_, listener), connect(listener.port) as sock:
        sock.sendall(request(contexts=CONTEXTS))
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        sock.sendall(ask(1))
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: sock.recv(1 << 16), b"")], daemon=True)
        reader.start()
        listener.close(grace=10.0)
        assert ended.is_set()
        reader.join(10)


def test_what_fails_is_told_and_the_association_goes_on() -> None:
    def serve(_asked: Operation, _talk: Conversation) -> Reply:
        raise ValueError("unexpected")

    with listening(services={FIND: Offer(dimse.C_FIND_RQ, serve)}) as (_, listener), connect(listener.port) as sock:
        sock.sendall(request(contexts=CONTEXTS))
        assert read_pdu(sock)[0] == pdu.ASSOCIATE_AC
        for wrong in (
            value(5, 3, dimse.encode_query_request(dimse.C_FIND_RQ, 1, CT)) + value(5, 2, b"12"),
            value(5, 3, dimse.encode_query_request(dimse.C_MOVE_RQ, 2, FIND)) + value(5, 2, b"12"),
            ask(3),
        ):
            sock.sendall(wrong)
        assert [read_answer(sock).status for _ in range(3)] == [0x0122, 0x0211, 0xC000]
        sock.sendall(value(3, 3, dimse.encode_echo_request(4)))
        assert read_answer(sock).status == 0


@pytest.mark.parametrize(("asked", "told"), [(b"\1\0\1", b"\1\0"), (b"\0", b"\0")])
def test_extended_negotiation_grants_what_is_asked_and_offered(asked: bytes, told: bytes) -> None:
    offer, _ = answers()
    wanted = item(0x56, struct.pack(">H", len(FIND)) + FIND.encode() + asked)
    with listening(services={FIND: offer}) as (_, listener), connect(listener.port) as sock:
        sock.sendall(request(contexts=CONTEXTS, more=wanted))
        kind, body = read_pdu(sock)
        assert kind == pdu.ASSOCIATE_AC
        assert item(0x56, struct.pack(">H", len(FIND)) + FIND.encode() + told) in body


def test_nothing_is_offered_by_default() -> None:
    with listening() as (_, listener), connect(listener.port) as sock:
        sock.sendall(request(contexts=CONTEXTS))
        _, body = read_pdu(sock)
        assert set(pdu.decode_associate_accept(body).accepted) == {1, 3}
