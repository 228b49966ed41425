"""One HL7 message in, one answer out: known sender, kept, processed, committed, and only then acknowledged.

What the answers mean: AA, it is committed. AE, the content is wrong, and ERR says where; the message is in the log, nothing else changed.
AR, this sender, type or processing id is not taken here.

While the database does not answer there is no answer at all: `handle` raises and the listener closes the connection. AE would make many
senders drop the message, or show it to a person, as if it were wrong; after a connection that closed without an acknowledgement every
sender keeps the message and sends it again, and the same message twice is processed once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.care.orders.errors import OrderForAnotherPatient, OrderUnknown
from heliograph.exchange.hl7.kinds import KINDS, Feed
from heliograph.exchange.hl7.orm import BadOrder
from heliograph.kit.actor import Actor, machine, system
from heliograph.kit.codecs.hl7 import (
    AckCode,
    Fault,
    FieldMissing,
    Location,
    Message,
    NotHl7,
    UnknownCharset,
    build_ack,
    parse,
)
from heliograph.kit.errors import HeliographError, Unavailable
from heliograph.kit.net.mllp import Peer
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.patients.identify import NoIdentifier
from heliograph.records.sites import queries as sites
from heliograph.records.sites.messages import Fate, lock_control_id, log_message, stored_answer
from heliograph.records.sites.queries import EndpointFacts

log = structlog.get_logger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout, Unavailable)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not taken."""

    code: AckCode
    fault: Fault


def handle(works: WorkFactory, payload: bytes, peer: Peer) -> bytes | None:
    """The answer to `payload`; None where none is due (an acknowledgement, or MSH-15 and MSH-16 say `NE`).

    Raises:
        OperationalError, InterfaceError, TimeoutError, Unavailable: the database is away; nothing was kept, the sender must retry.
    """
    message = _parse(payload, "UNICODE UTF-8")
    if message is None:
        fault = Fault("100", Location("MSH"), "E", "This is no HL7 message: it does not begin with MSH.")
        return _refuse(works, payload, None, None, peer, Refusal("AR", fault))
    if message.type == "ACK":
        return None  # an acknowledgement is never acknowledged (HL7 v2.5.1 2.9.2)
    endpoint = _sender(works, message, peer)
    if endpoint is not None:
        message = _parse(payload, endpoint.charset) or message
    refusal = _unacceptable(message, endpoint)
    if refusal is not None or endpoint is None:
        answer = _refuse(works, payload, message, endpoint, peer, refusal or _unknown_sender())
    else:
        answer = _process(works, payload, message, endpoint, peer)
    wants_none = message.text("MSH-15") == "NE" and message.text("MSH-16") in (None, "NE")
    return None if wants_none else answer


def _parse(payload: bytes, charset: str) -> Message | None:
    try:
        return parse(payload, charset)
    except NotHl7:
        return None
    except UnknownCharset:  # the feed's setting is wrong; UTF-8 reads every ASCII message
        return parse(payload, "UNICODE UTF-8")


def _sender(works: WorkFactory, message: Message, peer: Peer) -> EndpointFacts | None:
    """The feed of MSH-3 and MSH-4 (HD: the namespace, or where that is empty the universal id)."""
    application = message.text("MSH-3") or message.text("MSH-3.2") or ""
    facility = message.text("MSH-4") or message.text("MSH-4.2") or ""
    with works.read(system("hl7")) as work:
        return sites.endpoint_for_sender(work.session, application, facility, peer.address)


def _unknown_sender() -> Refusal:
    text = "This sender (MSH-3, MSH-4 and its address) is not known here."
    return Refusal("AR", Fault("204", Location("MSH", 1, 3), "E", text))


def _unacceptable(message: Message, endpoint: EndpointFacts | None) -> Refusal | None:
    """What can be told before anything is read: table 0357 code and place, or None."""

    def refused(code: str, field: int, component: int | None, text: str, answer: AckCode = "AR") -> Refusal:
        place = Location("MSH", 1, field, 1 if component else None, component)
        return Refusal(answer, Fault(code, place, "E", text))

    if endpoint is None:
        return _unknown_sender()
    if len(message.segments("MSH")) != 1 or message.all_segments[0].name != "MSH":
        return refused("200", 9, None, "A batch is not taken here; send its messages one by one.")
    if message.processing_id != "P":
        return refused("202", 11, None, "Only production messages (MSH-11 P) are taken here.")
    if message.type not in {kind for kind, _ in KINDS}:
        return refused("200", 9, 1, "This message type is not taken here.")
    if (message.type, message.trigger) not in KINDS:
        return refused("201", 9, 2, "This trigger event is not taken here.")
    if message.control_id is None:
        return refused("101", 10, None, "MSH-10 is missing.", "AE")
    return None


def _process(works: WorkFactory, payload: bytes, message: Message, endpoint: EndpointFacts, peer: Peer) -> bytes:
    try:
        with works.begin(_actor(endpoint, peer)) as work:
            return _take(work, payload, message, endpoint, peer)
    except DATABASE_AWAY:
        raise
    except HeliographError as error:
        return _refuse(works, payload, message, endpoint, peer, Refusal("AE", _fault_of(error)))
    except Exception as error:  # noqa: BLE001 - one message that we can't take must not stop the sender's queue
        log.error("hl7.message_failed", endpoint=str(endpoint.id), error=type(error).__name__)
        text = "The message could not be processed here; it is kept in the message log."
        return _refuse(works, payload, message, endpoint, peer, Refusal("AE", Fault("207", None, "E", text)))


def _take(work: Work, payload: bytes, message: Message, endpoint: EndpointFacts, peer: Peer) -> bytes:
    """Processes the message and keeps it with its answer, in the same transaction."""
    control_id = message.control_id or ""
    lock_control_id(work, endpoint.id, control_id)
    earlier = stored_answer(work.session, endpoint.id, control_id, payload)
    if earlier is not None and earlier.answer is not None:
        _keep(work, payload, message, endpoint, peer, fate="duplicate", code="AA", answer=earlier.answer,
              fault=None, order_id=earlier.brief.order_id)  # fmt: skip
        return earlier.answer
    facility = sites.facility(work.session, endpoint.facility_id)
    if facility is None:
        raise Unavailable("The facility of this sender is gone.")
    taken = KINDS[message.type or "", message.trigger or ""](work, message, Feed(endpoint, facility))
    answer = build_ack(message, "AA", control_id_of_answer=_new_id(), now=work.now)
    damage = "Some characters could not be read with the declared character set (MSH-18)." if message.damaged else None
    _keep(work, payload, message, endpoint, peer, fate="processed", code="AA", answer=answer,
          fault=taken.remark or damage, order_id=taken.order_id)  # fmt: skip
    return answer


def _refuse(
    works: WorkFactory,
    payload: bytes,
    message: Message | None,
    endpoint: EndpointFacts | None,
    peer: Peer,
    refusal: Refusal,
) -> bytes:
    """Keeps the message as refused, in a transaction of its own, and makes the answer that says why."""
    actor = _actor(endpoint, peer) if endpoint else machine("unknown HL7 sender", None, address=peer.address)
    with works.begin(actor) as work:
        answer = build_ack(
            message if message is not None else payload,
            refusal.code,
            control_id_of_answer=_new_id(),
            now=work.now,
            error=refusal.fault,
        )
        place = f"{refusal.fault.location}: " if refusal.fault.location else ""
        _keep(work, payload, message, endpoint, peer, fate="rejected", code=refusal.code, answer=answer,
              fault=f"{place}{refusal.fault.text}", order_id=None)  # fmt: skip
    log.warning(
        "hl7.message_refused",
        endpoint=str(endpoint.id) if endpoint else None,
        peer=peer.address,
        code=refusal.code,
        fault=refusal.fault.code,
        place=str(refusal.fault.location or ""),
    )
    return answer


def _keep(
    work: Work,
    payload: bytes,
    message: Message | None,
    endpoint: EndpointFacts | None,
    peer: Peer,
    *,
    fate: Fate,
    code: AckCode,
    answer: bytes,
    fault: str | None,
    order_id: uuid.UUID | None,
) -> None:
    kind = "^".join(part for part in (message.type, message.trigger) if part) if message else None
    log_message(
        work,
        organization_id=endpoint.organization_id if endpoint else None,
        endpoint_id=endpoint.id if endpoint else None,
        direction="in",
        peer=peer.address,
        control_id=_safe(message.control_id) if message else None,
        message_type=_safe(kind),
        payload=payload,
        answer=answer,
        acknowledgement=code,
        fate=fate,
        fault=fault,
        order_id=order_id,
    )


def _fault_of(error: HeliographError) -> Fault:
    """Table 0357 code, place and words for a refusal."""
    if isinstance(error, FieldMissing):
        return Fault("101", error.location, "E", error.detail)
    if isinstance(error, BadOrder):
        return Fault(error.fault, error.location, "E", error.detail)
    if isinstance(error, NoIdentifier):
        return Fault("101", Location("PID", 1, 3), "E", error.detail)
    if isinstance(error, OrderForAnotherPatient):
        return Fault("205", Location("PID", 1, 3), "E", error.detail)
    if isinstance(error, OrderUnknown):
        return Fault("204", Location("ORC", 1, 2), "E", error.detail)
    return Fault("207", None, "E", error.detail)


def _actor(endpoint: EndpointFacts, peer: Peer) -> Actor:
    return machine(f"HL7 {endpoint.name}", endpoint.id, endpoint.organization_id, address=peer.address)


def _safe(text: str | None) -> str | None:
    """Fit for a column: PostgreSQL takes no NUL, and a hostile control id may be long."""
    return text.replace("\0", "")[:200] or None if text else None


def _new_id() -> str:
    return f"HG{datetime.now(UTC):%y%m%d}{uuid.uuid4().hex[:12]}"
