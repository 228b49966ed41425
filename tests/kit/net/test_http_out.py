"""Calling an address that somebody entered: never into our own network, never on and on, and only whom its certificate says."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from heliograph.kit.errors import HeliographError
from heliograph.kit.net import http_out, outward
from heliograph.kit.net.http_out import BadUrl, NoAnswer, call, place_of, split_url
from heliograph.kit.net.outward import AddressNotAllowed, BadNetwork, NotReached, is_public, networks, trust
from tests.kit.net.dicom.certificates import issue

LOOPBACK = networks("127.0.0.0/8")
Talk = Callable[[socket.socket, bytes], None]


@contextmanager
def server(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Takes connections on loopback until the block ends; `talk` answers each after its request was read. Yields port and requests."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)
    over = threading.Event()
    taken: list[bytes] = []

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    line = context.wrap_socket(connection, server_side=True) if context else connection
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += line.recv(65536)
                    head, _, body = request.partition(b"\r\n\r\n")
                    length = next(
                        int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")
                    )
                    while len(body) < length:
                        body += line.recv(65536)
                    taken.append(head + b"\r\n\r\n" + body)
                    talk(line, taken[-1])
                    line.close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], taken
    finally:
        over.set()
        thread.join(5)
        listening.close()


def says(answer: bytes) -> Talk:
    return lambda line, _: line.sendall(answer)


OK = says(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")


def post(url: str, *, allowed=LOOPBACK, trusted: ssl.SSLContext | None = None, timeout: float = 5.0):
    return call(
        "POST", url, body=b'{"a":1}', headers={"Content-Type": "application/json"}, allowed=allowed,
        trusted=trusted or trust(None), timeout=timeout, connect_timeout=2.0,
    )  # fmt: skip


def test_a_request_is_made_and_answered() -> None:
    with server(OK) as (port, taken):
        answer = post(f"http://127.0.0.1:{port}/hook?x=1")
    assert (answer.status, answer.body, answer.content_type, answer.is_cut) == (200, b"ok", "text/plain", False)
    (request,) = taken
    assert request.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in request
    assert request.endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]", "[::7f00:1]",
        "198.18.0.1", "192.0.2.1",
    ],
)  # fmt: skip
def test_our_own_network_is_not_called(host: str) -> None:
    with pytest.raises((AddressNotAllowed, NotReached)) as refused:
        place_of(f"https://{host}/", ())
    if host != "0177.0.0.1":  # where the resolver takes no octal numbers there is no such name
        assert refused.type is AddressNotAllowed


def test_a_private_address_is_called_only_where_it_is_allowed() -> None:
    assert place_of("https://127.0.0.1/", LOOPBACK).is_private
    assert place_of("https://10.1.2.3/", networks("192.168.0.0/16, 10.0.0.0/8")).addresses == ("10.1.2.3",)
    with pytest.raises(AddressNotAllowed):
        place_of("https://10.1.2.3/", LOOPBACK)
    with server(OK) as (port, taken), pytest.raises(AddressNotAllowed):
        post(f"http://127.0.0.1:{port}/", allowed=())
    assert taken == []


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_a_public_address_is_called_over_tls_only() -> None:
    assert place_of("https://8.8.8.8/", ()).addresses == ("8.8.8.8",)
    with pytest.raises(BadUrl):
        place_of("http://8.8.8.8/", ())


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://a/", "https://", "https:///x", "//a/b", "https://u@a/", "https://u:p@a/", "https://a/#x", "https://a:0/",
        "https://a:99999/", "https://a b/", "https://a/\r\nX: 1", "https://a\\@b/", "javascript:alert(1)", "file:///etc/passwd",
        "https://ä.example/", "https://[::1/",
    ],
)  # fmt: skip
def test_what_is_no_address_to_call(url: str) -> None:
    with pytest.raises(BadUrl):
        split_url(url)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with server(OK) as (elsewhere, followed):
        away = (
            f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n"
        )
        with server(says(away.encode())) as (port, _):
            assert post(f"http://127.0.0.1:{port}/").status == 307
    assert followed == []


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a resolver would say the second time is never asked: the address that was checked is the one that is dialled."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolver(host, port, *args, **kwargs):
        if host != "changing.example":
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with server(OK) as (port, taken):
        assert post(f"http://changing.example:{port}/").status == 200
    assert asked == ["changing.example"]
    assert f"Host: changing.example:{port}".encode() in taken[0]


def test_one_address_that_is_not_allowed_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolver(_host, port, *_args, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("8.8.8.8", "169.254.169.254")]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(AddressNotAllowed):
        place_of("https://mixed.example/", ())


def test_a_long_answer_is_cut() -> None:
    with server(says(b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 200_000)) as (port, _):
        answer = post(f"http://127.0.0.1:{port}/")
    assert (answer.status, len(answer.body), answer.is_cut) == (500, http_out.MOST_BYTES, True)


def _drips(line: socket.socket, _: bytes) -> None:
    for _ in range(40):
        line.sendall(b"H")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "talk",
    [says(b""), says(b"hello\r\n\r\n"), says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"), says(b"\0" * 100), _drips],
    ids=["nothing", "no http", "half", "noughts", "drips"],
)  # fmt: skip
def test_no_whole_answer_is_none(talk: Talk) -> None:
    with server(talk) as (port, _), pytest.raises(NoAnswer):
        post(f"http://127.0.0.1:{port}/", timeout=0.5)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotReached) as refused:
        post(f"http://127.0.0.1:{port}/")
    assert "refused" in refused.value.detail


def test_a_certificate_must_be_trusted_and_for_the_name(tmp_path: Path) -> None:
    authority = issue(tmp_path, "authority", is_authority=True)
    ours = issue(tmp_path, "receiver", authority)  # for 127.0.0.1
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate, ours.key)
    trusted = trust(authority.certificate)
    with server(OK, context) as (port, taken):
        assert post(f"https://127.0.0.1:{port}/", trusted=trusted).body == b"ok"
        for host, known in (("127.0.0.1", trust(None)), ("127.0.0.2", trusted)):
            with pytest.raises(NotReached) as refused:
                post(f"https://{host}:{port}/", trusted=known)
            assert refused.value.detail.startswith("It could not be reached: ")
    assert len(taken) == 1


def test_a_peer_that_says_nothing_of_tls() -> None:
    with server(OK) as (port, _), pytest.raises(NotReached):
        post(f"https://127.0.0.1:{port}/", timeout=0.5)


def test_settings_that_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(BadNetwork):
        networks("10.0.0.0/8, home")
    assert networks("") == ()
    (tmp_path / "x.pem").write_text("no certificate")
    with pytest.raises(HeliographError):
        outward.trust(tmp_path / "x.pem")
