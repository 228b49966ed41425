"""One try of one delivery: prepare (committed), talk, record the answer (committed).

A crash between the two leaves the row `sent` without an answer; after the time-out it is taken up again with the same message.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text

from heliograph.care.delivery.archive_pdf import store_pdf
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.events import DeliveryAcknowledged
from heliograph.care.delivery.model import Delivery, DeliveryAttempt
from heliograph.care.delivery.oru import build_message
from heliograph.care.delivery.queue import enqueue
from heliograph.care.delivery.rules import GRACE, Outcome, errors_in_a_row, step_after, wait
from heliograph.care.delivery.states import next_state
from heliograph.care.worklist.alarms import clear_alarm, raise_alarm
from heliograph.kit.actor import Actor, system
from heliograph.kit.codecs.hl7 import Ack, NotAnAck, NotHl7, parse_ack
from heliograph.kit.errors import HeliographError
from heliograph.kit.net import mllp
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.sites.messages import log_message
from heliograph.records.sites.outgoing import note_answer, sent_payload
from heliograph.records.sites.queries import endpoint

CONNECT_TIMEOUT = 10.0
_log = logging.getLogger(__name__)
_random = secrets.SystemRandom()

WAITS_FOR_EARLIER = (
    "exists (select 1 from delivery.deliveries e where e.case_id = d.case_id and e.channel = d.channel "
    "and e.endpoint_id is not distinct from d.endpoint_id and e.version_number < d.version_number "
    "and e.state <> 'acknowledged' and not (e.state = 'held' and e.hold_kind = 'by_hand'))"
)
"""An addendum never overtakes what it adds to: it waits until a destination has the version before it, or a person has let it pass."""

_CLAIM = text(
    "update delivery.deliveries d set state = 'sent', sent_at = :now, "  # noqa: S608 (built from a constant)
    "next_attempt_at = null, attempts = d.attempts + 1, message_control_id = coalesce(d.message_control_id, :control) "
    "where d.id = :id and d.channel in ('hl7', 'archive') "
    "and ((d.state = 'queued' and (d.next_attempt_at is null or d.next_attempt_at <= :now)) "
    f"or (d.state = 'sent' and d.sent_at < :cut_off)) and not {WAITS_FOR_EARLIER} "
    "returning old.state as was"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A try that is ours, committed. For `hl7`: where to, and the bytes."""

    id: UUID
    version_id: UUID
    channel: str
    control_id: str
    host: str = ""
    port: int = 0
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended. `detail` is in words without patient data; what the site wrote itself stays in the message log."""

    outcome: Outcome
    detail: str | None = None
    code: str | None = None
    answer: bytes | None = None


def deliver(
    works: WorkFactory, settings: Settings, objects: Objects, organization_id: UUID, delivery_id: UUID
) -> Result | None:
    """Tries a delivery if it is due and its turn. None: there was nothing to do, or it can't be made (then it is failed, with an alarm)."""
    actor = system("delivery", organization_id)
    with works.begin(actor) as work:
        claimed = prepare(work, settings, delivery_id)
    if claimed is None:
        return None
    if claimed.channel == "archive":
        return _into_archive(works, actor, objects, claimed)
    result = _talk(settings, claimed)
    with works.begin(actor) as work:
        record_result(work, claimed.id, result)
    return result


def prepare(work: Work, settings: Settings, delivery_id: UUID) -> Claimed | None:
    """Claims the row by a conditional update and keeps the message's bytes; of two workers one gets it. None: nothing to do."""
    values = {
        "id": delivery_id,
        "now": work.now,
        "control": control_id_of(delivery_id),
        "cut_off": cut_off(settings, work.now),
    }
    was = work.session.scalar(_CLAIM, values)
    if was is None:
        return None
    row = _locked(work, delivery_id)
    if was == "sent":
        _attempt(work, row, Result("no_answer", "The try before was cut off."))
    control_id = row.message_control_id or control_id_of(row.id)
    if row.channel == "archive":
        _record(work, "delivery.sent", row)
        return Claimed(row.id, row.report_version_id, row.channel, control_id)
    found = endpoint(work.session, row.endpoint_id) if row.endpoint_id else None
    if found is None or not found.is_active or not found.host or not found.port:
        _fail(work, row, "This destination is switched off or has no address.")
        return None
    payload = sent_payload(work.session, row.id)
    if payload is None:
        mode = "T" if settings.demonstration else "P"
        try:
            payload = build_message(
                work.session,
                row.report_version_id,
                found,
                control_id,
                work.now,
                processing_id=mode,  # type: ignore[arg-type]
            )
        except CannotBuild as error:
            _fail(work, row, error.detail)
            return None
        log_message(
            work,
            organization_id=row.organization_id,
            direction="out",
            payload=payload,
            fate="sent",
            endpoint_id=found.id,
            peer=f"{found.host}:{found.port}",
            control_id=control_id,
            message_type="ORU^R01",
            delivery_id=row.id,
        )
    _record(work, "delivery.sent", row)
    return Claimed(row.id, row.report_version_id, row.channel, control_id, found.host, found.port, payload)


def record_result(work: Work, delivery_id: UUID, result: Result) -> None:
    """Takes what came of a try: acknowledged, tried again later, or held for a person."""
    row = _locked(work, delivery_id)
    before = list(
        work.session.scalars(
            select(DeliveryAttempt.outcome)
            .where(DeliveryAttempt.delivery_id == row.id)
            .order_by(DeliveryAttempt.at, DeliveryAttempt.id)
        )
    )
    _attempt(work, row, result)
    if row.channel == "hl7":
        fate = (
            "sent"
            if result.outcome == "acknowledged"
            else "rejected"
            if result.outcome.startswith("refused")
            else "no_answer"
        )
        note_answer(work, row.id, fate=fate, answer=result.answer, acknowledgement=result.code, fault=result.detail)
    row.acknowledgement_code = result.code
    step = step_after(result.outcome, errors_in_a_row(before))
    if step == "acknowledge":
        acknowledged(work, row)
        return
    row.last_error = result.detail
    action = "delivery.refused" if result.outcome.startswith("refused") else "delivery.no_answer"
    if row.state != "sent":  # held by hand while we talked: it stays held
        _record(work, action, row, outcome="failed", reason=result.detail)
        return
    row.state = next_state(row.state, step)
    if step == "hold":
        row.hold_kind, row.hold_reason = "refused", result.detail
        _record(work, action, row, outcome="failed", reason=result.detail)
        words = f"{_destination(work, row)} refused a report. {result.detail or ''}".strip()
        _alarm(work, row, words)
    else:
        row.next_attempt_at = work.now + wait(row.attempts, _random.random())
        _record(work, action, row, outcome="failed", reason=result.detail)


def acknowledged(work: Work, row: Delivery, *, by: UUID | None = None, action: str = "delivery.acknowledged") -> None:
    """The destination has it. What waited for this goes on, alarms about it end, and the rooms above hear of it."""
    row.state = next_state(row.state, "acknowledge")
    row.acknowledged_at, row.acknowledged_by = work.now, by
    row.next_attempt_at = row.last_error = row.hold_kind = row.hold_reason = None
    _record(work, action, row)
    for kind, subject in (
        ("delivery_failed", row.id),
        ("report_unacknowledged", row.id),
        ("delivery_failed", row.report_version_id),
    ):
        clear_alarm(work, kind, subject)
    enqueue(work, row.organization_id, _next_of(work, row))
    work.announce(DeliveryAcknowledged(row.organization_id, row.case_id, row.id))


def cut_off(settings: Settings, now: datetime) -> datetime:
    """A try that began before this and has no result was cut off by a crash: it can't be talking any more."""
    return now - timedelta(seconds=settings.delivery_timeout_seconds + _connect_timeout(settings)) - GRACE


def _connect_timeout(settings: Settings) -> float:
    return min(CONNECT_TIMEOUT, settings.delivery_timeout_seconds)


def control_id_of(delivery_id: UUID) -> str:
    """MSH-10 of a delivery's message: at most 20 characters, the same for ever."""
    return "HG" + delivery_id.hex[-18:].upper()


def read_answer(answer: bytes, control_id: str) -> Result:
    """What an answer says about the message `control_id` (HL7 v2.5.1 2.9.2): only AA or CA for this very message counts."""
    try:
        ack = parse_ack(answer)
    except (NotHl7, NotAnAck):
        return Result("wrong_acknowledgement", "What came back is no acknowledgement.", answer=answer)
    if ack.control_id != control_id:
        return Result("wrong_acknowledgement", "The acknowledgement is for another message.", ack.code, answer)
    if ack.accepted:
        return Result("acknowledged", None, ack.code, answer)
    outcome: Outcome = "refused_AR" if ack.code in ("AR", "CR") else "refused_AE"
    return Result(outcome, _fault(ack), ack.code, answer)


def _fault(ack: Ack) -> str:
    """The code and the place of the fault; the site's own words may name a patient and stay in the message log."""
    place = f" at {ack.error.location}" if ack.error and ack.error.location else ""
    return f"It answered {ack.code}{f', fault {ack.error.code}' if ack.error else ''}{place}."


def _talk(settings: Settings, claimed: Claimed) -> Result:
    try:
        answer = mllp.send(
            claimed.host,
            claimed.port,
            claimed.payload,
            timeout=settings.delivery_timeout_seconds,
            connect_timeout=_connect_timeout(settings),
        )
    except mllp.ConnectFailed as error:
        return Result("not_connected", error.detail)
    except (mllp.NoAnswer, mllp.ConnectionLost) as error:
        return Result("no_answer", error.detail)
    except mllp.BadFrame as error:
        return Result("wrong_acknowledgement", error.detail)
    return read_answer(answer, claimed.control_id)


def _into_archive(works: WorkFactory, actor: Actor, objects: Objects, claimed: Claimed) -> Result:
    """Filed and acknowledged in one transaction; when it can't be filed, that is recorded in the next."""
    try:
        with works.begin(actor) as work:
            store_pdf(work, objects, claimed.version_id)
            stored = Result("stored")
            record_result(work, claimed.id, stored)
            return stored
    except (HeliographError, OSError) as error:
        _log.warning("a report could not be filed in the archive: %s", type(error).__name__)
        failed = Result(
            "not_stored", error.detail if isinstance(error, HeliographError) else "The object store does not answer."
        )
    with works.begin(actor) as work:
        record_result(work, claimed.id, failed)
    return failed


def _fail(work: Work, row: Delivery, detail: str) -> None:
    """It can't be made: no try will mend that."""
    row.state, row.last_error = next_state(row.state, "fail"), detail
    _record(work, "delivery.failed", row, outcome="failed", reason=detail)
    _alarm(work, row, f"A report can't be sent to {_destination(work, row)}. {detail}")


def _locked(work: Work, delivery_id: UUID) -> Delivery:
    return work.session.scalars(
        select(Delivery)
        .where(Delivery.id == delivery_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _attempt(work: Work, row: Delivery, result: Result) -> None:
    work.session.add(
        DeliveryAttempt(
            organization_id=row.organization_id,
            delivery_id=row.id,
            at=work.now,
            outcome=result.outcome,
            detail=result.detail,
        )
    )


def _record(work: Work, action: str, row: Delivery, *, outcome: str = "done", reason: str | None = None) -> None:
    work.session.flush()
    work.record(
        action,
        organization_id=row.organization_id,
        outcome=outcome,
        case_id=row.case_id,
        subject_kind="delivery",
        subject_id=row.id,
        reason=reason,
        detail={
            "channel": row.channel,
            "number": row.version_number,
            "attempt": row.attempts,
            "code": row.acknowledgement_code,
        },
    )
    groups = work.session.scalars(
        text("select group_organization_id from worklist.cases where id = :id"), {"id": row.case_id}
    ).all()
    for topic, id_ in (("delivery", row.id), ("case", row.case_id)):
        work.touch(topic, id_, row.organization_id, *groups)


def _alarm(work: Work, row: Delivery, words: str) -> None:
    raise_alarm(work, row.organization_id, "delivery_failed", "delivery", row.id, words, case_id=row.case_id)


def _destination(work: Work, row: Delivery) -> str:
    found = endpoint(work.session, row.endpoint_id) if row.endpoint_id else None
    return found.name if found else "The archive"


def _next_of(work: Work, row: Delivery) -> list[UUID]:
    """Later versions to the same destination that waited for this one."""
    return list(
        work.session.scalars(
            select(Delivery.id).where(
                Delivery.case_id == row.case_id,
                Delivery.channel == row.channel,
                Delivery.endpoint_id.is_not_distinct_from(row.endpoint_id),
                Delivery.version_number > row.version_number,
                Delivery.state == "queued",
            )
        )
    )
