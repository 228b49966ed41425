"""Which reactions follow which event: the one place where rooms meet upwards."""

from __future__ import annotations

from heliograph.care.delivery import reactions as delivery
from heliograph.care.delivery.events import DeliveryAcknowledged, DeliveryCancelled
from heliograph.care.orders import reactions as orders
from heliograph.care.orders.events import OrderChanged, PatientsMerged, StudyMatched, StudyMoved, StudyUnmatched
from heliograph.care.reading.events import ReportSigned, ReportWithdrawn
from heliograph.care.results import reactions as results
from heliograph.care.worklist import reactions as worklist
from heliograph.kit.events import Reactions
from heliograph.records.archive.events import ImagesHidden, ImagesIndexed, ObjectsHeld, QuarantineFull, StudyCompleted
from heliograph.records.patients.events import IdentityDoubted, IdentitySettled, PatientChanged


def wire(reactions: Reactions) -> Reactions:
    """Registers every reaction, in the order in which they must run: images are matched to their order before the worklist hears of
    them; a case is a certain one before what was held for it is sent."""
    reactions.on(ImagesIndexed, orders.match_images)
    reactions.on(ImagesIndexed, worklist.on_images_indexed)
    reactions.on(ImagesHidden, worklist.on_images_hidden)
    reactions.on(ObjectsHeld, worklist.on_objects_held)
    reactions.on(QuarantineFull, worklist.on_quarantine_full)
    reactions.on(StudyMatched, worklist.on_study_matched)
    reactions.on(StudyUnmatched, worklist.on_study_unmatched)
    reactions.on(StudyMoved, worklist.on_study_moved)
    reactions.on(PatientsMerged, worklist.on_patients_merged)
    reactions.on(PatientsMerged, results.on_patients_merged)
    reactions.on(IdentityDoubted, worklist.on_identity_doubted)
    reactions.on(IdentitySettled, worklist.on_identity_settled)
    reactions.on(PatientChanged, worklist.on_patient_changed)
    reactions.on(StudyMatched, delivery.on_study_matched)
    reactions.on(StudyCompleted, worklist.on_study_completed)
    reactions.on(OrderChanged, worklist.on_order_changed)
    # Signing ends the read itself (a preliminary version may leave it open), so the worklist need not hear of it.
    reactions.on(ReportSigned, delivery.on_report_signed)
    reactions.on(ReportWithdrawn, delivery.on_report_withdrawn)
    reactions.on(ReportSigned, results.on_report_signed)
    reactions.on(ReportWithdrawn, results.on_report_withdrawn)
    reactions.on(DeliveryAcknowledged, worklist.on_delivery_acknowledged)
    reactions.on(DeliveryCancelled, worklist.on_delivery_cancelled)
    return reactions
