"""Seeing images is on record: once per actor, study and session."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive.model import Study

# A machine has no session; it is recorded once in this time.
MACHINE_HOURS = 12

_PASS = text(
    "insert into access.passed_views (session_id, study_id) values (:session_id, :study_id) "
    "on conflict do nothing returning study_id"
)
_SEEN = text(
    "select 1 from audit.events where study_id = :study_id and actor_id is not distinct from :actor_id "
    "and actor_name = :actor_name and action = 'images.viewed' and at > :since limit 1"
)


def record_view(work: Work, study_id: UUID) -> bool:
    """Records that the actor sees the study's images, unless this session's view is recorded already. True if it was recorded now.

    Raises:
        NotFound: no such study, or not visible.
    """
    row = work.session.get(Study, study_id)
    if row is None:
        raise NotFound
    if work.actor.session_id is not None:
        values = {"session_id": work.actor.session_id, "study_id": study_id}
        if work.session.scalar(_PASS, values) is None:
            return False
    else:
        seen = {
            "study_id": study_id,
            "actor_id": work.actor.id,
            "actor_name": work.actor.name,
            "since": work.now - timedelta(hours=MACHINE_HOURS),
        }
        if work.session.scalar(_SEEN, seen) is not None:
            return False
    work.record(
        "images.viewed",
        organization_id=row.organization_id,
        study_id=study_id,
        patient_id=row.patient_id,
        subject_kind="study",
        subject_id=study_id,
    )
    return True
