"""Acknowledgements (HL7 v2.5.1 2.9, 2.13.1): writing one for any message, however broken, and reading one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from heliograph.kit.codecs.hl7.charset import codec_of, header_bytes, read, trimmed
from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.errors import Location, NotAnAck, NotHl7
from heliograph.kit.codecs.hl7.escape import STANDARD, Delimiters, escape
from heliograph.kit.codecs.hl7.message import Message, Segment, parse

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
"""Table 0008: application accept, error, reject; commit accept, error, reject."""

ERROR_TEXTS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application error",
}
"""Table 0357."""

VERSIONS = {
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.7.1",
    "2.8",
    "2.8.1",
    "2.8.2",
    "2.9",
}
"""MSH-12 that can be read here (table 0104)."""
_OWN_VERSION = "2.5.1"
_MSA_TEXT_LENGTH = 80


@dataclass(frozen=True)
class Fault:
    """What an ERR segment says: code (table 0357), place, severity (table 0516: E, F, I, W), words."""

    code: str
    location: Location | None = None
    severity: str = "E"
    text: str | None = None


@dataclass(frozen=True)
class Ack:
    """A received answer. `control_id` is MSA-2 as written: the caller compares it with the MSH-10 it sent."""

    code: AckCode
    control_id: str
    text: str | None
    error: Fault | None

    @property
    def accepted(self) -> bool:
        """AA or CA."""
        return self.code in ("AA", "CA")


@dataclass(frozen=True)
class _Header:
    """What is echoed from the MSH of the message answered: raw fields by number."""

    fields: tuple[str, ...]
    delimiters: Delimiters
    codec: str

    def __getitem__(self, number: int) -> str:
        return self.fields[number] if number < len(self.fields) else ""

    def first(self, number: int) -> str:
        return self[number].split(self.delimiters.repetition)[0].split(self.delimiters.component)[0]


def build_ack(
    message: Message | bytes | None,
    code: AckCode,
    *,
    control_id_of_answer: str,
    now: datetime,
    text: str | None = None,
    error: Fault | None = None,
    message_type: str | None = None,
    segments: Sequence[str] = (),
    accept_conditions: tuple[str, str] | None = None,
) -> bytes:
    """The payload of an answer.

    MSH-3..6 are swapped and MSA-2 is MSH-10, byte for byte. MSH-9 and ERR follow the version of the message
    answered: `ACK` before v2.3, `ACK^A01` before v2.5, then `ACK^A01^ACK`; ERR-1 before v2.5 (with the newer
        fields behind it, which older readers skip).

    Args:
        message: the message, or its payload when it could not be parsed, or None; without a readable MSH the
            answer has no MSA-2.
        control_id_of_answer: MSH-10 of the answer.
        now: aware; MSH-7.
        text: MSA-3, cut at 80 characters; the fault's words by default.
        message_type: MSH-9 of an answer that is no ACK, `ORR^O02`, in the standard delimiters.
        segments: further segments, already written with the delimiters of the message.
        accept_conditions: MSH-15 and MSH-16 of an answer that is sent as a message of its own.
    """
    header = _header(message)
    d = header.delimiters
    version = header.first(12) if header.first(12) in VERSIONS else _OWN_VERSION
    words = text or (error and (error.text or ERROR_TEXTS.get(error.code))) or ""
    fields = [
        f"MSH{d.field}{d.encoding_characters}",
        header[5],
        header[6],
        header[3],
        header[4],
        format_dtm(now),
        "",
        (message_type or _message_type(header, version)).replace("^", d.component),
        escape(control_id_of_answer, d),
        header[11] or "P",
        version,
    ]
    lines = [
        d.field.join(fields),
        _joined([f"MSA{d.field}{code}", header[10], escape(words[:_MSA_TEXT_LENGTH], d)], d.field),
    ]
    if error is not None:
        lines.append(_err(error, version, d))
    lines += segments
    accept, application = accept_conditions or ("", "")
    # The echoed names are in the sender's set, so the answer declares it.
    charset = header[18] if not "".join(lines).isascii() else ""
    lines[0] = _joined([lines[0], "", "", accept, application, "", charset], d.field)
    # Bytes that frame a message must not come back from a hostile control id.
    answer = "".join(f"{line}\r" for line in lines).replace("\x0b", "").replace("\x1c", "")
    return answer.encode(header.codec, errors="replace")


def parse_ack(payload: bytes, default_charset: str = "ASCII") -> Ack:
    """Read an answer of any type that holds an MSA.

    Raises:
        NotHl7: no MSH.
        NotAnAck: no MSA, or MSA-1 is not in table 0008.
    """
    message = parse(payload, default_charset)
    msa = message.segment("MSA")
    if msa is None:
        raise NotAnAck
    code = next((known for known in get_args(AckCode) if known == msa.field(1).strip().upper()), None)
    if code is None:
        raise NotAnAck("MSA-1 of the answer is not in HL7 table 0008.")
    err = message.segment("ERR")
    return Ack(code, msa.field(2), _whole(msa, 3), _fault(err) if err is not None else None)


def _header(message: Message | bytes | None) -> _Header:
    nothing = _Header((), STANDARD, "ascii")
    if message is None:
        return nothing
    payload = message.payload if isinstance(message, Message) else trimmed(message)
    try:
        raw = header_bytes(payload)
        codec = message.coding.codec if isinstance(message, Message) else read(payload, "ASCII").codec
        text = raw.decode(codec, errors="replace")
        if text.encode(codec, errors="replace") != raw:
            # Wrongly declared or damaged: one character per byte gives every byte back.
            codec = codec_of("8859/1")
            text = raw.decode(codec)
        delimiters = Delimiters.of_header(text)
    except NotHl7:
        return nothing
    fields = text.split(delimiters.field)
    fields.insert(1, delimiters.field)
    return _Header(tuple(fields), delimiters, codec)


def _message_type(header: _Header, version: str) -> str:
    parts = header[9].split(header.delimiters.repetition)[0].split(header.delimiters.component)
    trigger = parts[1] if len(parts) > 1 else ""
    if version in ("2.1", "2.2") or re.fullmatch(r"[A-Z0-9]{3}", trigger) is None:
        return "ACK"
    return f"ACK^{trigger}^ACK" if is_modern(version) else f"ACK^{trigger}"


def is_modern(version: str | None) -> bool:
    """Whether a message of this version names its structure (MSH-9.3) and has ERR-2 and what follows; v2.5 and later."""
    known = version if version in VERSIONS else _OWN_VERSION
    return tuple(int(part) for part in known.split(".")) >= (2, 5)


def _err(fault: Fault, version: str, d: Delimiters) -> str:
    name = ERROR_TEXTS.get(fault.code, "")
    code = [fault.code, escape(name, d), "HL70357"] if name else [fault.code]
    first = ""
    if not is_modern(version):
        # ELD: segment, sequence, field, and the code as subcomponents (HL7 v2.3.1 2.24.5.1).
        place = (
            [fault.location.segment, str(fault.location.sequence), str(fault.location.field or "")]
            if fault.location
            else [""] * 3
        )
        first = d.component.join([*place, d.subcomponent.join(code)])
    location = str(fault.location or "").replace("^", d.component)
    fields = [
        "ERR",
        first,
        location,
        d.component.join(code),
        fault.severity,
        "",
        "",
        "",
        escape(fault.text or "", d),
    ]
    return _joined(fields, d.field)


def _joined(fields: list[str], separator: str) -> str:
    return separator.join(fields).rstrip(separator)


def _fault(err: Segment) -> Fault:
    if err.field(3) or err.field(2):
        code, place, severity, text = (
            err.text(3),
            err.repetitions(2),
            err.text(4),
            _whole(err, 8) or _whole(err, 7),
        )
        positions = [place[0].text(n) for n in range(1, 7)] if place else [None]
    else:
        code, severity, text = err.text(1, 4), None, err.text(1, 4, 2)
        positions = [err.text(1, n) for n in range(1, 4)]
    location = None
    if positions[0]:
        numbers = [int(p) if p is not None and p.isascii() and p.isdigit() else None for p in positions[1:]]
        location = Location(positions[0], numbers[0] or 1, *numbers[1:])
    return Fault(code or "", location, severity or "E", text)


def _whole(segment: Segment, field: int) -> str | None:
    found = segment.repetitions(field)
    value = found[0].whole() if found else None
    return value if isinstance(value, str) else None
