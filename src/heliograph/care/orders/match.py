"""Which order a study answers: by rule, or by a person who says why."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.orders.access import must_coordinate
from heliograph.care.orders.errors import AlreadyMatched, OrderCancelled, OtherPatient, ReasonNeeded, StudyHeld
from heliograph.care.orders.events import StudyMatched
from heliograph.care.orders.model import Order, OrderAlias, OrderStudy, RequestedProcedure
from heliograph.care.orders.rules import Decision, OrderFacts, StudyFacts, decide_match
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import corrections
from heliograph.records.archive.match_state import lock_accessions, set_match, study_now, waiting_for
from heliograph.records.archive.proposals import identity_values
from heliograph.records.archive.queries import StudyFacts as ArchivedStudy
from heliograph.records.archive.queries import study_by_uid
from heliograph.records.archive.rows import OTHER_PATIENT
from heliograph.records.sites import queries as sites

_WAITED_FOR = text(
    "select exists (select 1 from orders.orders o join archive.studies s on s.organization_id = o.organization_id "
    "and s.accession_number = o.accession_number where o.id = :order and o.organization_id = :organization "
    "and s.match_state = 'unmatched') "
    "or exists (select 1 from orders.requested_procedures p join archive.studies s on s.organization_id = p.organization_id "
    'and s.study_instance_uid = p.study_instance_uid collate "C" where p.order_id = :order)'
)
"""Whether images are here that an order may be the answer to: for most new orders none are."""


def match_study(work: Work, study_id: UUID) -> Decision:
    """Matches the study to its order if the rule finds exactly one; else it waits as unmatched with the reason.

    Raises:
        NotFound: no such study, or not visible.
    """
    study = study_now(work.session, study_id)
    if study is None:
        raise NotFound
    if study.match_state in ("matched", "held", "prior"):
        return Decision(study.match_state)
    facility = sites.facility(work.session, study.facility_id)
    lock_accessions(work.session, study.organization_id, [study.accession_number])
    facts = StudyFacts(
        match_state=study.match_state,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        accession_issuer=study.accession_issuer or (facility.accession_issuer if facility else None),
        facility_is_images_only=facility is not None and facility.is_images_only,
    )
    decision = decide_match(facts, _orders_numbered(work, study))
    if decision.state == "matched" and decision.order_id is not None:
        _join(work, study, decision.order_id, by=None)
        set_match(work, study.id, "matched", None, order_id=decision.order_id)
        work.announce(StudyMatched(study.organization_id, study.id, decision.order_id))
        for linked in _linked_orders(work, study):
            _link(work, study, linked)
    else:
        set_match(work, study.id, decision.state, decision.reason)
    return decision


def match_waiting(work: Work, order: Order) -> list[UUID]:
    """Matches the studies that wait with this order's accession number; returns those that match now.

    A study that answers another order of the patient, under the Study Instance UID that this one names, answers this one too.
    """
    work.session.flush()
    if not work.session.scalar(_WAITED_FOR, {"organization": order.organization_id, "order": order.id}):
        return []
    for linked in _linked_studies(work, order):
        _link(work, linked, order.id)
    if not order.accession_number:
        return []
    waiting = waiting_for(work.session, order.organization_id, order.accession_number)
    return [s for s in waiting if match_study(work, s).state == "matched"]


def release_held(work: Work, study_id: UUID, reason: str) -> None:
    """A person has looked at a held study (images of two patients, say) and lets it wait for its order. The reason is kept.

    Raises: NotFound (also when it isn't held), NotAllowed, ReasonNeeded.
    """
    study = study_now(work.session, study_id)
    if study is None or study.match_state != "held":
        raise NotFound
    must_coordinate(work, study.organization_id, study.facility_id, study_id=study.id)
    if not reason.strip():
        raise ReasonNeeded
    lock_accessions(work.session, study.organization_id, [study.accession_number])
    if study.match_reason == OTHER_PATIENT:
        # They are one patient's, says a person: on the way out they all name the one that the study does.
        corrections.correct(work, study.id, "entered", _named(study), reason.strip())
    work.record("study.released", organization_id=study.organization_id, study_id=study.id, reason=reason.strip())
    set_match(work, study.id, "unmatched", "Released by a person; waits for its order.")
    match_study(work, study.id)


def match_by_hand(
    work: Work, study_id: UUID, order_id: UUID, reason: str, *, confirm_other_patient: bool = False
) -> None:
    """A coordinator or the site's staff says that the study answers the order. The reason is kept.

    Images without a patient identifier take the order's patient. Images of another patient are refused unless
    `confirm_other_patient`: the study is then filed under the order's patient; the images stay as they were stored, and name the
    order's patient on their way out.

    Raises:
        NotFound: no such study or order, or not visible, or in different organisations.
        NotAllowed: neither a coordinator nor staff of this site.
        ReasonNeeded, StudyHeld, AlreadyMatched, OrderCancelled, OtherPatient
    """
    study, order = study_now(work.session, study_id), work.session.get(Order, order_id)
    if study is None or order is None or order.organization_id != study.organization_id:
        raise NotFound
    must_coordinate(work, study.organization_id, study.facility_id, study_id=study.id)
    if not reason.strip():
        raise ReasonNeeded
    lock_accessions(work.session, study.organization_id, [study.accession_number])
    study = study_now(work.session, study_id)
    if study is None:
        raise NotFound
    if study.match_state == "held":
        raise StudyHeld
    if study.match_state == "matched":
        if _is_joined(work, study.id, order.id):
            return
        raise AlreadyMatched
    if order.status == "cancelled":
        raise OrderCancelled
    is_other = study.patient_id is not None and study.patient_id != order.patient_id
    if is_other and not confirm_other_patient:
        raise OtherPatient
    if study.patient_id != order.patient_id:
        site = sites.facility(work.session, study.facility_id)
        authority = site.patient_id_authority if site else ""
        values = identity_values(work.session, order.patient_id, authority)
        corrections.correct(work, study.id, "moved", values, reason.strip(), patient_id=order.patient_id)
    _join(work, study, order.id, by=work.actor.id)
    set_match(work, study.id, "matched", reason.strip(), order.patient_id, order_id=order.id)
    work.touch("order", order.id, order.organization_id)
    work.announce(StudyMatched(study.organization_id, study.id, order.id))


def _named(study: ArchivedStudy) -> dict[str, str]:
    """The patient as the study names them."""
    return {
        corrections.NAME: study.dicom_patient_name or "",
        corrections.PATIENT_ID: study.dicom_patient_id or "",
        corrections.ISSUER: study.dicom_patient_issuer or "",
        corrections.BIRTH_DATE: f"{study.dicom_birth_date:%Y%m%d}" if study.dicom_birth_date else "",
        corrections.SEX: study.dicom_sex or "",
    }


def studies_of(work: Work, order_id: UUID) -> list[UUID]:
    """The studies that answer the order."""
    return list(
        work.session.scalars(
            select(OrderStudy.study_id).where(OrderStudy.order_id == order_id).order_by(OrderStudy.matched_at)
        )
    )


def _orders_numbered(work: Work, study: ArchivedStudy) -> list[OrderFacts]:
    if not study.accession_number:
        return []
    rows = work.session.execute(
        select(Order.id, Order.patient_id, Order.accession_number, Order.accession_issuer, Order.status).where(
            Order.organization_id == study.organization_id, Order.accession_number == study.accession_number
        )
    )
    found = [OrderFacts(i, p, n, s, status != "cancelled") for i, p, n, s, status in rows]
    return found if any(o.is_live for o in found) else [*found, *_formerly_numbered(work, study)]


def _formerly_numbered(work: Work, study: ArchivedStudy) -> list[OrderFacts]:
    """Orders that had the number before: images may still bear it."""
    rows = work.session.execute(
        select(Order.id, Order.patient_id, OrderAlias.value, OrderAlias.issuer, Order.status)
        .join(OrderAlias, OrderAlias.order_id == Order.id)
        .where(
            Order.organization_id == study.organization_id,
            OrderAlias.organization_id == study.organization_id,
            OrderAlias.kind == "accession",
            OrderAlias.value == study.accession_number,
        )
        .distinct()
    )
    return [OrderFacts(i, p, n, s, status != "cancelled") for i, p, n, s, status in rows]


def _linked_orders(work: Work, study: ArchivedStudy) -> list[UUID]:
    """Other live orders of the study's patient there that name its UID: one study, and one report, for several accession numbers."""
    return list(
        work.session.scalars(
            select(Order.id)
            .join(RequestedProcedure, RequestedProcedure.order_id == Order.id)
            .where(
                RequestedProcedure.organization_id == study.organization_id,
                RequestedProcedure.study_instance_uid == study.study_instance_uid,
                RequestedProcedure.is_cancelled.is_(False),
                Order.facility_id == study.facility_id,
                Order.patient_id == study.patient_id,
                Order.status != "cancelled",
            )
            .distinct()
            .order_by(Order.id)
        )
    )


def _linked_studies(work: Work, order: Order) -> list[ArchivedStudy]:
    """The patient's studies there that answer another order and bear the UID that this one names."""
    if order.status == "cancelled":
        return []
    uids = work.session.scalars(
        select(RequestedProcedure.study_instance_uid).where(
            RequestedProcedure.order_id == order.id,
            RequestedProcedure.study_instance_uid.is_not(None),
            RequestedProcedure.is_cancelled.is_(False),
        )
    )
    named = (study_by_uid(work.session, order.organization_id, uid) for uid in {u for u in uids if u})
    return [
        s
        for s in named
        if s is not None
        and (s.match_state, s.facility_id, s.patient_id) == ("matched", order.facility_id, order.patient_id)
    ]


def _link(work: Work, study: ArchivedStudy, order_id: UUID) -> None:
    if _is_joined(work, study.id, order_id):
        return
    _join(work, study, order_id, by=None)
    work.record(
        "study.linked",
        organization_id=study.organization_id,
        study_id=study.id,
        order_id=order_id,
        patient_id=study.patient_id,
    )
    work.touch("order", order_id, study.organization_id)
    work.announce(StudyMatched(study.organization_id, study.id, order_id))


def _join(work: Work, study: ArchivedStudy, order_id: UUID, *, by: UUID | None) -> None:
    work.session.add(
        OrderStudy(
            organization_id=study.organization_id,
            order_id=order_id,
            study_id=study.id,
            matched_by=by,
            matched_at=work.now,
        )
    )
    work.session.flush()


def _is_joined(work: Work, study_id: UUID, order_id: UUID) -> bool:
    return (
        work.session.scalar(
            select(text("true")).where(OrderStudy.study_id == study_id, OrderStudy.order_id == order_id)
        )
        is not None
    )
