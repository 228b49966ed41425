"""STOW-RS of metadata and bulk data (PS3.18 10.5.1.2): data sets as JSON, and parts that their BulkDataURIs name.

Bulk data waits in one unnamed file beside the spool; when the body is over, each object is put together as a Part 10 file, read as
any other would be, and becomes durable.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Final

from heliograph.exchange.dicomweb.multipart import MOST_PARTS, BadMultipart, TooManyParts
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
from heliograph.exchange.dicomweb.syntaxes import NATIVE
from heliograph.kit.codecs.dicom import Bulk, DicomError, from_json, part10_header, valid_uid
from heliograph.kit.codecs.dicom.claimed import MOST, Claimed
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE
from heliograph.kit.log import log
from heliograph.records.archive import spool
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.examine import clean
from heliograph.records.archive.look import Looked, look
from heliograph.records.archive.statuses import CANNOT_UNDERSTAND, OUT_OF_RESOURCES

MOST_METADATA: Final = 16 << 20
"""Bytes of JSON in one request."""
_log = log(__name__)
_PIECE: Final = 1 << 20
_PIXELS: Final = ("7FE00010", "7FE00008", "7FE00009")
_META: Final = {"application/dicom+json", "application/json"}
SYNTAX_OF: Final = {
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jpx": "1.2.840.10008.1.2.4.92",
    "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "video/mpeg": "1.2.840.10008.1.2.4.100",
    "video/mp4": "1.2.840.10008.1.2.4.102",
}
"""The transfer syntax of a media type without a parameter that names one (PS3.18 Table 8.7.3-5: the lossless one)."""


@dataclass(slots=True)
class _Stretch:
    """Bulk data in the file: from `start`, `length` bytes, of this transfer syntax."""

    start: int
    length: int
    transfer_syntax: str


class MetadataParts:
    """Gathers metadata and bulk data; `finish` makes objects of them. All methods block; one thread at a time uses it."""

    def __init__(self, destination: Destination) -> None:
        self.to = destination
        self.outcome = Outcome()
        self._stack = contextlib.ExitStack()
        self._file: IO[bytes] | None = None
        self._end = 0
        self._bulk: dict[str, list[_Stretch]] = {}
        self._metadata: list[bytearray] = []
        self._into: bytearray | _Stretch | None = None
        self._is_full = False

    def begin(self, headers: dict[str, str]) -> None:
        kind, _, parameters = headers.get("content-type", "").partition(";")
        kind = kind.strip().lower()
        if kind in _META or (not kind and not self._metadata):
            self._metadata.append(bytearray())
            self._into = self._metadata[-1]
            return
        if kind in {"application/dicom", "application/dicom+xml"}:
            raise UnsupportedMediaType
        self._into = _Stretch(self._end, 0, _syntax(kind, parameters))
        for name in _names(headers):
            self._bulk.setdefault(name, []).append(self._into)

    def data(self, piece: memoryview) -> None:
        if isinstance(self._into, bytearray):
            self._into += piece
            if sum(map(len, self._metadata)) > MOST_METADATA:
                raise TooLarge
        elif self._into is not None and not self._is_full:
            try:
                self._write(piece)
            except OutOfSpace:
                self._is_full = True
            self._into.length += len(piece)

    def end(self) -> None:
        self._into = None

    def cut(self) -> None:
        if isinstance(self._into, bytearray):
            self._metadata.pop()
            self.outcome.add(Part(reason=CANNOT_UNDERSTAND))
        elif self._into is not None:  # what names it fails
            for stretches in self._bulk.values():
                if self._into in stretches:
                    stretches.clear()

    def finish(self) -> None:
        documents = self._documents()
        if len(documents) > MOST_PARTS:
            raise TooManyParts
        names = Names()
        for document in documents:
            try:
                part, entry = self._keep(document, _identity(document))
            except OutOfSpace:
                part, entry = replace(_identity(document), reason=OUT_OF_RESOURCES), None
            number = self.outcome.add(part)
            if entry is not None:
                names.add(number, entry)
        names.sync(self.outcome)

    def _keep(self, document: Any, part: Part) -> tuple[Part, spool.Incoming | None]:
        """Makes the object of one data set durable but for its name, in the entry that is given. Of one that can't be made, the
        metadata is kept in quarantine. Raises OutOfSpace."""
        if self._is_full:
            raise OutOfSpace
        try:
            with self.to.incoming() as entry:
                self._compose(document, part, entry)
                looked = look(entry)
                part = part_of(self.to, entry, looked)
                if looked.header is None or part.reason:
                    return part, None
                arrivals = self.to.keeper.arrivals
                try:
                    arrived = arrivals.durable(entry, looked.header)
                except OSError as error:
                    _log.exception("an object could not be made durable; it is refused")
                    raise OutOfSpace from error
                note(part, arrivals.told([arrived])[0])
                return part, entry
        except DicomError as error:
            with self.to.incoming() as entry:
                entry.write(json.dumps(document).encode())
                claim = Claimed(*(getattr(part, name) for name in Claimed._fields))
                return part_of(self.to, entry, Looked(claim, error=error)), None

    def close(self) -> None:
        self._stack.close()

    def _write(self, piece: memoryview) -> None:
        with spool.full_disk_named():
            if self._file is None:
                spool.make_folder(self.to.keeper.settings.spool_dir)
                # Without a buffer, so that a full disk shows at once, and not when the file is read or closed.
                file = tempfile.TemporaryFile(dir=self.to.keeper.settings.spool_dir, buffering=0)  # noqa: SIM115
                self._file = self._stack.enter_context(file)
            free = os.fstatvfs(self._file.fileno())
            if free.f_bavail * free.f_frsize < self.to.keeper.settings.min_free_mb << 20:
                raise OutOfSpace
            left = piece
            while left:
                left = left[self._file.write(left) :]
        self._end += len(piece)

    def _documents(self) -> list[Any]:
        found: list[Any] = []
        for text in self._metadata:
            try:
                made = json.loads(bytes(text).decode("utf-8-sig"), parse_constant=_no_constant)
            except (ValueError, RecursionError):
                raise BadMultipart("the metadata is no JSON") from None
            found += made if isinstance(made, list) else [made]
        return found

    def _compose(self, document: Any, part: Part, entry: spool.Incoming) -> None:
        """The Part 10 file of one data set. Raises DicomError, OutOfSpace."""
        syntax = self._syntax_of(document)
        entry.write(part10_header(part.sop_class_uid, part.sop_instance_uid, syntax))
        gathered = bytearray()
        for piece in from_json(document, self._find, is_encapsulated=syntax not in NATIVE):
            gathered += piece
            if len(gathered) >= _PIECE:
                entry.write(bytes(gathered))
                gathered.clear()
        entry.write(bytes(gathered))

    def _syntax_of(self, document: Any) -> str:
        entries = (document.get(tag) for tag in _PIXELS) if isinstance(document, dict) else ()
        for entry in entries:
            if isinstance(entry, dict) and isinstance(entry.get("BulkDataURI"), str):
                for stretch in self._stretches(entry["BulkDataURI"]):
                    return stretch.transfer_syntax
        return EXPLICIT_LITTLE

    def _stretches(self, uri: str) -> list[_Stretch]:
        return self._bulk.get(uri.strip()) or self._bulk.get(uri.strip().removeprefix("cid:")) or []

    def _find(self, uri: str) -> Sequence[Bulk]:
        return [Bulk(s.length, lambda s=s: self._read(s)) for s in self._stretches(uri)]  # type: ignore[misc]

    def _read(self, stretch: _Stretch) -> Iterable[bytes]:
        at, end = stretch.start, stretch.start + stretch.length
        while self._file is not None and at < end:
            self._file.seek(at)
            piece = self._file.read(min(_PIECE, end - at))
            at += len(piece)
            yield piece


def _names(headers: dict[str, str]) -> set[str]:
    """What a BulkDataURI may call a part: its Content-Location, or its Content-ID (RFC 2392)."""
    return {headers.get("content-location", ""), headers.get("content-id", "").strip("<>")} - {""}


def _syntax(kind: str, parameters: str) -> str:
    """The transfer syntax of a bulk data part; uncompressed is Explicit VR Little Endian, as its octets are."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "transfer-syntax" and valid_uid(value):
            return EXPLICIT_LITTLE if value in NATIVE else value
    return SYNTAX_OF.get(kind, EXPLICIT_LITTLE)


def _identity(document: Any) -> Part:
    """Which object a data set says it is, in UIDs or not; empty where it does not."""

    def uid(tag: str) -> str:
        try:
            text = str(document[tag]["Value"][0])
        except (KeyError, IndexError, TypeError):
            return ""
        return (clean(text) or "")[:MOST]

    return Part(uid("00080016"), uid("00080018"), uid("0020000D"), uid("0020000E"))


def _no_constant(_name: str) -> None:
    raise ValueError
