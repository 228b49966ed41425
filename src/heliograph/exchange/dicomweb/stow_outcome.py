"""What becomes of the objects of one STOW-RS request, and how the client is told (PS3.18 10.5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from heliograph.exchange.dicomweb.qido import element
from heliograph.kit.errors import HeliographError
from heliograph.kit.settings import Settings
from heliograph.records.archive import spool
from heliograph.records.archive.arrivals import Arrivals
from heliograph.records.archive.look import Looked
from heliograph.records.archive.quarantine import Quarantine
from heliograph.records.archive.statuses import HELD, NOT_KEPT, OTHER_STUDY, OUT_OF_RESOURCES, TAKEN, status_of


class UnsupportedMediaType(HeliographError):
    """Send multipart/related with parts of application/dicom, or of application/dicom+json with bulk data."""

    status = 415


class TooLarge(HeliographError):
    """The upload is larger than this server takes; send it in smaller parts."""

    status = 413


@dataclass(frozen=True, slots=True)
class Keeper:
    """What a process keeps received objects with: its settings, what came under which UID, and the quarantine."""

    settings: Settings
    arrivals: Arrivals
    quarantine: Quarantine


@dataclass(frozen=True, slots=True)
class Destination:
    """Whose images these are, and where they go."""

    keeper: Keeper
    organization_id: UUID
    facility_id: UUID
    caller_id: UUID | None
    study_instance_uid: str = ""
    """When not empty, only objects of this study are taken."""

    @property
    def max_bytes(self) -> int:
        """Of one request."""
        return self.keeper.settings.max_upload_mb << 20

    def incoming(self) -> AbstractContextManager[spool.Incoming]:
        """A new spool file. Raises OutOfSpace."""
        settings = self.keeper.settings
        return spool.incoming(
            settings.spool_dir,
            self.organization_id,
            self.facility_id,
            self.caller_id,
            min_free_mb=settings.min_free_mb,
        )

    def takes(self, study_instance_uid: str) -> bool:
        """Whether objects of this study are taken."""
        return self.study_instance_uid in {"", study_instance_uid}


def in_study(to: Destination, study_instance_uid: str) -> Destination:
    """The same destination, for one study alone."""
    return replace(to, study_instance_uid=study_instance_uid)


@dataclass(slots=True)
class Part:
    """One object of a request: what it says it is, and why it failed (`reason`) or what is odd (`warning`), in the statuses of
    `records.archive.statuses`; 0: nothing. UIDs of one that failed may be anything."""

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
        """Those that are not filed."""
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


def part_of(to: Destination, entry: spool.Incoming, looked: Looked) -> Part:
    """What is told of a received object. One that can't be read is kept in quarantine.

    Raises:
        OutOfSpace: the disk is full.
    """
    part = Part(*looked.claimed, warning=looked.warning)
    if looked.error is not None:
        part.reason = status_of(looked.error) if to.keeper.quarantine.keep(entry) else NOT_KEPT
    elif not to.takes(part.study_instance_uid):
        part.reason = OTHER_STUDY
    return part


def note(part: Part, told: str | None) -> None:
    """What the facility wants said of a part under whose UID other content is here (see `Arrivals`); None: nothing."""
    if told == "warning":
        part.warning = HELD
    elif told == "failure":
        part.reason = TAKEN


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
