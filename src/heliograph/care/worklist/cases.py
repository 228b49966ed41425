"""How a case begins: from a matched study, from images that need no order, or provisionally from an unmatched one; and when it is ready.

Whoever changes a case takes its row lock first. Ready and assigned happen in one transaction: nobody waits between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select

from heliograph.care.orders.exam_classes import classify
from heliograph.care.worklist.access import locked_case
from heliograph.care.worklist.alarms import clear_alarm
from heliograph.care.worklist.assign import assign_automatically, offer_to_group
from heliograph.care.worklist.clock import ARRIVING, due, starts_at
from heliograph.care.worklist.errors import NotProvisional
from heliograph.care.worklist.events import CaseReady
from heliograph.care.worklist.facts import covering_agreements
from heliograph.care.worklist.late import mark_late
from heliograph.care.worklist.model import Case, CaseProcedure, CaseStudy, Read
from heliograph.care.worklist.recording import record_case
from heliograph.care.worklist.sources import (
    OrderFacts,
    ProcedureFacts,
    StudyFacts,
    order_facts,
    orders_of_case,
    procedures_of,
    studies,
    study,
)
from heliograph.care.worklist.states import ACTIVE, next_state
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.agreements.queries import AgreementFacts, agreement

__all__ = [
    "cases_of_study",
    "ensure_case",
    "ensure_case_for_images",
    "make_ready",
    "read_provisionally",
    "studies_of_case",
    "study_left",
]


def ensure_case(work: Work, order_id: UUID, study_id: UUID) -> UUID | None:
    """The case of an order, with this study in it: one case an order, whatever its procedures and studies.

    A provisional case of the study takes the order in. None when the order is cancelled. Ready at once if all its studies are complete.

    Raises: NotFound.
    """
    order, found = order_facts(work.session, order_id), study(work.session, study_id)
    if order is None or found is None:
        raise NotFound()
    if order.status == "cancelled":
        return None
    procedures = procedures_of(work.session, order_id)
    case = _live_case_of(work, [p.id for p in procedures], study_id)
    if case is None:
        exam_class = procedures[0].exam_class if procedures else _class_by_images(found)
        words = _described(procedures) or found.study_description or "Exam not named"
        case = _begin(work, found, order.patient_id, order.priority, exam_class, words, order_id=order_id)
    elif case.is_provisional:
        _take_order(work, case, order, procedures)
    _add_procedures(work, case, procedures)
    if _add_study(work, case, found):
        mark_late(work, case, reads_of(work, case.id), study_id, found.number_of_instances)
    _go_on(work, case)
    return case.id


def ensure_case_for_images(work: Work, study_id: UUID) -> UUID | None:
    """The case of a study from a facility that sends no orders. None without a patient identifier: nobody could be let see it.

    Raises: NotFound.
    """
    found = study(work.session, study_id)
    if found is None:
        raise NotFound()
    if found.patient_id is None:
        return None
    work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"case of study {study_id}", 0))))
    case = _live_case_of(work, [], study_id)
    if case is None:
        case = _begin_from_images(work, found, found.patient_id, "ROUTINE")
    _go_on(work, case)
    return case.id


def read_provisionally(work: Work, study_id: UUID, priority: str = "STAT") -> UUID:
    """A coordinator has an unmatched urgent study read now; its report is held until the study is matched. Clears its alarm.

    Raises: NotFound, NotProvisional (not urgent, not unmatched, no patient identifier, or the agreement doesn't allow it).
    """
    found = study(work.session, study_id)
    if found is None or not _coordinates(work, found.organization_id):
        raise NotFound()
    if found.match_state != "unmatched":
        raise NotProvisional("Only an unmatched study is read provisionally.")
    if priority not in ARRIVING:
        raise NotProvisional("Only " + ", ".join(ARRIVING) + " is read before it is matched.")
    if found.patient_id is None:
        raise NotProvisional("The images carry no patient identifier; match them first.")
    work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"case of study {study_id}", 0))))
    case = _live_case_of(work, [], study_id)
    if case is not None:
        return case.id
    case = _begin_from_images(work, found, found.patient_id, priority, is_provisional=True)
    held = agreement(work.session, case.agreement_id) if case.agreement_id else None
    if held is None or not held.allows_provisional_stat:
        raise NotProvisional("No agreement of this client allows it.")
    clear_alarm(work, "unmatched_study", study_id)
    _go_on(work, case)
    return case.id


def make_ready(work: Work, study_id: UUID) -> list[UUID]:
    """A study is complete: each of its cases whose studies are now all complete is ready, and is given to a reader at once.

    Returns the cases that became ready (or whose images stopped arriving).
    """
    return [case.id for case in cases_of_study(work, study_id) if _go_on(work, case)]


def cases_of_study(work: Work, study_id: UUID) -> list[Case]:
    """The cases of a study that are not over, locked."""
    ids = work.session.scalars(
        select(CaseStudy.case_id).where(CaseStudy.study_id == study_id).order_by(CaseStudy.case_id)
    )
    return [locked_case(work, i) for i in list(ids)]


def studies_of_case(work: Work, case_id: UUID) -> list[StudyFacts]:
    """The studies of a case."""
    return studies(
        work.session, list(work.session.scalars(select(CaseStudy.study_id).where(CaseStudy.case_id == case_id)))
    )


def reads_of(work: Work, case_id: UUID) -> list[Read]:
    """The reads of a case, the first made first, locked."""
    return list(
        work.session.scalars(
            select(Read)
            .where(Read.case_id == case_id)
            .order_by(Read.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )


def start_clock(
    work: Work, case: Case, images: Sequence[StudyFacts], reason: str, *, promise_again: bool = False
) -> None:
    """Sets the clock from events, and the deadline from the promise; recorded with what it was before, never silently.

    What was promised once stays promised, also when another group reads; `promise_again` when the priority changed.
    """
    started = starts_at((s.last_received_at for s in images), orders_of_case(work.session, case.id).values())
    if started and case.clock_started_at and case.due_at and not promise_again:
        due_at: datetime | None = started + (case.due_at - case.clock_started_at)
    else:
        held = agreement(work.session, case.agreement_id) if case.agreement_id else None
        due_at = due(started, held.promises if held else {}, case.priority)
    if (started, due_at) == (case.clock_started_at, case.due_at):
        return
    before = {"from": case.clock_started_at, "due": case.due_at}
    case.clock_started_at, case.due_at = started, due_at
    work.session.flush()
    record_case(work, "case.clock_started", case, reason=reason, before=before, started=started, due=due_at)


def _go_on(work: Work, case: Case) -> bool:
    """Moves a case as far as its images allow: complete -> ready; urgent -> ready as arriving. True when something changed."""
    images = studies_of_case(work, case.id)
    if not images or case.closed_at is not None:
        return False
    waiting = [r for r in reads_of(work, case.id) if r.state == "waiting"]
    is_complete = all(s.completed_at is not None for s in images)
    case.last_image_at = max(s.last_received_at for s in images)
    if is_complete and case.is_arriving:
        case.is_arriving = False
        start_clock(work, case, images, "all images are here")
        record_case(work, "case.images_complete", case)
    if not waiting:
        return is_complete
    if not is_complete and case.priority not in ARRIVING:
        return False
    case.is_arriving = not is_complete
    start_clock(work, case, images, "ready" if is_complete else "urgent: read while images arrive")
    for read in waiting:
        read.state, read.ready_at = next_state(read.state, "become_ready"), work.now
    work.session.flush()
    record_case(work, "case.ready", case, is_arriving=case.is_arriving or None, due=case.due_at)
    offer_to_group(work, case)
    work.announce(CaseReady(case.organization_id, case.id))
    for read in waiting:
        assign_automatically(work, case, read)
    return True


def _begin(
    work: Work,
    images: StudyFacts,
    patient_id: UUID,
    priority: str,
    exam_class: str,
    words: str,
    *,
    order_id: UUID | None = None,
    is_provisional: bool = False,
) -> Case:
    covering = covering_agreements(work.session, images.organization_id, exam_class, work.now)
    held: AgreementFacts | None = covering[0] if covering else None
    case = Case(
        organization_id=images.organization_id,
        facility_id=images.facility_id,
        patient_id=patient_id,
        agreement_id=held.id if held else None,
        group_organization_id=held.group_organization_id if held else None,
        priority=priority,
        exam_class=exam_class,
        description=words,
        is_provisional=is_provisional,
        is_arriving=False,
        created_at=work.now,
    )
    work.session.add(case)
    work.session.flush()
    kind = "preliminary" if held and held.read_kind == "preliminary" else "primary"
    work.session.add(Read(organization_id=case.organization_id, case_id=case.id, kind=kind, state="waiting"))
    work.session.flush()
    record_case(
        work, "case.created", case, order_id=order_id, exam_class=exam_class, priority=priority,
        is_provisional=is_provisional or None,
    )  # fmt: skip
    return case


def _begin_from_images(
    work: Work, images: StudyFacts, patient_id: UUID, priority: str, *, is_provisional: bool = False
) -> Case:
    words = images.study_description or " ".join(images.modalities) or "Exam not named"
    case = _begin(work, images, patient_id, priority, _class_by_images(images), words, is_provisional=is_provisional)
    _add_study(work, case, images)
    return case


def _take_order(work: Work, case: Case, order: OrderFacts, procedures: Sequence[ProcedureFacts]) -> None:
    """A provisional case is matched: it takes the order's patient, priority and exam."""
    case.is_provisional, case.patient_id, case.priority = False, order.patient_id, order.priority
    if procedures:
        case.description, case.exam_class = _described(procedures), procedures[0].exam_class
    work.session.flush()
    record_case(work, "case.matched", case, order_id=order.id, priority=order.priority)
    offer_to_group(work, case)
    if case.clock_started_at is not None:
        start_clock(work, case, studies_of_case(work, case.id), "matched to its order", promise_again=True)


def _add_procedures(work: Work, case: Case, procedures: Sequence[ProcedureFacts]) -> None:
    have = set(
        work.session.scalars(select(CaseProcedure.requested_procedure_id).where(CaseProcedure.case_id == case.id))
    )
    work.session.add_all(
        CaseProcedure(case_id=case.id, requested_procedure_id=p.id, organization_id=case.organization_id)
        for p in procedures
        if p.id not in have
    )
    work.session.flush()


def _add_study(work: Work, case: Case, images: StudyFacts) -> bool:
    """False: it is in already."""
    if work.session.get(CaseStudy, (case.id, images.id)) is not None:
        return False
    work.session.add(
        CaseStudy(case_id=case.id, study_id=images.id, organization_id=case.organization_id, added_at=work.now)
    )
    work.session.flush()
    record_case(work, "case.study_joined", case, study=images.id)
    return True


def study_left(work: Work, case: Case, study_id: UUID) -> bool:
    """A study leaves a case (locked). True if none is left in it."""
    work.session.execute(delete(CaseStudy).where(CaseStudy.case_id == case.id, CaseStudy.study_id == study_id))
    work.session.flush()
    record_case(work, "case.study_left", case, study=study_id)
    return not studies_of_case(work, case.id)


def _live_case_of(work: Work, procedure_ids: Sequence[UUID], study_id: UUID) -> Case | None:
    """The case that answers one of the procedures, or interprets the study, and was not cancelled; locked."""
    by_procedure = select(CaseProcedure.case_id).where(CaseProcedure.requested_procedure_id.in_(procedure_ids))
    by_study = select(CaseStudy.case_id).where(CaseStudy.study_id == study_id)
    not_cancelled = select(Read.case_id).where(Read.state.in_((*ACTIVE, "done")))
    found = work.session.scalars(
        select(Case.id).where(Case.id.in_(by_procedure.union(by_study)), Case.id.in_(not_cancelled)).order_by(Case.id)
    ).first()
    return locked_case(work, found) if found else None


def _described(procedures: Sequence[ProcedureFacts]) -> str:
    return " + ".join(dict.fromkeys(p.description for p in procedures))


def _class_by_images(images: StudyFacts) -> str:
    modality = images.modalities[0] if images.modalities else None
    return classify(images.study_description, modality=modality, body_part=images.body_part).id


def _coordinates(work: Work, organization_id: UUID) -> bool:
    if work.actor.kind == "system":
        return organization_id in work.actor.organizations
    groups = work.actor.organizations_with("coordinator")
    return organization_id in groups or organization_id in coordinated_clients(work.session, groups)
