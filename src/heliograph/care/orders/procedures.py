"""The procedures of an order: added, changed, taken away by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from heliograph.care.orders.exam_classes import classify, laterality_of, modality_of
from heliograph.care.orders.incoming import IncomingProcedure, OrderMessage
from heliograph.care.orders.model import Order, RequestedProcedure
from heliograph.kit.work import Work


def procedures_of(work: Work, order_id: UUID, *, live_only: bool = True) -> list[RequestedProcedure]:
    """The procedures in their order."""
    query = select(RequestedProcedure).where(RequestedProcedure.order_id == order_id)
    if live_only:
        query = query.where(RequestedProcedure.is_cancelled.is_(False))
    return list(work.session.scalars(query.order_by(RequestedProcedure.position)))


def add_procedures(
    work: Work, order: Order, procedures: Iterable[IncomingProcedure], start: int = 0, told: str | None = None
) -> None:
    """Adds requested procedures, each with its exam class, at positions from `start`; said at `told`."""
    for position, incoming in enumerate(procedures, start):
        row = RequestedProcedure(organization_id=order.organization_id, order_id=order.id, position=position, told=told)
        for name, value in _values(incoming).items():
            setattr(row, name, value)
        work.session.add(row)
    work.session.flush()


def merge_procedures(work: Work, order: Order, message: OrderMessage, at: str | None) -> bool:
    """Changes the procedures that the message names and adds the new ones. What it does not name stays: HL7 orders come one by one.

    A procedure of which something newer is known takes only what it lacks.
    """
    rows = procedures_of(work, order.id, live_only=False)
    incoming = message.procedures
    changed, taken, fresh = False, set[UUID](), []
    for procedure in incoming:
        row = next((r for r in rows if r.id not in taken and _is_same(r, procedure)), None)
        if row is None and len(rows) == len(incoming) == 1 and not _is_another(rows[0], procedure):
            row = rows[0]
        if row is None:
            fresh.append(procedure)
            continue
        taken.add(row.id)
        changed |= _take(row, procedure, at, revive=message.control == "new")
    if fresh:
        add_procedures(work, order, fresh, start=max((r.position for r in rows), default=-1) + 1, told=at)
    work.session.flush()
    return changed or bool(fresh)


def end_procedures(work: Work, rows: Iterable[RequestedProcedure], at: str | None) -> None:
    """Cancels procedures by themselves."""
    for row in rows:
        row.is_cancelled, row.told = True, at or row.told
    work.session.flush()


def _take(row: RequestedProcedure, procedure: IncomingProcedure, at: str | None, *, revive: bool) -> bool:
    is_older = at is not None and row.told is not None and at < row.told
    wanted: dict[str, str | bool | None] = {n: v for n, v in _values(procedure).items() if v is not None}
    if not procedure.description and not procedure.code:
        wanted = {n: v for n, v in wanted.items() if n in ("placer_number", "filler_number", "study_instance_uid")}
    if "laterality" in procedure.clear:
        wanted["laterality"] = None
    if is_older:
        wanted = {n: v for n, v in wanted.items() if getattr(row, n) is None}
    elif revive:
        wanted["is_cancelled"] = False
    changed = {n: v for n, v in wanted.items() if getattr(row, n) != v}
    for name, value in changed.items():
        setattr(row, name, value)
    if not is_older and row.told != at:
        row.told = at
    return bool(changed)


def _values(incoming: IncomingProcedure) -> dict[str, str | None]:
    exam = classify(incoming.description, code=incoming.code, modality=incoming.modality, body_part=incoming.body_part)
    return {
        "placer_number": incoming.placer_number,
        "filler_number": incoming.filler_number,
        "requested_procedure_id": incoming.requested_procedure_id,
        "code": incoming.code,
        "description": incoming.description or incoming.code or exam.name,
        "modality": modality_of(incoming.modality, incoming.description),
        "exam_class": exam.id,
        "laterality": incoming.laterality or laterality_of(incoming.description),
        "study_instance_uid": incoming.study_instance_uid,
    }


def _is_same(row: RequestedProcedure, incoming: IncomingProcedure) -> bool:
    if row.placer_number and incoming.placer_number:
        return row.placer_number == incoming.placer_number
    if row.code and incoming.code:
        return row.code == incoming.code
    return row.description == incoming.description


def _is_another(row: RequestedProcedure, incoming: IncomingProcedure) -> bool:
    """Each has a placer number of its own."""
    return None not in (row.placer_number, incoming.placer_number) and row.placer_number != incoming.placer_number
