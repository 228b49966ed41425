"""Filing objects again that no row names: a batch of one organisation, in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.examine import Examined, Facts
from heliograph.records.archive.held import hold
from heliograph.records.archive.index import announce, count_in
from heliograph.records.archive.metadata import SeriesDocument
from heliograph.records.archive.model import HeldObject, Instance, Series, Study
from heliograph.records.archive.proposals import compared
from heliograph.records.archive.reject_notes import hide_by_notes
from heliograph.records.archive.rows import NewInstance, insert_instances, series_of, studies_of
from heliograph.records.archive.spool import SpooledObject
from heliograph.records.archive.undeclared import with_senders_charset

HELD_BEFORE = "held_before"
"""Of a held object that could be filed, as far as its bytes tell: why it was held, the lost row knew."""
PRIOR_REASON = "Filed again from its object long after it came, and no order names it."


@dataclass
class Rebuilt:
    """What became of the objects that no row named. `studies` is the match state of each study, by its UID, as it is now."""

    filed: int = 0
    made: int = 0
    known: int = 0
    """The same bytes are filed, or held, under another key; that is noted."""
    held: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """What could not be filed, by the reason."""
    studies: dict[str, str] = field(default_factory=dict)

    def add(self, other: Rebuilt) -> None:
        self.filed, self.made, self.known = self.filed + other.filed, self.made + other.made, self.known + other.known
        self.held += other.held
        self.left += other.left
        self.studies |= other.studies

    def detail(self) -> dict[str, Any]:
        """For the record."""
        return {
            "filed": self.filed,
            "made": self.made,
            "known": self.known,
            "held": self.held.total(),
            "left": self.left.total(),
            "studies": len(self.studies),
        }


@dataclass(frozen=True, slots=True)
class Item:
    """An object with its key and what was read of it."""

    key: str
    entry: Examined


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    sha256: bytes
    series: tuple[str, str]
    path: Path | None = None
    """Its file, where this very batch files it."""


def refile(
    work: Work,
    objects: Objects,
    organization_id: UUID,
    place: str,
    items: Sequence[Item],
    before: datetime,
    done: Rebuilt,
    *,
    dry_run: bool = False,
) -> None:
    """Files a batch of one `place` (images, held, made). In a dry run nothing outside the transaction changes.

    Work that was done is not made again:

    - images that were there when their study became complete are no news, so nobody is told of them: no late images, no addendum;
    - a study that the index lost wholly finds its order as new ones do. If it came before `before` and no order names it, it is
      filed as an earlier study: it raises no alarm and makes no case.
    """
    entries = with_senders_charset(work.session, [item.entry for item in items])
    items = [Item(item.key, entry) for item, entry in zip(items, entries, strict=True)]
    known = _known(work, organization_id, items)
    wanted: list[tuple[Item, Facts]] = []
    for item in items:
        facts = item.entry.facts
        if facts is None:
            _hold(work, item, item.entry.reason, item.entry.detail, done)
            continue
        header = facts.header
        first = known.get(header.sop_instance_uid)
        if first is None:
            if place == "held":
                _hold(work, item, HELD_BEFORE, "it was held when the index was lost; the reason is not known", done)
                continue
            series = (header.study_instance_uid, header.series_instance_uid)
            known[header.sop_instance_uid] = _Known(item.key, facts.sha256, series, item.entry.file.path)
            wanted.append((item, facts))
        elif first.key == item.key:
            done.known += 1  # filed meanwhile
        elif first.sha256 == facts.sha256:
            _note(work, item, "the same bytes are filed", done)
        else:
            found = compared(work.session, objects, item.entry, first.series, first.path)
            if found.is_known:
                _note(work, item, found.detail, done)
            else:
                _hold(work, item, found.reason, found.detail, done, found.values)
    if wanted:
        kept = None if dry_run else objects
        _insert(work, kept, organization_id, wanted, before, is_made_here=place == "made", done=done)


def _known(work: Work, organization_id: UUID, items: Sequence[Item]) -> dict[str, _Known]:
    uids = {item.entry.facts.header.sop_instance_uid for item in items if item.entry.facts}
    rows = work.session.execute(
        select(
            Instance.sop_instance_uid,
            Instance.object_key,
            Instance.sha256,
            Study.study_instance_uid,
            Series.series_instance_uid,
        )
        .join(Series, Series.id == Instance.series_id)
        .join(Study, Study.id == Instance.study_id)
        .where(Instance.organization_id == organization_id, Instance.sop_instance_uid.in_(uids))
    )
    return {uid: _Known(key, sha, (study, series)) for uid, key, sha, study, series in rows}


def _hold(
    work: Work, item: Item, reason: str, detail: str, done: Rebuilt, proposal: dict[str, str] | None = None
) -> None:
    if hold(work, item.entry, item.key, reason, detail, proposal):
        done.held[reason] += 1
    else:
        _note(work, item, "the same bytes are held", done)


def _note(work: Work, item: Item, detail: str, done: Rebuilt) -> None:
    """Names a further copy in the index: nothing is to be done about it, and the object is known."""
    done.known += 1
    file, header = item.entry.file, item.entry.facts.header if item.entry.facts else None
    held = select(HeldObject.id).where(
        HeldObject.organization_id == file.organization_id, HeldObject.object_key == item.key
    )
    if work.session.scalar(held) is not None:
        return
    work.session.add(
        HeldObject(
            organization_id=file.organization_id,
            facility_id=file.facility_id,
            caller_id=file.caller_id,
            sop_instance_uid=header.sop_instance_uid if header else None,
            study_instance_uid=header.study_instance_uid if header else None,
            object_key=item.key,
            object_length=file.length,
            sha256=item.entry.sha256,
            reason="repeated",
            detail=detail,
            received_at=file.received_at,
            resolved_at=work.now,
        )
    )
    work.session.flush()


def _insert(
    work: Work,
    objects: Objects | None,
    organization_id: UUID,
    wanted: Sequence[tuple[Item, Facts]],
    before: datetime,
    *,
    is_made_here: bool,
    done: Rebuilt,
) -> None:
    pairs = [(item.entry.file, facts) for item, facts in wanted]
    studies = studies_of(work, organization_id, _naming(work, organization_id, pairs) if is_made_here else pairs)
    if is_made_here:
        studies |= _locked(work, organization_id, pairs, studies)
    series = series_of(work, studies, pairs)
    rows = []
    for item, facts in wanted:
        study, _is_new = studies[facts.header.study_instance_uid]
        of = series[study.id, facts.header.series_instance_uid]
        rows.append(NewInstance(item.entry.file, facts, study.id, of.id, item.key, is_made_here=is_made_here))
    inserted = insert_instances(work.session, organization_id, rows)
    stored = [row for row in rows if row.facts.header.sop_instance_uid in inserted]
    done.known += len(rows) - len(stored)  # another transaction filed them while we waited for the study
    _forget_documents(objects, studies, series, stored)
    if is_made_here:
        for of in series.values():
            of.number_of_instances += sum(row.series_id == of.id for row in stored)
        work.session.flush()
        done.made += len(stored)
        return
    done.filed += len(stored)
    for study, is_new in studies.values():
        mine = [row for row in stored if row.study_id == study.id]
        if mine:
            _tell(work, study, is_new, mine, series, before)
            done.studies[study.study_instance_uid] = study.match_state


def _naming(
    work: Work, organization_id: UUID, pairs: Sequence[tuple[SpooledObject, Facts]]
) -> list[tuple[SpooledObject, Facts]]:
    """Those objects of ours whose study the index lacks: a study that is there is not held to what we made of it."""
    uids = {facts.header.study_instance_uid for _, facts in pairs}
    there = set(
        work.session.scalars(
            select(Study.study_instance_uid).where(
                Study.organization_id == organization_id, Study.study_instance_uid.in_(uids)
            )
        )
    )
    return [(file, facts) for file, facts in pairs if facts.header.study_instance_uid not in there]


def _locked(
    work: Work,
    organization_id: UUID,
    pairs: Sequence[tuple[SpooledObject, Facts]],
    made: dict[str, tuple[Study, bool]],
) -> dict[str, tuple[Study, bool]]:
    uids = {facts.header.study_instance_uid for _, facts in pairs} - made.keys()
    rows = work.session.scalars(
        select(Study)
        .where(Study.organization_id == organization_id, Study.study_instance_uid.in_(uids))
        .order_by(Study.study_instance_uid)
        .with_for_update(key_share=True)
    )
    return {row.study_instance_uid: (row, False) for row in rows}


def _tell(
    work: Work,
    study: Study,
    is_new: bool,
    rows: list[NewInstance],
    series: dict[tuple[UUID, str], Series],
    before: datetime,
) -> None:
    """Counts the images of a study in and tells the rooms above, unless that would make work again: see `_file`."""
    completed_at, is_first = study.completed_at, is_new or study.number_of_instances == 0
    hidden = hide_by_notes(work, study, rows)
    shown = [row for row in rows if row.facts.header.sop_instance_uid not in hidden]
    if not shown:
        return
    count_in(work, study, is_first, shown, series, is_counted=bool(hidden))
    is_old = is_new and study.last_received_at < before
    if is_old and study.match_state == "not_needed":
        _file_as_prior(work, study)
    news = len(shown) if completed_at is None else sum(row.file.received_at > completed_at for row in shown)
    if news:
        announce(work, study, is_first, news)
    if is_old and study.match_state == "unmatched":
        _file_as_prior(work, study)


def _file_as_prior(work: Work, study: Study) -> None:
    study.match_state, study.match_reason = "prior", PRIOR_REASON
    work.session.flush()
    work.record(
        "study.match_not_needed",
        organization_id=study.organization_id,
        study_id=study.id,
        patient_id=study.patient_id,
        reason="rebuilt",
    )


def _forget_documents(
    objects: Objects | None,
    studies: dict[str, tuple[Study, bool]],
    series: dict[tuple[UUID, str], Series],
    stored: Sequence[NewInstance],
) -> None:
    """Deletes metadata documents of as many instances as a series has now, but maybe of others: made before the rows were lost."""
    if objects is None:
        return
    revisions = {study.id: study.revision for study, _ in studies.values()}
    for of in series.values():
        more = sum(row.series_id == of.id for row in stored)
        if not of.number_of_instances:
            continue
        for number in range(of.number_of_instances + 1, of.number_of_instances + more + 1):
            document = SeriesDocument(of.id, of.series_instance_uid, number, revisions[of.study_id])
            if objects.exists(document.key):
                objects.delete(document.key)
