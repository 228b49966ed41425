"""A person settles what a site's messages left in doubt about who a patient is."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.access import may_coordinate
from heliograph.care.orders.errors import ReasonNeeded
from heliograph.care.orders.merge import merge_patients, unmerge_patients
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.patients import doubts
from heliograph.records.patients.doubts import Decision, DoubtFacts
from heliograph.records.patients.merge import merge_of
from heliograph.records.patients.queries import going_on

# The table holds ids of whatever was seen; ids of doubts and of studies can't meet.
_PASS = text(
    "insert into access.passed_views (session_id, study_id) values (:session, :seen) on conflict do nothing returning study_id"
)


def waiting_doubts(work: Work) -> list[DoubtFacts]:
    """What waits for the actor, oldest first; that they saw it is recorded, once a session."""
    found = [d for d in doubts.open_doubts(work.session) if may_coordinate(work, d.organization_id, everywhere=True)]
    for one in found:
        session_id = work.actor.session_id
        if session_id is None or work.session.scalar(_PASS, {"session": session_id, "seen": one.id}) is not None:
            work.record(
                "patient.doubt_viewed",
                organization_id=one.organization_id,
                patient_id=one.patient_id,
                subject_kind="doubt",
                subject_id=one.id,
                detail={"other": str(one.other_patient_id)} if one.other_patient_id else {},
            )
    return found


def settle_doubt(
    work: Work, doubt_id: UUID, decision: Decision, reason: str, *, survivor_id: UUID | None = None
) -> None:
    """Whether both are the same human. What follows is done: what was told is taken, the two are merged into `survivor_id` (one of
    them), or the merge is undone.

    Raises: NotFound, NotAllowed, ReasonNeeded, DoubtSettled; what merging and undoing refuse.
    """
    found = doubts.doubt(work.session, doubt_id)
    if found is None:
        raise NotFound
    if not may_coordinate(work, found.organization_id, everywhere=True):
        raise NotAllowed(
            "This is for the organisation's staff and its coordinators.",
            action="patient.identity_settled",
            organization_id=found.organization_id,
        )
    if not reason.strip():
        raise ReasonNeeded
    settled = doubts.settle(work, doubt_id, decision, reason.strip())
    if settled.kind == "two_patients" and decision == "same":
        _merge(work, settled, survivor_id, reason)
    if settled.kind == "merged_differ" and decision == "other" and settled.merge_id is not None:
        made = merge_of(work.session, settled.merge_id)
        if made is not None and made.undone_at is None:
            unmerge_patients(work, settled.merge_id, reason)


def _merge(work: Work, settled: DoubtFacts, survivor_id: UUID | None, reason: str) -> None:
    pair = (settled.patient_id, settled.other_patient_id)
    if survivor_id not in pair:
        raise Invalid("Say which of the two goes on.")
    kept, gone = (
        going_on(work.session, i) for i in (survivor_id, *(i for i in pair if i != survivor_id)) if i is not None
    )
    if kept is None or gone is None:
        raise NotFound
    if kept.id != gone.id:
        merge_patients(work, kept.id, gone.id, reason)
