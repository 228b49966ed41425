"""multipart/related (RFC 2046 5.1, RFC 2387; PS3.18 8.6.1.2): parts out, and parts in as a stream in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from email.message import Message
from uuid import uuid4

from heliograph.kit.errors import HeliographError, Invalid

_MOST_HEADER = 16 << 10
_MOST_BOUNDARY = 256
"""RFC 2046 5.1.1 says 70; Orthanc sends 73."""
_MOST_PADDING = 1 << 10
MOST_PARTS = 20_000
"""Of one body. The largest studies have some thousand objects, and fewer come in one request."""


class BadMultipart(Invalid):
    """The multipart body is broken or incomplete; send it again."""

    status = 400


class TooManyParts(HeliographError):
    """The request holds more than 20,000 parts or data sets; send it as several."""

    status = 413


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
    message["content-type"] = header.replace("\r", " ").replace("\n", " ")
    boundary = message.get_param("boundary")
    kind = message.get_param("type") or ""
    if message.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise BadMultipart("send multipart/related with a boundary")
    boundary = boundary.rstrip(" ")
    if not 0 < len(boundary) <= _MOST_BOUNDARY or not boundary.isascii():
        raise BadMultipart("the boundary is not one of RFC 2046")
    return boundary, kind if isinstance(kind, str) else ""


class CutOff(BadMultipart):
    """The multipart body ends inside a part; send it again."""


class PartReader:
    """Takes a body in pieces of any size and hands each part's bytes on as they come.

    `begin(headers)` starts a part (names in lower case), `data(bytes)` adds to it, `end()` finishes it. Memory stays below two
    pieces. Call `finish` after the last piece. Only a boundary at the start of a line counts. Where the first boundary ends in a
    bare line feed, all line breaks of the frame are such.
    """

    def __init__(
        self,
        boundary: str,
        begin: Callable[[dict[str, str]], None],
        data: Callable[[memoryview], None],
        end: Callable[[], None],
    ) -> None:
        self._boundary = b"--" + boundary.encode("ascii")
        self._begin, self._data, self._end = begin, data, end
        self._break = b"\n"
        # The first delimiter may stand at the very start, without its line break.
        self._rest = b"\r\n"
        self._state = self._preamble
        self._parts = 0

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes. Raises BadMultipart, TooManyParts."""
        whole = self._rest + piece if self._rest else piece
        at, more = 0, True
        while more:
            at, more = self._state(whole, at)
        self._rest = whole[at:]

    def finish(self) -> None:
        """The body is over.

        Raises:
            CutOff: its last part is not whole.
            BadMultipart: there is no boundary in it.
        """
        if self._state == self._preamble:
            raise BadMultipart("the body has no boundary of its header")
        if self._state == self._body and self._rest.startswith(self._break + self._boundary):
            # Only the closing boundary's own end is missing.
            self._state = self._epilogue
            self._end()
        elif self._state != self._epilogue:
            raise CutOff("the body ends before its closing boundary")

    def _preamble(self, whole: bytes, at: int) -> tuple[int, bool]:
        return self._to_delimiter(whole, at, None)

    def _body(self, whole: bytes, at: int) -> tuple[int, bool]:
        return self._to_delimiter(whole, at, self._data)

    def _to_delimiter(self, whole: bytes, at: int, sink: Callable[[memoryview], None] | None) -> tuple[int, bool]:
        """Where the next state begins, or what must be kept until more comes."""
        delimiter = self._break + self._boundary
        found = whole.find(delimiter, at)
        while found >= 0:
            kind, line = self._after(whole, found + len(delimiter))
            if kind != "content":
                if sink:
                    self._give(whole, at, found, sink)
                if kind == "unknown":
                    return found, False
                if sink:
                    self._end()
                else:
                    self._break = b"\r\n" if kind == "end" or whole[line - 1 : line] == b"\r" else b"\n"
                    line -= self._break == b"\r\n" and kind == "part"
                self._state = self._headers if kind == "part" else self._epilogue
                # The line break stays: it may be the empty line that ends an empty header.
                return line, True
            found = whole.find(delimiter, found + 1)
        kept = max(len(whole) - len(delimiter) + 1, at)
        if sink:
            self._give(whole, at, kept, sink)
        return kept, False

    def _after(self, whole: bytes, at: int) -> tuple[str, int]:
        """What follows a boundary: "--" ends everything, padding and a line break begin a part, anything else is content."""
        if whole.startswith(b"--", at):
            return "end", at
        line = whole.find(self._break, at, at + _MOST_PADDING)
        rest = whole[at : line if line >= 0 else at + _MOST_PADDING]
        if line >= 0:
            return ("content" if rest.strip(b" \t\r") else "part"), line
        return ("content" if rest.strip(b" \t\r") not in {b"", b"-"} or len(rest) == _MOST_PADDING else "unknown"), at

    def _headers(self, whole: bytes, at: int) -> tuple[int, bool]:
        end = whole.find(self._break * 2, at, at + _MOST_HEADER)
        if end < 0:
            if len(whole) - at >= _MOST_HEADER:
                raise BadMultipart("the header of a part is too long")
            return at, False
        found: dict[str, str] = {}
        for line in whole[at:end].decode("latin-1").replace("\r\n", "\n").split("\n"):
            name, _, value = line.partition(":")
            if name.strip():
                found[name.strip().lower()] = value.strip()
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise TooManyParts
        self._begin(found)
        self._state = self._body
        return end + 2 * len(self._break), True

    def _epilogue(self, whole: bytes, at: int) -> tuple[int, bool]:
        return max(len(whole), at), False

    @staticmethod
    def _give(whole: bytes, start: int, end: int, sink: Callable[[memoryview], None]) -> None:
        if end > start:
            sink(memoryview(whole)[start:end])
