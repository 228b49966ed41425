"""STOW-RS (PS3.18 10.5): a body of any size is streamed into the spool, part by part, in bounded memory.

An object is answered as stored when it is durable in the spool; indexing follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from anyio import to_thread

from heliograph.exchange.dicomweb.multipart import PartReader, boundary_of
from heliograph.exchange.dicomweb.qido import element
from heliograph.kit.codecs.dicom import DicomError, Header, read_header
from heliograph.kit.errors import HeliographError
from heliograph.records.archive import spool
from heliograph.records.archive.errors import OutOfSpace

# Failure reasons (PS3.18 Table 10.5.3-2, the values of PS3.4 Table B.2-1).
OUT_OF_RESOURCES: Final = 0xA700
OTHER_STUDY: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
_GATHER = 1 << 20


class UnsupportedMediaType(HeliographError):
    """Send multipart/related with parts of application/dicom."""

    status = 415


class TooLarge(HeliographError):
    """The upload is larger than this server takes; send it in smaller parts."""

    status = 413


@dataclass(frozen=True, slots=True)
class Destination:
    """Whose images these are, and where they go."""

    spool_dir: Path
    organization_id: UUID
    facility_id: UUID
    caller_id: UUID | None
    min_free_mb: int = 0
    max_bytes: int = 2 << 30
    study_instance_uid: str = ""
    """When not empty, only objects of this study are taken."""


def in_study(to: Destination, study_instance_uid: str) -> Destination:
    """The same destination, for one study alone."""
    return replace(to, study_instance_uid=study_instance_uid)


@dataclass
class Outcome:
    """What became of the objects of one request."""

    stored: list[Header] = field(default_factory=list)
    failed: list[tuple[Header | None, int]] = field(default_factory=list)

    @property
    def status(self) -> int:
        """200 all, 202 some, 409 none (PS3.18 Table 10.5.3-1); 507 when the disk is the only reason."""
        if not self.failed:
            return 200 if self.stored else 400
        if self.stored:
            return 202
        return 507 if all(reason == OUT_OF_RESOURCES for _, reason in self.failed) else 409


class Receiver:
    """Writes parts to the spool. All its methods block; one thread at a time uses it."""

    def __init__(self, destination: Destination) -> None:
        self.to = destination
        self.outcome = Outcome()
        self._stack = contextlib.ExitStack()
        self._entry: spool.Incoming | None = None
        self._refused = 0

    def begin(self, headers: dict[str, str]) -> None:
        """A part begins."""
        kind = headers.get("content-type", "application/dicom").partition(";")[0].strip().lower()
        self._refused = 0 if kind in {"application/dicom", "application/octet-stream"} else CANNOT_UNDERSTAND
        if self._refused:
            return
        try:
            self._entry = self._stack.enter_context(
                spool.incoming(
                    self.to.spool_dir,
                    self.to.organization_id,
                    self.to.facility_id,
                    self.to.caller_id,
                    min_free_mb=self.to.min_free_mb,
                )
            )
        except OutOfSpace:
            self._refused = OUT_OF_RESOURCES

    def data(self, piece: bytes) -> None:
        """More of the part."""
        if self._entry is None or self._refused:
            return
        try:
            self._entry.write(piece)
        except OutOfSpace:
            self._refused = OUT_OF_RESOURCES

    def end(self) -> None:
        """The part is whole: it becomes durable, or its failure is noted."""
        entry, self._entry = self._entry, None
        header: Header | None = None
        try:
            if entry is not None and not self._refused:
                header = read_header(entry.temporary)
                if self.to.study_instance_uid and header.study_instance_uid != self.to.study_instance_uid:
                    self._refused = OTHER_STUDY
                else:
                    entry.commit()
        except DicomError:
            self._refused = CANNOT_UNDERSTAND
        except OutOfSpace:
            self._refused = OUT_OF_RESOURCES
        finally:
            self.close()
        if self._refused or header is None:
            self.outcome.failed.append((header, self._refused))
        else:
            self.outcome.stored.append(header)

    def close(self) -> None:
        """Lets go of a part that did not end."""
        self._entry = None
        self._stack.close()


async def receive(content_type: str, body: AsyncIterator[bytes], destination: Destination) -> Outcome:
    """Takes a whole request body. Objects received before an error stay: sending them again changes nothing.

    Raises:
        UnsupportedMediaType, BadMultipart, TooLarge
    """
    receiver = Receiver(destination)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dicom":
        receiver.begin({"content-type": kind})
        feed, finish = receiver.data, receiver.end
    elif kind == "multipart/related":
        boundary, part_type = boundary_of(content_type)
        if part_type and part_type.lower() != "application/dicom":
            raise UnsupportedMediaType
        reader = PartReader(boundary, receiver.begin, receiver.data, receiver.end)
        feed, finish = reader.feed, reader.finish
    else:
        raise UnsupportedMediaType
    try:
        gathered = bytearray()
        total = 0
        async for piece in body:
            total += len(piece)
            if total > destination.max_bytes:
                raise TooLarge
            gathered += piece
            if len(gathered) >= _GATHER:
                await to_thread.run_sync(feed, bytes(gathered))
                gathered.clear()
        await to_thread.run_sync(feed, bytes(gathered))
        await to_thread.run_sync(finish)
    finally:
        receiver.close()
    return receiver.outcome


def response_json(outcome: Outcome, root: str) -> dict[str, Any]:
    """The Store Instances Response (PS3.18 Table I.2.2-1 and following)."""
    made: dict[str, Any] = {}
    studies = {header.study_instance_uid for header in outcome.stored}
    if len(studies) == 1:
        made["00081190"] = element("UR", f"{root}/studies/{next(iter(studies))}")
    if outcome.failed:
        made["00081198"] = {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": element("UI", header.sop_class_uid if header else None),
                    "00081155": element("UI", header.sop_instance_uid if header else None),
                    "00081197": element("US", reason),
                }
                for header, reason in outcome.failed
            ],
        }
    if outcome.stored:
        made["00081199"] = {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": element("UI", header.sop_class_uid),
                    "00081155": element("UI", header.sop_instance_uid),
                    "00081190": element(
                        "UR",
                        f"{root}/studies/{header.study_instance_uid}/series/{header.series_instance_uid}"
                        f"/instances/{header.sop_instance_uid}",
                    ),
                }
                for header in outcome.stored
            ],
        }
    return made
