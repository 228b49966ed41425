"""One HTTP request to an address that somebody of an organisation entered: see `outward` for where it may go.

No redirects (a 3xx is an answer like another), no proxies, no cookies, a bounded answer, and an end after `timeout` seconds however
slowly the other side drips. Over TLS, except to networks that the operator allowed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from heliograph.kit.errors import HeliographError, Invalid
from heliograph.kit.net.outward import Clock, Network, NotReached, Place, dial, ended_after, reason, resolve

MOST_BYTES = 64 * 1024
_PORTS = {"https": 443, "http": 80}


class BadUrl(Invalid):
    """An address is https://name/path, without a user name in it."""


class NoAnswer(HeliographError):
    """It was reached, but no whole answer came."""

    status = 502


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` at most `most` bytes, `is_cut` when there was more."""

    status: int
    content_type: str
    body: bytes
    is_cut: bool


def split_url(url: str) -> SplitResult:
    """The parts of an address that may be called. Raises: BadUrl."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadUrl from error
    plain = url.isascii() and url.isprintable() and " " not in url.strip() and "\\" not in url
    if not plain or parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise BadUrl
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadUrl
    return parts


def place_of(url: str, allowed: Iterable[Network]) -> Place:
    """Where an address leads. Raises: BadUrl (also http to a public address), NotReached, AddressNotAllowed."""
    parts = split_url(url)
    place = resolve(parts.hostname or "", parts.port or _PORTS[parts.scheme], allowed)
    if parts.scheme == "http" and not place.is_private:
        raise BadUrl("Only https is called on the internet.")
    return place


def call(
    method: str,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Iterable[Network],
    trusted: ssl.SSLContext,
    timeout: float,
    connect_timeout: float = 10.0,
    most: int = MOST_BYTES,
) -> Answer:
    """Sends one request. `timeout`: seconds from the connection to the end of the answer.

    Raises: BadUrl, AddressNotAllowed, NotReached (nothing was sent), NoAnswer (something may have been).
    """
    parts = split_url(url)
    place = place_of(url, allowed)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    talk = dial(place, timeout=min(connect_timeout, timeout))
    with talk, ended_after(timeout) as clock:
        clock.watch(talk)
        if parts.scheme == "https":
            try:
                talk = _secured(talk, trusted, place.host, clock)
            except OSError as error:
                why = "no answer in time" if clock.is_over else reason(error)
                raise NotReached(f"It could not be reached: {why}.") from error
        try:
            return _exchange(talk, parts, method, target, body, headers, most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = "it was no HTTP" if not isinstance(error, OSError) else reason(error)
            raise NoAnswer(f"No answer: {'not whole in time' if clock.is_over else why}.") from error
        finally:
            talk.close()


def _secured(plain: socket.socket, trusted: ssl.SSLContext, host: str, clock: Clock) -> ssl.SSLSocket:
    talk = trusted.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    clock.watch(talk)
    try:
        talk.do_handshake()
    except OSError:
        talk.close()
        raise
    return talk


def _exchange(
    talk: socket.socket,
    parts: SplitResult,
    method: str,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    most: int,
) -> Answer:
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    connection = http.client.HTTPConnection(host)
    connection.sock = talk
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": host + port, "User-Agent": "Heliograph", "Connection": "close", **headers}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    got = b""
    while len(got) <= most and (piece := response.read(most + 1 - len(got))):
        got += piece
    if response.length and len(got) <= most:
        raise http.client.IncompleteRead(got)
    return Answer(response.status, response.headers.get("Content-Type", ""), got[:most], len(got) > most)
