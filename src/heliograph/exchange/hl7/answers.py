"""What is answered, and when: acknowledgements in original and enhanced mode, and order responses (HL7 v2.5.1 2.9, 4.4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from heliograph.exchange.hl7.refuse import Refusal
from heliograph.kit.codecs.hl7 import AckCode, Message, build_ack, is_modern

RESPONSES: Final = {("ORM", "O01"): ("ORR", "O02"), ("OMI", "O23"): ("ORI", "O24"), ("OMG", "O19"): ("ORG", "O20")}
"""The order response of each order message."""
_DONE: Final = {"CA": "CR", "DC": "DR", "HD": "HR", "XO": "XR", "RP": "RQ"}
_UNABLE: Final = {"CA": "UC", "DC": "UD", "HD": "UH", "XO": "UX", "RP": "UM", "RL": "UR"}
"""ORC-1 of the answer by ORC-1 of the request (table 0119); OK and UA for all others."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """MSH-15 and MSH-16: which acknowledgements the sender wants (table 0155). Both None: original mode."""

    accept: str | None
    application: str | None

    @classmethod
    def of(cls, message: Message | None) -> Conditions:
        """As the message says; of what can't be read, original mode."""
        if message is None:
            return cls(None, None)
        accept, application = message.text("MSH-15"), message.text("MSH-16")
        return cls(accept.upper() if accept else None, application.upper() if application else None)

    @property
    def is_deferred(self) -> bool:
        """An accept acknowledgement is wanted: the message is kept and answered, then processed.

        Without one (MSH-15 empty or NE) the application acknowledgement is the answer on the same connection, which is what
        original mode is in the words of enhanced mode (HL7 v2.5.1 2.9.2: MSH-15 NE, MSH-16 AL).
        """
        return self.accept not in (None, "NE")

    def wants_accept(self, *, good: bool) -> bool:
        """Whether CA (`good`), or CE and CR, is to be sent."""
        return _wanted(self.accept, good=good)

    def wants_application(self, *, good: bool) -> bool:
        """Whether AA (`good`), or AE and AR, is to be sent."""
        if self.accept is None and self.application is None:
            return True
        return _wanted(self.application, good=good)


def _wanted(condition: str | None, *, good: bool) -> bool:
    match condition:
        case None | "NE":
            return False
        case "ER":
            return not good
        case "SU":
            return good
        case _:  # AL, and what is in no table: rather an answer too many than a sender that waits for ever
            return True


def new_id() -> str:
    """MSH-10 of an answer."""
    return f"HG{datetime.now(UTC):%y%m%d}{uuid.uuid4().hex[:12]}"


def accepted(
    message: Message,
    now: datetime,
    *,
    order_response: bool = False,
    unable: frozenset[int] = frozenset(),
    control_id: str | None = None,
    wants_accept: bool = False,
) -> bytes:
    """AA. `wants_accept`: it is a message of its own, and its receiver is to say that it came (MSH-15 AL)."""
    kind, segments = _response(message, order_response, unable, failed=False)
    return build_ack(
        message,
        "AA",
        control_id_of_answer=control_id or new_id(),
        now=now,
        message_type=kind,
        segments=segments,
        accept_conditions=("AL", "NE") if wants_accept else None,
    )


def refused(
    message: Message | bytes,
    refusal: Refusal,
    now: datetime,
    *,
    code: AckCode | None = None,
    order_response: bool = False,
    control_id: str | None = None,
    wants_accept: bool = False,
) -> bytes:
    """The answer that says why; `code` where it is not the refusal's own (CE, CR)."""
    kind: str | None = None
    segments: list[str] = []
    if order_response and isinstance(message, Message):
        kind, segments = _response(message, order_response, frozenset(), failed=True)
    return build_ack(
        message,
        code or refusal.code,
        control_id_of_answer=control_id or new_id(),
        now=now,
        error=refusal.fault,
        message_type=kind,
        segments=segments,
        accept_conditions=("AL", "NE") if wants_accept else None,
    )


def committed(message: Message, now: datetime) -> bytes:
    """CA."""
    return build_ack(message, "CA", control_id_of_answer=new_id(), now=now)


def _response(message: Message, wanted: bool, unable: frozenset[int], *, failed: bool) -> tuple[str | None, list[str]]:
    """MSH-9 of an order response and its segments, each order with what came of it; None: an ACK."""
    response = RESPONSES.get((message.type or "", message.trigger or "")) if wanted else None
    if response is None:
        return None, []
    kind, trigger = response
    separator = message.coding.delimiters.field
    segments: list[str] = []
    for position, group in enumerate(message.groups()):
        if group.orc is None or group.orc_shared:
            continue
        asked = (group.orc.text(1) or "").strip().upper()
        is_unable = failed or position in unable
        told = _UNABLE.get(asked, "UA") if is_unable else _DONE.get(asked, "OK")
        numbers = [group.orc.field(n) or (group.obr.field(n) if group.obr else "") for n in (2, 3)]
        segments.append(separator.join(["ORC", told, *numbers]).rstrip(separator))
        if kind == "ORI":  # its structure wants OBR and IPC in each order (HL7 v2.5.1 4.4.9)
            segments += [s.raw for s in group.segments if s.name in ("OBR", "IPC")]
    structure = f"^{kind}_{trigger}" if is_modern(message.version) else ""
    return f"{kind}^{trigger}{structure}", segments
