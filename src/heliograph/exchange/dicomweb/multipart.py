"""multipart/related (RFC 2046 5.1, RFC 2387; PS3.18 8.6.1.2): parts out, and parts in as a stream in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from email.message import Message
from uuid import uuid4

from heliograph.kit.errors import Invalid

_MOST_HEADER = 16 << 10
_MOST_BOUNDARY = 70


class BadMultipart(Invalid):
    """The multipart body is broken or incomplete; send it again."""

    status = 400


def new_boundary() -> str:
    """A boundary that no content holds."""
    return f"heliograph-{uuid4().hex}"


def content_type(boundary: str, media_type: str) -> str:
    """The header of a whole multipart answer."""
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def parts(boundary: str, bodies: Iterable[tuple[dict[str, str], Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of a multipart answer, part by part."""
    first = True
    for headers, chunks in bodies:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"{'' if first else chr(13) + chr(10)}--{boundary}\r\n{lines}\r\n".encode("latin-1", "replace")
        yield from chunks
        first = False
    yield f"\r\n--{boundary}--\r\n".encode()


def boundary_of(header: str) -> tuple[str, str]:
    """(boundary, type) of a multipart/related Content-Type.

    Raises:
        BadMultipart: it is none, or has no boundary.
    """
    message = Message()
    message["content-type"] = header
    boundary = message.get_param("boundary")
    kind = message.get_param("type") or ""
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise BadMultipart("send multipart/related with a boundary")
    boundary = boundary.rstrip(" ")
    if not 0 < len(boundary) <= _MOST_BOUNDARY or not boundary.isascii():
        raise BadMultipart("the boundary is not one of RFC 2046")
    return boundary, kind if isinstance(kind, str) else ""


class PartReader:
    """Takes a body in pieces of any size and hands each part's bytes on as they come.

    `begin(headers)` starts a part (names in lower case), `data(bytes)` adds to it, `end()` finishes it. Memory stays below two
    pieces. Call `finish` after the last piece.
    """

    def __init__(
        self,
        boundary: str,
        begin: Callable[[dict[str, str]], None],
        data: Callable[[bytes], None],
        end: Callable[[], None],
    ) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._begin, self._data, self._end = begin, data, end
        # The first delimiter may stand at the very start, without its line break.
        self._buffer = bytearray(b"\r\n")
        self._state = self._preamble

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes. Raises BadMultipart."""
        self._buffer += piece
        while self._state():
            pass

    def finish(self) -> None:
        """The body is over. Raises BadMultipart if its last part is not whole."""
        if self._state != self._epilogue:
            raise BadMultipart("the body ends before its closing boundary")

    def _preamble(self) -> bool:
        return self._to_delimiter(None)

    def _body(self) -> bool:
        return self._to_delimiter(self._data)

    def _to_delimiter(self, sink: Callable[[bytes], None] | None) -> bool:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter) - 1
            if len(self._buffer) > keep:
                self._give(len(self._buffer) - keep, sink)
            return False
        if at:
            self._give(at, sink)
        # After the boundary: "--" ends everything, padding and a line break begin a part, anything else is content.
        after = len(self._delimiter)
        if self._buffer[after : after + 2] == b"--":
            if sink:
                self._end()
            self._state = self._epilogue
            return True
        line = self._buffer.find(b"\r\n", after)
        rest = bytes(self._buffer[after:line] if line >= 0 else self._buffer[after:].removesuffix(b"\r"))
        if rest.strip(b" \t") and not (line < 0 and rest == b"-"):
            self._give(1, sink)
            return True
        if line < 0:
            if len(rest) > _MOST_HEADER:
                raise BadMultipart
            return False
        if sink:
            self._end()
        # The line break stays: it may be the empty line that ends an empty header.
        del self._buffer[:line]
        self._state = self._headers
        return True

    def _headers(self) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            if len(self._buffer) > _MOST_HEADER:
                raise BadMultipart("the header of a part is too long")
            return False
        found = {}
        for line in bytes(self._buffer[:at]).decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip():
                found[name.strip().lower()] = value.strip()
        del self._buffer[: at + 4]
        self._begin(found)
        self._state = self._body
        return True

    def _epilogue(self) -> bool:
        self._buffer.clear()
        return False

    def _give(self, count: int, sink: Callable[[bytes], None] | None) -> None:
        if sink is not None:
            sink(bytes(self._buffer[:count]))
        del self._buffer[:count]
