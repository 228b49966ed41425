"""Writes one line of the record."""

from __future__ import annotations

from datetime import datetime

from psycopg.types.json import Jsonb
from sqlalchemy import text

from heliograph.kit.actor import Actor
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Entry

_INSERT = text(
    "insert into audit.events (at, actor_kind, actor_id, actor_name, session_id, address, organization_id, action, outcome, "
    "case_id, study_id, order_id, patient_id, subject_kind, subject_id, reason, detail) "
    "values (:at, :actor_kind, :actor_id, :actor_name, :session_id, :address, :organization_id, :action, :outcome, "
    ":case_id, :study_id, :order_id, :patient_id, :subject_kind, :subject_id, :reason, :detail)"
)
"""As text, since it is written several times in each transaction; without RETURNING, for which the actor would have to be allowed to
see the line."""


def record_event(session: ActorSession, actor: Actor, at: datetime, entry: Entry) -> None:
    """Adds `entry` to the record in the session's transaction; a trigger hands it to the sealer."""
    session.flush()  # as the ORM's own insert would: what is recorded is in the database when the next statement reads it
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
            "detail": Jsonb(entry.detail),
        },
    )
