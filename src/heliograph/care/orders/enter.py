"""An order entered by hand, by the site's staff: when the site's system is down, or where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import or_, select

from heliograph.care.orders.access import is_staff
from heliograph.care.orders.errors import OrderExists, OrderIncomplete, PatientDiffers
from heliograph.care.orders.events import OrderChanged
from heliograph.care.orders.find import refuse_other_patient
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure
from heliograph.care.orders.match import match_waiting
from heliograph.care.orders.model import Order
from heliograph.care.orders.procedures import add_procedures
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.agreements.rules import PRIORITIES
from heliograph.records.archive.match_state import lock_accessions
from heliograph.records.patients.identify import identify
from heliograph.records.patients.names import name_key
from heliograph.records.patients.queries import PatientFacts
from heliograph.records.sites import queries as sites


def enter_order(
    work: Work,
    facility_id: UUID,
    patient: IncomingPatient,
    procedures: Sequence[IncomingProcedure],
    *,
    priority: str,
    accession_number: str | None = None,
    indication: str | None = None,
    referrer_name: str | None = None,
    referrer_phone: str | None = None,
    confirm_patient: bool = False,
) -> UUID:
    """Makes an order; the HL7 order of the same patient and accession number will find it. Returns its id.

    A typed identifier that belongs to a person of another name or birth date is a likely slip: refused until confirmed.

    Raises:
        NotFound: no such facility, or the actor is not of its staff.
        OrderIncomplete, OrderExists, OrderForAnotherPatient, PatientDiffers, NoIdentifier
    """
    facility = sites.facility(work.session, facility_id)
    if facility is None or not facility.is_active or not is_staff(work, facility.organization_id, facility.id):
        raise NotFound
    accession = (accession_number or "").strip() or None
    _check(priority, procedures, accession)
    lock_accessions(work.session, facility.organization_id, [accession])
    known = identify(
        work,
        facility.organization_id,
        (patient.authority or "").strip() or facility.patient_id_authority,
        patient.value,
        names=patient.names or ("", ""),
        birth_date=patient.birth_date,
        sex=patient.sex,
    )
    if not known.is_new and not confirm_patient and _differs(known, patient.names, patient.birth_date):
        raise PatientDiffers
    if accession:
        refuse_other_patient(work, facility, accession, facility.accession_issuer, known.id)
        _refuse_second(work, facility.organization_id, accession, facility.accession_issuer)
    order = Order(
        organization_id=facility.organization_id,
        facility_id=facility.id,
        patient_id=known.id,
        merge_id=known.merge_id,
        source="manual",
        accession_number=accession,
        accession_issuer=facility.accession_issuer if accession else None,
        priority=priority,
        status="scheduled",
        indication=(indication or "").strip() or None,
        referrer_name=(referrer_name or "").strip() or None,
        referrer_phone=(referrer_phone or "").strip() or None,
        ordered_at=work.now,
        received_at=work.now,
        updated_at=work.now,
    )
    work.session.add(order)
    work.session.flush()
    add_procedures(work, order, procedures)
    work.record(
        "order.entered",
        organization_id=order.organization_id,
        order_id=order.id,
        patient_id=known.id,
        detail={"priority": priority, "patient_confirmed": confirm_patient},
    )
    work.touch("order", order.id, order.organization_id)
    work.announce(OrderChanged(order.organization_id, order.id, "new"))
    match_waiting(work, order)
    return order.id


def _check(priority: str, procedures: Sequence[IncomingProcedure], accession: str | None) -> None:
    if priority not in PRIORITIES:
        raise OrderIncomplete("The priority is none of those that are used here.")
    if not procedures or not all(p.description.strip() for p in procedures):
        raise OrderIncomplete("Name at least one procedure.")
    if accession and (len(accession) > 16 or "\\" in accession):
        raise OrderIncomplete("An accession number has up to 16 characters and no backslash.")


def _differs(known: PatientFacts, names: tuple[str, str] | None, birth_date: date | None) -> bool:
    stored = name_key(known.family_name, known.given_name)
    named = bool(names) and bool(stored) and name_key(*(names or ("", ""))) != stored
    born = None not in (known.birth_date, birth_date) and known.birth_date != birth_date
    return named or born


def _refuse_second(work: Work, organization_id: UUID, accession: str, issuer: str) -> None:
    """A second order under the number would only block matching."""
    known = work.session.scalar(
        select(Order.id).where(
            Order.organization_id == organization_id,
            Order.accession_number == accession,
            or_(Order.accession_issuer.is_(None), Order.accession_issuer == issuer),
            Order.status != "cancelled",
        )
    )
    if known is not None:
        raise OrderExists(order_id=str(known))
