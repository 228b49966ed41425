"""One editor a report. The lock is a row; it is void when idle, when its session ended, or when its holder has no read of the case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from heliograph.care.reading.errors import HeldByAnother
from heliograph.care.reading.model import EditLock
from heliograph.kit.work import Work

IDLE = timedelta(minutes=10)
"""A lock that was not refreshed for so long may be taken."""

_HOLDER_GONE = text(
    "select coalesce((select ended_at is not null or expires_at <= :now from access.sessions where id = :session), false) "
    "or not exists (select 1 from reading.reports p join worklist.reads r on r.case_id = p.case_id "
    "join people.readers d on d.id = r.reader_id where p.id = :report and d.user_id = :user and r.state = 'reading')"
)


@dataclass(frozen=True, slots=True)
class Lock:
    """Who has a report open, since when."""

    holder: str
    since: datetime


def take(work: Work, report_id: UUID, organization_id: UUID) -> Lock:
    """The actor gets the report: it was free, theirs already (in whatever window), or its lock is void.

    Raises: HeldByAnother (holder, since).
    """
    row = _hold(work, report_id, organization_id)
    row.taken_at = work.now
    work.session.flush()
    return Lock(row.holder_name, row.taken_at)


def refresh(work: Work, report_id: UUID, organization_id: UUID) -> Lock:
    """The actor goes on editing. A lock that was void and nobody took is theirs again. Raises: HeldByAnother."""
    row = _hold(work, report_id, organization_id)
    work.session.flush()
    return Lock(row.holder_name, row.taken_at)


def release(work: Work, report_id: UUID) -> None:
    """The actor closes the report; nothing happens where somebody else has it."""
    work.session.execute(delete(EditLock).where(EditLock.report_id == report_id, EditLock.user_id == work.actor.id))


def holder(work: Work, report_id: UUID) -> Lock | None:
    """Who has it now, None if nobody."""
    row = work.session.get(EditLock, report_id)
    return Lock(row.holder_name, row.taken_at) if row is not None and not _is_void(work, row) else None


def _hold(work: Work, report_id: UUID, organization_id: UUID) -> EditLock:
    if work.actor.id is None:
        raise ValueError("only a person holds a report")
    mine = {
        "user_id": work.actor.id,
        "holder_name": work.actor.name,
        "session_id": work.actor.session_id,
        "refreshed_at": work.now,
    }
    # Two who come at once: the second waits for the first one's row, and then finds it held.
    work.session.execute(
        insert(EditLock)
        .values(report_id=report_id, organization_id=organization_id, taken_at=work.now, **mine)
        .on_conflict_do_nothing(index_elements=["report_id"])
    )
    row = work.session.scalars(
        select(EditLock)
        .where(EditLock.report_id == report_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if row.user_id != work.actor.id:
        if not _is_void(work, row):
            raise HeldByAnother(f"{row.holder_name} has this report open.", holder=row.holder_name, since=row.taken_at)
        row.taken_at = work.now
    for name, value in mine.items():
        setattr(row, name, value)
    return row


def _is_void(work: Work, row: EditLock) -> bool:
    if work.now - row.refreshed_at > IDLE:
        return True
    asked = {"now": work.now, "session": row.session_id, "report": row.report_id, "user": row.user_id}
    return bool(work.session.scalar(_HOLDER_GONE, asked))
