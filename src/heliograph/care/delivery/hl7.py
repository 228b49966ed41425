"""Reports to a receiver of HL7 messages over MLLP."""

from __future__ import annotations

from heliograph.care.delivery.channel import Prepared, Result, Try, connect_timeout
from heliograph.care.delivery.errors import CannotBuild
from heliograph.care.delivery.oru import message_for
from heliograph.care.delivery.rules import Outcome
from heliograph.kit.codecs.hl7 import Ack, NotAnAck, NotHl7, parse_ack
from heliograph.kit.net import mllp
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:
    """The message's bytes, made anew only where they were not sent before. Raises: CannotBuild, NotFound."""
    to = one.destination
    if to is None or not to.host or not to.port:
        raise CannotBuild("This destination has no address.")
    at = f"{to.host}:{to.port}"
    if one.kept is not None:
        return Prepared(one.kept, "", at, (to.host, to.port))
    payload, message_type = message_for(
        work.session,
        one.version_id,
        to,
        one.control_id,
        work.now,
        processing_id="T" if settings.demonstration else "P",
        is_withdrawal=one.is_withdrawal,
    )
    return Prepared(payload, message_type, at, (to.host, to.port))


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:
    """Sends it on a connection of its own and reads the answer."""
    host, port = prepared.to
    try:
        answer = mllp.send(
            host,
            port,
            prepared.payload,
            timeout=settings.delivery_timeout_seconds,
            connect_timeout=connect_timeout(settings),
        )
    except mllp.ConnectFailed as error:
        return Result("not_connected", error.detail)
    except (mllp.NoAnswer, mllp.ConnectionLost) as error:
        return Result("no_answer", error.detail)
    except mllp.BadFrame as error:
        return Result("wrong_acknowledgement", error.detail)
    return read_answer(answer, one.control_id)


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
