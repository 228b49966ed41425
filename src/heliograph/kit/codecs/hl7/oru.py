"""ORU^R01, a report on its way out (HL7 v2.5.1 7.3.1): plain values in, bytes out, everything escaped."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from heliograph.kit.codecs.hl7.charset import encode
from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.errors import Unencodable
from heliograph.kit.codecs.hl7.escape import STANDARD, escape

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
class Pdf:
    """A PDF as one OBX of type ED, base64 without line breaks."""

    code: Code
    content: bytes
    status: str
    observed_at: datetime | None = None
    source: str = ""


@dataclass(frozen=True)
class Result:
    """One procedure's result: ORC, OBR and its OBX. `status`: OBR-25, table 0123; `order_status`: ORC-5,
    table 0038."""

    placer: EntityId | None
    filler: EntityId
    procedure: Code
    status: str
    observations: tuple[Lines | Pdf, ...]
    reported_at: datetime
    accession: str = ""
    observed_at: datetime | None = None
    interpreter: Interpreter | None = None
    section: str = ""
    order_status: str = ""


@dataclass(frozen=True)
class Oru:
    """The whole message. `version_marker` names the report's version, in OBX-4 of every line or in a note
    under the OBR."""

    sender: Endpoint
    receiver: Endpoint
    control_id: str
    patient: Patient
    results: tuple[Result, ...]
    sent_at: datetime
    processing_id: Literal["P", "T", "D"] = "P"
    visit: Visit | None = None
    version_marker: str = ""
    version_marker_in: Literal["OBX-4", "NTE"] = "OBX-4"
    charset: str = "UNICODE UTF-8"
    accept_ack: str = ""
    application_ack: str = ""
    hl7_version: str = "2.5.1"


def build_oru_r01(oru: Oru) -> bytes:
    """The payload of an ORU^R01, ready to be framed.

    Raises:
        Unencodable: a character does not fit into `charset`.
        UnknownCharset: `charset` is not in table 0211.
        ValueError: a status is not in its table, a PDF is none, a time has no zone, or nothing identifies the
            order.
    """
    segments = [_msh(oru), _pid(oru.patient)]
    if oru.visit is not None:
        number = _cx(oru.visit.number) if oru.visit.number else ""
        segments.append(_segment("PV1", {1: "1", 2: _text(oru.visit.patient_class), 19: number}))
    for position, result in enumerate(oru.results, start=1):
        segments += _result(position, result, oru)
    if not oru.results:
        raise ValueError("an ORU^R01 needs a result")
    payload = encode("".join(f"{segment}\r" for segment in segments), oru.charset)
    if b"\x1c" in payload or b"\x0b" in payload:
        raise Unencodable("The character set produces bytes that frame an MLLP message.")
    return payload


def _msh(oru: Oru) -> str:
    iso_2022 = "~" in oru.charset
    return _segment(
        "MSH",
        {
            # Field 1 is the separator itself, so that positions shift by one.
            1: STANDARD.encoding_characters,
            2: _hd(oru.sender.application, "^"),
            3: _hd(oru.sender.facility, "^"),
            4: _hd(oru.receiver.application, "^"),
            5: _hd(oru.receiver.facility, "^"),
            6: format_dtm(oru.sent_at),
            8: "ORU^R01^ORU_R01",
            9: _text(oru.control_id),
            10: oru.processing_id,
            11: oru.hl7_version,
            14: oru.accept_ack,
            15: oru.application_ack,
            17: oru.charset,
            19: "ISO 2022-1994" if iso_2022 else "",
        },
    )


def _pid(patient: Patient) -> str:
    if not patient.identifiers:
        raise ValueError("PID-3 needs an identifier")
    birth = patient.birth.strftime("%Y%m%d") if isinstance(patient.birth, date) else patient.birth or ""
    if re.fullmatch(r"|\d{4}(\d{2}){0,2}", birth, re.ASCII) is None:
        raise ValueError("a birth date is YYYY, YYYYMM or YYYYMMDD")
    return _segment(
        "PID",
        {
            1: "1",
            3: "~".join(_cx(identifier) for identifier in patient.identifiers),
            5: "~".join(_xpn(name) for name in patient.names),
            7: birth,
            8: _text(patient.sex),
        },
    )


def _result(position: int, result: Result, oru: Oru) -> list[str]:
    if result.status not in RESULT_STATUSES:
        raise ValueError(f"OBR-25 {result.status!r} is not in table 0123")
    placer, filler = _ei(result.placer), _ei(result.filler)
    if not result.filler.id:
        raise ValueError("OBR-3 needs a filler order number")
    segments = [
        _segment("ORC", {1: "RE", 2: placer, 3: filler, 5: _text(result.order_status)}),
        _segment(
            "OBR",
            {
                1: str(position),
                2: placer,
                3: filler,
                4: _ce(result.procedure),
                7: _time(result.observed_at),
                18: _text(result.accession),
                22: format_dtm(result.reported_at),
                24: _text(result.section),
                25: result.status,
                32: _ndl(result.interpreter),
            },
        ),
    ]
    marker = _text(oru.version_marker)
    if marker and oru.version_marker_in == "NTE":
        segments.append(_segment("NTE", {1: "1", 3: marker}))
        marker = ""
    values = [(observation, *value) for observation in result.observations for value in _values(observation)]
    # OBX-1 counts within its OBR.
    return segments + [_obx(number, *value, marker) for number, value in enumerate(values, start=1)]


def _values(observation: Lines | Pdf) -> list[tuple[str, str]]:
    if isinstance(observation, Lines):
        return [("TX", _text(line)) for line in observation.lines]
    if not observation.content.startswith(b"%PDF-"):
        raise ValueError("the attachment is no PDF")
    data = base64.b64encode(observation.content).decode("ascii")
    return [("ED", f"{_text(observation.source)}^Application^PDF^Base64^{data}")]


def _obx(number: int, observation: Lines | Pdf, kind: str, value: str, marker: str) -> str:
    if observation.status not in OBSERVATION_STATUSES:
        raise ValueError(f"OBX-11 {observation.status!r} is not in table 0085")
    return _segment(
        "OBX",
        {
            1: str(number),
            2: kind,
            3: _ce(observation.code),
            4: marker,
            5: value,
            11: observation.status,
            14: _time(observation.observed_at),
        },
    )


def _segment(name: str, values: dict[int, str]) -> str:
    """Join written fields by number; trailing empty ones are left out."""
    last = max((number for number, value in values.items() if value), default=0)
    return "|".join([name, *(values.get(number, "") for number in range(1, last + 1))])


def _text(value: str) -> str:
    # Two quote characters as a whole value would mean "delete"; as hex they are text.
    return "\\X2222\\" if value == '""' else escape(value, STANDARD)


def _parts(values: list[str], separator: str) -> str:
    return separator.join(_text(value) for value in values).rstrip(separator)


def _hd(hd: Hd, separator: str) -> str:
    return _parts(hd.parts(), separator)


def _cx(identifier: PatientIdentifier) -> str:
    authority = _hd(identifier.authority, "&") if identifier.authority else ""
    return "^".join([_text(identifier.id), "", "", authority, _text(identifier.type)]).rstrip("^")


def _xpn(name: Name) -> str:
    return _parts([name.family, name.given, name.middle, name.suffix, name.prefix, "", "L", name.representation], "^")


def _ei(entity: EntityId | None) -> str:
    if entity is None:
        return ""
    return _parts([entity.id, *(entity.authority.parts() if entity.authority else [])], "^")


def _ce(code: Code) -> str:
    first = _parts([code.code, code.suffix], "&")
    return "^".join([first, _text(code.text), _text(code.system)]).rstrip("^")


def _ndl(interpreter: Interpreter | None) -> str:
    if interpreter is None:
        return ""
    name = interpreter.name
    person = _parts([interpreter.id, name.family, name.given, name.middle, name.suffix, name.prefix], "&")
    return "^".join([person, _time(interpreter.at)]).rstrip("^")


def _time(value: datetime | None) -> str:
    return "" if value is None else format_dtm(value)
