"""Reading what is hidden, for those who may show it again, and what is shown, for those who may hide it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.archive.model import Instance, Rejection, Series, Study
from heliograph.records.archive.queries import StudyFacts, as_study_facts
from heliograph.records.archive.rejections import RejectionFacts, as_facts

_MOST_LISTED = 500
_MOST_INSTANCES = 20_000


@dataclass(frozen=True, slots=True)
class ShownSeries:
    """A series of which something is shown; what we made ourselves is none."""

    series_instance_uid: str
    number: int | None
    modality: str | None
    description: str | None
    number_of_instances: int


@dataclass(frozen=True, slots=True)
class ShownInstance:
    """An image that is shown."""

    sop_instance_uid: str
    number: int | None
    number_of_frames: int


def in_force(session: ActorSession) -> list[tuple[RejectionFacts, StudyFacts]]:
    """Rejections and deletions that hide something now, each with its study, newest first. The caller may not act on all of them."""
    rows = session.execute(
        select(Rejection, Study)
        .join(Study, Study.id == Rejection.study_id)
        .where(Rejection.restored_at.is_(None), Rejection.purged_at.is_(None))
        .order_by(Rejection.made_at.desc(), Rejection.id.desc())
        .limit(_MOST_LISTED)
    )
    return [(as_facts(row), as_study_facts(study)) for row, study in rows]


def shown_series(session: ActorSession, study_id: UUID) -> list[ShownSeries]:
    """The series of a study, in their order."""
    ours = select(Instance.id).where(Instance.series_id == Series.id, Instance.is_made_here).exists()
    rows = session.scalars(
        select(Series)
        .where(Series.study_id == study_id, Series.number_of_instances > 0, ~ours)
        .order_by(Series.series_number, Series.id)
    )
    return [
        ShownSeries(s.series_instance_uid, s.series_number, s.modality, s.series_description, s.number_of_instances)
        for s in rows
    ]


def shown_instances(session: ActorSession, study_id: UUID, series_instance_uid: str) -> list[ShownInstance]:
    """The images of a series, in their order."""
    rows = session.execute(
        select(Instance.sop_instance_uid, Instance.instance_number, Instance.number_of_frames)
        .join(Series, Series.id == Instance.series_id)
        .where(
            Series.study_id == study_id,
            Series.series_instance_uid == series_instance_uid,
            Instance.rejection_id.is_(None),
            Instance.is_made_here.is_(False),
        )
        .order_by(Instance.instance_number, Instance.sop_instance_uid)
        .limit(_MOST_INSTANCES)
    )
    return [ShownInstance(*row) for row in rows]


def record_look(work: Work, study: StudyFacts) -> None:
    """Who looks at what of a study is hidden, and why, is on record."""
    work.record(
        "images.hidden_viewed",
        organization_id=study.organization_id,
        study_id=study.id,
        patient_id=study.patient_id,
        subject_kind="study",
        subject_id=study.id,
    )


def sender_of_note(session: ActorSession, rejection: RejectionFacts) -> UUID | None:
    """The caller that sent the note which hides."""
    if rejection.note_uid is None:
        return None
    return session.scalar(
        select(Instance.caller_id).where(
            Instance.organization_id == rejection.organization_id, Instance.sop_instance_uid == rejection.note_uid
        )
    )
