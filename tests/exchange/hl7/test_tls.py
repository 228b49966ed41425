"""HL7 over TLS: a second port, certificates of senders, and what a feed may ask for; slow and silent peers on either port."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heliograph.app.cli.doctor import hl7_tls
from heliograph.app.context import Context
from heliograph.exchange.hl7.server import Door, NoDoor, start
from heliograph.kit.codecs.hl7 import Ack, parse_ack
from heliograph.kit.net.dicom.tls import TlsFiles, client_context, fingerprint
from heliograph.kit.net.mllp import ConnectFailed, ConnectionLost, send
from tests.cast import Cast
from tests.exchange.hl7.door import change_feed, order, rows
from tests.kit.net.dicom.certificates import Issued, issue


@pytest.fixture
def authority(tmp_path: Path) -> Issued:
    return issue(tmp_path, "authority", is_authority=True)


@pytest.fixture
def ours(tmp_path: Path, authority: Issued) -> Issued:
    return issue(tmp_path, "ours", authority)


@contextmanager
def opened(context: Context, **settings: Any) -> Iterator[Door]:
    changed = context.settings.model_copy(update={"hl7_tls_port": 0, **settings})
    door = start(replace(context, settings=changed))
    try:
        yield door
    finally:
        door.stop()


def with_tls(ours: Issued, authority: Issued) -> dict[str, Any]:
    return {
        "hl7_tls_certificate_file": ours.certificate,
        "hl7_tls_key_file": ours.key,
        "hl7_tls_ca_file": authority.certificate,
    }


def ask(port: int, payload: bytes, tls: ssl.SSLContext | None = None) -> Ack:
    return parse_ack(send("127.0.0.1", port, payload, timeout=15, connect_timeout=10, ssl_context=tls))


def caller(authority: Issued, own: Issued | None = None) -> ssl.SSLContext:
    return client_context(TlsFiles(own.certificate if own else None, own.key if own else None, authority.certificate))


def test_a_feed_may_ask_for_tls_or_for_one_certificate(
    context: Context, cast: Cast, owner_url: str, tmp_path: Path, authority: Issued, ours: Issued
) -> None:
    right, wrong = issue(tmp_path, "right", authority), issue(tmp_path, "wrong", authority)
    with opened(context, **with_tls(ours, authority)) as door:
        bare = caller(authority)
        assert ask(door.port, order("1")).code == "AA"
        assert ask(door.tls_port, order("2"), bare).code == "AA"
        change_feed(owner_url, "NFRIS", tls_required=True)
        refused = ask(door.port, order("3"))
        assert (refused.code, refused.error and str(refused.error.location)) == ("AR", "MSH^1^3")
        assert refused.text == "This sender must use TLS."
        assert ask(door.tls_port, order("3"), bare).code == "AA"
        der = ssl.PEM_cert_to_DER_cert(right.certificate.read_text())
        change_feed(owner_url, "NFRIS", tls_required=False, certificate_sha256=fingerprint(der))
        assert [
            ask(door.port, order("4")).code,
            ask(door.tls_port, order("4"), bare).code,
            ask(door.tls_port, order("4"), caller(authority, wrong)).code,
            ask(door.tls_port, order("4"), caller(authority, right)).code,
        ] == ["AR", "AR", "AR", "AA"]
    kept = rows(owner_url, "select fate, fault from sites.messages where acknowledgement = 'AR' order by id")
    assert [fate for fate, _ in kept] == ["rejected"] * 4
    assert kept[0][1] == "MSH^1^3: This sender must use TLS."


def test_a_certificate_that_nobody_vouches_for_ends_the_handshake(
    context: Context, cast: Cast, tmp_path: Path, authority: Issued, ours: Issued
) -> None:
    stranger = issue(tmp_path, "stranger", issue(tmp_path, "elsewhere", is_authority=True))
    with opened(context, **with_tls(ours, authority)) as door, pytest.raises((ConnectFailed, ConnectionLost)):
        ask(door.tls_port, order(), caller(authority, stranger))


def test_with_tls_only_nobody_listens_without(context: Context, cast: Cast, authority: Issued, ours: Issued) -> None:
    with opened(context, hl7_plain=False, **with_tls(ours, authority)) as door:
        assert door.port == 0
        assert ask(door.tls_port, order(), caller(authority)).code == "AA"


def test_with_neither_port_there_is_no_door(context: Context) -> None:
    with pytest.raises(NoDoor):
        start(replace(context, settings=context.settings.model_copy(update={"hl7_plain": False})))


def test_a_renewed_certificate_is_taken_up_without_a_restart(
    context: Context, cast: Cast, tmp_path: Path, authority: Issued, ours: Issued
) -> None:
    with opened(context, **with_tls(ours, authority)) as door:
        renewed = issue(tmp_path, "renewed", authority)
        ours.key.write_bytes(renewed.key.read_bytes())
        ours.certificate.write_bytes(renewed.certificate.read_bytes())
        end = time.monotonic() + 15
        while _shown(door.tls_port, authority) != ssl.PEM_cert_to_DER_cert(renewed.certificate.read_text()):
            assert time.monotonic() < end
            time.sleep(0.2)
        assert ask(door.tls_port, order(), caller(authority)).code == "AA"


def _shown(port: int, authority: Issued) -> bytes | None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        caller(authority).wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.getpeercert(binary_form=True)


def test_silent_and_slow_peers_and_floods_of_one_address_keep_nobody_out(
    context: Context, cast: Cast, authority: Issued, ours: Issued
) -> None:
    bounds = {
        "hl7_message_seconds": 0.6,
        "hl7_idle_seconds": 0.6,
        "hl7_connections_per_address": 6,
        "hl7_message_mb": 1,
    }
    with opened(context, **bounds, **with_tls(ours, authority)) as door:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in (door.port, door.tls_port) * 2]
        silent[0].sendall(b"\x0bMSH|^~\\&|NFRIS")  # and never the rest
        assert ask(door.port, order("1")).code == "AA"
        assert ask(door.tls_port, order("2"), caller(authority)).code == "AA"
        more = [socket.create_connection(("127.0.0.1", door.port), timeout=10) for _ in range(8)]
        assert any(_is_closed(s, 5) for s in more)  # more than one address may have
        for found in silent:
            assert _is_closed(found, 10)
        for found in (*silent, *more):
            found.close()
        with socket.create_connection(("127.0.0.1", door.port), timeout=10) as huge:
            huge.sendall(b"\x0bMSH|")
            assert _fills(huge)
        end = time.monotonic() + 10
        while True:  # the places of those that are gone are free again
            try:
                assert ask(door.port, order("3")).code == "AA"
                break
            except Exception:  # noqa: BLE001
                assert time.monotonic() < end
                time.sleep(0.1)


def _is_closed(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def _fills(connection: socket.socket) -> bool:
    """Writes until the other side has had enough."""
    try:
        for _ in range(400):
            connection.sendall(b"x" * 65536)
    except OSError:
        return True
    return _is_closed(connection, 5)


def test_the_doctor_looks_at_the_certificate(context: Context, tmp_path: Path, authority: Issued, ours: Issued) -> None:
    def found(**changes: Any) -> list[tuple[str, str]]:
        return [(f.what, f.level) for f in hl7_tls(context.settings.model_copy(update=changes))]

    assert found() == [("HL7 TLS", "fine")]
    assert found(hl7_plain=False) == [("HL7 TLS", "wrong")]
    assert found(**with_tls(ours, authority))[0] == ("HL7 TLS", "fine")
    late = issue(tmp_path, "late", authority, days=-1)
    assert found(**with_tls(late, authority))[0] == ("HL7 TLS", "wrong")
    assert found(**with_tls(ours, authority), hl7_tls_clients="required")[0] == ("HL7 TLS", "fine")
    assert found(hl7_tls_certificate_file=tmp_path / "nothing.pem")[0] == ("HL7 TLS", "wrong")
