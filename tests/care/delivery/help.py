"""What the tests of delivery share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.delivery.deliver import Result, deliver
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import Message, build_ack, parse
from heliograph.kit.net.mllp import MllpListener, Peer
from tests.cast import Cast

Answer = Callable[[Message], bytes | None]


def ack(code: str) -> Answer:
    return lambda m: build_ack(m, code, control_id_of_answer="X1", now=datetime.now(UTC))  # type: ignore[arg-type]


def wrong_id(m: Message) -> bytes:
    return ack("AA")(m).replace((m.text("MSH-10") or "").encode(), b"SOMETHING-ELSE")  # type: ignore[union-attr]


def nothing(_: Message) -> None:
    return None


def garbage(_: Message) -> bytes:
    return b"hello"


@dataclass
class Receiver:
    """Takes messages; answers each by the next of `answers`, then AA."""

    answers: list[Answer] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = MllpListener("127.0.0.1", 0, self._take)

    def _take(self, payload: bytes, _peer: Peer) -> bytes | None:
        message = parse(payload, "UNICODE UTF-8")
        self.taken.append(message)
        self.payloads.append(payload)
        return (self.answers.pop(0) if self.answers else ack("AA"))(message)


def rows(context: Context, cast: Cast, channel: str = "hl7") -> list:
    """The deliveries of a channel, version by version."""
    with context.works.read(system("t", cast.norfjord)) as work:
        return list(
            work.session.execute(
                text("select * from delivery.deliveries where channel = :c order by version_number"), {"c": channel}
            )
        )


def attempts(context: Context, cast: Cast, delivery_id: UUID) -> list[str]:
    with context.works.read(system("t", cast.norfjord)) as work:
        return list(
            work.session.scalars(
                text("select outcome from delivery.delivery_attempts where delivery_id = :id order by at, id"),
                {"id": delivery_id},
            )
        )


def alarms(context: Context, cast: Cast) -> list[tuple[str, str]]:
    """Open alarms about deliveries."""
    with context.works.read(system("t", cast.norfjord)) as work:
        return [
            tuple(r)
            for r in work.session.execute(
                text(
                    "select kind, text from worklist.alarms where cleared_at is null and kind in "
                    "('delivery_failed', 'report_unacknowledged') order by raised_at, id"
                )
            )
        ]


def try_(context: Context, cast: Cast, delivery_id: UUID) -> Result | None:
    return deliver(context.works, context.settings, context.objects, cast.norfjord, delivery_id)


def waiting_jobs(context: Context, cast: Cast) -> list[str]:
    """Delivery ids of the jobs that wait."""
    with context.works.read(system("t", cast.norfjord)) as work:
        return list(
            work.session.scalars(
                text(
                    "select args ->> 'delivery_id' from jobs.procrastinate_jobs where task_name = 'delivery.deliver' "
                    "and status = 'todo' order by id"
                )
            )
        )


def clear_jobs(owner_url: str) -> None:
    """As if a worker had run (or lost) them."""
    from sqlalchemy import create_engine

    engine = create_engine(owner_url)
    with engine.begin() as c:
        c.execute(text("set local search_path = jobs"))
        c.execute(text("delete from procrastinate_jobs"))
    engine.dispose()
