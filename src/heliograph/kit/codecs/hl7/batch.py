"""Batches: `[FHS] {[BHS] {MSH ...} [BTS]} [FTS]` (HL7 v2.5.1 2.10.3), taken apart and answered in kind. Bytes, since each message in it
declares its own character set; no set that can be read here has CR or LF inside a character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from heliograph.kit.codecs.hl7.charset import trimmed
from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.errors import Location
from heliograph.kit.errors import Invalid

_ENVELOPE = (b"FHS", b"BHS", b"MSH", b"BTS", b"FTS")
_OWN_SEPARATORS = b"|^~\\&"


class BadBatch(Invalid):
    """The envelope contradicts itself or what is in it, so none of it is processed. `fault` is of HL7 table 0357."""

    def __init__(self, segment: str, sequence: int, field: int | None, detail: str) -> None:
        self.fault, self.location = "100", Location(segment, sequence, field)
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Header:
    """An FHS or BHS segment as it came."""

    raw: bytes

    def __getitem__(self, number: int) -> bytes:
        """A field by its number; the separator itself is field 1."""
        fields = self.raw.split(self.raw[3:4])
        return fields[number - 1] if number - 1 < len(fields) else b""


@dataclass(slots=True)
class Batch:
    """One batch: its header, None where there is none, and its messages byte for byte."""

    header: Header | None
    messages: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchFile:
    """What a payload holds: with FHS, or BHS alone, or messages one after the other without any envelope."""

    header: Header | None
    batches: tuple[Batch, ...]


def is_batch(payload: bytes) -> bool:
    """Whether it begins with the header of a file or a batch."""
    return trimmed(payload[:16])[:3] in (b"FHS", b"BHS")


def split_batch(payload: bytes) -> BatchFile:
    """Takes a file or batch apart and checks its counts.

    Raises:
        BadBatch: segments stand in no order that a batch has; an envelope that was opened is not closed, so that what came may be cut
            short; a count (BTS-1, FTS-1) is not that of what came; or it holds neither header nor message.
    """
    return _Splitter(trimmed(payload)).result()


class _Splitter:
    def __init__(self, payload: bytes) -> None:
        self._file: Header | None = None
        self._batches: list[Batch] = []
        self._open: Batch | None = None
        self._is_closed = False
        self._has_begun = False
        for line in _lines(payload):
            self._take(line)

    def result(self) -> BatchFile:
        if self._open is not None and self._open.header is not None:
            raise BadBatch(
                "BTS", len(self._batches), None, "The batch ends before its trailer (BTS): it may be cut short."
            )
        if self._file is not None and not self._is_closed:
            raise BadBatch("FTS", 1, None, "The file ends before its trailer (FTS): it may be cut short.")
        if not self._has_begun:
            raise BadBatch("MSH", 1, None, "There is no HL7 message in it.")
        return BatchFile(self._file, tuple(self._batches))

    def _take(self, line: bytes) -> None:
        name = line[:3] if line[:3] in _ENVELOPE and not line[3:4].isalnum() else b""
        if self._is_closed:
            if line.strip():
                raise BadBatch("FTS", 1, None, "Something stands behind the file's trailer (FTS).")
            return
        match name:
            case b"FHS":
                if self._has_begun:
                    raise BadBatch("FHS", 2, None, "A file has one header (FHS), and it stands first.")
                self._file = Header(line.rstrip(b"\r\n"))
            case b"BHS":
                if self._open is not None and self._open.header is not None:
                    raise BadBatch(
                        "BTS", len(self._batches), None, "A batch begins before the one before it has ended."
                    )
                self._begin(Header(line.rstrip(b"\r\n")))
            case b"MSH":
                if self._open is None:
                    self._begin(None)
                if self._open is not None:
                    self._open.messages.append(line)
            case b"BTS":
                self._end_batch(line)
            case b"FTS":
                self._end_file(line)
            case _:
                self._go_on(line)
        self._has_begun = self._has_begun or bool(name)

    def _begin(self, header: Header | None) -> None:
        self._open = Batch(header)
        self._batches.append(self._open)

    def _go_on(self, line: bytes) -> None:
        if self._open is not None and self._open.messages:
            self._open.messages[-1] += line
        elif line.strip():
            raise BadBatch("MSH", 1, None, "A segment stands outside of any message.")

    def _end_batch(self, line: bytes) -> None:
        number = max(1, len(self._batches))
        if self._open is None or self._open.header is None:
            raise BadBatch("BTS", number, None, "A batch ends (BTS) that has not begun (BHS).")
        self._count("BTS", number, line, len(self._open.messages))
        self._open = None

    def _end_file(self, line: bytes) -> None:
        if self._file is None:
            raise BadBatch("FTS", 1, None, "A file ends (FTS) that has not begun (FHS).")
        if self._open is not None and self._open.header is not None:
            raise BadBatch("BTS", len(self._batches), None, "The file ends before its last batch has.")
        self._count("FTS", 1, line, len(self._batches))
        self._is_closed, self._open = True, None

    def _count(self, segment: str, sequence: int, line: bytes, number: int) -> None:
        told = Header(line.rstrip(b"\r\n"))[2] if len(line.rstrip(b"\r\n")) > 3 else b""
        told = told.strip()
        if told and (not told.isdigit() or int(told) != number):
            raise BadBatch(segment, sequence, 1, f"{segment}-1 is not the number of what came: {number}.")


def _lines(payload: bytes) -> list[bytes]:
    """Lines with their ends. As in a message, the end of the first says whether a lone LF ends a line."""
    first = re.search(rb"[\r\n]", payload)
    ends = (
        rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+" if first is not None and first.group() == b"\n" else rb"[^\r]*\r\n?|[^\r]+"
    )
    return re.findall(ends, payload)


def build_batch_answer(
    asked: BatchFile, answers: Sequence[Sequence[bytes]], *, control_id: str, now: datetime
) -> bytes:
    """The answer to a file or batch: the acknowledgements of each batch's messages in the same envelopes, names swapped; BHS-12 and
    FHS-12 are the control id (BHS-11, FHS-11) of what is answered. `answers`: of each batch, those of its messages.
    """
    written: list[bytes] = []
    if asked.header is not None:
        written.append(_header(b"FHS", asked.header, control_id, now))
    for batch, acks in zip(asked.batches, answers, strict=True):
        header = batch.header or asked.header
        if header is not None:
            written.append(_header(b"BHS", header, control_id, now, is_answer=batch.header is not None))
        written += acks
        if header is not None:
            written.append(b"BTS" + header.raw[3:4] + str(len(acks)).encode() + b"\r")
    if asked.header is not None:
        written.append(b"FTS" + asked.header.raw[3:4] + str(len(asked.batches)).encode() + b"\r")
    return b"".join(written)


def _header(name: bytes, asked: Header, control_id: str, now: datetime, *, is_answer: bool = True) -> bytes:
    separator = asked.raw[3:4]
    fields = [name, asked[2] or _OWN_SEPARATORS[1:], asked[5], asked[6], asked[3], asked[4], format_dtm(now).encode()]
    fields += [b"", b"", b"", control_id.encode(), asked[11] if is_answer else b""]
    return separator.join(fields).rstrip(separator) + b"\r"
