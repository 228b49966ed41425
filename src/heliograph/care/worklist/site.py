"""The site's page: what becomes of each of its exams, in its own words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.deliveries import deliveries_of, states_of, versions_of
from heliograph.care.worklist.lists import banner_of, facility_brief
from heliograph.care.worklist.schemas import DeliveryBrief, Node, Site, SiteFacility, SiteRow, Steps, VersionBrief
from heliograph.care.worklist.states import ACTIVE, CaseState, case_state
from heliograph.governance.tenancy.queries import organizations as organizations_by_id
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotAllowed
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.patients.queries import banners
from heliograph.records.people.queries import names_of
from heliograph.records.sites.queries import callers_of_facilities, facilities_of

SHOWN = timedelta(days=3)
CURRENT: dict[CaseState, int] = {
    "arriving": 1, "ready": 2, "no_reader": 2, "assigned": 2, "reading": 3, "signed": 4, "delivered": 4, "acknowledged": 5,
    "cancelled": 0,
}  # fmt: skip
STATE_WORDS: dict[CaseState, str] = {
    "arriving": "Arriving", "ready": "In queue", "no_reader": "In queue", "assigned": "In queue", "reading": "Reading",
    "signed": "Signed", "delivered": "Delivered", "acknowledged": "Seen", "cancelled": "Cancelled",
}  # fmt: skip

_CASES = text(
    """
    select c.id, c.facility_id, c.patient_id, c.priority, c.description, c.last_image_at, c.is_arriving, c.is_provisional, c.due_at,
           c.late_images_at,
           (select array_agg(r.state order by r.id) from worklist.reads r where r.case_id = c.id) as states,
           (select r.reader_id from worklist.reads r where r.case_id = c.id order by r.id desc limit 1) as reader_id,
           (select max(r.opened_at) from worklist.reads r where r.case_id = c.id) as opened_at,
           exists (select 1 from worklist.alarms a where a.case_id = c.id and a.kind = 'no_reader' and a.cleared_at is null) as alone,
           (select p.order_id from worklist.case_procedures cp join orders.requested_procedures p on p.id = cp.requested_procedure_id
            where cp.case_id = c.id order by p.position limit 1) as order_id,
           (select cs.study_id from worklist.case_studies cs where cs.case_id = c.id order by cs.added_at limit 1) as study_id
    from worklist.cases c
    where c.facility_id = any(:facilities) and c.organization_id = any(:orgs) and (c.closed_at is null or c.closed_at > :since)
    order by c.last_image_at desc nulls last, c.id limit 200
    """
)
_IMAGES = text(
    """
    select s.id, s.facility_id, s.patient_id, coalesce(s.study_description, array_to_string(s.modalities, ' ')) as exam,
           s.number_of_instances, s.last_received_at, s.completed_at, s.match_state, s.match_reason
    from archive.studies s
    where s.organization_id = any(:orgs) and s.facility_id = any(:facilities) and s.number_of_instances > 0
      and s.last_received_at > :since and s.match_state <> 'prior'
      and not exists (select 1 from worklist.case_studies cs where cs.study_id = s.id)
    order by s.last_received_at desc limit 100
    """
)
_ORDERS = text(
    """
    select o.id, o.facility_id, o.patient_id, o.priority, o.status, o.received_at,
           (select string_agg(p.description, ' + ' order by p.position) from orders.requested_procedures p
            where p.order_id = o.id and not p.is_cancelled) as exam
    from orders.orders o
    where o.organization_id = any(:orgs) and o.facility_id = any(:facilities) and o.received_at > :since
      and o.status <> 'cancelled' and not exists (select 1 from orders.order_studies os where os.order_id = o.id)
    order by o.received_at desc limit 100
    """
)


def site(work: Work, settings: Settings) -> Site:
    """The page of the facilities where the actor is staff: open cases and those of three days, images and orders without one.

    Raises: NotAllowed.
    """
    roles = [r for r in work.actor.roles if r.role == "site_staff"]
    if not roles:
        raise NotAllowed("The site's page is for its staff.")
    session, now = work.session, work.now
    organizations = list({r.organization_id for r in roles})
    everywhere = {r.organization_id for r in roles if r.facility_id is None}
    narrowed = {r.facility_id for r in roles if r.facility_id is not None}
    places = {
        f.id: f for f in facilities_of(session, organizations) if f.organization_id in everywhere or f.id in narrowed
    }
    values = {"orgs": organizations, "facilities": list(places), "since": now - SHOWN}
    cases = session.execute(_CASES, values).all()
    images = session.execute(_IMAGES, values).all()
    orders = session.execute(_ORDERS, values).all()
    zones = {r.patient_id: places[r.facility_id].time_zone for r in (*cases, *images, *orders) if r.patient_id}
    shown = {i: banner_of(p) for i, p in banners(session, zones, now).items()}
    ids = [c.id for c in cases]
    versions, deliveries = versions_of(session, ids), deliveries_of(session, ids)
    names = names_of(session, {c.reader_id for c in cases})
    rows = [
        _case_row(
            c, shown.get(c.patient_id), versions.get(c.id, []), deliveries.get(c.id, []), names.get(c.reader_id), now
        )
        for c in cases
    ]
    rows += [_image_row(s, shown.get(s.patient_id)) for s in images]
    rows += [_order_row(o, shown.get(o.patient_id)) for o in orders]
    slugs = {o.id: o.slug for o in organizations_by_id(session, organizations).values()}
    return Site(
        facilities=[
            SiteFacility(**facility_brief(f).model_dump(), organization_slug=slugs[f.organization_id])
            for f in places.values()
        ],
        rows=rows,
        node=Node(
            ae_title=_our_title(session, list(places), settings),
            host=settings.dimse_host,
            port=settings.dimse_port if settings.dimse_plain else None,
            tls_port=settings.dimse_tls_port if settings.dimse_tls_certificate_file else None,
        ),
    )


def _our_title(session: ActorSession, facility_ids: list[UUID], settings: Settings) -> str:
    """The title by which the site's scanners call us: the one their callers are registered with, where that is one."""
    known = {c.called_ae for c in callers_of_facilities(session, facility_ids)}
    return known.pop() if len(known) == 1 else settings.dimse_ae_title


def _case_row(
    c: Any,
    patient: Any,
    versions: list[VersionBrief],
    deliveries: list[DeliveryBrief],
    reader: str | None,
    now: datetime,
) -> SiteRow:
    state = case_state(c.states or [], states_of(deliveries), is_arriving=c.is_arriving, has_no_reader=c.alone)
    version = versions[-1] if versions else None
    seen_at = max((d.acknowledged_at for d in deliveries if d.channel == "page" and d.acknowledged_at), default=None)
    trouble = next((d for d in deliveries if d.state in ("failed", "held")), None)
    is_late = c.due_at is not None and c.due_at < now and any(s in ACTIVE for s in c.states or [])
    return SiteRow(
        case_id=c.id,
        study_id=c.study_id,
        order_id=c.order_id,
        priority=c.priority,
        patient=patient,
        exam=c.description,
        last_image_at=c.last_image_at,
        steps=Steps(current=CURRENT[state], attention=bool(trouble) or is_late or c.alone or c.is_provisional),
        state_text=STATE_WORDS[state],
        what_happens=_what_happens(c, state, version, trouble, reader, now, seen_at),
        due_at=c.due_at,
        version=version,
        acknowledged_at=seen_at,
        facility_id=c.facility_id,
    )


def _what_happens(
    c: Any,
    state: CaseState,
    version: VersionBrief | None,
    trouble: DeliveryBrief | None,
    reader: str | None,
    now: datetime,
    seen_at: datetime | None,
) -> str:
    if trouble is not None:
        return trouble.hold_reason or "Your system did not take the report; the reading desk sees to it."
    if c.is_provisional:
        return "Read before it is matched: match it to its order to get the report."
    if state == "no_reader":
        return "No reader yet; the reading desk was alarmed."
    if state in ("assigned", "reading") and c.due_at is not None and c.due_at < now:
        late = round((now - c.due_at).total_seconds() / 60)
        return f"Late by {late} min, " + ("being read" if state == "reading" else "waiting for the reader")
    if state == "reading":
        return f"Opened by {reader}" if reader else "Being read"
    if state in ("signed", "delivered", "acknowledged") and version is not None:
        return f"Seen; signed by {version.signer_name}" if seen_at else f"Signed by {version.signer_name}"
    return {"arriving": "Images are arriving", "cancelled": "Cancelled"}.get(state, "Waits for its reader")


def _image_row(s: Any, patient: Any) -> SiteRow:
    is_waiting = s.match_state in ("unmatched", "held")
    return SiteRow(
        case_id=None,
        study_id=s.id,
        order_id=None,
        priority="ROUTINE",
        patient=patient,
        exam=f"{s.exam or 'Images'}, {s.number_of_instances} image{'' if s.number_of_instances == 1 else 's'}",
        last_image_at=s.last_received_at,
        steps=Steps(current=1, attention=is_waiting),
        state_text="Held" if s.match_state == "held" else "No order" if is_waiting else "Arriving",
        what_happens=s.match_reason or ("Images are arriving" if s.completed_at is None else "Waits"),
        due_at=None,
        version=None,
        acknowledged_at=None,
        facility_id=s.facility_id,
        is_held=s.match_state == "held",
    )


def _order_row(o: Any, patient: Any) -> SiteRow:
    return SiteRow(
        case_id=None,
        study_id=None,
        order_id=o.id,
        priority=o.priority,
        patient=patient,
        exam=o.exam or "Order",
        last_image_at=None,
        steps=Steps(current=0, attention=False),
        state_text="Ordered",
        what_happens="Waits for its images",
        due_at=None,
        version=None,
        acknowledged_at=None,
        facility_id=o.facility_id,
    )
