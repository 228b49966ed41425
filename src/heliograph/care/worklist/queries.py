"""My list, next, who could read a case, and the search. The board, a case's page, its timeline and the site's page are files of
their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.worklist.access import case_for
from heliograph.care.worklist.assign import verdicts_for
from heliograph.care.worklist.clock import ARRIVING
from heliograph.care.worklist.hidden_images import HOLD as NO_IMAGES
from heliograph.care.worklist.lists import banner_of, rows_of
from heliograph.care.worklist.model import Assignment, Read
from heliograph.care.worklist.schemas import Found, ListItem, Matrix, MyList, ReaderVerdict, Tab
from heliograph.care.worklist.states import ACTIVE
from heliograph.care.worklist.verdicts import Verdict, explained
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.actor import Actor
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import NotAllowed
from heliograph.kit.work import Work
from heliograph.records.patients.queries import banners
from heliograph.records.patients.queries import search as search_patients
from heliograph.records.people.queries import reader_of_user

SOON = timedelta(hours=1)
SHOWN_DONE = timedelta(hours=24)
_MINE = text("select id from worklist.reads where reader_id = :reader and state in ('assigned', 'reading')")
_DONE = text(
    "select id from worklist.reads where reader_id = :reader and state = 'done' and done_at >= :since order by done_at desc limit 200"
)


def my_list(work: Work, tab: Tab = "mine") -> MyList:
    """The reads of the signed-in reader. Raises: NotAllowed (no reader)."""
    reader_id = _me(work)
    now = work.now
    given = rows_of(work.session, list(work.session.scalars(_MINE, {"reader": reader_id})), now)
    items = [r.item for r in given if r.item.hold_reason != NO_IMAGES]
    done = list(work.session.scalars(_DONE, {"reader": reader_id, "since": now - SHOWN_DONE}))
    tabs: dict[Tab, list[ListItem]] = {t: [i for i in items if _is_under(i, t, now)] for t in get_args(Tab)}
    counts = {t: len(found) for t, found in tabs.items()} | {"done": len(done)}
    if tab == "done":
        rows = {r.item.read_id: r.item for r in rows_of(work.session, done, now)}
        return MyList(items=[rows[i] for i in done if i in rows], counts=counts, now=now)
    return MyList(items=tabs[tab], counts=counts, now=now)


def next_read(work: Work) -> ListItem | None:
    """What the reader should open next: due first among those not opened, complete before arriving; when nothing new waits, what
    was begun and left. Raises: NotAllowed.
    """
    reader_id = _me(work)
    rows = rows_of(work.session, list(work.session.scalars(_MINE, {"reader": reader_id})), work.now)
    free = [r.item for r in rows if r.item.hold_reason is None]
    ready = [i for i in free if i.state == "assigned"]
    begun = [i for i in free if i.state == "reading" and i.opened_by is None]
    return next((i for i in ready if not i.is_arriving), next(iter([*ready, *begun]), None))


def readers_for(work: Work, case_id: UUID, occasion: str = "now") -> Matrix:
    """Who could read a case and why not each other one: as kept when it was `assigned` or `opened`, or worked out `now`.

    For all who may see the case: the proof belongs to the client too. Raises: NotFound.
    """
    case = case_for(work, case_id)
    if occasion != "now":
        kept = _kept(work.session, case_id, occasion)
        if kept is not None:
            return Matrix(occasion=kept.occasion, at=kept.assigned_at, readers=_readers(_of(kept)))
        return Matrix(occasion=occasion, at=None, readers=[])
    read = _current_read(work.session, case_id)
    if read is None:
        return Matrix(occasion="now", at=work.now, readers=[])
    verdicts = verdicts_for(work, case, read)
    return Matrix(occasion="now", at=work.now, readers=_readers(explained(verdicts, read.reader_id)))


def why(session: ActorSession, case_id: UUID) -> Verdict | None:
    """The latest verdict kept for the reader of the case's current read."""
    read = _current_read(session, case_id)
    if read is None or read.reader_id is None:
        return None
    rows = session.scalars(
        select(Assignment)
        .where(Assignment.read_id == read.id, Assignment.reader_id == read.reader_id)
        .order_by(Assignment.assigned_at.desc(), Assignment.id.desc())
        .limit(5)
    )
    return next((v for row in rows for v in _of(row) if v.reader_id == read.reader_id), None)


def seen_organizations(session: ActorSession, actor: Actor) -> list[UUID]:
    """The clients whose worklist the actor sees as a whole: by a role there, or by coordination."""
    own = actor.organizations_with("site_staff", "coordinator", "auditor")
    groups = actor.organizations_with("coordinator")
    return list(dict.fromkeys([*own, *(coordinated_clients(session, groups) if groups else [])]))


def search(work: Work, words: str, limit: int = 50) -> list[Found]:
    """Cases, orders without a case and studies without either, by patient (name or identifier) or accession, newest first.

    Readers find patients whose cases they have or had. Without words: the newest cases of clients that the actor sees as a whole.
    """
    words = words.strip()
    if len(words) == 1:
        return []
    session, actor = work.session, work.actor
    organizations = seen_organizations(session, actor)
    reader_id = reader_of_user(session, actor.id)
    mine = set(session.scalars(_PATIENTS_OF_READER, {"reader": reader_id})) if reader_id else set()
    owners = organizations or (list(session.scalars(_OWNERS, {"patients": list(mine)})) if mine else [])
    hits = {p.id for p in search_patients(session, words, owners, limit)} if words else set()
    numbered = session.execute(_BY_ACCESSION, {"orgs": owners, "accession": words}).all() if words else []
    newest = [] if words else list(session.scalars(_NEWEST, {"orgs": organizations, "limit": limit}))
    if not organizations:
        hits &= mine
        numbered = [n for n in numbered if n.patient_id in mine]
    values = {"patients": list(hits), "orders": [n.id for n in numbered], "cases": newest, "limit": limit}
    rows = session.execute(_FOUND, values).all()
    facility_limits = {r.facility_id for r in actor.roles if r.role == "site_staff"}
    if facility_limits and None not in facility_limits and not actor.organizations_with("coordinator", "auditor"):
        rows = [r for r in rows if r.facility_id in facility_limits]
    shown = banners(session, {r.patient_id: r.time_zone for r in rows if r.patient_id}, work.now)
    return [
        Found(
            case_id=r.case_id,
            study_id=r.study_id,
            order_id=r.order_id,
            patient=banner_of(shown[r.patient_id]) if r.patient_id in shown else None,
            exam=r.exam,
            when=r.at,
            state=r.state,
        )
        for r in rows
    ]


_PATIENTS_OF_READER = text(
    "select distinct c.patient_id from worklist.reads r join worklist.cases c on c.id = r.case_id "
    "where r.reader_id = :reader and c.patient_id is not null"
)
_OWNERS = text("select distinct organization_id from patients.patients where id = any(:patients)")
_BY_ACCESSION = text(
    "select id, patient_id from orders.orders where organization_id = any(:orgs) and accession_number = :accession limit 50"
)
_NEWEST = text(
    "select id from worklist.cases where organization_id = any(:orgs) "
    "order by coalesce(last_image_at, created_at) desc, id desc limit :limit"
)
_FOUND = text(
    """
    with cases as (
        select distinct c.id from worklist.cases c
        where c.id = any(:cases) or c.patient_id = any(:patients) or c.id in (
            select cp.case_id from worklist.case_procedures cp
            join orders.requested_procedures p on p.id = cp.requested_procedure_id where p.order_id = any(:orders))
    ), rows as (
        select c.id as case_id, null::uuid as study_id, null::uuid as order_id, c.patient_id, c.facility_id, c.description as exam,
               coalesce(c.last_image_at, c.created_at) as at,
               coalesce((select r.state from worklist.reads r where r.case_id = c.id order by r.id desc limit 1), 'waiting') as state
        from worklist.cases c where c.id in (select id from cases)
        union all
        select null, null, o.id, o.patient_id, o.facility_id,
               coalesce((select string_agg(p.description, ' + ' order by p.position) from orders.requested_procedures p
                         where p.order_id = o.id), 'Order'), o.received_at, o.status
        from orders.orders o where (o.patient_id = any(:patients) or o.id = any(:orders)) and not exists (
            select 1 from orders.requested_procedures p join worklist.case_procedures cp on cp.requested_procedure_id = p.id
            where p.order_id = o.id)
        union all
        select null, s.id, null, s.patient_id, s.facility_id, coalesce(s.study_description, array_to_string(s.modalities, ' ')),
               s.last_received_at, s.match_state
        from archive.studies s where s.patient_id = any(:patients) and s.number_of_instances > 0
          and not exists (select 1 from worklist.case_studies cs where cs.study_id = s.id)
    )
    select rows.*, f.time_zone from rows join sites.facilities f on f.id = rows.facility_id order by rows.at desc limit :limit
    """
)


def _me(work: Work) -> UUID:
    reader_id = reader_of_user(work.session, work.actor.id)
    if reader_id is None:
        raise NotAllowed("My list is for readers.")
    return reader_id


def _is_under(item: ListItem, tab: Tab, now: datetime) -> bool:
    match tab:
        case "mine":
            return True
        case "stat":
            return item.priority in ARRIVING
        case "due":
            return item.due_at is not None and now <= item.due_at <= now + SOON
        case "late":
            return item.due_at is not None and item.due_at < now
        case "arriving":
            return item.is_arriving
        case "drafts":
            return item.has_draft
        case _:
            return False


def _current_read(session: ActorSession, case_id: UUID) -> Read | None:
    """The read that is active, else the last one."""
    reads = list(session.scalars(select(Read).where(Read.case_id == case_id).order_by(Read.id)))
    return next((r for r in reads if r.state in ACTIVE), reads[-1] if reads else None)


def _kept(session: ActorSession, case_id: UUID, occasion: str) -> Assignment | None:
    wanted = ("assigned", "reassigned", "no_reader") if occasion == "assigned" else (occasion,)
    return session.scalars(
        select(Assignment)
        .where(Assignment.case_id == case_id, Assignment.occasion.in_(wanted))
        .order_by(Assignment.assigned_at.desc(), Assignment.id.desc())
        .limit(1)
    ).first()


def _of(row: Assignment) -> list[Verdict]:
    return [Verdict.from_document(d) for d in row.verdicts]


def _readers(verdicts: Sequence[Verdict]) -> list[ReaderVerdict]:
    """The assigned one first, then the eligible, then by how many rules keep them off."""
    ordered = sorted(verdicts, key=lambda v: (not v.is_assigned, len(v.blocking), v.open, v.name))
    return [ReaderVerdict.model_validate(v, from_attributes=True) for v in ordered]
