"""What the worklist knows of orders and studies: rows of rooms below, as frozen facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.kit.db.session import ActorSession

_ORDER = text(
    "select id, organization_id, facility_id, patient_id, priority, status, received_at from orders.orders where id = :id "
    "for no key update"
)
_PROCEDURES = text(
    "select id, description, exam_class from orders.requested_procedures where order_id = :id and not is_cancelled "
    "order by position, id"
)
_STUDIES = text(
    "select id, organization_id, facility_id, patient_id, study_description, body_part, modalities, first_received_at, "
    "last_received_at, completed_at, match_state, number_of_instances from archive.studies "
    "where id = any(:ids) order by first_received_at, id"
)
_STUDIES_OF_ORDER = text("select study_id from orders.order_studies where order_id = :id order by matched_at, study_id")
_ORDERS_OF_CASE = text(
    "select distinct o.id, o.received_at from worklist.case_procedures cp "
    "join orders.requested_procedures p on p.id = cp.requested_procedure_id join orders.orders o on o.id = p.order_id "
    "where cp.case_id = :id order by o.received_at, o.id"
)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order, locked until the end of the transaction: two studies of one order don't make two cases."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID
    priority: str
    status: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ProcedureFacts:
    """A requested procedure that is not cancelled."""

    id: UUID
    description: str
    exam_class: str


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A study."""

    id: UUID
    organization_id: UUID
    facility_id: UUID
    patient_id: UUID | None
    study_description: str | None
    body_part: str | None
    modalities: tuple[str, ...]
    first_received_at: datetime
    last_received_at: datetime
    completed_at: datetime | None
    match_state: str
    number_of_instances: int


def order_facts(session: ActorSession, order_id: UUID) -> OrderFacts | None:
    """The order, locked. None: absent or not visible."""
    row = session.execute(_ORDER, {"id": order_id}).one_or_none()
    return OrderFacts(*row) if row else None


def procedures_of(session: ActorSession, order_id: UUID) -> list[ProcedureFacts]:
    """The order's procedures in their order."""
    return [ProcedureFacts(*row) for row in session.execute(_PROCEDURES, {"id": order_id})]


def studies(session: ActorSession, study_ids: Sequence[UUID]) -> list[StudyFacts]:
    """Some studies, the first received first."""
    return [
        StudyFacts(
            r.id, r.organization_id, r.facility_id, r.patient_id, r.study_description, r.body_part, tuple(r.modalities),
            r.first_received_at, r.last_received_at, r.completed_at, r.match_state, r.number_of_instances,
        )
        for r in session.execute(_STUDIES, {"ids": list(study_ids)})
    ]  # fmt: skip


def study(session: ActorSession, study_id: UUID) -> StudyFacts | None:
    """One study. None: absent or not visible."""
    return next(iter(studies(session, [study_id])), None)


def studies_of_order(session: ActorSession, order_id: UUID) -> list[UUID]:
    """The studies that answer an order."""
    return list(session.scalars(_STUDIES_OF_ORDER, {"id": order_id}))


def orders_of_case(session: ActorSession, case_id: UUID) -> dict[UUID, datetime]:
    """The orders that a case answers, and when each was received."""
    return {row.id: row.received_at for row in session.execute(_ORDERS_OF_CASE, {"id": case_id})}
