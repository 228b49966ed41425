"""The coordinator's board: open cases by deadline, what waits for a person, who is on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from heliograph.care.rota.queries import shifts_of_groups
from heliograph.care.worklist.deliveries import next_step, troubled
from heliograph.care.worklist.facts import Load, loads_of
from heliograph.care.worklist.lists import banner_of, facility_brief, rows_of
from heliograph.care.worklist.queries import seen_organizations
from heliograph.care.worklist.schemas import (
    AlarmBrief,
    Board,
    BoardDelivery,
    BoardItem,
    KeptToday,
    Named,
    OnShift,
    StudyBrief,
    UnmatchedItem,
)
from heliograph.care.worklist.states import case_state
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.archive.queries import study_briefs
from heliograph.records.patients.queries import banners
from heliograph.records.people.queries import names_of
from heliograph.records.sites.queries import facilities

COMES_ON = timedelta(hours=12)
_OPEN = text(
    """
    select case_id, read_id from (
        (select c.id as case_id, r.id as read_id, c.due_at
         from unnest(cast(:clients as uuid[])) as o(id)
         cross join lateral (
             select k.id, k.due_at from worklist.cases k
             where k.organization_id = o.id and k.closed_at is null
               and exists (select 1 from worklist.reads a where a.case_id = k.id
                           and a.state in ('waiting', 'ready', 'assigned', 'reading'))
             order by k.due_at nulls last limit :limit
         ) c
         cross join lateral (
             select a.id from worklist.reads a where a.case_id = c.id
               and a.state in ('waiting', 'ready', 'assigned', 'reading') order by a.id limit 1
         ) r)
        union
        (select c.id, r.id, c.due_at
         from unnest(cast(:groups as uuid[])) as g(id)
         cross join lateral (
             select k.id, k.due_at from worklist.cases k
             where k.group_organization_id = g.id and k.closed_at is null and not k.organization_id = any(:clients)
             order by k.due_at nulls last limit :limit
         ) c
         cross join lateral (
             select a.id from worklist.reads a where a.case_id = c.id
               and a.state in ('waiting', 'ready', 'assigned', 'reading') order by a.id limit 1
         ) r)
    ) as found
    order by due_at nulls last limit :limit
    """
)
_TOTAL = text(
    "select count(*) from worklist.reads r where r.organization_id = any(:clients) "
    "and r.state in ('waiting', 'ready', 'assigned', 'reading')"
)
_ALARMS = text(
    "select id, kind, text, case_id, study_id, subject_id, raised_at, seen_by from worklist.alarms "
    "where organization_id = any(:clients) and cleared_at is null order by raised_at desc limit 500"
)
_KEPT = text(
    """
    select count(*) filter (where r.done_at <= coalesce(r.due_at, c.due_at)) as kept, count(*) as of,
           percentile_cont(0.5) within group (order by extract(epoch from r.done_at - coalesce(r.clock_started_at, c.clock_started_at))
                                              / 60) as median
    from worklist.reads r join worklist.cases c on c.id = r.case_id
    where r.organization_id = any(:clients) and r.done_at >= :midnight and coalesce(r.due_at, c.due_at) is not null
    """
)
_UNMATCHED = text(
    """
    select s.id, exists (select 1 from worklist.alarms a where a.kind = 'unmatched_study' and a.subject_id = s.id
                         and a.cleared_at is null) as alarm
    from archive.studies s
    where s.organization_id = any(:clients) and s.match_state in ('unmatched', 'held') and s.number_of_instances > 0
    order by s.first_received_at limit 100
    """
)
_READERS = text(
    "select r.id, r.capacity, p.name as place, p.time_zone from people.readers r "
    "left join people.reading_places p on p.reader_id = r.id and p.is_current where r.id = any(:ids)"
)
_GROUPS_OF_CLIENTS = text(
    "select distinct group_organization_id from agreements.agreements where organization_id = any(:clients) "
    "and valid_from <= :now and (valid_until is null or valid_until > :now)"
)
_NAMES = text("select id, short_name from tenancy.organizations where id = any(:ids)")
_CASES = text("select id, facility_id, patient_id from worklist.cases where id = any(:ids)")


def board(work: Work, limit: int = 100) -> Board:
    """The board of all clients that the actor coordinates: at most `limit` open cases, those due first."""
    session, now = work.session, work.now
    groups = list(work.actor.organizations_with("coordinator"))
    clients = seen_organizations(session, work.actor)
    values = {"clients": clients, "groups": groups, "limit": limit}
    picked = session.execute(_OPEN, values).all()
    alarms = session.execute(_ALARMS, {"clients": clients}).all()
    no_reader = {a.subject_id: a.text for a in alarms if a.kind == "no_reader"}
    rows = rows_of(session, [p.read_id for p in picked], now)
    names = names_of(session, {r.reader_id for r in rows})
    cases = [
        BoardItem.model_construct(
            **r.item.__dict__,
            reader=Named(id=r.reader_id, name=names.get(r.reader_id, "")) if r.reader_id else None,
            no_reader_reasons=no_reader.get(r.item.read_id),
            case_state=case_state(
                [r.item.state], is_arriving=r.item.is_arriving, has_no_reader=r.item.read_id in no_reader
            ),
        )
        for r in rows
    ]
    return Board(
        now=now,
        cases=cases,
        total=session.scalar(_TOTAL, {"clients": clients}) or 0,
        unmatched=_unmatched(session, clients, now),
        deliveries=_deliveries(session, clients, now),
        who_is_on=_who_is_on(session, groups, clients, now),
        alarms=[AlarmBrief.model_validate(a, from_attributes=True) for a in alarms],
        kept_today=_kept_today(session, clients, now),
    )


def _unmatched(session: ActorSession, clients: Sequence[UUID], now: datetime) -> list[UnmatchedItem]:
    alarmed = {r.id: r.alarm for r in session.execute(_UNMATCHED, {"clients": list(clients)})}
    found = study_briefs(session, list(alarmed))
    places = facilities(session, {s.facility_id for s in found.values()})
    return [
        UnmatchedItem(
            study=StudyBrief.model_validate(s, from_attributes=True),
            facility=facility_brief(places[s.facility_id]),
            age_seconds=max(0, round((now - s.first_received_at).total_seconds())),
            reason=s.match_reason,
            priority_guess=None,
            alarm=alarmed[s.id],
        )
        for s in (found[i] for i in alarmed if i in found)
    ]


def _deliveries(session: ActorSession, clients: Sequence[UUID], now: datetime) -> list[BoardDelivery]:
    found = troubled(session, clients)
    cases = {r.id: r for r in session.execute(_CASES, {"ids": [c for c, _ in found]})}
    places = facilities(session, {c.facility_id for c in cases.values()})
    zones = {c.patient_id: places[c.facility_id].time_zone for c in cases.values() if c.patient_id}
    patients = banners(session, zones, now)
    made = []
    for case_id, delivery in found:
        case = cases.get(case_id)
        if case is None:
            continue
        place, patient = places[case.facility_id], patients.get(case.patient_id)
        made.append(
            BoardDelivery(
                **delivery.model_dump(),
                patient=banner_of(patient) if patient else None,
                facility=facility_brief(place),
                case_id=case_id,
                next_step=next_step(delivery, place.phone, now),
            )
        )
    return made


def _who_is_on(session: ActorSession, mine: Sequence[UUID], clients: Sequence[UUID], now: datetime) -> list[OnShift]:
    """Readers of the coordinator's groups, and of the groups of clients where they coordinate: on now, or on within twelve hours."""
    groups = {*mine, *session.scalars(_GROUPS_OF_CLIENTS, {"clients": list(clients), "now": now})}
    shifts = shifts_of_groups(session, list(groups), now, now + COMES_ON)
    ids = list({s.reader_id for s in shifts})
    readers = {r.id: r for r in session.execute(_READERS, {"ids": ids})}
    names = names_of(session, ids)
    loads = loads_of(session, ids, now)
    titles = {r.id: r.short_name for r in session.execute(_NAMES, {"ids": list(groups)})}
    made = []
    for reader_id in ids:
        own = [s for s in shifts if s.reader_id == reader_id]
        on = [s for s in own if s.starts_at <= now]
        reader = readers[reader_id]
        made.append(
            OnShift(
                reader_id=reader_id,
                name=names[reader_id],
                place=reader.place,
                time_zone=reader.time_zone,
                shift_ends_at=max((s.ends_at for s in on), default=None),
                shift_starts_at=None if on else min(s.starts_at for s in own),
                open=loads.get(reader_id, Load()).open,
                capacity=reader.capacity,
                groups=sorted({titles[s.organization_id] for s in own}),
            )
        )
    return sorted(made, key=lambda r: (r.shift_ends_at is None, r.shift_starts_at or now, r.name))


def _kept_today(session: ActorSession, clients: Sequence[UUID], now: datetime) -> KeptToday:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    row = session.execute(_KEPT, {"clients": list(clients), "midnight": midnight}).one()
    return KeptToday(kept=row.kept, of=row.of, median_minutes=round(row.median) if row.median is not None else None)
