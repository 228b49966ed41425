"""Whose images these are, when a person says so: the study is filed under another patient, attributes are put right, or taken back.

The images stay as they were stored; what is put right is told on their way out (`records/archive/corrections`). Afterwards the study
is matched anew: it leaves an order of another patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, select

from heliograph.care.orders.access import must_coordinate
from heliograph.care.orders.errors import ReasonNeeded
from heliograph.care.orders.events import StudyMoved, StudyUnmatched
from heliograph.care.orders.match import match_study
from heliograph.care.orders.model import Order, OrderStudy
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.archive import corrections, proposals
from heliograph.records.archive.held import held_object
from heliograph.records.archive.match_state import lock_accessions, set_match, study_now
from heliograph.records.archive.queries import StudyFacts, study_by_uid
from heliograph.records.patients.queries import going_on
from heliograph.records.sites.queries import facility


def accept_correction(work: Work, held_id: UUID, reason: str, *, confirm_other_person: bool = False) -> UUID:
    """Takes what an object that waits proposes, for its whole study (see `proposals.accept`); returns the study's id.

    Raises:
        NotFound, NotAllowed, ReasonNeeded, NoProposal, OtherPerson, NotCorrectable
    """
    held = held_object(work.session, held_id)
    if held is None or held.study_instance_uid is None:
        raise NotFound
    must_coordinate(work, held.organization_id, held.facility_id)
    found = study_by_uid(work.session, held.organization_id, held.study_instance_uid)
    if found is None:
        raise NotFound
    _begin(work, found, reason, held.proposal or {})
    proposals.accept(
        work,
        held_id,
        reason.strip(),
        before_move=lambda study_id, patient_id: _leave_orders(work, study_id, reason.strip(), but_of=patient_id),
        confirm_other_person=confirm_other_person,
    )
    _go_on(work, found)
    return found.id


def file_under_patient(work: Work, study_id: UUID, patient_id: UUID, reason: str) -> None:
    """Files a study under a patient of its organisation, or who goes on for them: on their way out its images name that patient.

    A held study is released by it.

    Raises:
        NotFound: no such study or patient, or not visible, or in different organisations.
        NotAllowed, ReasonNeeded, NotCorrectable
    """
    found, to = study_now(work.session, study_id), going_on(work.session, patient_id)
    if found is None or to is None or to.organization_id != found.organization_id:
        raise NotFound
    _begin(work, found, reason)
    site = facility(work.session, found.facility_id)
    values = proposals.identity_values(work.session, to.id, site.patient_id_authority if site else "")
    _leave_orders(work, study_id, reason.strip(), but_of=to.id)
    corrections.correct(
        work, study_id, "moved", values, reason.strip(), patient_id=to.id, source=site.short_name if site else ""
    )
    if found.match_state == "held":
        set_match(work, study_id, "unmatched", "Filed under a patient by a person; waits for its order.")
    _go_on(work, found)


def put_right(work: Work, study_id: UUID, values: Mapping[str, str], reason: str) -> None:
    """Puts attributes right that do not say who the patient is: those are `file_under_patient`'s.

    Raises:
        NotFound, NotAllowed, ReasonNeeded
        NotCorrectable: also the patient's identifier or its issuer.
    """
    found = study_now(work.session, study_id)
    if found is None:
        raise NotFound
    if values.keys() & {corrections.PATIENT_ID, corrections.ISSUER}:
        raise corrections.NotCorrectable("Another identifier is another patient: file the study under them.")
    _begin(work, found, reason, values)
    site = facility(work.session, found.facility_id)
    corrections.correct(work, study_id, "entered", values, reason.strip(), source=site.short_name if site else "")
    _go_on(work, found)


def take_back(work: Work, study_id: UUID, reason: str) -> None:
    """Takes the last step that was put right back.

    Raises:
        NotFound, NotAllowed, ReasonNeeded, NothingToUndo
    """
    found = study_now(work.session, study_id)
    if found is None:
        raise NotFound
    _begin(work, found, reason)
    corrections.undo_correction(work, study_id, reason.strip())
    now = study_now(work.session, study_id)
    if now is not None and now.patient_id != found.patient_id:
        _leave_orders(work, study_id, reason.strip(), but_of=now.patient_id)
    _go_on(work, found)


def take_off_order(work: Work, study_id: UUID, reason: str) -> None:
    """A person says that a study does not answer its order after all: it waits again.

    Raises:
        NotFound: also when it answers none.
        NotAllowed, ReasonNeeded
    """
    found = study_now(work.session, study_id)
    if found is None or found.match_state != "matched":
        raise NotFound
    _begin(work, found, reason)
    _leave_orders(work, study_id, reason.strip(), but_of=None)


def _begin(work: Work, found: StudyFacts, reason: str, values: Mapping[str, str] | None = None) -> None:
    must_coordinate(work, found.organization_id, found.facility_id, study_id=found.id)
    if not reason.strip():
        raise ReasonNeeded
    new = (values or {}).get(corrections.ACCESSION)
    lock_accessions(work.session, found.organization_id, [found.accession_number, new])


def _go_on(work: Work, before: StudyFacts) -> None:
    """The study is matched anew, and the rooms above hear whose it is now."""
    match_study(work, before.id)
    now = study_now(work.session, before.id)
    if now is not None and now.patient_id is not None and now.patient_id != before.patient_id:
        work.announce(StudyMoved(now.organization_id, now.id, now.patient_id))


def _leave_orders(work: Work, study_id: UUID, reason: str, *, but_of: UUID | None) -> None:
    """Takes the study off its orders, but for those of this patient."""
    query = select(Order.id, Order.organization_id).join(OrderStudy, OrderStudy.order_id == Order.id)
    query = query.where(OrderStudy.study_id == study_id).order_by(Order.id)
    left = work.session.execute(query.where(Order.patient_id != but_of) if but_of else query).all()
    for order_id, organization_id in left:
        work.session.execute(delete(OrderStudy).where(OrderStudy.study_id == study_id, OrderStudy.order_id == order_id))
        work.touch("order", order_id, organization_id)
    if not left:
        return
    set_match(work, study_id, "unmatched", f"Taken off its order by a person: {reason}", order_id=left[0][0])
    for order_id, organization_id in left:
        work.announce(StudyUnmatched(organization_id, study_id, order_id))
