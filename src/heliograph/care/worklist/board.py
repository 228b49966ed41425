"""The coordinator's board: open cases by deadline, what waits for a person, who is on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

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
    OnShift,
    StudyBrief,
    UnmatchedItem,
)
from heliograph.care.worklist.states import case_state
from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.archive.queries import study_briefs
from heliograph.records.patients.queries import banners
from heliograph.records.people.queries import reader_name
from heliograph.records.sites.queries import facilities

COMES_ON = timedelta(hours=12)
_OPEN = text(
    """
    with houses as (
        select unnest(cast(:clients as uuid[])) as id, true as whole
        union all
        select distinct a.organization_id, false from agreements.agreements a
        where a.group_organization_id = any(:groups) and a.organization_id <> all(:clients)
    )
    select found.case_id, found.read_id
    from houses h
    cross join lateral (
        select k.id as case_id, k.due_at, a.id as read_id
        from worklist.cases k
        cross join lateral (
            select r.id from worklist.reads r
            where r.case_id = k.id and r.state in ('waiting', 'ready', 'assigned', 'reading') order by r.id limit 1
        ) a
        where k.organization_id = h.id and k.closed_at is null and (h.whole or k.group_organization_id = any(:groups))
        order by k.due_at nulls last limit :limit
    ) found
    order by found.due_at nulls last limit :limit
    """
)
"""The open cases of the clients that are coordinated, and, of other clients of the groups, those offered to the groups."""
_ALARMS = text(
    "select id, kind, text, case_id, study_id, subject_id, raised_at, seen_by from worklist.alarms "
    "where organization_id = any(:clients) and cleared_at is null order by raised_at desc limit 500"
)
_COUNTS = text(
    """
    select (select count(*) from worklist.reads where organization_id = any(:clients)
            and state in ('waiting', 'ready', 'assigned', 'reading')) as total,
           count(*) filter (where r.done_at <= coalesce(r.due_at, c.due_at)) as kept, count(*) as of,
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
_ON = text(
    """
    select r.id, r.title, r.given_name, r.family_name, r.capacity, p.name as place, p.time_zone,
           max(s.ends_at) filter (where s.starts_at <= :now) as ends_at, min(s.starts_at) as starts_at,
           array_agg(distinct o.short_name order by o.short_name) as groups
    from rota.shifts s
    join tenancy.organizations o on o.id = s.organization_id
    join people.readers r on r.id = s.reader_id
    left join people.reading_places p on p.reader_id = r.id and p.is_current
    where s.ends_at > :now and s.starts_at < :until and s.organization_id = any(
        array(select unnest(cast(:groups as uuid[])) union select a.group_organization_id from agreements.agreements a
              where a.organization_id = any(:clients) and a.valid_from <= :now and (a.valid_until is null or a.valid_until > :now)))
    group by r.id, p.id
    """
)
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
    total, kept_today = _counts(session, clients, now)
    return Board(
        now=now,
        cases=[
            BoardItem(
                **row.item.__dict__,
                reader=row.reader,
                no_reader_reasons=no_reader.get(row.item.read_id),
                case_state=case_state(
                    [row.item.state], is_arriving=row.item.is_arriving, has_no_reader=row.item.read_id in no_reader
                ),
            )
            for row in rows_of(session, [p.read_id for p in picked], now)
        ],
        total=total,
        unmatched=_unmatched(session, clients, now),
        deliveries=_deliveries(session, clients, now),
        who_is_on=_who_is_on(session, groups, clients, now),
        alarms=[AlarmBrief.model_validate(a, from_attributes=True) for a in alarms],
        kept_today=kept_today,
    )


def _unmatched(session: ActorSession, clients: Sequence[UUID], now: datetime) -> list[UnmatchedItem]:
    alarmed = {r.id: r.alarm for r in session.execute(_UNMATCHED, {"clients": list(clients)})}
    if not alarmed:
        return []
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
    if not found:
        return []
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
                next_step=next_step(delivery, place.phone),
            )
        )
    return made


def _who_is_on(session: ActorSession, mine: Sequence[UUID], clients: Sequence[UUID], now: datetime) -> list[OnShift]:
    """Readers of the coordinator's groups, and of the groups of clients where they coordinate: on now, or on within twelve hours."""
    values = {"groups": list(mine), "clients": list(clients), "now": now, "until": now + COMES_ON}
    readers = session.execute(_ON, values).all()
    loads = loads_of(session, [r.id for r in readers], now)
    made = [
        OnShift(
            reader_id=r.id,
            name=reader_name(r.title, r.given_name, r.family_name),
            place=r.place,
            time_zone=r.time_zone,
            shift_ends_at=r.ends_at,
            shift_starts_at=None if r.ends_at else r.starts_at,
            open=loads.get(r.id, Load()).open,
            capacity=r.capacity,
            groups=r.groups,
        )
        for r in readers
    ]
    return sorted(made, key=lambda r: (r.shift_ends_at is None, r.shift_starts_at or now, r.name))


def _counts(session: ActorSession, clients: Sequence[UUID], now: datetime) -> tuple[int, KeptToday]:
    """(open reads, promises kept today)."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    row = session.execute(_COUNTS, {"clients": list(clients), "midnight": midnight}).one()
    median = round(row.median) if row.median is not None else None
    return row.total, KeptToday(kept=row.kept, of=row.of, median_minutes=median)
