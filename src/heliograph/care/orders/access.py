"""Who may act on orders: staff of the site, and coordinators of the site or of a reading group that looks after it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from heliograph.care.orders.model import Order
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.errors import NotAllowed
from heliograph.kit.work import Work


def may_coordinate(
    work: Work, organization_id: UUID, facility_id: UUID | None = None, *, everywhere: bool = False
) -> bool:
    """Site staff of the organisation (and of the facility, where the role is narrowed to one), or a coordinator for it.

    `everywhere` is for what concerns every facility: a role that is narrowed to one does not count.
    """
    actor = work.actor
    if actor.kind == "system":
        return organization_id in actor.organizations
    if is_staff(work, organization_id, facility_id, everywhere=everywhere) or actor.holds(
        "coordinator", organization_id
    ):
        return True
    groups = actor.organizations_with("coordinator")
    return bool(groups) and organization_id in coordinated_clients(work.session, groups)


def is_staff(work: Work, organization_id: UUID, facility_id: UUID | None = None, *, everywhere: bool = False) -> bool:
    """Site staff there; a role narrowed to one facility counts for that facility only, and never for what concerns all of them."""
    return any(
        r.role == "site_staff"
        and r.organization_id == organization_id
        and (r.facility_id is None or (not everywhere and facility_id in (None, r.facility_id)))
        for r in work.actor.roles
    )


def must_coordinate(
    work: Work, organization_id: UUID, facility_id: UUID | None = None, *, study_id: UUID | None = None
) -> None:
    """Raises NotAllowed unless `may_coordinate`."""
    if not may_coordinate(work, organization_id, facility_id):
        raise NotAllowed(
            "This is for the site's staff and its coordinators.",
            action="order.change",
            organization_id=organization_id,
            study_id=study_id,
        )


_HAS_READ = text(
    "select 1 from worklist.reads r join worklist.cases c on c.id = r.case_id join people.readers p on p.id = r.reader_id "
    "where p.user_id = :user and c.patient_id = :patient limit 1"
)
"""Readers see the orders of patients whom they read or have read. The tables lie above and below this room: read, never written."""


def may_see_order(work: Work, order: Order) -> bool:
    """Those who may coordinate, the organisation's auditors, and readers who read or have read the patient."""
    if may_coordinate(work, order.organization_id, order.facility_id):
        return True
    if work.actor.holds("auditor", order.organization_id):
        return True
    if not work.actor.holds("reader"):
        return False
    values = {"user": work.actor.id, "patient": order.patient_id}
    return work.session.scalar(_HAS_READ, values) is not None
