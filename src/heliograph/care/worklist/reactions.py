"""What the worklist does when other rooms announce something. Only `app/wiring.py` registers these."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from heliograph.care.orders.events import OrderChanged, PatientsMerged, StudyMatched, StudyMoved, StudyUnmatched
from heliograph.care.worklist.access import locked_case
from heliograph.care.worklist.alarms import clear_alarm
from heliograph.care.worklist.cases import ensure_case, ensure_case_for_images, make_ready
from heliograph.care.worklist.changes import (
    close_if_finished,
    images_came,
    images_left,
    images_moved,
    order_cancel_asked,
    order_cancelled,
    order_changed,
    order_joined,
    patients_merged,
)
from heliograph.care.worklist.held_alarms import raise_full, raise_held
from heliograph.care.worklist.hidden_images import images_hidden, images_shown
from heliograph.care.worklist.identity import clear_doubted, patient_changed, raise_doubted
from heliograph.care.worklist.sources import study
from heliograph.kit.work import Work
from heliograph.records.archive.events import ImagesHidden, ImagesIndexed, ObjectsHeld, QuarantineFull, StudyCompleted
from heliograph.records.patients.events import IdentityDoubted, IdentitySettled, PatientChanged


class DeliveryOverEvent(Protocol):
    """`delivery.DeliveryAcknowledged` or `DeliveryCancelled`: a room above announces it, so only its shape is known here."""

    @property
    def case_id(self) -> UUID: ...


def on_images_indexed(work: Work, event: ImagesIndexed) -> None:
    """Images came: after the room of orders tried to match them."""
    images_shown(work, event.study_id)
    images_came(work, event.study_id, event.number_of_instances)


def on_images_hidden(work: Work, event: ImagesHidden) -> None:
    """No image of a study is shown any more."""
    images_hidden(work, event.study_id)


def on_objects_held(work: Work, event: ObjectsHeld) -> None:
    """Objects wait in quarantine."""
    raise_held(work, event)


def on_quarantine_full(work: Work, event: QuarantineFull) -> None:
    """The quarantine has no more room."""
    raise_full(work, event)


def on_study_matched(work: Work, event: StudyMatched) -> None:
    """A study answers an order."""
    ensure_case(work, event.order_id, event.study_id)
    order_joined(work, event.order_id)
    clear_alarm(work, "unmatched_study", event.study_id)


def on_study_unmatched(work: Work, event: StudyUnmatched) -> None:
    """A study does not answer its order after all."""
    images_left(work, event.study_id)


def on_study_moved(work: Work, event: StudyMoved) -> None:
    """A study is another patient's."""
    images_moved(work, event.study_id, event.patient_id)


def on_patients_merged(work: Work, event: PatientsMerged) -> None:
    """Two rows are one human, or are not."""
    patients_merged(work, event.from_id, event.to_id, is_undone=event.is_undone)


def on_identity_doubted(work: Work, event: IdentityDoubted) -> None:
    """A person must say whether two are one."""
    raise_doubted(work, event)


def on_identity_settled(work: Work, event: IdentitySettled) -> None:
    """A person said so."""
    clear_doubted(work, event.doubt_id)


def on_patient_changed(work: Work, event: PatientChanged) -> None:
    """A site says something else of a patient."""
    patient_changed(work, event)


def on_study_completed(work: Work, event: StudyCompleted) -> None:
    """A study is complete."""
    found = study(work.session, event.study_id)
    if found is not None and found.match_state == "not_needed":
        ensure_case_for_images(work, event.study_id)
    make_ready(work, event.study_id)


def on_order_changed(work: Work, event: OrderChanged) -> None:
    """An order came, changed, was cancelled, or the site wants it cancelled."""
    if event.change == "new":
        return  # nothing answers it yet; what waits for it is matched next, and that is announced
    if event.change == "cancelled":
        order_cancelled(work, event.order_id)
    elif event.change in ("cancel_requested", "cancel_refused"):
        order_cancel_asked(work, event.order_id, is_reported=event.change == "cancel_refused")
    else:
        order_changed(work, event.order_id)


def on_delivery_acknowledged(work: Work, event: DeliveryOverEvent) -> None:
    """A destination has the report."""
    close_if_finished(work, locked_case(work, event.case_id))


def on_delivery_cancelled(work: Work, event: DeliveryOverEvent) -> None:
    """A person ended a delivery: perhaps it was the last that the case waited for."""
    close_if_finished(work, locked_case(work, event.case_id))
