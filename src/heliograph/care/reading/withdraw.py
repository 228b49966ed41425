"""Withdrawing a signed report: it stays as it was written, marked, and every place that has it is told."""

from __future__ import annotations

from typing import Literal, cast
from uuid import UUID

from sqlalchemy import select

from heliograph.care.reading.errors import AlreadyWithdrawn
from heliograph.care.reading.events import ReportWithdrawn
from heliograph.care.reading.model import ReportVersion, Withdrawal
from heliograph.care.reading.queries import VersionFacts, version
from heliograph.care.worklist.access import case_for, locked_case, steered_case
from heliograph.kit.db.session import ActorSession
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.work import Work

Because = Literal["wrong_patient", "other"]


def withdraw_report(work: Work, version_id: UUID, because: Because, reason: str) -> VersionFacts:
    """Withdraws the report of a version, whole: each of its versions is withdrawn. By who signed it, or a coordinator of the case.

    Returns its newest version. Raises: NotFound, Invalid (no reason), AlreadyWithdrawn.
    """
    found = version(work.session, version_id)
    if found is None:
        raise NotFound()
    if work.actor.kind == "user" and found.signed_by == work.actor.id:
        case_for(work, found.case_id)
        locked_case(work, found.case_id)
    else:
        steered_case(work, found.case_id)
    if not reason.strip():
        raise Invalid("Say why; the reason is kept in the record.")
    rows = work.session.scalars(
        select(ReportVersion)
        .where(ReportVersion.report_id == found.report_id)
        .order_by(ReportVersion.number)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    newest = rows[-1]
    signed = [row for row in rows if row.state == "signed"]
    if not signed:
        raise AlreadyWithdrawn()
    for row in signed:
        row.state = "withdrawn"
        work.session.add(
            Withdrawal(
                organization_id=row.organization_id,
                case_id=row.case_id,
                report_version_id=row.id,
                because=because,
                reason=reason.strip(),
                withdrawn_by=work.actor.id,
                withdrawn_at=work.now,
            )
        )
    work.session.flush()
    work.record(
        "report.withdrawn",
        organization_id=newest.organization_id,
        case_id=newest.case_id,
        subject_kind="report_version",
        subject_id=newest.id,
        reason=reason.strip(),
        detail={"number": newest.number, "because": because},
    )
    for topic, id_ in (("report", newest.report_id), ("case", newest.case_id)):
        work.touch(topic, id_, newest.organization_id, *work.actor.organizations_with("coordinator", "reader"))
    work.announce(ReportWithdrawn(newest.organization_id, newest.case_id, newest.report_id, newest.id, newest.number))
    facts = version(work.session, newest.id)
    if facts is None:
        raise NotFound()
    return facts


def withdrawn_because(session: ActorSession, version_id: UUID) -> Because | None:
    """Why a version was withdrawn. None: it was not."""
    return cast(
        "Because | None",
        session.scalar(select(Withdrawal.because).where(Withdrawal.report_version_id == version_id)),
    )
