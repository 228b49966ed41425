"""What becomes of the objects of one STOW-RS request, and how the client is told (PS3.18 10.5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from heliograph.exchange.dicomweb.qido import element
from heliograph.kit.codecs.dicom import DicomError, opened, read_file_meta, read_header
from heliograph.kit.errors import HeliographError
from heliograph.records.archive import spool

# Failure reasons (PS3.18 Table I.2-2, the values of PS3.4 Table B.2-1), and reasons of warnings.
OUT_OF_RESOURCES: Final = 0xA700
OTHER_STUDY: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
NOT_OF_ITS_CLASS: Final = 0xB007
FAILURE_REASONS: Final = {
    OUT_OF_RESOURCES: "too little disk is free",
    OTHER_STUDY: "the object belongs to another study than the request names",
    CANNOT_UNDERSTAND: "the part is no readable DICOM object, is cut off, or lacks a bulk data part that it names",
}
WARNING_REASONS: Final = {
    NOT_OF_ITS_CLASS: "stored; the file meta information names another object, or there are fewer pixels than described",
}


class UnsupportedMediaType(HeliographError):
    """Send multipart/related with parts of application/dicom, or of application/dicom+json with bulk data."""

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

    def incoming(self) -> AbstractContextManager[spool.Incoming]:
        """A new spool file. Raises OutOfSpace."""
        return spool.incoming(
            self.spool_dir, self.organization_id, self.facility_id, self.caller_id, min_free_mb=self.min_free_mb
        )

    def takes(self, study_instance_uid: str) -> bool:
        """Whether objects of this study are taken."""
        return self.study_instance_uid in {"", study_instance_uid}


def in_study(to: Destination, study_instance_uid: str) -> Destination:
    """The same destination, for one study alone."""
    return replace(to, study_instance_uid=study_instance_uid)


@dataclass(slots=True)
class Part:
    """One object of a request: what is known of it, and why it failed (`reason`) or what is odd (`warning`); 0: nothing."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    reason: int = 0
    warning: int = 0


@dataclass
class Outcome:
    """What became of the objects of one request, in their order."""

    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> int:
        """Adds the next; its number."""
        self.parts.append(part)
        return len(self.parts) - 1

    def refuse(self, number: int, reason: int) -> None:
        """A part that was thought to be stored is not."""
        self.parts[number].reason = reason

    @property
    def stored(self) -> list[Part]:
        """Those that are durable."""
        return [part for part in self.parts if not part.reason]

    @property
    def failed(self) -> list[Part]:
        """Those that are not kept."""
        return [part for part in self.parts if part.reason]

    @property
    def status(self) -> int:
        """200 all, 202 some or with warnings, 409 none (PS3.18 Table 10.5.3-1); 507 when the disk is the only reason; 400: empty."""
        if not self.parts:
            return 400
        if not self.failed:
            return 202 if any(part.warning for part in self.parts) else 200
        if self.stored:
            return 202
        return 507 if all(part.reason == OUT_OF_RESOURCES for part in self.parts) else 409


def told_of(file: Path) -> Part:
    """What a Part 10 file is, with a warning when it is odd.

    Raises:
        DicomError: it can't be stored.
    """
    with opened(file) as data:
        header = read_header(data)
        try:
            meta = read_file_meta(data)
            names = {(meta.sop_class_uid or header.sop_class_uid, meta.sop_instance_uid or header.sop_instance_uid)}
        except DicomError:  # a bare data set has none
            names = set()
    part = Part(header.sop_class_uid, header.sop_instance_uid, header.study_instance_uid, header.series_instance_uid)
    if header.pixels_short or names - {(header.sop_class_uid, header.sop_instance_uid)}:
        part.warning = NOT_OF_ITS_CLASS
    return part


def response_json(outcome: Outcome, root: str) -> dict[str, Any]:
    """The Store Instances Response (PS3.18 Table I.2-1 and following)."""
    made: dict[str, Any] = {}
    studies = {part.study_instance_uid for part in outcome.stored}
    if len(studies) == 1:
        made["00081190"] = element("UR", f"{root}/studies/{next(iter(studies))}")
    if outcome.failed:
        failed = [{**_named(part), "00081197": element("US", part.reason)} for part in outcome.failed]
        made["00081198"] = {"vr": "SQ", "Value": failed}
    if outcome.stored:
        made["00081199"] = {"vr": "SQ", "Value": list(_referenced(outcome, root))}
    return made


def _named(part: Part) -> dict[str, Any]:
    return {
        "00081150": element("UI", part.sop_class_uid or None),
        "00081155": element("UI", part.sop_instance_uid or None),
    }


def _referenced(outcome: Outcome, root: str) -> Iterator[dict[str, Any]]:
    for part in outcome.stored:
        where = f"{root}/studies/{part.study_instance_uid}/series/{part.series_instance_uid}"
        item = {**_named(part), "00081190": element("UR", f"{where}/instances/{part.sop_instance_uid}")}
        if part.warning:
            item["00081196"] = element("US", part.warning)
        yield item
