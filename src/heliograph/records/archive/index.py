"""Filing received objects: a batch of one organisation's spool files in one transaction.

The order makes a crash at any point harmless: rows are written, objects placed, the transaction commits, and only then are the
spool files deleted (by the caller, from `Indexed.finished`). A file that is met again is recognised by its UID and digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.events import ImagesIndexed, ObjectsHeld
from heliograph.records.archive.examine import Examined, Facts, examine
from heliograph.records.archive.held import hold
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.place import key_for, place
from heliograph.records.archive.proposals import compared
from heliograph.records.archive.reject_notes import hide_by_notes
from heliograph.records.archive.rows import NewInstance, insert_instances, series_of, studies_of
from heliograph.records.archive.spool import SpooledObject
from heliograph.records.archive.undeclared import with_senders_charset


@dataclass
class Indexed:
    """What became of a batch. `finished` files may be deleted once the transaction has committed."""

    finished: list[SpooledObject] = field(default_factory=list)
    stored: int = 0
    repeated: int = 0
    held: int = 0
    held_from: dict[UUID, datetime] = field(default_factory=dict)
    """The facilities whose objects were held, and when the last of each came."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is filed under a UID, in which (study, series); `path` is its file where this very batch files it."""

    sha256: bytes
    series: tuple[str, str]
    path: Path | None = None


def index_batch(work: Work, objects: Objects, files: Sequence[SpooledObject]) -> Indexed:
    """Files `files`, all of one organisation. See `index_examined`."""
    return index_examined(work, objects, [examine(file) for file in files])


def index_examined(work: Work, objects: Objects, batch: Sequence[Examined]) -> Indexed:
    """Files examined objects, all of one organisation, in the order received.

    The same bytes again are success and change nothing; so is the same picture with attributes that are in force already. A known
    SOP Instance UID with other bytes, or in another series, is held; the first stays. A file that another host is filing just now
    is left out of `finished`, to be met again.
    """
    done = Indexed()
    if not batch:
        return done
    (organization_id,) = {entry.file.organization_id for entry in batch}
    batch = with_senders_charset(work.session, batch)
    known = _known(work, organization_id, [e.facts.header.sop_instance_uid for e in batch if e.facts])
    placed: list[tuple[str, Path]] = []
    wanted: list[tuple[SpooledObject, Facts]] = []
    for entry in batch:
        if entry.facts is None:
            _hold(work, entry, entry.reason, entry.detail, placed, done)
            continue
        header = entry.facts.header
        first = known.get(header.sop_instance_uid)
        if first is None:
            series = (header.study_instance_uid, header.series_instance_uid)
            known[header.sop_instance_uid] = _Known(entry.sha256, series, entry.file.path)
            wanted.append((entry.file, entry.facts))
        elif first.sha256 == entry.sha256:
            done.repeated += 1
            done.finished.append(entry.file)
        else:
            found = compared(work.session, objects, entry, first.series, first.path)
            if found.is_known:
                done.repeated += 1
                done.finished.append(entry.file)
            else:
                _hold(work, entry, found.reason, found.detail, placed, done, found.values)
    _store(work, organization_id, wanted, placed, done)
    place(objects, placed)
    for facility_id, last in done.held_from.items():
        work.announce(ObjectsHeld(organization_id, facility_id, last))
    return done


def _known(work: Work, organization_id: UUID, uids: list[str]) -> dict[str, _Known]:
    if not uids:
        return {}
    rows = work.session.execute(
        select(Instance.sop_instance_uid, Instance.sha256, Study.study_instance_uid, Series.series_instance_uid)
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(Instance.organization_id == organization_id, Instance.sop_instance_uid.in_(uids))
    )
    return {uid: _Known(sha, (study, series)) for uid, sha, study, series in rows}


def _hold(
    work: Work,
    entry: Examined,
    reason: str,
    detail: str,
    placed: list[tuple[str, Path]],
    done: Indexed,
    proposal: dict[str, str] | None = None,
) -> None:
    key = key_for(entry.file, "held")
    if hold(work, entry, key, reason, detail, proposal):
        placed.append((key, entry.file.path))
        done.held += 1
        done.held_from[entry.file.facility_id] = entry.file.received_at
    done.finished.append(entry.file)


def _store(
    work: Work,
    organization_id: UUID,
    wanted: list[tuple[SpooledObject, Facts]],
    placed: list[tuple[str, Path]],
    done: Indexed,
) -> None:
    if not wanted:
        return
    studies = studies_of(work, organization_id, wanted)
    series = series_of(work, studies, wanted)
    rows = []
    for file, facts in wanted:
        header = facts.header
        study, _is_new = studies[header.study_instance_uid]
        of = series[study.id, header.series_instance_uid]
        rows.append(NewInstance(file, facts, study.id, of.id, key_for(file)))
    inserted = insert_instances(work.session, organization_id, rows)
    stored = [row for row in rows if row.facts.header.sop_instance_uid in inserted]
    placed += [(row.object_key, row.file.path) for row in stored]
    done.finished += [row.file for row in stored]
    done.stored += len(stored)
    for study, is_new in studies.values():
        mine = [row for row in stored if row.study_id == study.id]
        is_first = is_new or study.number_of_instances == 0
        hidden = hide_by_notes(work, study, mine)
        if shown := [row for row in mine if row.facts.header.sop_instance_uid not in hidden]:
            count_in(work, study, is_first, shown, series, is_counted=bool(hidden))
            announce(work, study, is_first, len(shown))


def count_in(
    work: Work,
    study: Study,
    is_new: bool,
    rows: list[NewInstance],
    series: dict[tuple[UUID, str], Series],
    *,
    is_counted: bool = False,
) -> None:
    """Brings the sums of a study (locked) up to date and records what came: `rows`, at least one, all of this study.

    `is_counted`: the sums are right already.
    """
    touched = {row.series_id for row in rows}
    if not is_counted:
        _add(study, rows, [of for of in series.values() if of.study_id == study.id], touched)
    study.first_received_at = min(study.first_received_at, *(row.file.received_at for row in rows))
    last: datetime = max(row.file.received_at for row in rows)
    study.last_received_at = max(study.last_received_at, last)
    study.indexed_at = work.now
    about: dict[str, Any] = {
        "organization_id": study.organization_id,
        "study_id": study.id,
        "patient_id": study.patient_id,
        "subject_kind": "caller",
        "subject_id": rows[0].file.caller_id,
    }
    if is_new:
        work.record("study.first_image", at=study.first_received_at, **about)
    work.record("study.images_received", at=last, detail={"instances": len(rows), "series": len(touched)}, **about)
    work.touch("study", study.id, study.organization_id)


def _add(study: Study, rows: list[NewInstance], series: list[Series], touched: set[UUID]) -> None:
    for of in series:
        if of.id not in touched:
            continue
        if of.number_of_instances == 0:
            study.number_of_series += 1
        of.number_of_instances += sum(row.series_id == of.id for row in rows)
    modalities = {of.modality for of in series if of.modality and of.number_of_instances}
    study.modalities = sorted(modalities | set(study.modalities))
    study.number_of_instances += len(rows)


def announce(work: Work, study: Study, is_new: bool, number: int) -> None:
    """Tells the rooms above that `number` images of a study are filed."""
    work.announce(
        ImagesIndexed(
            organization_id=study.organization_id,
            study_id=study.id,
            facility_id=study.facility_id,
            number_of_instances=number,
            is_new_study=is_new,
        )
    )
