"""Which order a message speaks of: by placer number, filler number, accession number, or a number that an order had before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, text

from heliograph.care.orders.errors import FillerTaken, OrderForAnotherPatient
from heliograph.care.orders.incoming import OrderMessage
from heliograph.care.orders.model import Order, OrderAlias, RequestedProcedure
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.sites.queries import FacilityFacts

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(k, 0)) from unnest(cast(:keys as text[])) k")
_HEARD_OF = text(
    "with sent as materialized (select cast(:placers as text[]) as placers, cast(:fillers as text[]) as fillers, "
    "cast(:accession as text) as accession) "
    "select 1 from sent where exists (select 1 from orders.orders o where o.organization_id = :organization "
    "and o.facility_id = :facility and o.placer_number = any(placers)) "
    "or exists (select 1 from orders.orders o where o.organization_id = :organization "
    "and o.facility_id = :facility and o.filler_number = any(fillers)) "
    "or exists (select 1 from orders.orders o where o.organization_id = :organization and o.accession_number = accession) "
    "or exists (select 1 from orders.requested_procedures p where p.organization_id = :organization "
    "and p.placer_number = any(placers)) "
    "or exists (select 1 from orders.requested_procedures p where p.organization_id = :organization "
    "and p.filler_number = any(fillers)) "
    "or exists (select 1 from orders.order_aliases a where a.organization_id = :organization and a.kind = 'placer' "
    "and a.value = any(placers)) "
    "or exists (select 1 from orders.order_aliases a where a.organization_id = :organization and a.kind = 'filler' "
    "and a.value = any(fillers)) "
    "or exists (select 1 from orders.order_aliases a where a.organization_id = :organization and a.kind = 'accession' "
    "and a.value = accession)"
)
_REPORTED = text(
    "select 1 from reading.report_versions v join worklist.case_procedures cp on cp.case_id = v.case_id "
    "join orders.requested_procedures p on p.id = cp.requested_procedure_id "
    "where p.order_id = :order and v.kind in ('final', 'addendum', 'corrected') and v.state = 'signed' limit 1"
)
"""The tables of reading and the worklist lie above this room: read, never written."""


def lock_numbers(work: Work, facility: FacilityFacts, message: OrderMessage) -> None:
    """Two messages about one order, on two connections, are taken one after the other; images of the same accession wait too."""
    numbers = {("placer", message.placer_number), ("filler", message.filler_number)}
    numbers |= {("placer", p.placer_number) for p in message.procedures}
    numbers |= {("filler", p.filler_number) for p in message.procedures}
    if message.replaces is not None:
        numbers |= {("placer", message.replaces.placer_number), ("filler", message.replaces.filler_number)}
    keys = sorted(f"{kind}/{facility.id}/{number}" for kind, number in numbers if number)
    if keys:
        work.session.execute(_LOCK, {"keys": keys})
    lock_accessions(work.session, facility.organization_id, [message.accession_number])


def is_unheard_of(session: ActorSession, facility: FacilityFacts, message: OrderMessage) -> bool:
    """None of the message's numbers is, or was, of any order of the organisation: asked at once, since most orders are new."""
    return (
        session.scalar(
            _HEARD_OF,
            {
                "organization": facility.organization_id,
                "facility": facility.id,
                "placers": [n for n in {message.placer_number, *(p.placer_number for p in message.procedures)} if n],
                "fillers": [n for n in {message.filler_number, *(p.filler_number for p in message.procedures)} if n],
                "accession": message.accession_number,
            },
        )
        is None
    )


def find_order(session: ActorSession, facility: FacilityFacts, message: OrderMessage, issuer: str) -> Order | None:
    """The order that the message is about; live ones first, the newest first."""
    found = by_numbers(session, facility, message.placer_number, message.filler_number)
    if found is not None or not message.accession_number:
        return found
    rows = _newest(session, select(Order).where(*numbered(facility, message.accession_number, issuer)))
    found = next((o for o in rows if _names(o, message.placer_number, message.filler_number)), None)
    if found is not None or message.placer_number or message.filler_number:
        return found
    former = _former(facility, "accession", message.accession_number)
    return next(iter(_newest(session, former.where(OrderAlias.issuer == issuer))), None)


def by_numbers(session: ActorSession, facility: FacilityFacts, placer: str | None, filler: str | None) -> Order | None:
    """The order with this placer number, else with this filler number; what one of them contradicts is another order."""
    if placer:
        one_of_several = _with_procedure(facility, RequestedProcedure.placer_number == placer)
        rows = _newest(session, _here(facility, or_(Order.placer_number == placer, Order.id.in_(one_of_several))))
        found = next((o for o in rows if o.placer_number != placer or _agree(o.filler_number, filler)), None)
        if found is not None:
            return found
        rows = _newest(session, _former(facility, "placer", placer))
        found = next((o for o in rows if _agree(o.filler_number, filler)), None)
        if found is not None:
            return found
    if filler:
        rows = [o for o in _with_filler(session, facility, [filler]) if _agree(o.placer_number, placer)]
        return next(iter(rows), None)
    return None


def joinable(
    session: ActorSession, facility: FacilityFacts, message: OrderMessage, issuer: str, patient_id: UUID
) -> Order | None:
    """The order under whose accession number a further procedure is asked for: of the same patient, live, and not reported yet."""
    if not message.accession_number or message.control == "cancelled":
        return None
    query = select(Order).where(
        *numbered(facility, message.accession_number, issuer),
        Order.facility_id == facility.id,
        Order.patient_id == patient_id,
        Order.source == "hl7",
        Order.status != "cancelled",
    )
    found = _newest(session, query)
    return found[0] if len(found) == 1 and not is_reported(session, found[0].id) else None


def refuse_taken_filler(
    session: ActorSession, facility: FacilityFacts, message: OrderMessage, known: Order | None
) -> None:
    """Raises FillerTaken when a filler number of the message names another order than `known`, or did once."""
    numbers = {message.filler_number, *(p.filler_number for p in message.procedures)}
    sent = [n for n in numbers if n]
    if sent and any(known is None or o.id != known.id for o in _with_filler(session, facility, sent)):
        raise FillerTaken


def refuse_other_patient(
    work: Work, facility: FacilityFacts, accession_number: str | None, issuer: str, patient_id: UUID
) -> None:
    """Raises OrderForAnotherPatient when a live order of another patient has this accession number."""
    if not accession_number:
        return
    query = select(Order.id).where(
        *numbered(facility, accession_number, issuer), Order.patient_id != patient_id, Order.status != "cancelled"
    )
    if work.session.scalar(query.limit(1)) is not None:
        raise OrderForAnotherPatient


def numbered(facility: FacilityFacts, accession_number: str, issuer: str) -> tuple[Any, ...]:
    """Orders with this accession number of this issuer."""
    return (
        Order.organization_id == facility.organization_id,
        Order.accession_number == accession_number,
        or_(Order.accession_issuer.is_(None), Order.accession_issuer == issuer),
    )


def is_reported(session: ActorSession, order_id: UUID) -> bool:
    """Whether a final report that answers the order was signed."""
    return session.scalar(_REPORTED, {"order": order_id}) is not None


def is_secondary(order: Order, message: OrderMessage) -> bool:
    """The message is about another procedure of the order than the first, with numbers of its own."""
    return None not in (order.placer_number, message.placer_number) and order.placer_number != message.placer_number


def _with_filler(session: ActorSession, facility: FacilityFacts, numbers: Iterable[str]) -> list[Order]:
    """The orders that have, in one of their procedures have, or had one of these filler numbers."""
    wanted = list(numbers)
    of_procedures = _with_procedure(facility, RequestedProcedure.filler_number.in_(wanted))
    former = select(OrderAlias.order_id).where(
        OrderAlias.organization_id == facility.organization_id,
        OrderAlias.kind == "filler",
        OrderAlias.value.in_(wanted),
    )
    query = _here(facility, or_(Order.filler_number.in_(wanted), Order.id.in_(of_procedures), Order.id.in_(former)))
    return _newest(session, query)


def _with_procedure(facility: FacilityFacts, condition: Any) -> Select[UUID]:
    return select(RequestedProcedure.order_id).where(
        RequestedProcedure.organization_id == facility.organization_id, condition
    )


def _former(facility: FacilityFacts, kind: str, value: str) -> Select[Order]:
    joined = and_(OrderAlias.order_id == Order.id, OrderAlias.organization_id == Order.organization_id)
    return _here(facility, OrderAlias.kind == kind, OrderAlias.value == value).join(OrderAlias, joined)


def _here(facility: FacilityFacts, *conditions: Any) -> Select[Order]:
    return select(Order).where(
        Order.organization_id == facility.organization_id, Order.facility_id == facility.id, *conditions
    )


def _newest(session: ActorSession, query: Select[Order]) -> list[Order]:
    return list(session.scalars(query.order_by(Order.status == "cancelled", Order.received_at.desc())))


def _names(order: Order, placer: str | None, filler: str | None) -> bool:
    return _agree(order.placer_number, placer) and _agree(order.filler_number, filler)


def _agree(stored: str | None, sent: str | None) -> bool:
    return stored is None or sent is None or stored == sent
