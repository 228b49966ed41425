"""Work: one actor, one transaction, one record.

A use-case that writes takes a `Work` and reads like a sentence: load, check, change, record, announce. Only `WorkFactory.begin` commits,
and it refuses to commit changes (ORM, Core SQL or COPY alike) when nothing was recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from heliograph.kit.actor import Actor
from heliograph.kit.clock import Clock, SystemClock
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import HeliographError
from heliograph.kit.events import Event, Reactions

CHANNEL = "heliograph"
REFUSALS = frozenset({401, 403, 404})
"""Statuses of errors that are refusals; the others tell of bad input, conflicts and parts that don't answer."""

BOOKKEEPING = frozenset(
    {
        ("access", "sessions"),
        ("access", "sign_in_attempts"),
        ("access", "passed_views"),
        ("reading", "drafts"),
        ("reading", "edit_locks"),
        ("audit", "events"),
        ("audit", "pending"),
        ("audit", "leaves"),
        ("audit", "tree_heads"),
    }
)
"""Tables whose rows may change without an entry in the record: heartbeats, and drafts, which are recorded once an editing session.
The queue's own schema (`jobs`) is bookkeeping as a whole."""

_CHANGED = text("select nullif(current_setting('heliograph.changed', true), '')")
"""The last audited table in which this transaction changed a row: set by the trigger `note_change` that all but bookkeeping tables
have, so that ORM, Core SQL and COPY count alike."""
_NOTIFY = text("select pg_notify(:channel, :payload)")


class UnrecordedChange(RuntimeError):
    """A transaction changed rows and recorded nothing: a programming fault. Nothing was committed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record: who did what to which things, and how it ended. Ids and codes only, never patient data."""

    action: str
    organization_id: UUID | None = None
    outcome: str = "done"
    case_id: UUID | None = None
    study_id: UUID | None = None
    order_id: UUID | None = None
    patient_id: UUID | None = None
    subject_kind: str | None = None
    subject_id: UUID | None = None
    reason: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """Writes an entry into the record, in the session's transaction."""

    def __call__(self, session: ActorSession, actor: Actor, at: datetime, entry: Entry) -> None: ...


class Outbox(Protocol):
    """Enqueues a job inside the session's transaction. Arguments are ids only."""

    def __call__(
        self,
        session: ActorSession,
        task: str,
        args: dict[str, Any],
        *,
        queue: str,
        lock: str | None,
        at: datetime | None,
    ) -> None: ...


@dataclass
class Work:
    """What a use-case needs to write: the session, the actor, the time, and the record."""

    session: ActorSession
    actor: Actor
    clock: Clock
    _recorder: Recorder
    _outbox: Outbox
    _reactions: Reactions
    _entries: int = 0
    _touched: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def record(
        self, action: str, *, organization_id: UUID | None = None, at: datetime | None = None, **subject: Any
    ) -> None:
        """Adds `action` to the record; `subject` as in `Entry`."""
        self._recorder(
            self.session,
            self.actor,
            at or self.now,
            Entry(action=action, organization_id=organization_id, **subject),
        )
        self._entries += 1

    def announce(self, event: Event) -> None:
        """Tells the rooms above; their reactions run now, in this transaction."""
        self.session.flush()
        self._reactions.run(self, event)

    def enqueue(
        self,
        task: str,
        *,
        queue: str = "default",
        lock: str | None = None,
        at: datetime | None = None,
        **ids: Any,
    ) -> None:
        """Enqueues a job that exists exactly if this transaction commits."""
        args = {k: str(v) if isinstance(v, UUID) else v for k, v in ids.items()}
        self._outbox(self.session, task, args, queue=queue, lock=lock, at=at)

    def touch(self, topic: str, id_: UUID, *organizations: UUID | None) -> None:
        """Tells live pages, after commit, that `topic`/`id_` changed; only sessions that may see one of `organizations` hear it."""
        self._touched.setdefault((topic, str(id_)), set()).update(str(o) for o in organizations if o)

    def _send_touched(self) -> None:
        for (topic, id_), organizations in self._touched.items():
            payload = json.dumps({"topic": topic, "id": id_, "organizations": sorted(organizations)})
            self.session.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})
        self._touched.clear()

    def _check_recorded(self) -> None:
        self.session.flush()
        if not self._entries and (changed := self.session.scalar(_CHANGED)):
            raise UnrecordedChange(f"changed without a record: {changed}")


@dataclass(frozen=True)
class WorkFactory:
    """Begins work. One request, message, index batch or job is one `begin`."""

    sessions: sessionmaker[ActorSession]
    recorder: Recorder
    outbox: Outbox
    reactions: Reactions
    clock: Clock = field(default_factory=SystemClock)

    @contextmanager
    def begin(self, actor: Actor) -> Iterator[Work]:
        """A transaction as `actor`: committed when the block ends, rolled back when it raises.

        A refusal (`HeliographError` with `recorded_as`) that leaves the block is recorded in a transaction of its own, since its own
        was rolled back.

        Raises:
            UnrecordedChange: rows changed and nothing was recorded.
        """
        with self.sessions(actor=actor) as session:
            work = Work(session, actor, self.clock, self.recorder, self.outbox, self.reactions)
            try:
                yield work
                work._check_recorded()
                work._send_touched()
                session.commit()
            except BaseException as error:
                session.rollback()
                if isinstance(error, HeliographError):
                    self.record_refusal(actor, error)
                raise

    @contextmanager
    def read(self, actor: Actor) -> Iterator[Work]:
        """A transaction for reading, always rolled back; refusals are recorded as in `begin`."""
        with self.sessions(actor=actor) as session:
            work = Work(session, actor, self.clock, self.recorder, self.outbox, self.reactions)
            try:
                yield work
            except HeliographError as error:
                session.rollback()
                self.record_refusal(actor, error)
                raise
            finally:
                session.expunge_all()  # rolling back would expire what was read, and the caller may go on with it
                session.rollback()

    def record_refusal(self, actor: Actor, error: HeliographError, action: str = "request") -> None:
        """Records that `actor` was refused something that they may not do or see, in a transaction of its own; once an error.

        What somebody may not see looks absent to them, so both kinds of refusal count.
        """
        if error.status not in REFUSALS or error.is_recorded:
            return
        subject = error.extra.get("subject")
        entry = Entry(
            action=error.extra.get("action", action),
            outcome="refused",
            organization_id=error.extra.get("organization_id"),
            case_id=error.extra.get("case_id"),
            study_id=error.extra.get("study_id"),
            subject_kind=subject[0] if subject else None,
            subject_id=subject[1] if subject else None,
            reason=error.code,
        )
        with self.sessions(actor=actor) as session:
            self.recorder(session, actor, self.clock.now(), entry)
            session.commit()
        error.is_recorded = True
