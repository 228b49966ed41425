"""The read that the actor has, with what reading needs to know of its case. Absent and somebody else's look the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.states import ReadKind, ReadState
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.people.queries import reader_of_user


@dataclass(frozen=True, slots=True)
class OwnRead:
    """A read assigned to the actor, and its case."""

    id: UUID
    kind: ReadKind
    state: ReadState
    reader_id: UUID
    opened_at: datetime | None
    case_id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID | None
    group_organization_id: UUID | None
    exam_class: str
    description: str
    is_provisional: bool
    late_images_at: datetime | None
    identity_changed_at: datetime | None

    @property
    def is_addendum(self) -> bool:
        return self.kind == "addendum"


_OWN = text(
    "select r.id, r.kind, r.state, r.reader_id, r.opened_at, c.id as case_id, c.organization_id, c.facility_id, c.patient_id, "
    "c.group_organization_id, c.exam_class, c.description, c.is_provisional, c.late_images_at, "
    "c.identity_changed_at "
    "from worklist.reads r join worklist.cases c on c.id = r.case_id where r.id = :read and r.reader_id = :reader"
)


def own_read(work: Work, read_id: UUID) -> OwnRead:
    """The actor's read, not locked. Raises: NotFound."""
    reader_id = reader_of_user(work.session, work.actor.id) if work.actor.kind == "user" else None
    row = work.session.execute(_OWN, {"read": read_id, "reader": reader_id}).one_or_none() if reader_id else None
    if row is None:
        raise NotFound()
    return OwnRead(**row._mapping)
