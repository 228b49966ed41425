"""A signed version gets a row for each destination, in the transaction that signed it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from heliograph.care.delivery.model import Delivery
from heliograph.care.delivery.states import next_state
from heliograph.care.reading.queries import VersionFacts, studies_of_case
from heliograph.kit.work import Work
from heliograph.records.sites.kinds import DESTINATIONS
from heliograph.records.sites.queries import endpoints_of_facility

TASK = "delivery.deliver"
PROVISIONAL = "Its study is not matched to an order yet."
_CASE = text(
    "select organization_id, facility_id, group_organization_id, is_provisional from worklist.cases where id = :case"
)
_RELEASABLE = text(
    "select d.id from delivery.deliveries d join worklist.cases c on c.id = d.case_id "
    "join worklist.case_studies s on s.case_id = c.id "
    "where s.study_id = :study and not c.is_provisional and d.state = 'held' and d.hold_kind = 'provisional' order by d.id"
)


def queue_deliveries(work: Work, version: VersionFacts) -> list[UUID]:
    """Writes the rows that the version lacks, and enqueues what can go. Returns the new rows.

    Destinations: each active endpoint of the facility that takes reports (a preliminary one only where it is wanted), the archive (if
    the case has a study), the site's page. All are held while the case is provisional.
    """
    case = work.session.execute(_CASE, {"case": version.case_id}).one()
    endpoints = endpoints_of_facility(work.session, case.facility_id, DESTINATIONS)
    wanted: list[tuple[str, UUID | None]] = [
        (DESTINATIONS[e.kind], e.id)
        for e in endpoints
        if version.kind != "preliminary" or e.settings.get("preliminary")
    ]
    if studies_of_case(work.session, version.case_id):
        wanted.append(("archive", None))
    wanted.append(("page", None))
    made = []
    for channel, endpoint_id in wanted:
        beginning = _beginning(work, channel, is_provisional=case.is_provisional)
        row_id = _add(work, version, channel, endpoint_id, beginning)
        if row_id is not None:
            made.append(row_id)
            work.record(
                "delivery.queued",
                organization_id=version.organization_id,
                case_id=version.case_id,
                subject_kind="delivery",
                subject_id=row_id,
                reason=PROVISIONAL if case.is_provisional else None,
                detail={"channel": channel, "number": version.number},
            )
            work.touch("delivery", row_id, version.organization_id, case.group_organization_id)
    if not case.is_provisional:
        enqueue(work, version.organization_id, made)
    return made


def release_matched(work: Work, study_id: UUID) -> int:
    """Lets go what was held because the study's case was provisional, where it no longer is. Returns how many rows."""
    ids = list(work.session.scalars(_RELEASABLE, {"study": study_id}))
    rows = work.session.scalars(
        select(Delivery)
        .where(Delivery.id.in_(ids))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        if row.channel == "page":
            row.state, row.sent_at = next_state(row.state, "show"), work.now
        else:
            row.state, row.next_attempt_at = next_state(row.state, "release"), work.now
        row.hold_kind = row.hold_reason = None
        work.session.flush()
        work.record(
            "delivery.released",
            organization_id=row.organization_id,
            case_id=row.case_id,
            study_id=study_id,
            subject_kind="delivery",
            subject_id=row.id,
            detail={"channel": row.channel, "number": row.version_number},
        )
        work.touch("delivery", row.id, row.organization_id)
        enqueue(work, row.organization_id, [row.id])
    return len(rows)


def queue_withdrawals(work: Work, version: VersionFacts, destinations: Iterable[tuple[str, UUID | None]]) -> list[UUID]:
    """A row for each of the destinations that may have a report, to tell that it is withdrawn. Returns the new rows."""
    made = []
    for channel, endpoint_id in destinations:
        beginning = {"state": "queued", "next_attempt_at": work.now, "is_withdrawal": True}
        row_id = _add(work, version, channel, endpoint_id, beginning)
        if row_id is None:
            continue
        made.append(row_id)
        work.record(
            "delivery.queued",
            organization_id=version.organization_id,
            case_id=version.case_id,
            subject_kind="delivery",
            subject_id=row_id,
            detail={"channel": channel, "number": version.number, "withdrawal": True},
        )
        work.touch("delivery", row_id, version.organization_id)
    enqueue(work, version.organization_id, made)
    return made


def enqueue(work: Work, organization_id: UUID, delivery_ids: Iterable[UUID]) -> None:
    """A job for each; one that is not due, or on the site's page, finds nothing to do."""
    for delivery_id in delivery_ids:
        work.enqueue(TASK, organization_id=organization_id, delivery_id=delivery_id)


def _beginning(work: Work, channel: str, *, is_provisional: bool) -> dict[str, object]:
    if is_provisional:
        return {"state": "held", "hold_kind": "provisional", "hold_reason": PROVISIONAL}
    if channel == "page":
        return {"state": "sent", "sent_at": work.now}
    return {"state": "queued", "next_attempt_at": work.now}


def _add(
    work: Work, version: VersionFacts, channel: str, endpoint_id: UUID | None, beginning: dict[str, object]
) -> UUID | None:
    """A row of a version for a destination; None where it has one."""
    return work.session.scalar(
        insert(Delivery)
        .values(
            organization_id=version.organization_id,
            case_id=version.case_id,
            report_version_id=version.id,
            version_number=version.number,
            channel=channel,
            endpoint_id=endpoint_id,
            created_at=work.now,
            **beginning,
        )
        .on_conflict_do_nothing(index_elements=["report_version_id", "channel", "endpoint_id", "is_withdrawal"])
        .returning(Delivery.id)
    )
