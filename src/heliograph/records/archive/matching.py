"""How a study stands with its order. The room of orders decides; the study keeps the answer."""

from __future__ import annotations

from uuid import UUID

from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.model import Study

STATES = frozenset({"unmatched", "matched", "held", "not_needed"})


def set_match(
    work: Work, study_id: UUID, state: str, reason: str | None = None, *, patient_id: UUID | None = None
) -> None:
    """Sets the match state; `reason` says in words without patient data why it waits. `patient_id` files the study under a patient.

    The caller records why (`study.matched`, `study.unmatched`).

    Raises:
        NotFound: no such study, or not visible.
        ValueError: no such state.
    """
    if state not in STATES:
        raise ValueError(f"{state} is no match state")
    row = work.session.get(Study, study_id, with_for_update=True)
    if row is None:
        raise NotFound
    row.match_state, row.match_reason = state, reason
    if patient_id is not None:
        row.patient_id = patient_id
    work.session.flush()
    work.touch("study", row.id, row.organization_id)
