"""Where the images of a study disagree with the order that it answers: flagged on the case, and before signing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from heliograph.care.orders.agree import Asked, Disagreement, Person, Shown, anatomy_differs, person_differs
from heliograph.care.orders.queries import OrderBrief, orders, orders_of_studies
from heliograph.kit.db.session import ActorSession
from heliograph.records.archive.anatomy import SeriesAnatomy, anatomy_of
from heliograph.records.archive.queries import StudyFacts, studies
from heliograph.records.patients.names import display_name
from heliograph.records.patients.queries import PatientFacts, patient

WORDS: Final = {
    "name": "name", "birth_date": "birth date", "sex": "sex", "body_part": "body part", "laterality": "side",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StudyDisagreement:
    """A disagreement of a study with its order."""

    study_id: UUID
    order_id: UUID
    what: Disagreement


def disagreements(session: ActorSession, study_ids: Sequence[UUID]) -> list[StudyDisagreement]:
    """What the images of these studies say otherwise than the orders that they answer, with what was put right of them."""
    answered = orders_of_studies(session, study_ids)
    if not answered:
        return []
    known = studies(session, list(answered))
    briefs = orders(session, {order_id for ids in answered.values() for order_id in ids})
    people = {b.patient_id: patient(session, b.patient_id) for b in briefs.values()}
    shown = anatomy_of(session, list(answered))
    found: list[StudyDisagreement] = []
    for study_id, order_ids in answered.items():
        of = [briefs[i] for i in order_ids if i in briefs]
        if study_id in known and of:
            found += _of_study(known[study_id], of, people, shown.get(study_id, []))
    return found


def _of_study(
    study: StudyFacts, of: Sequence[OrderBrief], people: dict[UUID, PatientFacts | None], shown: Sequence[SeriesAnatomy]
) -> list[StudyDisagreement]:
    images = _person_of_images(study)
    found = [
        StudyDisagreement(study.id, order.id, what)
        for order in of
        if (person := people.get(order.patient_id)) is not None
        for what in person_differs(Person(display_name(person), person.birth_date, person.sex), images)
    ]
    procedures = [p for order in of for p in order.procedures]
    # A site that names the study of each procedure says which one these images answer.
    named = [p for p in procedures if p.study_instance_uid == study.study_instance_uid]
    asked = [Asked(p.description, p.exam_class, p.laterality) for p in named or procedures]
    series = [Shown(s.body_part, s.sides, s.description) for s in shown]
    found += [
        StudyDisagreement(study.id, of[0].id, what) for what in anatomy_differs(asked, series, study.study_description)
    ]
    return found


def _person_of_images(study: StudyFacts) -> Person:
    name = (study.dicom_patient_name or "").split("=", maxsplit=1)[0].replace("^", " ")
    return Person(" ".join(name.split()), study.dicom_birth_date, study.dicom_sex)
