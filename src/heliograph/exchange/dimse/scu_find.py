"""What a node has of a patient or study: down to each object, so that what arrives can be counted and never has to be believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydicom import Dataset

from heliograph.kit.codecs.dicom import valid_uid
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom import Failed, Peer
from heliograph.kit.net.dicom.client import STUDY_FIND, find
from heliograph.kit.net.dicom.identifiers import Level, query_for, text_of

MOST_STUDIES = 500
MOST_SERIES = 500
MOST_OBJECTS = 50_000
"""Of one study. Nobody has more; a node that says so is not believed."""
_WILDCARDS = re.compile(r"[*?\\]")


class NotAskable(HeliographError):
    """The identifier holds a wildcard, which the node would take for a pattern."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask for. A patient by the identifier that the facility knows them by, with what must not differ."""

    patient_id: str | None = None
    authority: str | None = None
    birth_date: date | None = None
    study_instance_uid: str | None = None
    accession_number: str | None = None


@dataclass(slots=True)
class FoundStudy:
    """A study as the node describes it. `objects`: SOP Instance UID -> (series, SOP class or ""); empty if it names none."""

    uid: str
    study_date: str = ""
    modalities: str = ""
    said: int | None = None
    """How many objects it says that it has."""
    objects: dict[str, tuple[str, str]] = field(default_factory=dict)
    kept_in: set[str] = field(default_factory=set)
    """Transfer syntaxes that it says its objects are in, if it says so."""
    received: int = 0
    error: str | None = None

    @property
    def expected(self) -> int:
        return len(self.objects) or self.said or 0

    @property
    def is_whole(self) -> bool:
        return self.expected > 0 and self.received >= self.expected

    def as_json(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "date": self.study_date,
            "modalities": self.modalities,
            "expected": self.expected,
            "received": self.received,
            "done": self.is_whole,
            "error": self.error,
        }


def find_studies(peer: Peer, wanted: Wanted, should_stop: Callable[[], bool]) -> tuple[list[FoundStudy], int]:
    """The studies that match, and how many were passed over because they are another patient's.

    A node that ignores a key, or a patient of another authority with the same number: what comes back is looked at again.

    Raises: NotAskable, AssociationError
    """
    keys = {
        "PatientID": wanted.patient_id or "",
        "IssuerOfPatientID": "",
        "PatientBirthDate": "",
        "StudyInstanceUID": wanted.study_instance_uid or "",
        "AccessionNumber": wanted.accession_number or "",
        "StudyDate": "",
        "ModalitiesInStudy": "",
        "NumberOfStudyRelatedInstances": "",
    }
    if any(_WILDCARDS.search(v) for v in keys.values()):
        raise NotAskable
    if not any((wanted.patient_id, wanted.study_instance_uid, wanted.accession_number)):
        raise NotAskable("There is nothing to ask for.")
    found: dict[str, FoundStudy] = {}
    others = 0
    for match in _ask(peer, "STUDY", keys, MOST_STUDIES, should_stop):
        uid = text_of(match, "StudyInstanceUID")
        if not valid_uid(uid):
            continue
        if not _is_wanted(match, wanted):
            others += 1
            continue
        said = text_of(match, "NumberOfStudyRelatedInstances")
        found[uid] = FoundStudy(
            uid,
            text_of(match, "StudyDate"),
            text_of(match, "ModalitiesInStudy"),
            int(said) if said.isdecimal() else None,
        )
    if len(found) + others >= MOST_STUDIES:
        raise NotAskable(f"It has {MOST_STUDIES} studies of this or more: ask for one by its number.")
    return list(found.values()), others


def find_objects(peer: Peer, study: FoundStudy, should_stop: Callable[[], bool]) -> None:
    """Fills in the study's objects, series by series. A node that can't tell them is left with the count that it said."""
    try:
        wanted = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": "", "Modality": ""}
        series = {
            text_of(s, "SeriesInstanceUID"): text_of(s, "Modality")
            for s in _ask(peer, "SERIES", wanted, MOST_SERIES, should_stop)
        }
        study.modalities = study.modalities or "\\".join(sorted({m for m in series.values() if m}))
        for uid in series:
            if not valid_uid(uid):
                continue
            keys = {
                "StudyInstanceUID": study.uid, "SeriesInstanceUID": uid, "SOPInstanceUID": "", "SOPClassUID": "",
                "AvailableTransferSyntaxUID": "",
            }  # fmt: skip
            for match in _ask(peer, "IMAGE", keys, MOST_OBJECTS - len(study.objects), should_stop):
                sop = text_of(match, "SOPInstanceUID")
                if valid_uid(sop):
                    study.objects[sop] = (uid, text_of(match, "SOPClassUID"))
                    study.kept_in.update(u for u in text_of(match, "AvailableTransferSyntaxUID").split("\\") if u)
    except Failed:
        study.objects.clear()
    if study.said is not None and study.said > len(study.objects):
        # It told of fewer objects than it counts: what it did not name can't be waited for by name.
        study.objects.clear()


def _ask(
    peer: Peer, level: Level, keys: dict[str, str], limit: int, should_stop: Callable[[], bool]
) -> Generator[Dataset, None, None]:
    return find(peer, STUDY_FIND, query_for(level, keys), limit=limit, should_stop=should_stop)


def _is_wanted(match: Dataset, wanted: Wanted) -> bool:
    if wanted.study_instance_uid and text_of(match, "StudyInstanceUID") != wanted.study_instance_uid:
        return False
    if wanted.accession_number and text_of(match, "AccessionNumber") != wanted.accession_number.strip():
        return False
    if wanted.patient_id is None:
        return True
    issuer, born = text_of(match, "IssuerOfPatientID"), text_of(match, "PatientBirthDate")
    return (
        text_of(match, "PatientID") == wanted.patient_id.strip()
        and (not issuer or wanted.authority is None or issuer == wanted.authority)
        and (len(born) != 8 or wanted.birth_date is None or born == f"{wanted.birth_date:%Y%m%d}")
    )
