"""What a request asks of an answer's form: media types, a version that the client has, a range, or the headers alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from heliograph.exchange.dicomweb.door import PRIVATE
from heliograph.exchange.dicomweb.negotiate import MediaRange, accepted, encodings_accept_gzip
from heliograph.kit.http import problem

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*\Z", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?"[^"]*"|\*')


class Asked:
    """The form that one request asks for. Nothing here refuses before a property is read, so that the gate stands first."""

    def __init__(self, request: Request, accept: Iterable[str] | None = None) -> None:
        self._headers = request.headers
        self._accept = tuple(accept or ())
        self.is_head = request.method == "HEAD"

    @property
    def types(self) -> tuple[MediaRange, ...]:
        """The acceptable media types. Raises BadAccept."""
        return accepted(tuple(self._headers.getlist("accept")), self._accept)

    @property
    def gzip(self) -> bool:
        """Whether the answer may be compressed."""
        return encodings_accept_gzip(self._headers.get("accept-encoding", ""))

    def has(self, tag: str) -> bool:
        """Whether the client has the version that `tag` names (If-None-Match, RFC 9110 13.1.2: compared weakly)."""
        held = _TAG.findall(self._headers.get("if-none-match", ""))
        return "*" in held or tag.removeprefix("W/") in {one.removeprefix("W/") for one in held}

    def part(self, length: int, tag: str) -> tuple[int, int] | None:
        """(first, end) of the one range that is asked for (RFC 9110 14.2); None: everything; (-1, -1): it can't be had.

        Several ranges, and those of an older version (If-Range), mean everything.
        """
        match = _RANGE.match(self._headers.get("range", "").strip())
        condition = self._headers.get("if-range")
        if match is None or (condition is not None and condition.strip() != tag) or not any(match.groups()):
            return None
        first, last = match.groups()
        if not first:
            return (max(length - int(last), 0), length) if int(last) and length else (-1, -1)
        if last and int(last) < int(first):
            return None
        if int(first) >= length:
            return -1, -1
        return int(first), min(int(last) + 1, length) if last else length


# Asynchronous, as it never waits: the framework would make each in a thread.
async def _asked(
    request: Request,
    accept: Annotated[
        list[str] | None,
        Query(max_length=2000, description="Media types, instead of the header Accept (PS3.18 8.3.3.1)."),
    ] = None,
) -> Asked:
    return Asked(request, accept)


AskedDep = Annotated[Asked, Depends(_asked)]


def unchanged(tag: str) -> Response:
    """304: the client has it."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept"})


def whole(asked: Asked, kind: str, tag: str, body: bytes, *, warnings: Iterable[str] = ()) -> Response:
    """`body` as `kind`, or the range of it that is asked for. `tag` is strong where equal tags mean equal bytes."""
    return ranged(asked, kind, tag, len(body), lambda first, end: (body[first:end],), warnings=warnings)


def ranged(
    asked: Asked,
    kind: str,
    tag: str,
    length: int,
    read: Callable[[int, int], Iterable[bytes]],
    *,
    warnings: Iterable[str] = (),
) -> Response:
    """`length` bytes of which `read(first, end)` gives any: all, the range that is asked for (206), or none (416)."""
    # The type is set as it is: Starlette would add a charset to some.
    headers = {"Content-Type": kind, "ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept"}
    headers |= _warning(warnings)
    first, end, status = 0, length, 200
    if not tag.startswith("W/"):
        headers["Accept-Ranges"] = "bytes"
        wanted = asked.part(length, tag)
        if wanted == (-1, -1):
            refused = problem(416, "no-such-range", "The answer has no such range.", "Ask for bytes that it has.")
            refused.headers["Content-Range"] = f"bytes */{length}"
            return refused
        if wanted is not None:
            (first, end), status = wanted, 206
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{length}"
    headers["Content-Length"] = str(end - first)
    if asked.is_head:
        return Response(status_code=status, headers=headers)
    pieces = read(first, end)
    if isinstance(pieces, tuple):
        return Response(b"".join(pieces), status_code=status, headers=headers)
    return StreamingResponse(pieces, status_code=status, headers=headers)


def streamed(
    asked: Asked,
    kind: str,
    pieces: Iterable[bytes],
    *,
    status: int = 200,
    tag: str = "",
    warnings: Iterable[str] = (),
) -> Response:
    """An answer whose length nobody knows before it is sent."""
    headers = {"Content-Type": kind, "Cache-Control": PRIVATE if tag else "no-store", "Vary": "Accept"}
    if tag:
        headers["ETag"] = tag
    headers |= _warning(warnings)
    # For HEAD not a plain empty answer: that would tell a length of 0.
    return StreamingResponse(() if asked.is_head else pieces, status_code=status, headers=headers)


def _warning(texts: Iterable[str]) -> dict[str, str]:
    """The header that tells what was not done (PS3.18 8.3.5: 299)."""
    told = ", ".join(f'299 heliograph "{text}"' for text in texts)
    return {"Warning": told} if told else {}
