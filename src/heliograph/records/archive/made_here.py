"""Objects that we make ourselves (structured reports, PDFs): filed in the study, never counted, never announced as images."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import select

from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work
from heliograph.records.archive.errors import NotAnObject, OtherContent
from heliograph.records.archive.examine import Facts, facts_of
from heliograph.records.archive.model import Instance, Series, Study
from heliograph.records.archive.place import key_for, write
from heliograph.records.archive.rows import NewInstance, insert_instances, new_series
from heliograph.records.archive.spool import SpooledObject


def store_made_here(work: Work, objects: Objects, organization_id: UUID, study_id: UUID, part10: bytes) -> str:
    """Files a Part 10 file of ours in a study; returns its SOP Instance UID. The same bytes again change nothing.

    Raises:
        NotFound: no such study, or not visible.
        NotAnObject: it is for another study.
        OtherContent: its UID is filed with other bytes.
        DicomError: it can't be read.
    """
    facts = facts_of(part10)
    header = facts.header
    study = work.session.get(Study, study_id, with_for_update=ROW_LOCK)
    if study is None or study.organization_id != organization_id:
        raise NotFound
    if header.study_instance_uid != study.study_instance_uid:
        raise NotAnObject("the object names another study")
    same = select(Instance.sha256).where(
        Instance.organization_id == organization_id, Instance.sop_instance_uid == header.sop_instance_uid
    )
    known = work.session.scalar(same)
    if known is None:
        _insert(work, objects, study, facts, part10)
        known = work.session.scalar(same)
    if known != facts.sha256:
        raise OtherContent
    return header.sop_instance_uid


def _insert(work: Work, objects: Objects, study: Study, facts: Facts, part10: bytes) -> None:
    header = facts.header
    series = work.session.scalar(
        select(Series).where(Series.study_id == study.id, Series.series_instance_uid == header.series_instance_uid)
    )
    if series is None:
        series = new_series(study, header)
        work.session.add(series)
        work.session.flush()
    # Named like a spooled file, so that it gets its place by the same rule; it was never in the spool.
    file = SpooledObject(Path(), study.organization_id, study.facility_id, None, work.now, uuid4(), len(part10))
    key = key_for(file, "made")
    row = NewInstance(file, facts, study.id, series.id, key, is_made_here=True)
    if header.sop_instance_uid in insert_instances(work.session, study.organization_id, [row]):
        series.number_of_instances += 1
        work.session.flush()
        write(objects, key, part10)
        work.record(
            "study.object_made",
            organization_id=study.organization_id,
            study_id=study.id,
            patient_id=study.patient_id,
            detail={"sop_class_uid": header.sop_class_uid},
        )
