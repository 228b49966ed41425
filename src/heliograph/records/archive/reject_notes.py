"""Rejection notes: key object documents that say which images of their study are not to be used (IHE RAD TF-3 4.66, PS3.16 CID 7011).

A note may come before its images, which are then hidden as they come. Notes themselves are always hidden: IHE asks for that with each
title but (113001, DCM), and leaves it to us there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, update

from heliograph.kit.work import Work
from heliograph.records.archive.examine import Facts, clean
from heliograph.records.archive.model import Instance, Rejection, Series, Study
from heliograph.records.archive.rejections import begin, changed, hide
from heliograph.records.archive.rows import NewInstance

KEY_OBJECTS: Final = "1.2.840.10008.5.1.4.1.1.88.59"
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "113001": ("quality", "Rejected for Quality Reasons"),
    "113037": ("safety", "Rejected for Patient Safety Reasons"),
    "113038": ("worklist", "Incorrect Modality Worklist Entry"),
    "113039": ("retention", "Data Retention Policy Expired"),
}
"""Codes of scheme DCM: our kind, and the meaning in words."""

_LONGEST: Final = 400
_DEEPEST: Final = 8
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """A rejection note: our kind, its words, and the SOP Instance UIDs of its own study that it names."""

    kind: str
    reason: str
    sop_instance_uids: frozenset[str]


def note_in(facts: Facts) -> Note | None:
    """The note that an object is, if it is one."""
    if facts.header.sop_class_uid != KEY_OBJECTS:
        return None
    return note_of(json.loads(facts.document), facts.header.study_instance_uid)


def note_of(document: Json, study_instance_uid: str) -> Note | None:
    """The note of a DICOM JSON document of a key object selection (PS3.3 A.35.4); None: another title."""
    title = next(_items(document, "0040A043"), {})
    found = TITLES.get(_text(title, "00080100")) if _text(title, "00080102") == "DCM" else None
    if found is None:
        return None
    # The evidence names studies, the content only instances (PS3.3 C.17.6.2.1): those of other studies are not found in this one.
    uids = {
        uid
        for study in _items(document, "0040A375")
        if _text(study, "0020000D") == study_instance_uid
        for uid in _referenced(study)
    }
    others = {
        uid
        for study in _items(document, "0040A375")
        if _text(study, "0020000D") != study_instance_uid
        for uid in _referenced(study)
    }
    uids |= {uid for item in _items(document, "0040A730") for uid in _referenced(item)} - others
    described = next((t for item in _items(document, "0040A730") if (t := _text(item, "0040A160"))), "")
    reason = f"{found[1]}: {described}" if described else found[1]
    return Note(found[0], (clean(reason) or found[1])[:_LONGEST], frozenset(uids))


def hide_by_notes(work: Work, study: Study, rows: Sequence[NewInstance]) -> set[str]:
    """Of a locked study into which `rows` were just inserted: hides what their notes, and earlier ones, name, and the notes.

    Returns the SOP Instance UIDs of those of `rows` that are hidden; if there are any, or an older image was hidden, the study is
    counted anew, `rows` included. A rejection that was restored hides nothing more.
    """
    came = {row.facts.header.sop_instance_uid for row in rows}
    notes = [(row, note) for row in rows if (note := note_in(row.facts)) is not None]
    if not notes and not study.revision:  # nothing was ever hidden here
        return set()
    made = [
        (begin(work, study, note.kind, note.reason, note_uid=row.facts.header.sop_instance_uid), note)
        for row, note in notes
    ]
    # Notes before all else, so that no other note, or its restoration, decides about them.
    for rejection, _ in made:
        work.session.execute(
            update(Instance)
            .where(Instance.organization_id == study.organization_id, Instance.sop_instance_uid == rejection.note_uid)
            .values(rejection_id=rejection.id)
            .execution_options(synchronize_session=False)
        )
    hidden = {row.facts.header.sop_instance_uid for row, _ in notes}
    is_new = {rejection.id for rejection, _ in made}
    for rejection, note in _in_force(work, study):
        named = note.sop_instance_uids if rejection.id in is_new else note.sop_instance_uids & came
        found = hide(work.session, rejection, sop_instance_uids=named)
        hidden |= found
        if found or rejection.id in is_new:
            # The words of a note may name the patient: the record has the kind.
            changed(work, study, "images.rejected", rejection, reason=rejection.kind)
    return hidden & came


def _in_force(work: Work, study: Study) -> list[tuple[Rejection, Note]]:
    """The notes of a study that still have their effect, oldest first."""
    rows = work.session.execute(
        select(Rejection, Instance.header)
        .join(
            Instance,
            (Instance.organization_id == Rejection.organization_id) & (Instance.sop_instance_uid == Rejection.note_uid),
        )
        .join(Series, Series.id == Instance.series_id)
        .where(
            Rejection.study_id == study.id,
            Rejection.restored_at.is_(None),
            Rejection.purged_at.is_(None),
            Series.study_id == study.id,
        )
        .order_by(Rejection.made_at, Rejection.id)
    )
    found = [(row, note_of(header, study.study_instance_uid)) for row, header in rows]
    return [(row, note) for row, note in found if note is not None]


def _items(data_set: Json, tag: str) -> Iterator[Json]:
    """The items of a sequence."""
    values = data_set.get(tag, {}).get("Value") or []
    yield from (item for item in values if isinstance(item, Mapping))


def _referenced(data_set: Json, depth: int = 0) -> Iterator[str]:
    """Each Referenced SOP Instance UID in a data set, however deep."""
    if uid := _text(data_set, "00081155"):
        yield uid
    if depth < _DEEPEST:
        for tag, element in data_set.items():
            if isinstance(element, Mapping) and element.get("vr") == "SQ":
                for item in _items(data_set, tag):
                    yield from _referenced(item, depth + 1)


def _text(data_set: Json, tag: str) -> str:
    """The first value of an element as text; "" where there is none."""
    values = data_set.get(tag, {}).get("Value") or [""]
    return values[0].strip() if isinstance(values[0], str) else ""
