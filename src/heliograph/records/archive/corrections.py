"""Putting a study's attributes right: its objects stay as they were stored, its columns and what goes out bear the new values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from pydicom.datadict import dictionary_description, dictionary_VR
from sqlalchemy import select

from heliograph.kit.codecs.dicom import person_name
from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import Conflict, Invalid, NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.examine import clean, date_of
from heliograph.records.archive.model import Correction, Study

NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX = "00100010", "00100020", "00100021", "00100030", "00100040"
ACCESSION = "00080050"
_PATIENT: Final = "patient"
"""In `Correction.originals` beside the tags: under whom the study was filed."""


def _name(text: str) -> str | None:
    found = person_name(text)
    return clean("=".join((found.alphabetic, found.ideographic, found.phonetic)).rstrip("="))


def _referrer(text: str) -> str | None:
    return clean(person_name(text).alphabetic)


_COLUMNS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "00080020": ("study_date", date_of),
    "00080030": ("study_time", clean),
    ACCESSION: ("accession_number", clean),
    "00080090": ("referring_physician", _referrer),
    "00081030": ("study_description", clean),
    NAME: ("dicom_patient_name", _name),
    PATIENT_ID: ("dicom_patient_id", clean),
    ISSUER: ("dicom_patient_issuer", clean),
    BIRTH_DATE: ("dicom_birth_date", date_of),
    SEX: ("dicom_sex", clean),
    "00200010": ("study_id", clean),
}
"""Of the attributes that have a column: its name, and how it is made of an element's text."""
CORRECTABLE: Final = frozenset(_COLUMNS) | {
    "00081048",  # Physician(s) of Record
    "00081060",  # Name of Physician(s) Reading Study
    "00100032",  # Patient's Birth Time
    "00101000",  # Other Patient IDs (retired)
    "00101001",  # Other Patient Names
    "00101005",  # Patient's Birth Name
    "00101010",  # Patient's Age
    "00101020",  # Patient's Size
    "00101030",  # Patient's Weight
    "00101060",  # Patient's Mother's Birth Name
    "00102160",  # Ethnic Group
    "00102180",  # Occupation
    "001021B0",  # Additional Patient History
    "00104000",  # Patient Comments
}
"""Text attributes of the Patient and the (Patient) Study modules (PS3.3 C.7.1.1, C.7.2) that are the same in a whole study."""
_LONGEST: Final = {"AS": 4, "CS": 16, "DS": 16, "LO": 64, "PN": 64, "SH": 16}
"""Characters a value (PS3.5 6.2); of a PN, a group."""


class NotCorrectable(Invalid):
    """This attribute can't be put right, or not to this value."""


class NothingToUndo(Conflict):
    """Nothing is put right of this study."""


class OfAMerge(Conflict):
    """The study says this since two patients were merged; take the merge back."""


@dataclass(frozen=True, slots=True)
class CorrectionFacts:
    """A step of a study's history. `values` are those in force with it; `is_in_force` of the last one, unless nothing is."""

    id: UUID
    kind: str
    values: Mapping[str, str] = field(repr=False)
    originals: Mapping[str, str | None] = field(repr=False)
    reason: str
    made_by: UUID | None
    made_at: datetime
    is_in_force: bool


def correct(
    work: Work,
    study_id: UUID,
    kind: str,
    values: Mapping[str, str],
    reason: str,
    *,
    patient_id: UUID | None = None,
    merge_id: UUID | None = None,
    source: str = "",
) -> UUID | None:
    """Puts `values` right (tag as eight hex digits -> text as in a data set), above what is in force; returns the correction's id.

    `patient_id` files the study under that patient. `source` is where the values before came from, as far as known. None: all of it
    is in force already.

    Raises:
        NotFound: no such study, or not visible.
        NotCorrectable: an attribute that is none of `CORRECTABLE`, or a value that its representation does not allow.
    """
    check_values(values)
    study = _locked(work, study_id)
    before = _in_force(work.session, study)
    in_force = dict(before.values) if before else {}
    moves = patient_id is not None and patient_id != study.patient_id
    if not moves and values.items() <= in_force.items():
        return None
    originals = dict(before.originals) if before else {_PATIENT: str(study.patient_id) if study.patient_id else None}
    originals |= {
        tag: _text(getattr(study, _COLUMNS[tag][0])) for tag in values if tag in _COLUMNS and tag not in originals
    }
    row = Correction(
        organization_id=study.organization_id,
        study_id=study.id,
        kind=kind,
        values=in_force | dict(values),
        originals=originals,
        patient_id=patient_id or study.patient_id,
        merge_id=merge_id,
        previous_id=before.id if before else None,
        reason=reason,
        source=source[:64],
        made_by=work.actor.id,
        made_at=work.now,
    )
    _put_in_force(work, study, row, set(values))
    return row.id


def undo_correction(work: Work, study_id: UUID, reason: str) -> None:
    """Takes the last step that is in force back: what was in force before it holds again, also under whom the study is filed.

    Raises:
        NotFound: no such study, or not visible.
        NothingToUndo
        OfAMerge: it is taken back with its merge, as all of it is.
    """
    study = _locked(work, study_id)
    last = _in_force(work.session, study)
    if last is None:
        raise NothingToUndo
    if last.merge_id is not None:
        raise OfAMerge
    _take_out(work, study, last, last, reason)


def take_out(work: Work, study_id: UUID, merge_id: UUID, reason: str) -> bool:
    """Takes the step of a merge out of what is in force, whatever was put right above it. False: it is not in force.

    Raises:
        NotFound: no such study, or not visible.
    """
    study = _locked(work, study_id)
    last = step = _in_force(work.session, study)
    while step is not None and step.merge_id != merge_id:
        step = _before(work.session, step)
    if last is None or step is None:
        return False
    _take_out(work, study, last, step, reason)
    return True


def _take_out(work: Work, study: Study, last: Correction, step: Correction, reason: str) -> None:
    """A further step, without what `step` put right: what was put right above it, up to `last`, stays."""
    before = _before(work.session, step)
    earlier = dict(before.values) if before else {}
    gone = {tag: text for tag, text in step.values.items() if earlier.get(tag) != text}
    values = earlier | {tag: text for tag, text in last.values.items() if gone.get(tag) != text}
    first = last.originals.get(_PATIENT)
    was = before.patient_id if before else UUID(first) if first else None
    # Where nothing stays above it the row stands for the one before: what is taken back next, and by which merge, is that one's.
    stands_for = before if step is last else last
    row = Correction(
        organization_id=study.organization_id,
        study_id=study.id,
        kind="undone",
        values=values,
        originals=last.originals,
        patient_id=was if last.patient_id == step.patient_id else last.patient_id,
        merge_id=stands_for.merge_id if stands_for else None,
        previous_id=(before.previous_id if step is last else before.id) if before else None,
        reason=reason,
        source=last.source,
        made_by=work.actor.id,
        made_at=work.now,
    )
    _put_in_force(work, study, row, set(gone))


def corrections_of(session: ActorSession, study_id: UUID) -> list[CorrectionFacts]:
    """What was put right of a study, and taken back, oldest first."""
    current = session.scalar(select(Study.correction_id).where(Study.id == study_id))
    rows = session.scalars(
        select(Correction).where(Correction.study_id == study_id).order_by(Correction.made_at, Correction.id)
    )
    return [
        CorrectionFacts(r.id, r.kind, r.values, r.originals, r.reason, r.made_by, r.made_at, r.id == current)
        for r in rows
    ]


def original_identity(session: ActorSession, study: Study) -> tuple[str | None, str | None]:
    """Patient ID and its issuer as the study's images bear them, whatever is put right."""
    row = _in_force(session, study)
    originals = row.originals if row else {}
    return (
        originals.get(PATIENT_ID, study.dicom_patient_id),
        originals.get(ISSUER, study.dicom_patient_issuer),
    )


def words(tags: Iterable[str]) -> str:
    """Names of attributes, for texts."""
    return ", ".join(dictionary_description(int(tag, 16)) for tag in sorted(tags))


def check_values(values: Mapping[str, str]) -> None:
    """Raises NotCorrectable if an attribute can't be put right, or not to this value."""
    for tag, text in values.items():
        if tag not in CORRECTABLE:
            raise NotCorrectable(f"Attribute {tag} can't be put right here.")
        if (why := _unfit(dictionary_VR(int(tag, 16)), text)) is not None:
            raise NotCorrectable(f"{words([tag])}: {why}.")


def _unfit(vr: str, text: str) -> str | None:
    """Why `text` is no value of this representation (PS3.5 6.2), or None."""
    if any(ord(c) < 32 for c in text):
        return "control characters are not allowed"
    if vr == "DA" and text and (date_of(text) is None or len(text) != 8):
        return "a date as YYYYMMDD is wanted"
    if vr == "CS" and text != text.upper():
        return "capital letters are wanted"
    longest = _LONGEST.get(vr)
    parts = text.replace("=", "\\").split("\\") if vr == "PN" else text.split("\\")
    if longest is not None and any(len(part) > longest for part in parts):
        return f"at most {longest} characters are allowed"
    return None


def _locked(work: Work, study_id: UUID) -> Study:
    study = work.session.get(Study, study_id, with_for_update=ROW_LOCK, populate_existing=True)
    if study is None:
        raise NotFound
    return study


def _in_force(session: ActorSession, study: Study) -> Correction | None:
    return session.get(Correction, study.correction_id) if study.correction_id else None


def _before(session: ActorSession, step: Correction) -> Correction | None:
    return session.get(Correction, step.previous_id) if step.previous_id else None


def _put_in_force(work: Work, study: Study, row: Correction, changed: set[str]) -> None:
    work.session.add(row)
    work.session.flush()
    for tag, (column, made) in _COLUMNS.items():
        if tag in row.values:
            setattr(study, column, made(row.values[tag]))
        elif tag in row.originals:
            setattr(study, column, _value(column, row.originals[tag]))
    was = study.patient_id
    study.patient_id = row.patient_id
    study.correction_id = row.id if row.values else None
    study.revision += 1
    work.session.flush()
    work.record(
        "study.corrected" if row.kind != "undone" else "study.correction_undone",
        organization_id=study.organization_id,
        study_id=study.id,
        patient_id=study.patient_id,
        reason=row.reason,
        # Which attributes, never their values.
        detail={"kind": row.kind, "attributes": sorted(changed), "patient_moved": was != study.patient_id},
    )
    work.touch("study", study.id, study.organization_id)


def _text(value: Any) -> str | None:
    return f"{value:%Y%m%d}" if isinstance(value, date) else value


def _value(column: str, text: str | None) -> Any:
    return date_of(text) if column in ("study_date", "dicom_birth_date") else text
