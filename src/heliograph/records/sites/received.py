"""What a feed has sent before, and what of it waits: messages taken over and not processed yet, and answers on their way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, select, text, update

from heliograph.kit.db.session import ActorSession
from heliograph.kit.work import Work
from heliograph.records.sites.messages import Fate
from heliograph.records.sites.model import Endpoint, Message
from heliograph.records.sites.queries import EndpointFacts

CONFLICT_DAYS = 30
"""A control id is another message's for so long; later its sender has begun to count anew. Its own bytes are known for ever."""

_COLUMNS = "select m.fate, m.answer, m.acknowledgement, m.order_id"
_SAME = "m.endpoint_id = :endpoint and m.control_id = :control and m.payload_sha256 = :digest and m.direction = 'in'"
_BEHIND = "exists (select 1 from sites.messages w where w.endpoint_id = :endpoint and w.fate = 'received')"
_MARK = (
    "(select string_agg(concat_ws('/', e.id, e.xmin, f.xmin, o.xmin), ',' order by e.id) from sites.endpoints e "
    "join sites.facilities f on f.id = e.facility_id join tenancy.organizations o on o.id = e.organization_id "
    "where e.kind = 'hl7_in' and e.application = :application and e.facility_name = :facility)"
)
"""Another one whenever anything of the feeds of these names has changed."""
_FEEDS_MARK = text(f"select {_MARK}")
_LOOK = text(
    f"select s.*, {_MARK} as mark, {_BEHIND} as is_behind, exists (select 1 from sites.messages o where o.endpoint_id = :endpoint "  # noqa: S608 (built from constants)
    "and o.control_id = :control and o.payload_sha256 <> :digest and o.direction = 'in' "
    "and o.fate in ('processed', 'received') and o.received_at > :since) as is_taken "
    f"from (values (1)) as v left join lateral ({_COLUMNS} from sites.messages m where {_SAME} "
    "and m.fate in ('processed', 'ignored', 'received', 'held') order by m.fate = 'held', m.id limit 1) s on true"
)
_LOOK_REPEATING = text(
    f"select s.*, {_MARK} as mark, {_BEHIND} as is_behind, false as is_taken from (values (1)) as v left join lateral ("  # noqa: S608 (built from constants)
    f"{_COLUMNS} from sites.messages m where {_SAME} and m.fate in ('processed', 'ignored', 'received') order by m.id limit 1) s on true"
)
_FEEDS = text(
    "select distinct m.endpoint_id, m.organization_id from sites.messages m "
    "where m.fate = 'received' and m.endpoint_id is not null and m.organization_id is not null"
)
_FILE_FEEDS = text(
    "select e.id from sites.endpoints e join sites.facilities f on f.id = e.facility_id "
    "join tenancy.organizations o on o.id = e.organization_id "
    "where e.kind = 'hl7_in' and e.takes_files and e.is_active and f.is_active and o.is_active order by e.id"
)
_TABLE = cast(Table, Message.__table__)


@dataclass(frozen=True, slots=True)
class Known:
    """What the log says to a message that came now."""

    fate: Fate | None
    """Of these very bytes under this control id, when they came before; None: they did not, or were refused and are tried again."""
    answer: bytes | None
    acknowledgement: str | None
    order_id: UUID | None
    is_behind: bool
    """Earlier messages of the feed were taken over and are not processed yet."""
    is_taken: bool
    """The control id is another message's."""
    mark: str | None
    """As `feeds_mark`, now."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was taken over and is not processed yet."""

    id: UUID
    payload: bytes
    peer: str | None


@dataclass(frozen=True, slots=True)
class DueAnswer:
    """An application acknowledgement that is to be sent, and where to."""

    id: UUID
    organization_id: UUID
    control_id: str
    payload: bytes
    host: str | None
    port: int | None


def look(session: ActorSession, endpoint: EndpointFacts, control_id: str, payload: bytes, now: datetime) -> Known:
    """Whether this message came before, by control id and bytes. The caller holds `lock_control_id`.

    Of a feed that repeats control ids no id is ever another message's, and what was held for that is processed when it comes again.
    """
    values: dict[str, Any] = {
        "endpoint": endpoint.id,
        "control": control_id,
        "digest": hashlib.sha256(payload).digest(),
        "application": endpoint.application,
        "facility": endpoint.facility_name,
    }
    if endpoint.repeats_control_ids:
        row = session.execute(_LOOK_REPEATING, values).one()
    else:
        row = session.execute(_LOOK, values | {"since": now - timedelta(days=CONFLICT_DAYS)}).one()
    answer = bytes(row.answer) if row.answer is not None else None
    return Known(row.fate, answer, row.acknowledgement, row.order_id, row.is_behind, row.is_taken, row.mark)


def feeds_mark(session: ActorSession, application: str, facility_name: str) -> str | None:
    """What the feeds of these names are now, as a mark that is another one after each change; None: there are none."""
    found: str | None = session.scalar(_FEEDS_MARK, {"application": application, "facility": facility_name})
    return found


def waiting_feeds(session: ActorSession) -> list[tuple[UUID, UUID]]:
    """Feeds (endpoint, organisation) with messages that were taken over and are not processed yet."""
    return [(row.endpoint_id, row.organization_id) for row in session.execute(_FEEDS)]


def lock_feed(work: Work, endpoint_id: UUID) -> None:
    """Until the transaction ends, nobody else processes what waits of this feed: its messages are taken in their order."""
    work.session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"feed/{endpoint_id}"}
    )


def next_waiting(session: ActorSession, endpoint_id: UUID) -> Waiting | None:
    """The oldest message of a feed that was taken over and is not processed yet. The caller holds `lock_feed`."""
    row = session.execute(
        select(Message.id, Message.payload, Message.peer)
        .where(Message.endpoint_id == endpoint_id, Message.fate == "received")
        .order_by(Message.id)
        .limit(1)
    ).first()
    return Waiting(row.id, row.payload, row.peer) if row is not None else None


def due_answer(session: ActorSession, message_id: UUID) -> DueAnswer | None:
    """An answer that is still to be sent; None when it was, or is of another organisation."""
    row = session.execute(
        select(
            Message.id,
            Message.organization_id,
            Message.control_id,
            Message.payload,
            Endpoint.reply_host,
            Endpoint.reply_port,
        )
        .join(Endpoint, Endpoint.id == Message.endpoint_id)
        .where(Message.id == message_id, Message.fate == "due", Message.direction == "out")
    ).first()
    return DueAnswer(*row) if row is not None else None  # type: ignore[arg-type]  # what is due has organisation and id


def note_fate(
    work: Work,
    message_id: UUID,
    fate: Fate,
    *,
    action: str,
    organization_id: UUID,
    fault: str | None = None,
    order_id: UUID | None = None,
    answer: bytes | None = None,
    acknowledgement: str | None = None,
) -> None:
    """What became of a message that is in the log; recorded as `action`. What is None stays as it is, but for `fault`."""
    values: dict[str, Any] = {"fate": fate, "fault": fault}
    if order_id is not None:
        values["order_id"] = order_id
    if answer is not None:
        values |= {"answer": answer, "answered_at": work.now}
    if acknowledgement is not None:
        values["acknowledgement"] = acknowledgement
    work.session.execute(update(_TABLE).where(_TABLE.c.id == message_id).values(**values))
    work.record(
        action,
        organization_id=organization_id,
        outcome={"rejected": "refused", "no_answer": "failed"}.get(fate, "done"),
        order_id=order_id,
        subject_kind="message",
        subject_id=message_id,
        reason=fault,
    )


def file_feeds(session: ActorSession) -> list[UUID]:
    """The active feeds that leave files."""
    return list(session.scalars(_FILE_FEEDS))
