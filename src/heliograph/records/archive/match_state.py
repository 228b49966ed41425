"""Whether a study answers an order. The room of orders decides; the study keeps the answer."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select, text

from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.model import Study
from heliograph.records.archive.queries import StudyFacts, study

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
_ACTIONS = {
    "matched": "study.matched",
    "unmatched": "study.unmatched",
    "not_needed": "study.match_not_needed",
    "held": "study.held",
}


def study_now(session: ActorSession, study_id: UUID) -> StudyFacts | None:
    """The study as it is committed now, whatever this session read of it before. None: absent or forbidden."""
    session.get(Study, study_id, populate_existing=True)
    return study(session, study_id)


def lock_accessions(session: ActorSession, organization_id: UUID, numbers: Iterable[str | None]) -> None:
    """Until the end of the transaction nobody else matches these accession numbers.

    An order and its images that come at the same moment would otherwise not see each other, and both would wait for ever. Take it
    before you lock a study or make a patient: indexing and orders both do, so that neither waits for the other in a circle.
    """
    for number in sorted({n for n in numbers if n}):
        session.execute(_LOCK, {"key": f"accession/{organization_id}/{number}"})


def waiting_for(session: ActorSession, organization_id: UUID, accession_number: str) -> list[UUID]:
    """The organisation's unmatched studies with this accession number of which images are shown."""
    return list(
        session.scalars(
            select(Study.id)
            .where(
                Study.organization_id == organization_id,
                Study.accession_number == accession_number,
                Study.match_state == "unmatched",
                Study.number_of_instances > 0,
            )
            .order_by(Study.study_instance_uid)
        )
    )


def set_match(
    work: Work,
    study_id: UUID,
    state: str,
    reason: str | None,
    patient_id: UUID | None = None,
    *,
    order_id: UUID | None = None,
) -> bool:
    """Sets the state (unmatched, matched, held, not_needed) and why, in words without patient data.

    `patient_id` files the study under that patient. Recorded; False when nothing changed.

    Raises:
        NotFound: no such study, or not visible.
    """
    row = work.session.get(Study, study_id, with_for_update=ROW_LOCK, populate_existing=True)
    if row is None:
        raise NotFound
    moved = patient_id is not None and row.patient_id != patient_id
    if (row.match_state, row.match_reason) == (state, reason) and not moved:
        return False
    row.match_state, row.match_reason = state, reason
    if moved:
        row.patient_id = patient_id
    work.session.flush()
    work.record(
        _ACTIONS[state],
        organization_id=row.organization_id,
        study_id=row.id,
        order_id=order_id,
        patient_id=row.patient_id,
        reason=reason,
        detail={"patient_moved": True} if moved else {},
    )
    work.touch("study", row.id, row.organization_id)
    return True
