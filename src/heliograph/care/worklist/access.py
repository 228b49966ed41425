"""Loads a case or a read together with whether the actor may see or steer it. Absent and forbidden look the same.

Row-level security has decided already what rows exist for the actor; this adds what roles say inside that.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from heliograph.care.worklist.model import Case, Read
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.actor import Actor
from heliograph.kit.db.session import ROW_LOCK, ActorSession
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.people.queries import reader_of_user

_HAS_READ = text(
    "select 1 from worklist.reads r join worklist.cases c on c.id = r.case_id "
    "where r.reader_id = :reader and (c.id = :case or c.patient_id = :patient) limit 1"
)


def case_for(work: Work, case_id: UUID) -> Case:
    """A case that the actor may see.

    Staff of the site (and facility), its auditors, coordinators that look after it, and readers: cases that they have or had a read in,
    and other cases of such a patient. Raises: NotFound.
    """
    case = work.session.get(Case, case_id)
    if case is None or not _may_see(work.session, work.actor, case):
        raise NotFound()
    return case


def steered_case(work: Work, case_id: UUID) -> Case:
    """A case that the actor coordinates, locked. Raises: NotFound."""
    case = work.session.get(Case, case_id, with_for_update=ROW_LOCK, populate_existing=True)
    if case is None or not may_steer(work.session, work.actor, case):
        raise NotFound()
    return case


def steered_read(work: Work, read_id: UUID) -> tuple[Case, Read]:
    """A read whose case the actor coordinates, both locked. Raises: NotFound."""
    found = work.session.get(Read, read_id)
    if found is None:
        raise NotFound()
    case = steered_case(work, found.case_id)
    return case, locked_read(work, read_id)


def own_read(work: Work, read_id: UUID) -> tuple[Case, Read]:
    """A read that is assigned to the actor, locked with its case. Raises: NotFound."""
    reader_id = reader_of_user(work.session, work.actor.id if work.actor.kind == "user" else None)
    read = work.session.get(Read, read_id)
    if reader_id is None or read is None:
        raise NotFound()
    case = locked_case(work, read.case_id)
    read = locked_read(work, read_id)
    if read.reader_id != reader_id:
        raise NotFound()
    return case, read


def locked_case(work: Work, case_id: UUID) -> Case:
    """The case, locked: whoever changes a case or one of its reads takes this lock first. Raises: NotFound."""
    case = work.session.get(Case, case_id, with_for_update=ROW_LOCK, populate_existing=True)
    if case is None:
        raise NotFound()
    return case


def locked_read(work: Work, read_id: UUID) -> Read:
    """The read, locked. Raises: NotFound."""
    read = work.session.get(Read, read_id, with_for_update=ROW_LOCK, populate_existing=True)
    if read is None:
        raise NotFound()
    return read


def may_steer(session: ActorSession, actor: Actor, case: Case) -> bool:
    """Coordinators: of the client, or of a group that looks after it or that the case was offered to."""
    if actor.kind == "system":
        return case.organization_id in actor.organizations
    groups = actor.organizations_with("coordinator")
    if not groups:
        return False
    if case.organization_id in groups or case.group_organization_id in groups:
        return True
    return case.organization_id in coordinated_clients(session, groups)


def _may_see(session: ActorSession, actor: Actor, case: Case) -> bool:
    if actor.kind != "user":
        return case.organization_id in actor.organizations
    for role in actor.roles:
        if role.organization_id != case.organization_id:
            continue
        if role.role == "auditor" or (role.role == "site_staff" and role.facility_id in (None, case.facility_id)):
            return True
    if may_steer(session, actor, case):
        return True
    reader_id = reader_of_user(session, actor.id)
    return reader_id is not None and bool(
        session.scalar(_HAS_READ, {"reader": reader_id, "case": case.id, "patient": case.patient_id})
    )
