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

from heliograph.care.delivery.channel import Channel, File, Prepared, Result, Talk, Try, connect_timeout
from heliograph.care.delivery.channels import CHANNELS
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.model import Delivery, DeliveryAttempt
from heliograph.care.delivery.rules import GRACE, errors_in_a_row, step_after, wait
from heliograph.care.delivery.settle import acknowledged, alarm, record, told_as
from heliograph.care.delivery.states import next_state
from heliograph.kit.actor import Actor, system
from heliograph.kit.errors import HeliographError, NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.sites.messages import log_message
from heliograph.records.sites.outgoing import note_answer, sent_payload
from heliograph.records.sites.queries import endpoint

_log = logging.getLogger(__name__)
_random = secrets.SystemRandom()

WAITS_FOR_EARLIER = (
    "exists (select 1 from delivery.deliveries e where e.case_id = d.case_id and e.channel = d.channel "
    "and e.endpoint_id is not distinct from d.endpoint_id "
    "and (e.version_number, e.is_withdrawal) < (d.version_number, d.is_withdrawal) "
    "and case when e.state = 'cancelled' or (e.state = 'held' and e.hold_kind = 'by_hand') "
    "then e.sent_at >= :cut_off and e.acknowledged_at is null "
    "and not exists (select 1 from delivery.delivery_attempts a where a.delivery_id = e.id and a.at >= e.sent_at) "
    "else e.state <> 'acknowledged' end)"
)
"""An addendum never overtakes what it adds to: it waits until a destination has the version before it, or a person has let it pass and
no try of that one is on its way. Needs the parameter `cut_off`."""

_CLAIM = text(
    "update delivery.deliveries d set state = 'sent', sent_at = :now, "  # noqa: S608 (built from a constant)
    "next_attempt_at = null, attempts = d.attempts + 1, message_control_id = coalesce(d.message_control_id, :control) "
    "where d.id = :id and d.channel <> 'page' "
    "and ((d.state = 'queued' and (d.next_attempt_at is null or d.next_attempt_at <= :now)) "
    f"or (d.state = 'sent' and d.sent_at < :cut_off)) and not {WAITS_FOR_EARLIER} "
    "returning old.state as was"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A try that is ours, committed. `prepared`: what it sends; None on a channel that files here."""

    one: Try
    channel: Channel
    prepared: Prepared | None = None

    @property
    def id(self) -> UUID:
        """Of the delivery."""
        return self.one.delivery_id


def deliver(
    works: WorkFactory, settings: Settings, objects: Objects, organization_id: UUID, delivery_id: UUID
) -> Result | None:
    """Tries a delivery if it is due and its turn. None: there was nothing to do, or it can't be made (then it is failed, with an alarm)."""
    actor = system("delivery", organization_id)
    with works.begin(actor) as work:
        claimed = prepare(work, settings, delivery_id)
    if claimed is None:
        return None
    if claimed.channel.file is not None:
        return _file(works, actor, objects, claimed, claimed.channel.file)
    if claimed.channel.talk is None or claimed.prepared is None:
        raise LookupError(f"nothing goes out by the channel {claimed.one.channel}")
    result = _talk(claimed.channel.talk, settings, claimed.one, claimed.prepared)
    with works.begin(actor) as work:
        record_result(work, claimed.id, result, claimed.one.control_id)
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
    channel = CHANNELS[row.channel]
    found = endpoint(work.session, row.endpoint_id) if row.endpoint_id else None
    if row.endpoint_id and (found is None or not found.is_active):
        _fail(work, row, "This destination is switched off.")
        return None
    one = Try(
        delivery_id=row.id,
        organization_id=row.organization_id,
        case_id=row.case_id,
        version_id=row.report_version_id,
        version_number=row.version_number,
        channel=row.channel,
        control_id=control_id,
        is_withdrawal=row.is_withdrawal,
        destination=found,
        kept=sent_payload(work.session, row.id, control_id),
    )
    prepared = None
    if channel.prepare is not None:
        try:
            prepared = channel.prepare(work, settings, one)
        except (CannotBuild, NotFound) as error:
            _fail(work, row, error.detail)
            return None
        if one.kept is None:
            log_message(
                work,
                organization_id=row.organization_id,
                direction="out",
                payload=prepared.payload,
                fate="sent",
                endpoint_id=row.endpoint_id,
                peer=prepared.peer,
                control_id=control_id,
                message_type=prepared.message_type,
                delivery_id=row.id,
            )
    record(work, "delivery.sent", row)
    return Claimed(one, channel, prepared)


def record_result(work: Work, delivery_id: UUID, result: Result, control_id: str | None = None) -> None:
    """Takes what came of a try of the message `control_id` (None: of the one that it has now): acknowledged, tried again later, or held
    for a person. Where it was to be sent anew meanwhile, the answer to the message before is kept and decides nothing."""
    row = _locked(work, delivery_id)
    before = list(
        work.session.scalars(
            select(DeliveryAttempt.outcome)
            .where(DeliveryAttempt.delivery_id == row.id)
            .order_by(DeliveryAttempt.at, DeliveryAttempt.id)
        )
    )
    _attempt(work, row, result)
    if CHANNELS[row.channel].prepare is not None:
        fate = (
            "sent"
            if result.outcome == "acknowledged"
            else "rejected"
            if result.outcome.startswith("refused")
            else "no_answer"
        )
        note_answer(
            work,
            row.id,
            control_id or row.message_control_id,
            fate=fate,
            answer=result.answer,
            acknowledgement=result.code,
            fault=result.detail,
        )
    if control_id not in (None, row.message_control_id):
        return
    row.acknowledgement_code = result.code
    # What an earlier message of this delivery met does not count: one sent anew begins anew.
    step = step_after(result.outcome, errors_in_a_row(before[len(before) - row.attempts + 1 :]))
    if step == "acknowledge":
        acknowledged(work, row)
        return
    row.last_error = result.detail
    action = "delivery.refused" if result.outcome.startswith("refused") else "delivery.no_answer"
    if row.state != "sent":  # held or cancelled by hand while we talked: it stays so
        record(work, action, row, outcome="failed", reason=result.detail)
        return
    row.state = next_state(row.state, step)
    if step == "hold":
        row.hold_kind, row.hold_reason = "refused", result.detail
        record(work, action, row, outcome="failed", reason=result.detail)
        alarm(work, row, f"{told_as(work, row)} refused a report. {result.detail or ''}".strip())
    else:
        row.next_attempt_at = work.now + wait(row.attempts, _random.random())
        record(work, action, row, outcome="failed", reason=result.detail)


def cut_off(settings: Settings, now: datetime) -> datetime:
    """A try that began before this and has no result was cut off by a crash: it can't be talking any more."""
    return now - timedelta(seconds=settings.delivery_timeout_seconds + connect_timeout(settings)) - GRACE


def control_id_of(delivery_id: UUID) -> str:
    """MSH-10 of a delivery's message: at most 20 characters, the same for ever."""
    return "HG" + delivery_id.hex[-18:].upper()


def _talk(talk: Talk, settings: Settings, one: Try, prepared: Prepared) -> Result:
    try:
        return talk(settings, one, prepared)
    except Exception:  # noqa: BLE001 - whatever it is, the report waits and is tried again
        _log.exception("a try of a delivery by %s broke off", one.channel)
        return Result("no_answer", "The try broke off by a fault of ours; it is in our log.")


def _file(works: WorkFactory, actor: Actor, objects: Objects, claimed: Claimed, file: File) -> Result:
    """Filed and acknowledged in one transaction; when it can't be filed, that is recorded in the next."""
    try:
        with works.begin(actor) as work:
            file(work, objects, claimed.one.version_id)
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
    record(work, "delivery.failed", row, outcome="failed", reason=detail)
    alarm(work, row, f"A report can't be sent to {told_as(work, row)}. {detail}")


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
