"""MLLP on real loopback sockets: field reports G01 and G02, slow, silent, huge and broken peers, TLS."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from heliograph.kit.net.mllp import (
    BadFrame,
    ConnectFailed,
    ConnectionLost,
    MllpListener,
    NoAnswer,
    Notice,
    Peer,
    send,
)
from heliograph.kit.net.mllp_framing import FrameReader, frame

M1 = b"MSH|^~\\&|ADTX|NORTHBAY|TELERAD|HUB|20260312||ADT^A08|MP-1|P|2.5.1\rEVN|A08|20260312\r"
M2 = M1.replace(b"MP-1", b"MP-2")


class Served:
    """A running listener and what it saw."""

    def __init__(self, handler: Callable[[bytes, Peer], bytes | None] | None = None, **options: object) -> None:
        self.payloads: list[bytes] = []
        self.peers: list[Peer] = []
        self.notices: list[Notice] = []
        self.errors: list[Exception] = []
        self._handler = handler or (lambda payload, _: b"ACK " + payload[:3])
        self.listener = MllpListener(
            "127.0.0.1",
            0,
            self._handle,
            on_error=lambda error, _: self.errors.append(error),
            on_notice=lambda notice, _: self.notices.append(notice),
            **options,  # type: ignore[arg-type]
        )
        self.listener.start()

    def _handle(self, payload: bytes, peer: Peer) -> bytes | None:
        self.payloads.append(payload)
        self.peers.append(peer)
        return self._handler(payload, peer)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.listener.port), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def notice(self, expected: Notice) -> bool:
        return _eventually(lambda: expected in self.notices)


def _eventually(check: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.01)
    return check()


def _answers(connection: socket.socket, count: int) -> list[bytes]:
    reader = FrameReader(1024 * 1024)
    answers: list[bytes] = []
    while len(answers) < count:
        data = connection.recv(4096)
        assert data, "closed before the answer"
        answers += reader.feed(data)
    return answers


def _drip(connection: socket.socket) -> None:
    for _ in range(60):
        connection.sendall(b"|")
        time.sleep(0.05)


def _closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Served] = []

    def start(handler: Callable[[bytes, Peer], bytes | None] | None = None, **options: object) -> Served:
        started.append(Served(handler, **options))
        return started[-1]

    yield start
    for served in started:
        served.listener.stop(grace=1.0)


def answering(answer: Callable[[socket.socket], None]) -> int:
    """The port of a receiver that takes one connection, reads one frame and then does `answer`."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                reader = FrameReader(1024 * 1024)
                while not reader.feed(connection.recv(4096)):
                    pass
                answer(connection)

    threading.Thread(target=run, daemon=True).start()
    return int(server.getsockname()[1])


def test_a_message_is_handled_and_answered(serve: Serve) -> None:
    served = serve()
    answer = send("127.0.0.1", served.listener.port, M1, timeout=5, connect_timeout=5)
    assert answer == b"ACK MSH"
    assert served.payloads == [M1]
    assert served.peers[0].address == "127.0.0.1"


# ---------------------------------------------------------------- framing


@given(
    payloads=st.lists(st.binary(min_size=1).filter(lambda p: b"\x1c" not in p and b"\x0b" not in p), max_size=5),
    noise=st.sampled_from([b"", b"\n", b"\x00\x00", b"log line\r\n", b"\r\n"]),
    data=st.data(),
)
def test_any_split_gives_the_same_messages(payloads: list[bytes], noise: bytes, data: st.DataObject) -> None:
    stream = noise.join([b"", *(frame(payload) for payload in payloads), b""])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = FrameReader(1024 * 1024)
    seen: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen += reader.feed(stream[begin:end])
    assert seen == payloads
    assert not reader.inside


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_frames_without_cr_are_ended_by_the_next(size: int) -> None:
    stream = b"\x0b" + M1 + b"\x1c\x0b" + M2 + b"\x1c"
    reader = FrameReader(1024 * 1024)
    seen = [p for at in range(0, len(stream), size) for p in reader.feed(stream[at : at + size])]
    assert seen == [M1]
    assert reader.pending
    assert reader.flush() == M2
    assert reader.feed(b"\r" + frame(M1)) == [M1]


def test_1c_inside_a_message_does_not_cut_it_short() -> None:
    assert FrameReader(1024).feed(b"\x0bMSH|a\x1cb|c\x1c\r") == [b"MSH|a\x1cb|c"]


def test_0b_inside_a_message_is_text_unless_a_message_begins_there() -> None:
    reader = FrameReader(1024)
    assert reader.feed(b"\x0bMSH|one\x0btwo\x1c\r") == [b"MSH|one\x0btwo"]
    assert reader.feed(b"\x0bMSH|half of a mess" + frame(M1)) == [M1]


def test_the_size_bound_is_exact() -> None:
    assert FrameReader(10).feed(frame(b"0123456789")) == [b"0123456789"]
    reader = FrameReader(10)
    assert reader.feed(frame(b"ok") + frame(b"0123456789A")) == [b"ok"]
    assert reader.oversize
    assert reader.feed(frame(b"ok")) == []


def test_a_payload_that_would_break_its_frame_is_refused() -> None:
    with pytest.raises(BadFrame):
        frame(b"MSH|\x1c\r")


# ---------------------------------------------------------------- listener


def test_g01_one_byte_per_write(serve: Serve) -> None:
    served = serve()
    with served.connect() as connection:
        for byte in frame(M1):
            connection.sendall(bytes([byte]))
        assert _answers(connection, 1) == [b"ACK MSH"]
        connection.sendall(b"\x0b")
        time.sleep(0.05)
        connection.sendall(frame(M2)[1:])
        assert _answers(connection, 1) == [b"ACK MSH"]
    assert served.payloads == [M1, M2]


def test_g01_cr_half_a_second_after_1c_is_one_message(serve: Serve) -> None:
    served = serve()
    with served.connect() as connection:
        connection.sendall(frame(M1)[:-1])
        time.sleep(0.5)
        connection.sendall(b"\r")
        assert _answers(connection, 1) == [b"ACK MSH"]
        connection.sendall(frame(M2))
        assert _answers(connection, 1) == [b"ACK MSH"]
    assert served.payloads == [M1, M2]


def test_a_sender_that_never_sends_the_cr_is_answered(serve: Serve) -> None:
    served = serve()
    with served.connect() as connection:
        connection.sendall(frame(M1)[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert _answers(connection, 1) == [b"ACK MSH"]


def test_g02_two_messages_in_one_read_with_noise_between(serve: Serve) -> None:
    served = serve(lambda payload, _: payload.split(b"|")[9])
    with served.connect() as connection:
        whole = b"\x00\x00" + frame(M1) + b"\n" + frame(M2)
        connection.sendall(whole[: len(frame(M1)) + 40])
        time.sleep(0.05)
        connection.sendall(whole[len(frame(M1)) + 40 :] + b"\x00\r\n" + frame(M1))
        assert _answers(connection, 3) == [b"MP-1", b"MP-2", b"MP-1"]
    assert served.payloads == [M1, M2, M1]


def test_an_oversize_message_closes_the_connection_after_a_notice(serve: Serve) -> None:
    served = serve(max_message_bytes=1000)
    with served.connect() as connection:
        connection.sendall(frame(M1) + b"\x0b" + b"x" * 1001)
        assert _answers(connection, 1) == [b"ACK MSH"]
        assert _closed(connection)
    assert served.notice(Notice.OVERSIZE)
    assert served.payloads == [M1]


def test_five_megabytes_pass(serve: Serve) -> None:
    served = serve()
    payload = M1 + b"OBX|1|ED|||^^^Base64^" + b"QUJD" * 1_310_720 + b"\r"
    assert send("127.0.0.1", served.listener.port, payload, timeout=20, connect_timeout=5) == b"ACK MSH"
    assert served.payloads == [payload]


def test_slow_and_silent_peers_time_out_and_block_nobody(serve: Serve) -> None:
    served = serve(idle_timeout=0.4, message_timeout=0.4)
    with served.connect() as silent, served.connect() as slow:
        begun = time.monotonic()
        slow.sendall(b"\x0bMSH")
        assert send("127.0.0.1", served.listener.port, M1, timeout=5, connect_timeout=5) == b"ACK MSH"
        assert time.monotonic() - begun < 0.35
        # A byte now and then does not keep a message alive.
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _drip(slow)
        assert _closed(silent)
    assert served.notice(Notice.MESSAGE_TIMEOUT)
    assert served.notice(Notice.IDLE)
    assert served.payloads == [M1]


def test_a_failing_handler_never_acknowledges(serve: Serve) -> None:
    def fail(payload: bytes, _: Peer) -> bytes:
        raise RuntimeError("the database is down")

    served = serve(fail)
    with served.connect() as connection:
        connection.sendall(frame(M1) + frame(M2))
        assert _closed(connection)
    assert _eventually(lambda: len(served.errors) == 1)
    assert served.payloads == [M1]
    with pytest.raises(ConnectionLost):
        send("127.0.0.1", served.listener.port, M1, timeout=5, connect_timeout=5)


def test_no_answer_is_sent_when_none_is_due(serve: Serve) -> None:
    served = serve(lambda payload, _: None if payload == M1 else b"second")
    with served.connect() as connection:
        connection.sendall(frame(M1) + frame(M2))
        assert _answers(connection, 1) == [b"second"]


def test_a_message_cut_short_is_not_handled(serve: Serve) -> None:
    served = serve()
    with served.connect() as connection:
        connection.sendall(frame(M1)[:-2])
    assert served.notice(Notice.CUT_SHORT)
    assert served.payloads == []


def test_one_connection_too_many_is_refused(serve: Serve) -> None:
    served = serve(max_connections=1)
    with served.connect() as first:
        first.sendall(frame(M1))
        _answers(first, 1)
        with served.connect() as second:
            assert _closed(second)
        assert served.notice(Notice.REFUSED)
    assert _eventually(lambda: not served.listener._connections)
    assert send("127.0.0.1", served.listener.port, M2, timeout=5, connect_timeout=5) == b"ACK MSH"


def test_stopping_answers_what_is_in_hand_and_takes_no_more(serve: Serve) -> None:
    entered = threading.Event()

    def slowly(payload: bytes, _: Peer) -> bytes:
        entered.set()
        time.sleep(0.3)
        return b"done"

    served = serve(slowly)
    with served.connect() as idle, served.connect() as busy:
        busy.sendall(frame(M1) + frame(M2))
        assert entered.wait(5)
        begun = time.monotonic()
        served.listener.stop()
        assert time.monotonic() - begun < 3
        assert _answers(busy, 1) == [b"done"]
        assert _closed(busy)
        assert _closed(idle)
    assert served.payloads == [M1]
    with pytest.raises(ConnectFailed):
        send("127.0.0.1", served.listener.port, M1, timeout=1, connect_timeout=1)


# ---------------------------------------------------------------- sender


def test_g01_an_answer_split_anywhere_is_read_whole() -> None:
    def drip(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\n\x00" + frame(b"MSH|ack\rMSA|AA|1\r"):
            connection.sendall(bytes([byte]))
            time.sleep(0.002)

    assert send("127.0.0.1", answering(drip), M1, timeout=5, connect_timeout=5) == b"MSH|ack\rMSA|AA|1\r"


def test_an_answer_without_cr_is_taken_while_the_connection_stays_open() -> None:
    def hold(connection: socket.socket) -> None:
        connection.sendall(frame(b"MSH|ack")[:-1])
        connection.recv(1)

    assert send("127.0.0.1", answering(hold), M1, timeout=5, connect_timeout=5) == b"MSH|ack"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda connection: connection.recv(1), NoAnswer),
        (lambda connection: (connection.sendall(b"\x0bMSH|half"), connection.recv(1)), NoAnswer),
        (lambda connection: connection.close(), ConnectionLost),
        (lambda connection: connection.sendall(b"\x0bMSH|half"), ConnectionLost),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n"), BadFrame),
        (lambda connection: connection.sendall(frame(b"x" * 200)), BadFrame),
    ],
)
def test_each_failure_has_its_name(reply: Callable[[socket.socket], None], error: type[Exception]) -> None:
    begun = time.monotonic()
    with pytest.raises(error):
        send("127.0.0.1", answering(reply), M1, timeout=0.4, connect_timeout=5, max_answer_bytes=100)
    assert time.monotonic() - begun < 2


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectFailed):
        send("127.0.0.1", port, M1, timeout=1, connect_timeout=1)


# ---------------------------------------------------------------- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tmp_path / "c.pem", tmp_path / "k.pem", made.public_bytes(serialization.Encoding.DER)


def test_tls_with_certificates_on_both_sides(serve: Serve, certificate: tuple[Path, Path, bytes]) -> None:
    cert, key, der = certificate
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
    server.load_cert_chain(cert, key)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(cert))
    client.load_cert_chain(cert, key)
    served = serve(ssl_context=server, message_timeout=1.0)
    port = served.listener.port
    with served.connect():  # a peer that never shakes hands blocks nobody
        answer = send(
            "127.0.0.1",
            port,
            M1,
            timeout=5,
            connect_timeout=5,
            ssl_context=client,
            server_hostname="localhost",
        )
    assert answer == b"ACK MSH"
    assert served.peers[0].certificate == der

    with pytest.raises(ConnectFailed):  # the name in the certificate is another
        send("127.0.0.1", port, M1, timeout=5, connect_timeout=5, ssl_context=client)
    with pytest.raises((ConnectionLost, BadFrame, NoAnswer)):  # no TLS at all
        send("127.0.0.1", port, M1, timeout=5, connect_timeout=5)
    assert served.notice(Notice.TLS_FAILED)
    assert served.payloads == [M1]
