"""A person of the site confirms that they have seen the report."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.errors import IllegalStep
from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.queries import DeliveryBrief, delivery
from heliograph.care.delivery.settle import acknowledged
from heliograph.care.orders.access import is_staff
from heliograph.care.reading.queries import version_for
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.work import Work

_FACILITY = text("select facility_id from worklist.cases where id = :case")


def acknowledge_by_site(work: Work, version_id: UUID) -> DeliveryBrief:
    """Confirms a version on the site's page. A second time changes nothing.

    Raises: NotFound, NotAllowed (only the site's own staff can), IllegalStep (it is held).
    """
    report = version_for(work, version_id)
    facility_id = work.session.scalar(_FACILITY, {"case": report.case_id})
    if not is_staff(work, report.organization_id, facility_id):
        raise NotAllowed(
            "Only staff of the site can confirm that the site has seen it.",
            action="report.acknowledged",
            organization_id=report.organization_id,
            case_id=report.case_id,
        )
    row = work.session.scalar(
        select(Delivery)
        .where(Delivery.report_version_id == version_id, Delivery.channel == "page", ~Delivery.is_withdrawal)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound()
    if row.state != "acknowledged":
        if row.state != "sent":
            raise IllegalStep("This report is held and not on the page yet.")
        acknowledged(work, row, by=work.actor.id, action="report.acknowledged")
    brief = delivery(work.session, row.id, work.now)
    if brief is None:
        raise NotFound()
    return brief
