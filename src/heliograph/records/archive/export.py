"""Studies out of the archive onto a medium: files with a DICOMDIR (PS3.10 8), their checksums, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, or_, select

from heliograph.kit.actor import system
from heliograph.kit.codecs.dicom import DicomError
from heliograph.kit.codecs.dicom.dicomdir import Dicomdir, FileReference
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import Invalid
from heliograph.kit.objects import Objects
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.overlay import Overlay, outgoing_file, overlays

CHECKSUMS = "SHA256SUMS"
"""The name of the list of checksums: `sha256sum -c SHA256SUMS` reads it."""
_PIECE = 8 << 20


class NothingAsked(Invalid):
    """Say which studies: by UID, accession number, patient identifier or date, or all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which studies of an organisation; what is empty asks for nothing, and each thing given narrows. Dates are study dates, inclusive."""

    organization_id: UUID
    study_uids: Sequence[str] = ()
    accessions: Sequence[str] = ()
    patient_ids: Sequence[str] = ()
    first: date | None = None
    last: date | None = None
    everything: bool = False
    with_held: bool = False
    """Also those whose images name two patients, or another than is known: else they stay."""


class Medium(Protocol):
    """Where files go: a folder or a ZIP."""

    def create(self, name: str) -> IO[bytes]: ...


@dataclass
class Exported:
    """What was written; `left` is (SOP Instance UID, reason) of each object that was not, `held` how many studies stayed as held."""

    studies: int = 0
    objects: int = 0
    bytes: int = 0
    held: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A study to go, and how much there is of it."""

    id: UUID
    patient: tuple[str, str]
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _One:
    """An object with its place (see `overlay.Placed`) and what the directory says of it."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    object_key: str
    object_offset: int
    object_length: int
    dataset_offset: int
    sha256: bytes
    header: dict[str, Any] = field(repr=False)
    series: tuple[str, str, int | None]
    overlay: Overlay | None


def choose(session: ActorSession, asked: Asked) -> tuple[list[Chosen], int]:
    """The studies that go, patient by patient, and how many stay because they are held.

    Raises:
        NothingAsked
    """
    wanted = list(_conditions(asked))
    if not wanted and not asked.everything:
        raise NothingAsked
    rows = session.execute(
        select(
            Study.id,
            Study.dicom_patient_id,
            Study.dicom_patient_issuer,
            Study.match_state,
            func.count(),
            func.sum(Instance.object_length),
        )
        .join(Instance, Instance.study_id == Study.id)
        .where(Study.organization_id == asked.organization_id, Instance.rejection_id.is_(None), *wanted)
        .group_by(Study.id)
        .order_by(Study.dicom_patient_id, Study.dicom_patient_issuer, Study.study_date, Study.id)
    ).all()
    going = [
        Chosen(i, (patient or f"UNKNOWN{n}", issuer or ""), count, int(size))
        for n, (i, patient, issuer, state, count, size) in enumerate(rows)
        if asked.with_held or state != "held"
    ]
    return going, len(rows) - len(going)


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    if asked.study_uids:
        yield Study.study_instance_uid.in_(asked.study_uids)
    if asked.accessions:
        yield Study.accession_number.in_(asked.accessions)
    if asked.patient_ids:
        yield Study.dicom_patient_id.in_(asked.patient_ids)
    # A study without a date counts by the day on which it came.
    day_after = asked.last + timedelta(days=1) if asked.last else None
    if asked.first is not None:
        came = Study.first_received_at >= datetime(asked.first.year, asked.first.month, asked.first.day, tzinfo=UTC)
        yield or_(Study.study_date >= asked.first, Study.study_date.is_(None) & came)
    if asked.last is not None and day_after is not None:
        came = Study.first_received_at < datetime(day_after.year, day_after.month, day_after.day, tzinfo=UTC)
        yield or_(Study.study_date <= asked.last, Study.study_date.is_(None) & came)


def export(
    works: WorkFactory,
    objects: Objects,
    organization_id: UUID,
    chosen: Sequence[Chosen],
    medium: Medium,
    *,
    by: str,
    on_each: Callable[[], None] = lambda: None,
) -> Exported:
    """Writes the studies as files with a DICOMDIR and checksums; corrected where something was put right, else as they came.

    Each study is on record, with `by` who has it written, before its first file is. An object that is missing or is not what came is
    left out and told.

    Raises:
        OSError: the medium is full or broken.
    """
    done = Exported()
    book = Dicomdir(f"2.25.{uuid4().int}")
    sums: list[str] = []
    patient: tuple[str, str] | None = None
    in_patient, patients = 0, 0
    for study in chosen:
        facts, found = _opened(works, organization_id, study.id, by)
        if facts is None or not found:
            continue  # deleted meanwhile
        if study.patient != patient:
            patient, in_patient, patients = study.patient, 0, patients + 1
        in_patient += 1
        folder = ("DICOM", f"P{patients:07}", f"S{in_patient:07}")
        before = done.objects
        _write_study(objects, found, folder, book, medium, sums, done, on_each, _begins(book, facts, study, in_patient))
        done.studies += done.objects > before
    _write(medium, ("DICOMDIR",), iter([book.to_bytes()]), sums)
    with medium.create(CHECKSUMS) as file:
        file.write("".join(sums).encode())
    return done


def _begins(book: Dicomdir, facts: Study, study: Chosen, number: int) -> Callable[[], None]:
    """Begins the study in the directory, when its first file goes; `number` is which of its patient's it is."""
    at = facts.study_date or facts.first_received_at.date()

    def begin() -> None:
        book.patient(facts.dicom_patient_name, study.patient)
        book.study(
            facts.study_instance_uid,
            at=(f"{at:%Y%m%d}", facts.study_time or ""),
            study_id=facts.study_id or str(number),
            description=facts.study_description or "",
            accession=facts.accession_number or "",
        )

    return begin


def _opened(works: WorkFactory, organization_id: UUID, study_id: UUID, by: str) -> tuple[Study | None, list[_One]]:
    with works.begin(system("command line", organization_id)) as work:
        study = work.session.get(Study, study_id)
        if study is None:
            return None, []
        found = _objects(work.session, study_id)
        work.record(
            "study.exported",
            organization_id=organization_id,
            study_id=study_id,
            patient_id=study.patient_id,
            detail={"by": by, "instances": len(found)},
        )
        work.session.expunge(study)
        return study, found


def _objects(session: ActorSession, study_id: UUID) -> list[_One]:
    overlay = overlays(session, [study_id]).get(study_id)
    rows = session.execute(
        select(Instance, Series)
        .join(Series, Series.id == Instance.series_id)
        .where(Instance.study_id == study_id, Instance.rejection_id.is_(None))
        .order_by(Series.series_number, Series.id, Instance.instance_number, Instance.sop_instance_uid)
    )
    return [
        _One(
            i.sop_instance_uid,
            i.sop_class_uid,
            i.transfer_syntax_uid,
            i.object_key,
            i.object_offset,
            i.object_length,
            i.dataset_offset,
            i.sha256,
            i.header,
            (s.series_instance_uid, s.modality or "", s.series_number),
            overlay,
        )
        for i, s in rows
    ]


def _write_study(
    objects: Objects,
    found: Sequence[_One],
    folder: tuple[str, ...],
    book: Dicomdir,
    medium: Medium,
    sums: list[str],
    done: Exported,
    on_each: Callable[[], None],
    begin: Callable[[], None],
) -> None:
    series, number, in_series = None, 0, 0
    for one in found:
        why, pieces = _unfit(objects, one), None
        if why is None:
            try:
                pieces = outgoing_file(objects, one)
            except DicomError as error:  # it can't bear the correction
                why = error.detail
        if pieces is not None:
            if series is None:
                begin()
            if one.series != series:
                series, number, in_series = one.series, number + 1, 0
                uid, modality, named = one.series
                book.series(uid, modality=modality, number=number if named is None else named)
            in_series += 1
            components = (*folder, f"R{number:07}", f"I{in_series:07}")
            done.bytes += _write(medium, components, pieces, sums)
            done.objects += 1
            reference = FileReference(components, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
            book.file(reference, one.header)
        if why is not None:
            done.left.append((one.sop_instance_uid, why))
        on_each()


def _unfit(objects: Objects, one: _One) -> str | None:
    """Why an object can't go as what it is; None: its data set's bytes are those that came."""
    size = objects.size(one.object_key)
    if size is None:
        return "its bytes are missing"
    digest, at = hashlib.sha256(), one.dataset_offset
    if size >= one.object_offset + one.object_length:
        while at < one.object_length:
            size = min(_PIECE, one.object_length - at)
            digest.update(objects.get_range(one.object_key, one.object_offset + at, size))
            at += size
    return None if digest.digest() == one.sha256 else "its bytes are not those that came"


def _write(medium: Medium, components: tuple[str, ...], pieces: Iterator[bytes | memoryview], sums: list[str]) -> int:
    name, digest, size = "/".join(components), hashlib.sha256(), 0
    with medium.create(name) as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
            size += len(piece)
    sums.append(f"{digest.hexdigest()}  {name}\n")
    return size
