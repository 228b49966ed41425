"""What happens to a case while it is on the worklist: late images, a changed or cancelled order, the end."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.orders.rules import rank
from heliograph.care.worklist.access import locked_case
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.care.worklist.assign import offer_to_group
from heliograph.care.worklist.cancel_asked import ALARM, cancel_asked, cancel_settled
from heliograph.care.worklist.cases import (
    cases_of_study,
    ensure_case,
    ensure_case_for_images,
    make_ready,
    reads_of,
    start_clock,
    studies_of_case,
    study_left,
)
from heliograph.care.worklist.clock import ARRIVING
from heliograph.care.worklist.identity import flag_case, flag_open, is_signed
from heliograph.care.worklist.late import join_images
from heliograph.care.worklist.model import Case, CaseProcedure, Read
from heliograph.care.worklist.recording import record_case
from heliograph.care.worklist.sources import (
    OrderFacts,
    order_facts,
    orders_of_case,
    procedures_of,
    studies_of_order,
    study,
)
from heliograph.care.worklist.states import ACTIVE, DeliveryState, is_finished, next_state
from heliograph.governance.tenancy import grants
from heliograph.kit.actor import system
from heliograph.kit.db.session import acting_as
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work

_DELIVERIES = text("select version_number, channel, state from delivery.deliveries where case_id = :id")


def images_came(work: Work, study_id: UUID, number: int) -> None:
    """Images of a study were filed: an urgent case opens as arriving; images after completeness join and mark the case.

    After signing they open an addendum read.
    """
    found = study(work.session, study_id)
    if found is None:
        raise NotFound()
    if found.match_state == "not_needed":
        ensure_case_for_images(work, study_id)
    if found.completed_at is None:
        make_ready(work, study_id)  # an urgent one may be read as arriving
    else:
        for case in cases_of_study(work, study_id):
            join_images(work, case, reads_of(work, case.id), study_id, number)


def change_priority(work: Work, case: Case, priority: str) -> None:
    """Takes another priority: the clock goes on from the same start, to another deadline. Recorded."""
    if priority == case.priority or case.closed_at is not None:
        return
    before = case.priority
    case.priority = priority
    work.session.flush()
    record_case(work, "case.priority_changed", case, before=before, now=priority)
    if case.clock_started_at is not None:
        start_clock(
            work, case, studies_of_case(work, case.id), f"priority {before} became {priority}", promise_again=True
        )


def order_changed(work: Work, order_id: UUID) -> None:
    """The order has another priority or more procedures, or came back after it was cancelled."""
    order = order_facts(work.session, order_id)
    if order is None:
        raise NotFound()
    for study_id in studies_of_order(work.session, order_id):
        ensure_case(work, order_id, study_id)
    cases = order_joined(work, order_id)
    for case in cases:
        for joined in studies_of_case(work, case.id):
            if order.priority in ARRIVING:
                make_ready(work, joined.id)
    if order.status != "cancel_requested":
        cancel_settled(work, order_id, cases)


def order_joined(work: Work, order_id: UUID) -> list[Case]:
    """The cases of an order, locked: their name and urgency are of all the orders that they answer."""
    cases = _cases_of_order(work, order_id)
    for case in cases:
        change_priority(work, case, _most_urgent(work, case))
        _describe_again(work, case)
        # Also what is no step of the case, as other words of the order, is on its readers' pages.
        work.touch("case", case.id, case.organization_id, case.group_organization_id)
    return cases


def order_cancelled(work: Work, order_id: UUID) -> None:
    """Nobody reads for a cancelled order any more; what was signed stays. A case that answers other orders too goes on for them."""
    clear_alarm(work, ALARM, order_id)
    for case in _cases_of_order(work, order_id):
        if any(o.status != "cancelled" for o in _orders_of(work, case)):
            change_priority(work, case, _most_urgent(work, case))
            _describe_again(work, case)
            record_case(work, "case.order_left", case, order_id=order_id)
        else:
            cancel_case(work, case, "The order was cancelled.")


def order_cancel_asked(work: Work, order_id: UUID, *, is_reported: bool) -> None:
    """The site cancelled an order after images came, or (`is_reported`) after its report."""
    cancel_asked(work, order_id, _cases_of_order(work, order_id), is_reported=is_reported)


def cancel_case(work: Work, case: Case, reason: str) -> None:
    """Cancels the reads of a case (locked) that are not done. Where none was opened the group's grant ends."""
    reads = reads_of(work, case.id)
    active = [r for r in reads if r.state in ACTIVE]
    if not active:
        return
    was_opened = any(r.opened_at is not None for r in reads)
    for read in active:
        read.state = next_state(read.state, "cancel")
        clear_alarm(work, "no_reader", read.id)
    case.closed_at = work.now if not any(r.state == "done" for r in reads) else case.closed_at
    case.is_arriving = False
    work.session.flush()
    record_case(work, "case.cancelled", case, reason=reason)
    clear_alarm(work, "promise_broken", case.id)
    if not was_opened and case.group_organization_id is not None:
        with acting_as(work.session, system("worklist", case.organization_id)):
            grants.end(work, case.organization_id, case.group_organization_id, "interpretation", case_id=case.id)


def images_left(work: Work, study_id: UUID) -> None:
    """A study does not answer its order after all: it leaves its cases. A case without images is cancelled; of one that was reported
    the report stays, and an alarm says that its images are gone."""
    for case in cases_of_study(work, study_id):
        is_empty = study_left(work, case, study_id)
        if any(r.state == "done" for r in reads_of(work, case.id)):
            words = "Images of a reported case were filed elsewhere: look at the report, and correct or withdraw it."
            raise_alarm(work, case.organization_id, "images_left", "case", case.id, words, case_id=case.id)
        elif is_empty:
            cancel_case(work, case, "Its images do not belong to the order.")


def images_moved(work: Work, study_id: UUID, patient_id: UUID) -> None:
    """A study is another patient's: so are its cases, of which the group sees that patient now. A report that was signed stays as it
    is, and an alarm says so."""
    for case in cases_of_study(work, study_id):
        if case.patient_id != patient_id:
            _move(work, case, patient_id, "Images of a reported case are another patient's")


def patients_merged(work: Work, from_id: UUID, to_id: UUID, *, is_undone: bool) -> None:
    """Two rows are one human (or are not): the cases of the one that ends are the other's. Which of them goes back is told by their
    images, which are back already."""
    verb = "The merge of the patient was undone" if is_undone else "The patient was merged with another"
    flag_open(work, to_id, f"{verb} while the case is being read")
    for case_id in list(work.session.scalars(select(Case.id).where(Case.patient_id == from_id).order_by(Case.id))):
        case = locked_case(work, case_id)
        of = {study.patient_id for study in studies_of_case(work, case.id)}
        if not is_undone or of == {to_id}:
            words = (
                "The merge of the patient of a reported case was undone"
                if is_undone
                else "The patient of a reported case was merged with another"
            )
            _move(work, case, to_id, words)
            flag_case(work, case, f"{verb} while the case is being read")


def _move(work: Work, case: Case, patient_id: UUID, words: str) -> None:
    if any(r.state == "done" for r in reads_of(work, case.id)) or is_signed(work, case.id):
        words += ": look at the report, and correct or withdraw it."
        raise_alarm(work, case.organization_id, "images_left", "case", case.id, words, case_id=case.id)
        return
    if case.group_organization_id is not None:
        with acting_as(work.session, system("worklist", case.organization_id)):
            grants.end(work, case.organization_id, case.group_organization_id, "interpretation", case_id=case.id)
    case.patient_id = patient_id
    work.session.flush()
    record_case(work, "case.patient_changed", case)
    if case.closed_at is None:
        offer_to_group(work, case)


def close_if_finished(work: Work, case: Case) -> bool:
    """Closes a case (locked) when no read is active and its newest report version is acknowledged everywhere. Recorded."""
    deliveries = [DeliveryState(*row) for row in work.session.execute(_DELIVERIES, {"id": case.id})]
    states = [r.state for r in reads_of(work, case.id)]
    if case.closed_at is not None or not is_finished(states, deliveries):
        return False
    case.closed_at = work.now
    work.session.flush()
    record_case(work, "case.closed", case)
    return True


def _describe_again(work: Work, case: Case) -> None:
    """Other procedures, while nobody has opened the case: its name and class follow."""
    live = [o for o in _orders_of(work, case) if o.status != "cancelled"]
    procedures = [p for order in live for p in procedures_of(work.session, order.id)]
    words = " + ".join(dict.fromkeys(p.description for p in procedures))
    if not procedures or (case.description, case.exam_class) == (words, procedures[0].exam_class):
        return
    if any(r.opened_at is not None for r in reads_of(work, case.id)):
        return
    case.description, case.exam_class = words, procedures[0].exam_class
    work.session.flush()
    record_case(work, "case.exam_changed", case, exam_class=case.exam_class)


def _orders_of(work: Work, case: Case) -> list[OrderFacts]:
    """The orders that a case answers, the first received first."""
    found = (order_facts(work.session, i) for i in orders_of_case(work.session, case.id))
    return [o for o in found if o is not None]


def _most_urgent(work: Work, case: Case) -> str:
    """Of the orders that go on; of one that none goes on for, its own."""
    live = [o.priority for o in _orders_of(work, case) if o.status != "cancelled"]
    return min(live, key=rank) if live else case.priority


def _cases_of_order(work: Work, order_id: UUID) -> list[Case]:
    procedures = text("select id from orders.requested_procedures where order_id = :order")
    ids = list(work.session.scalars(procedures, {"order": order_id}))
    return list(
        work.session.scalars(
            select(Case)
            .where(
                Case.id.in_(select(CaseProcedure.case_id).where(CaseProcedure.requested_procedure_id.in_(ids))),
                Case.id.in_(select(Read.case_id).where(Read.state.in_((*ACTIVE, "done")))),
            )
            .order_by(Case.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )
