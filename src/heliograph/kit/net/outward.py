"""Which addresses we may call when somebody of an organisation enters one: a destination must not become a way into our own network.

Public addresses always; others (private, loopback, link-local, shared, reserved, and IPv6 forms that carry an IPv4 address) only inside
the networks that the operator allowed. A name is resolved once, and what was found is what is dialled: a name whose address changes
between the check and the call gains nothing.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from heliograph.kit.errors import HeliographError, Invalid

Network = IPv4Network | IPv6Network
_CARRIERS = tuple(
    ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96")
)
"""IPv6 networks whose addresses stand for an IPv4 address, which a gateway would call: NAT64, 6to4, Teredo, IPv4-compatible."""


class BadNetwork(Invalid):
    """A network is an IP address or CIDR as 10.1.0.0/16."""


class NotReached(HeliographError):
    """It could not be reached."""

    status = 502


class AddressNotAllowed(HeliographError):
    """Its address is private or reserved; the operator of this server has not allowed it."""

    status = 422


@dataclass(frozen=True, slots=True)
class Place:
    """A name with the addresses that it was found to have, each of them allowed. `is_private`: one of them is not public."""

    host: str
    port: int
    addresses: tuple[str, ...]
    is_private: bool


def networks(text: str) -> tuple[Network, ...]:
    """Networks with commas between them. Raises: BadNetwork."""
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise BadNetwork from error


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet may have this address."""
    if isinstance(address, IPv6Address) and any(address in carrier for carrier in _CARRIERS):
        return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, allowed: Iterable[Network]) -> Place:
    """Looks a name up once. One address that is not allowed is enough to refuse: nobody mixes them by chance.

    Raises: NotReached (no such name), AddressNotAllowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise NotReached("Its name can't be resolved.") from error
    addresses = list(dict.fromkeys(_address(str(info[4][0])) for info in found))
    allowed = tuple(allowed)
    is_private = False
    for address in addresses:
        if is_public(address):
            continue
        if not any(address.version == network.version and address in network for network in allowed):
            raise AddressNotAllowed
        is_private = True
    if not addresses:
        raise NotReached("Its name has no address.")
    return Place(host, port, tuple(str(a) for a in addresses), is_private)


def dial(place: Place, *, timeout: float) -> socket.socket:
    """A connection to the first address that answers. Raises: NotReached."""
    problem: OSError | None = None
    for address in place.addresses:
        try:
            return socket.create_connection((address, place.port), timeout=timeout)
        except OSError as error:
            problem = error
    raise NotReached(f"It could not be reached: {reason(problem)}.") from problem


def trust(authorities: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later; a certificate must be of a public authority or of one in the PEM file, and for the name that was dialled.

    Raises: Invalid (the file can't be read).
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is not None:
        try:
            context.load_verify_locations(cafile=authorities)
        except (OSError, ssl.SSLError) as error:
            raise Invalid("The file of further certificate authorities can't be read.") from error
    return context


def reason(error: BaseException | None) -> str:
    """Why a connection failed, in a few words that name nothing."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "TLS failed"
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionResetError() | BrokenPipeError():
            return "it closed the connection"
        case OSError():
            return (error.strerror or "network error").lower()
        case _:
            return "network error"


class Clock:
    """Cuts the connection that it watches when its time is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now: socket.socket | None = None
        self.is_over = False

    def watch(self, talk: socket.socket) -> None:
        """From now on this connection is the one, in place of the one before."""
        talk.settimeout(self._seconds)
        self._now = talk

    def cut(self) -> None:
        """Its time is over."""
        self.is_over = True
        if self._now is not None:
            with contextlib.suppress(OSError):
                # Not through TLS, which would say good-bye and wait.
                socket.socket.shutdown(self._now, socket.SHUT_RDWR)


@contextlib.contextmanager
def ended_after(seconds: float) -> Iterator[Clock]:
    """Whatever is watched inside ends after so many seconds, however slowly the other side drips."""
    clock = Clock(seconds)
    timer = threading.Timer(seconds, clock.cut)
    timer.daemon = True
    timer.start()
    try:
        yield clock
    finally:
        timer.cancel()


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
