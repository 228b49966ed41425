"""What an AE title may be, and which of several known senders is meant by an address. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

T = TypeVar("T")
_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")


def ae_title(text: str) -> str:
    """An AE title without the spaces and NULs around it: 1 to 16 characters of ASCII, no backslash and no control characters.

    PS3.5 6.2. Raises:
        ValueError: it is none.
    """
    title = text.strip(" \0")
    if not _TITLE.fullmatch(title):
        raise ValueError("An AE title has 1 to 16 characters, no backslash and no control characters")
    return title


def network_of(text: str) -> IPv4Network | IPv6Network:
    """An address or a CIDR network, host bits ignored.

    Raises:
        ValueError: neither.
    """
    return ip_network(text.strip(), strict=False)


def specificity(known: str | None, address: str) -> int:
    """How well `known` (an address, a network, None for any) fits: -1 not at all, 0 any, else bits + 1."""
    if known is None or not known.strip():
        return 0
    try:
        actual, network = ip_address(address.partition("%")[0]), network_of(known)
    except ValueError:
        return -1
    if isinstance(actual, IPv6Address) and actual.ipv4_mapped is not None:
        actual = actual.ipv4_mapped  # a dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d
    if actual.version != network.version or actual not in network:
        return -1
    return network.prefixlen + 1


def most_specific(candidates: Iterable[T], known: Callable[[T], str | None], address: str) -> T | None:
    """The candidate that fits `address` best; None when none fits or two fit equally well: never guessed."""
    fitting: dict[int, list[T]] = {}
    for candidate in candidates:
        fitting.setdefault(specificity(known(candidate), address), []).append(candidate)
    fitting.pop(-1, None)
    if not fitting:
        return None
    best = fitting[max(fitting)]
    return best[0] if len(best) == 1 else None
