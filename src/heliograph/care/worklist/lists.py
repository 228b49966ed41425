"""Rows of lists, in a handful of statements however many rows: each part is asked once for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.facts import class_of
from heliograph.care.worklist.schemas import Banner, FacilityBrief, Identifier, ListItem
from heliograph.kit.db.session import ActorSession
from heliograph.records.patients.queries import PatientBanner, banners
from heliograph.records.sites.queries import FacilityFacts, facilities

_ROWS = text(
    """
    select r.id as read_id, r.case_id, r.state, r.kind, r.reader_id, c.organization_id, c.facility_id, c.patient_id, c.priority,
           c.exam_class, c.description, c.is_arriving, c.is_provisional, c.late_images_at, c.last_image_at, c.closed_at,
           coalesce(r.due_at, c.due_at) as due_at, coalesce(r.clock_started_at, c.clock_started_at) as clock_started_at
    from worklist.reads r join worklist.cases c on c.id = r.case_id
    where r.id = any(:reads)
    order by coalesce(r.due_at, c.due_at) nulls last, r.id
    """
)
_IMAGES = text(
    "select cs.case_id, cs.study_id, s.number_of_instances from worklist.case_studies cs "
    "join archive.studies s on s.id = cs.study_id where cs.case_id = any(:cases)"
)
_STUDIES_OF_PATIENTS = text(
    "select patient_id, count(*) from archive.studies where patient_id = any(:patients) and number_of_instances > 0 "
    "and match_state <> 'held' group by patient_id"
)
_ORDERS = text(
    "select distinct cp.case_id, o.accession_number, o.referrer_name, o.received_at from worklist.case_procedures cp "
    "join orders.requested_procedures p on p.id = cp.requested_procedure_id join orders.orders o on o.id = p.order_id "
    "where cp.case_id = any(:cases) order by o.received_at"
)
_HOLDS = text(
    "select case_id, reason from worklist.case_intervals where case_id = any(:cases) and kind = 'hold' and ended_at is null"
)
_DRAFTS = text("select distinct read_id from reading.drafts where read_id = any(:reads)")
_LOCKS = text(
    "select p.case_id, l.holder_name from reading.edit_locks l join reading.reports p on p.id = l.report_id "
    "where p.case_id = any(:cases)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A read with its case, as the database tells it, beside the item made of it."""

    item: ListItem
    reader_id: UUID | None
    organization_id: UUID


def rows_of(session: ActorSession, read_ids: Sequence[UUID], now: datetime) -> list[Row]:
    """The rows of some reads, by deadline; those that the actor may not see are left out."""
    found = session.execute(_ROWS, {"reads": list(read_ids)}).all() if read_ids else []
    if not found:
        return []
    cases, reads = [r.case_id for r in found], [r.read_id for r in found]
    places = facilities(session, {r.facility_id for r in found})
    patients = banners(
        session, {r.patient_id: places[r.facility_id].time_zone for r in found if r.patient_id is not None}, now
    )
    shown = {i: banner_of(p) for i, p in patients.items()}
    images, in_case = _images(session, cases)
    of_patient = {r[0]: r[1] for r in session.execute(_STUDIES_OF_PATIENTS, {"patients": list(patients)})}
    accessions, referrers = _orders(session, cases)
    holds = {r.case_id: r.reason for r in session.execute(_HOLDS, {"cases": cases})}
    drafts = set(session.scalars(_DRAFTS, {"reads": reads}))
    locks = {r.case_id: r.holder_name for r in session.execute(_LOCKS, {"cases": cases})}
    briefs = {i: facility_brief(f) for i, f in places.items()}
    return [
        Row(
            ListItem.model_construct(
                read_id=r.read_id,
                case_id=r.case_id,
                state=r.state,
                has_draft=r.read_id in drafts,
                is_arriving=r.is_arriving,
                is_provisional=r.is_provisional,
                late_images_at=r.late_images_at,
                hold_reason=holds.get(r.case_id),
                kind=r.kind,
                priority=r.priority,
                due_at=r.due_at,
                clock_started_at=r.clock_started_at,
                promise_minutes=minutes_between(r.clock_started_at, r.due_at),
                last_image_at=r.last_image_at,
                patient=shown.get(r.patient_id),
                exam=r.description,
                exam_class=r.exam_class,
                modality=class_of(r.exam_class).modality,
                facility=briefs[r.facility_id],
                number_of_images=images.get(r.case_id, 0),
                number_of_priors=max(0, of_patient.get(r.patient_id, 0) - in_case.get(r.case_id, 0)),
                accession=", ".join(accessions.get(r.case_id, [])) or None,
                referrer=referrers.get(r.case_id),
                opened_by=locks.get(r.case_id),
            ),
            r.reader_id,
            r.organization_id,
        )
        for r in found
    ]


def banner_of(patient: PatientBanner) -> Banner:
    """The banner of `patients.queries` as the pages get it. Not validated again: boards show hundreds."""
    return Banner.model_construct(
        id=patient.id,
        display_name=patient.display_name,
        family_name=patient.family_name,
        given_name=patient.given_name,
        birth_date=patient.birth_date,
        age_years=patient.age_years,
        sex=patient.sex,
        identifiers=[Identifier.model_construct(authority=i.authority, value=i.value) for i in patient.identifiers],
    )


def facility_brief(place: FacilityFacts) -> FacilityBrief:
    """A facility as the pages get it."""
    return FacilityBrief.model_validate(place, from_attributes=True)


def minutes_between(begin: datetime | None, end: datetime | None) -> int | None:
    """Whole minutes of a promise."""
    return round((end - begin).total_seconds() / 60) if begin and end else None


def _images(session: ActorSession, cases: Sequence[UUID]) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Images of each case, and how many of its studies have any (those are no priors)."""
    images: dict[UUID, int] = {}
    studies: dict[UUID, int] = {}
    for case_id, _study, number in session.execute(_IMAGES, {"cases": cases}):
        images[case_id] = images.get(case_id, 0) + number
        studies[case_id] = studies.get(case_id, 0) + (number > 0)
    return images, studies


def _orders(session: ActorSession, cases: Sequence[UUID]) -> tuple[dict[UUID, list[str]], dict[UUID, str]]:
    accessions: dict[UUID, list[str]] = {}
    referrers: dict[UUID, str] = {}
    for case_id, accession, referrer, _received in session.execute(_ORDERS, {"cases": cases}):
        if accession and accession not in accessions.setdefault(case_id, []):
            accessions[case_id].append(accession)
        if referrer:
            referrers.setdefault(case_id, referrer)
    return accessions, referrers
