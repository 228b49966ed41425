"""What messages on their way out are made of: plain values, and how each is written as fields (HL7 v2.5.1 chapters 2, 3, 7)."""

from __future__ import annotations

import base64
import re
import textwrap
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from heliograph.kit.codecs.hl7.charset import encode
from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.errors import Unencodable
from heliograph.kit.codecs.hl7.escape import STANDARD, escape
from heliograph.kit.codecs.hl7.spell import fit

RESULT_STATUSES = frozenset("OISAPCRNFXYZM")
"""OBR-25, table 0123 (with v2.7's N and M). `D` and `W` are not among them."""

OBSERVATION_STATUSES = frozenset("ABCDFINOPRSUVWX")
"""OBX-11, table 0085."""


@dataclass(frozen=True)
class Hd:
    """A namespace, alone or with its identifier (HD; EI-2..4)."""

    namespace: str
    universal_id: str = ""
    universal_id_type: str = "ISO"

    def parts(self) -> list[str]:
        """The three parts; no type without an identifier."""
        return [self.namespace, self.universal_id, self.universal_id_type if self.universal_id else ""]


@dataclass(frozen=True)
class Endpoint:
    """MSH-3 and MSH-4, or MSH-5 and MSH-6."""

    application: Hd
    facility: Hd


@dataclass(frozen=True)
class PatientIdentifier:
    """CX: the id, who gave it, and its type (table 0203)."""

    id: str
    authority: Hd | None = None
    type: str = "MR"


@dataclass(frozen=True)
class Name:
    """A person's name (XPN); `representation`: A alphabetic, I ideographic, P phonetic (table 4000)."""

    family: str
    given: str = ""
    middle: str = ""
    suffix: str = ""
    prefix: str = ""
    representation: str = ""


@dataclass(frozen=True)
class Patient:
    """PID. `birth`: a date, or HL7 digits when only the year or month is known. `sex`: table 0001."""

    identifiers: tuple[PatientIdentifier, ...]
    names: tuple[Name, ...]
    birth: date | str | None = None
    sex: str = ""


@dataclass(frozen=True)
class Visit:
    """PV1-2 (table 0004) and PV1-19."""

    patient_class: str = "U"
    number: PatientIdentifier | None = None


@dataclass(frozen=True)
class EntityId:
    """An order number (EI)."""

    id: str
    authority: Hd | None = None


@dataclass(frozen=True)
class Code:
    """A coded entry (CE). `suffix` goes behind the code as a subcomponent: GDT, IMP, ADT, REC."""

    code: str
    text: str = ""
    system: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class Interpreter:
    """OBR-32 in NDL form: the parts of the person are subcomponents, then the time of the signature."""

    id: str
    name: Name
    at: datetime | None = None


@dataclass(frozen=True)
class Lines:
    """Text as one OBX of type TX per line; `status`: table 0085."""

    code: Code
    lines: tuple[str, ...]
    status: str
    observed_at: datetime | None = None


@dataclass(frozen=True)
class Coded:
    """A finding as codes: one OBX of type CWE, each value a repetition."""

    code: Code
    values: tuple[Code, ...]
    status: str
    observed_at: datetime | None = None


@dataclass(frozen=True)
class Number:
    """A measured value: one OBX of type NM."""

    code: Code
    value: float
    status: str
    units: Code | None = None
    observed_at: datetime | None = None


@dataclass(frozen=True)
class StudyUid:
    """The Study Instance UID as an OBX: 110180 of DCM (PS3.16)."""

    uid: str
    status: str


@dataclass(frozen=True)
class Pdf:
    """A PDF as one OBX of type ED, base64 without line breaks."""

    code: Code
    content: bytes
    status: str
    observed_at: datetime | None = None
    source: str = ""


Observation = Lines | Coded | Number | StudyUid | Pdf


@dataclass(frozen=True)
class Header:
    """MSH of what we send. `unencodable`: what becomes of characters that `charset` lacks: refused, or spelt otherwise where a spelling
    is known and shown as ? where none is, with `note` in a comment, so that nobody takes the text for what was signed."""

    sender: Endpoint
    receiver: Endpoint
    control_id: str
    sent_at: datetime
    processing_id: Literal["P", "T", "D"] = "P"
    charset: str = "UNICODE UTF-8"
    accept_ack: str = ""
    application_ack: str = ""
    hl7_version: str = "2.5.1"
    unencodable: Literal["refuse", "replace"] = "refuse"
    note: str = ""


def written(segments: list[str], header: Header, note_after: int) -> bytes:
    """Segments as bytes in the header's character set; the note about replaced characters goes in before segment `note_after`.

    Raises:
        Unencodable, UnknownCharset
    """
    text = _joined(segments)
    try:
        payload = encode(text, header.charset)
    except Unencodable:
        if header.unencodable == "refuse":
            raise
        note = [segment("NTE", {1: "1", 2: "L", 3: text_of(header.note)})] if header.note else []
        payload = encode(
            fit(_joined([*segments[:note_after], *note, *segments[note_after:]]), header.charset), header.charset
        )
    if b"\x1c" in payload or b"\x0b" in payload:
        raise Unencodable("The character set produces bytes that frame an MLLP message.")
    return payload


def _joined(segments: list[str]) -> str:
    return "".join(f"{one}\r" for one in segments)


def msh(header: Header, message_type: str) -> str:
    """The header segment; `message_type` is MSH-9 as written."""
    return segment(
        "MSH",
        {
            # Field 1 is the separator itself, so that positions shift by one.
            1: STANDARD.encoding_characters,
            2: hd(header.sender.application, "^"),
            3: hd(header.sender.facility, "^"),
            4: hd(header.receiver.application, "^"),
            5: hd(header.receiver.facility, "^"),
            6: format_dtm(header.sent_at),
            8: message_type,
            9: text_of(header.control_id),
            10: header.processing_id,
            11: header.hl7_version,
            14: header.accept_ack,
            15: header.application_ack,
            17: header.charset,
            19: "ISO 2022-1994" if "~" in header.charset else "",
        },
    )


def pid(patient: Patient) -> str:
    """PID. Raises: ValueError: no identifier, or no birth date that is one."""
    if not patient.identifiers:
        raise ValueError("PID-3 needs an identifier")
    birth = patient.birth.strftime("%Y%m%d") if isinstance(patient.birth, date) else patient.birth or ""
    if re.fullmatch(r"|\d{4}(\d{2}){0,2}", birth, re.ASCII) is None:
        raise ValueError("a birth date is YYYY, YYYYMM or YYYYMMDD")
    return segment(
        "PID",
        {
            1: "1",
            3: "~".join(cx(identifier) for identifier in patient.identifiers),
            5: "~".join(xpn(name) for name in patient.names),
            7: birth,
            8: text_of(patient.sex),
        },
    )


def pv1(visit: Visit) -> str:
    """PV1."""
    number = cx(visit.number) if visit.number else ""
    return segment("PV1", {1: "1", 2: text_of(visit.patient_class), 19: number})


def obx_segments(
    observations: tuple[Observation, ...], *, marker: str = "", line_length: int | None = None, kind: str = "TX"
) -> list[str]:
    """The OBX of one OBR, counted from 1. `marker`: OBX-4 of each; `line_length`: longer lines are split.

    Raises: ValueError: a status that is not in table 0085, or a PDF that is none.
    """
    values = [(one, *value) for one in observations for value in _values(one, line_length, kind)]
    return [_obx(number, *value, marker) for number, value in enumerate(values, start=1)]


def _values(one: Observation, line_length: int | None, text_kind: str) -> list[tuple[Code, str, str, str]]:
    """(OBX-3, OBX-2, OBX-5, OBX-6) of each segment."""
    if isinstance(one, Lines):
        lines = [part for line in one.lines for part in split_line(line, line_length)]
        return [(one.code, text_kind, text_of(line), "") for line in lines]
    if isinstance(one, Coded):
        return [(one.code, "CWE", "~".join(ce(value) for value in one.values), "")]
    if isinstance(one, Number):
        return [(one.code, "NM", f"{one.value:.15g}", ce(one.units) if one.units else "")]
    if isinstance(one, StudyUid):
        return [(Code("110180", "Study Instance UID", "DCM"), "ST", text_of(one.uid), "")]
    if not one.content.startswith(b"%PDF-"):
        raise ValueError("the attachment is no PDF")
    data = base64.b64encode(one.content).decode("ascii")
    return [(one.code, "ED", f"{text_of(one.source)}^Application^PDF^Base64^{data}", "")]


def split_line(line: str, length: int | None) -> list[str]:
    """A line in parts of at most `length` characters, between words where that goes; the words stay as they are."""
    if length is None or len(line) <= length:
        return [line]
    return textwrap.wrap(
        line, length, replace_whitespace=False, drop_whitespace=True, break_on_hyphens=False, expand_tabs=False
    ) or [" "]


def _obx(number: int, one: Observation, code: Code, kind: str, value: str, units: str, marker: str) -> str:
    if one.status not in OBSERVATION_STATUSES:
        raise ValueError(f"OBX-11 {one.status!r} is not in table 0085")
    return segment(
        "OBX",
        {
            1: str(number),
            2: kind,
            3: ce(code),
            4: marker,
            5: value,
            6: units,
            11: one.status,
            14: time_of(getattr(one, "observed_at", None)),
        },
    )


def segment(name: str, values: dict[int, str]) -> str:
    """Join written fields by number; trailing empty ones are left out."""
    last = max((number for number, value in values.items() if value), default=0)
    return "|".join([name, *(values.get(number, "") for number in range(1, last + 1))])


def text_of(value: str) -> str:
    """A value, escaped."""
    # Two quote characters as a whole value would mean "delete"; as hex they are text.
    return "\\X2222\\" if value == '""' else escape(value, STANDARD)


def _parts(values: list[str], separator: str) -> str:
    return separator.join(text_of(value) for value in values).rstrip(separator)


def hd(place: Hd, separator: str) -> str:
    """HD, its parts between `separator`: ^ as a field, & as a component."""
    return _parts(place.parts(), separator)


def cx(identifier: PatientIdentifier) -> str:
    """CX: id, authority, type."""
    authority = hd(identifier.authority, "&") if identifier.authority else ""
    return "^".join([text_of(identifier.id), "", "", authority, text_of(identifier.type)]).rstrip("^")


def xpn(name: Name) -> str:
    """XPN."""
    return _parts([name.family, name.given, name.middle, name.suffix, name.prefix, "", "L", name.representation], "^")


def ei(entity: EntityId | None) -> str:
    """EI; empty for none."""
    if entity is None:
        return ""
    return _parts([entity.id, *(entity.authority.parts() if entity.authority else [])], "^")


def ce(code: Code) -> str:
    """CE or CWE."""
    first = _parts([code.code, code.suffix], "&")
    return "^".join([first, text_of(code.text), text_of(code.system)]).rstrip("^")


def xcn(interpreter: Interpreter, *, at: datetime | None = None) -> str:
    """XCN; with `at` as PPN, whose component 15 is the time."""
    name = interpreter.name
    parts = [interpreter.id, name.family, name.given, name.middle, name.suffix, name.prefix]
    if at is not None:
        return _parts([*parts, *[""] * 8, format_dtm(at)], "^")
    return _parts(parts, "^")


def ndl(interpreter: Interpreter | None) -> str:
    """NDL: the parts of the person are subcomponents."""
    if interpreter is None:
        return ""
    name = interpreter.name
    person = _parts([interpreter.id, name.family, name.given, name.middle, name.suffix, name.prefix], "&")
    return "^".join([person, time_of(interpreter.at)]).rstrip("^")


def time_of(value: datetime | None) -> str:
    """TS; empty for none."""
    return "" if value is None else format_dtm(value)
