"""Writes one line of the record."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert

from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Entry

# `inline` keeps SQLAlchemy from adding RETURNING, for which the actor would have to be allowed to see the line.
_INSERT = insert(AuditEvent).inline()


def record_event(session: ActorSession, actor: Actor, at: datetime, entry: Entry) -> None:
    """Adds `entry` to the record in the session's transaction; a trigger hands it to the sealer."""
    session.execute(
        _INSERT,
        {
            "at": at,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "session_id": actor.session_id,
            "address": actor.address,
            "organization_id": entry.organization_id,
            "action": entry.action,
            "outcome": entry.outcome,
            "case_id": entry.case_id,
            "study_id": entry.study_id,
            "order_id": entry.order_id,
            "patient_id": entry.patient_id,
            "subject_kind": entry.subject_kind,
            "subject_id": entry.subject_id,
            "reason": entry.reason,
            "detail": entry.detail,
        },
        execution_options={"insertmanyvalues_page_size": 1},
    )
