"""Rows of lists, in two statements however many rows: what belongs to a read, and the banners of the patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.facts import class_of
from heliograph.care.worklist.schemas import Banner, FacilityBrief, ListItem, Named
from heliograph.kit.db.session import ActorSession
from heliograph.records.patients.queries import PatientBanner, banners
from heliograph.records.people.queries import reader_name
from heliograph.records.sites.queries import FacilityFacts

_ROWS = text(
    """
    select r.id as read_id, r.case_id, r.state, r.kind, r.reader_id, c.organization_id, c.facility_id, c.patient_id, c.priority,
           c.exam_class, c.description, c.is_arriving, c.is_provisional, c.late_images_at, c.last_image_at,
           coalesce(r.due_at, c.due_at) as due_at, coalesce(r.clock_started_at, c.clock_started_at) as clock_started_at,
           f.name as facility, f.short_name, f.jurisdiction, f.time_zone, p.title, p.given_name, p.family_name,
           images.number as number_of_images, images.studies, orders.accessions, orders.referrers,
           (select count(*) from archive.studies s
            where s.patient_id = c.patient_id and s.number_of_instances > 0 and s.match_state <> 'held') as studies_of_patient,
           (select i.reason from worklist.case_intervals i
            where i.case_id = c.id and i.kind = 'hold' and i.ended_at is null limit 1) as hold_reason,
           (select l.holder_name from reading.edit_locks l join reading.reports t on t.id = l.report_id
            where t.case_id = c.id limit 1) as opened_by,
           exists (select 1 from reading.drafts d where d.read_id = r.id) as has_draft
    from worklist.reads r
    join worklist.cases c on c.id = r.case_id
    join sites.facilities f on f.id = c.facility_id
    left join people.readers p on p.id = r.reader_id
    cross join lateral (
        select coalesce(sum(s.number_of_instances), 0) as number, count(*) filter (where s.number_of_instances > 0) as studies
        from worklist.case_studies cs join archive.studies s on s.id = cs.study_id where cs.case_id = c.id
    ) images
    cross join lateral (
        select array_agg(o.accession_number order by o.received_at) as accessions,
               array_agg(o.referrer_name order by o.received_at) as referrers
        from worklist.case_procedures cp join orders.requested_procedures q on q.id = cp.requested_procedure_id
        join orders.orders o on o.id = q.order_id where cp.case_id = c.id
    ) orders
    where r.id = any(:reads)
    order by coalesce(r.due_at, c.due_at) nulls last, r.id
    """
)


@dataclass(frozen=True, slots=True)
class Row:
    """A read on a list, and who has it."""

    item: ListItem
    reader: Named | None


def rows_of(session: ActorSession, read_ids: Sequence[UUID], now: datetime) -> list[Row]:
    """The rows of some reads, by deadline; those that the actor may not see are left out."""
    found = session.execute(_ROWS, {"reads": list(read_ids)}).all() if read_ids else []
    zones = {r.patient_id: r.time_zone for r in found if r.patient_id is not None}
    shown = {i: banner_of(p) for i, p in banners(session, zones, now).items()}
    places = {
        r.facility_id: FacilityBrief(
            id=r.facility_id,
            name=r.facility,
            short_name=r.short_name,
            jurisdiction=r.jurisdiction,
            time_zone=r.time_zone,
        )
        for r in found
    }
    return [
        Row(
            ListItem(
                read_id=r.read_id,
                case_id=r.case_id,
                state=r.state,
                has_draft=r.has_draft,
                is_arriving=r.is_arriving,
                is_provisional=r.is_provisional,
                late_images_at=r.late_images_at,
                hold_reason=r.hold_reason,
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
                facility=places[r.facility_id],
                number_of_images=r.number_of_images,
                number_of_priors=max(0, r.studies_of_patient - r.studies),
                accession=", ".join(dict.fromkeys(a for a in r.accessions or () if a)) or None,
                referrer=next((n for n in r.referrers or () if n), None),
                opened_by=r.opened_by,
            ),
            Named(id=r.reader_id, name=reader_name(r.title, r.given_name, r.family_name)) if r.reader_id else None,
        )
        for r in found
    ]


def banner_of(patient: PatientBanner) -> Banner:
    """The banner of `patients.queries` as the pages get it."""
    return Banner.model_validate(patient, from_attributes=True)


def facility_brief(place: FacilityFacts) -> FacilityBrief:
    """A facility as the pages get it."""
    return FacilityBrief.model_validate(place, from_attributes=True)


def minutes_between(begin: datetime | None, end: datetime | None) -> int | None:
    """Whole minutes of a promise."""
    return round((end - begin).total_seconds() / 60) if begin and end else None
