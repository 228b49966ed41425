"""STOW-RS (PS3.18 10.5): a body of any size is streamed into the spool, part by part, in bounded memory.

An object is answered as stored when it is durable in the spool; indexing follows. While later parts come, earlier ones are
already being synced; the names of all are synced together, before the answer.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from anyio import to_thread

from heliograph.exchange.dicomweb.multipart import CutOff, PartReader, boundary_of
from heliograph.exchange.dicomweb.stow_json import MetadataParts
from heliograph.exchange.dicomweb.stow_names import Names
from heliograph.exchange.dicomweb.stow_outcome import (
    Destination,
    Outcome,
    Part,
    TooLarge,
    UnsupportedMediaType,
    note,
    part_of,
)
from heliograph.kit.codecs.dicom import Header, NotDicom
from heliograph.kit.codecs.dicom.bare import BEGINNING, missing_header
from heliograph.kit.codecs.dicom.claimed import claimed
from heliograph.kit.log import log
from heliograph.records.archive import spool
from heliograph.records.archive.arrivals import Arrival
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.look import Looked, look
from heliograph.records.archive.statuses import CANNOT_UNDERSTAND, OUT_OF_RESOURCES

_log = log(__name__)
_GATHER: Final = 1 << 20
_SYNCING: Final = 4
_MOST_OPEN: Final = 32
"""Whole parts that may wait to be synced before the body is read on."""
_DICOM: Final = frozenset({"application/dicom", "application/octet-stream"})
_JSON: Final = frozenset({"application/dicom+json", "application/json"})


class Receiver(Protocol):
    """Takes the parts of a body. All methods block; one thread at a time uses it."""

    outcome: Outcome

    def begin(self, headers: dict[str, str]) -> None:
        """A part begins."""

    def data(self, piece: memoryview) -> None:
        """More of the part."""

    def end(self) -> None:
        """The part is whole."""

    def cut(self) -> None:
        """The part never became whole, and no other comes."""

    def finish(self) -> None:
        """No more parts come: what is whole becomes durable."""

    def close(self) -> None:
        """Lets go of what was not finished."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """Part `number` of the outcome, which is being synced; `stack` holds its file open."""

    arrival: Future[Arrival | None]
    stack: contextlib.ExitStack
    number: int


@dataclass
class Syncing:
    """Spool files that are made durable, several at once, while others are still received."""

    to: Destination
    outcome: Outcome
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_SYNCING, "stow-sync"))
    _open: deque[_Whole] = field(default_factory=deque)
    _names: Names = field(default_factory=Names)

    def add(self, entry: spool.Incoming, header: Header, stack: contextlib.ExitStack, number: int) -> None:
        """Part `number` of the outcome is whole in `entry`; closes `stack` when it is done."""
        self._open.append(_Whole(self._pool.submit(self._durable, entry, header, number), stack, number))
        if len(self._open) > _MOST_OPEN:
            self._settle(_MOST_OPEN // 2)

    def _durable(self, entry: spool.Incoming, header: Header, number: int) -> Arrival | None:
        try:
            arrival = self.to.keeper.arrivals.durable(entry, header)
        except OutOfSpace:
            self.outcome.refuse(number, OUT_OF_RESOURCES)
            return None
        except OSError:
            _log.exception("an object could not be made durable; it is refused")
            self.outcome.refuse(number, OUT_OF_RESOURCES)
            return None
        self._names.add(number, entry)
        return arrival

    def _settle(self, number: int) -> None:
        """Waits for the oldest ones, and notes what is told of them."""
        with contextlib.ExitStack() as stack:
            some = [self._open.popleft() for _ in range(number)]
            for one in some:
                stack.enter_context(one.stack)
            arrived = [(one.number, arrival) for one in some if (arrival := one.arrival.result()) is not None]
            told = self.to.keeper.arrivals.told([arrival for _, arrival in arrived])
            for (at, _), answer in zip(arrived, told, strict=True):
                note(self.outcome.parts[at], answer)

    def finish(self) -> None:
        """Waits for all, then syncs their names; what can't be is refused."""
        self._settle(len(self._open))
        self._names.sync(self.outcome)

    def close(self) -> None:
        """Waits for all."""
        self._pool.shutdown()
        while self._open:
            self._open.popleft().stack.close()


class DicomParts:
    """Writes parts that are DICOM files, or data sets that lack what makes them such, to the spool.

    The beginning of a part is held back until it shows which of the two it is. What is neither is kept in quarantine.
    """

    def __init__(self, destination: Destination) -> None:
        self.to = destination
        self.outcome = Outcome()
        self._syncing = Syncing(destination, self.outcome)
        self._stack = contextlib.ExitStack()
        self._entry: spool.Incoming | None = None
        self._beginning: bytearray | None = None
        self._is_dicom = self._is_full = False

    def begin(self, headers: dict[str, str]) -> None:
        kind = headers.get("content-type", "application/dicom").partition(";")[0].strip().lower()
        self._is_dicom, self._is_full = kind in _DICOM, False
        self._beginning = bytearray()
        try:
            self._entry = self._stack.enter_context(self.to.incoming())
        except OutOfSpace:
            self._is_full = True

    def data(self, piece: memoryview) -> None:
        if self._beginning is not None and len(self._beginning) + len(piece) < BEGINNING:
            self._beginning += piece
            return
        if self._entry is None or self._is_full:
            return
        try:
            self._write_beginning(self._entry, piece)
            self._entry.write(piece)
        except OutOfSpace:
            self._is_full = True

    def end(self) -> None:
        self._finish_part(None if self._is_dicom else NotDicom("the part is said to be no DICOM object"))

    def cut(self) -> None:
        if self._entry is None and not self._is_full:  # it ends inside the part's header
            self.outcome.add(Part(reason=CANNOT_UNDERSTAND))
        else:
            self._finish_part(NotDicom("the body ends inside the part"))

    def finish(self) -> None:
        self._syncing.finish()

    def close(self) -> None:
        self._entry = None
        self._stack.close()
        self._syncing.close()

    def _write_beginning(self, entry: spool.Incoming, piece: memoryview | bytes = b"") -> None:
        beginning, self._beginning = self._beginning, None
        if beginning is None:
            return
        if self._is_dicom:
            entry.write(missing_header(bytes(beginning) + bytes(piece[:BEGINNING])) or b"")
        entry.write(beginning)

    def _finish_part(self, wrong: NotDicom | None) -> None:
        entry, self._entry = self._entry, None
        header: Header | None = None
        part = Part(reason=OUT_OF_RESOURCES)
        if entry is not None and not self._is_full:
            with contextlib.suppress(OutOfSpace):
                self._write_beginning(entry)
                looked = Looked(claimed(entry.temporary), error=wrong) if wrong else look(entry)
                part, header = part_of(self.to, entry, looked), looked.header
        self._is_full = False
        number = self.outcome.add(part)
        if entry is None or header is None or part.reason:
            self._stack.close()
        else:
            self._syncing.add(entry, header, self._stack.pop_all(), number)


async def receive(content_type: str, body: AsyncIterator[bytes], destination: Destination) -> Outcome:
    """Takes a whole request body. Objects received whole before an error stay: sending them again changes nothing.

    Raises:
        UnsupportedMediaType, BadMultipart, TooLarge, TooManyParts
    """
    kind = content_type.partition(";")[0].strip().lower()
    receiver: Receiver
    if kind == "application/dicom":
        receiver = DicomParts(destination)
        await _single(receiver, body, destination)
        return receiver.outcome
    if kind != "multipart/related":
        raise UnsupportedMediaType
    boundary, part_type = boundary_of(content_type)
    part_type = part_type.partition(";")[0].strip().lower()
    if part_type in _JSON:
        receiver = MetadataParts(destination)
    elif not part_type or part_type in _DICOM:
        receiver = DicomParts(destination)
    else:
        raise UnsupportedMediaType
    reader = PartReader(boundary, receiver.begin, receiver.data, receiver.end)

    def finish() -> None:
        try:
            reader.finish()
        except CutOff:
            receiver.cut()
        receiver.finish()

    try:
        async for piece in _gathered(body, destination.max_bytes):
            await to_thread.run_sync(reader.feed, piece)
        await to_thread.run_sync(finish)
    finally:
        await to_thread.run_sync(receiver.close)
    return receiver.outcome


async def _single(receiver: Receiver, body: AsyncIterator[bytes], destination: Destination) -> None:
    """One object that is the body itself."""

    def finish(*, has_begun: bool) -> None:
        if has_begun:
            receiver.end()
        receiver.finish()

    has_begun = False
    try:
        async for piece in _gathered(body, destination.max_bytes):
            if not has_begun:
                await to_thread.run_sync(receiver.begin, {"content-type": "application/dicom"})
                has_begun = True
            await to_thread.run_sync(receiver.data, memoryview(piece))
        await to_thread.run_sync(lambda: finish(has_begun=has_begun))
    finally:
        await to_thread.run_sync(receiver.close)


async def _gathered(body: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The body in pieces of about a MiB, so that a thread is called seldom. Raises TooLarge beyond `most` bytes."""
    pieces: list[bytes] = []
    size = total = 0
    async for piece in body:
        size += len(piece)
        total += len(piece)
        if total > most:
            raise TooLarge
        pieces.append(piece)
        if size >= _GATHER:
            yield b"".join(pieces)
            pieces, size = [], 0
    if size:
        yield b"".join(pieces)
