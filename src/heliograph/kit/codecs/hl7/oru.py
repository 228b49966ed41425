"""ORU^R01, a report on its way out (HL7 v2.5.1 7.3.1): plain values in, bytes out, everything escaped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.out import (
    RESULT_STATUSES,
    Code,
    EntityId,
    Header,
    Interpreter,
    Observation,
    Patient,
    Visit,
    ce,
    ei,
    msh,
    ndl,
    obx_segments,
    pid,
    pv1,
    segment,
    text_of,
    time_of,
    written,
)


@dataclass(frozen=True)
class Result:
    """One procedure's result: ORC, OBR and its OBX. `status`: OBR-25, table 0123; `order_status`: ORC-5, table 0038; `study_uids`: told
    in a ZDS segment each (IHE RAD TF-2 4.4)."""

    placer: EntityId | None
    filler: EntityId
    procedure: Code
    status: str
    observations: tuple[Observation, ...]
    reported_at: datetime
    accession: str = ""
    observed_at: datetime | None = None
    interpreter: Interpreter | None = None
    section: str = ""
    order_status: str = ""
    study_uids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Oru:
    """The whole message. `version_marker` names the report's version, in OBX-4 of every line or in a note under the OBR;
    `line_length`: longer lines of text are split."""

    header: Header
    patient: Patient
    results: tuple[Result, ...]
    visit: Visit | None = None
    version_marker: str = ""
    version_marker_in: Literal["OBX-4", "NTE"] = "OBX-4"
    line_length: int | None = None


def build_oru_r01(oru: Oru) -> bytes:
    """The payload of an ORU^R01, ready to be framed.

    Raises:
        Unencodable: a character does not fit into the character set.
        UnknownCharset: the character set is not in table 0211.
        ValueError: a status is not in its table, a PDF is none, a time has no zone, or nothing identifies the
            order.
    """
    segments = [msh(oru.header, "ORU^R01^ORU_R01"), pid(oru.patient)]
    if oru.visit is not None:
        segments.append(pv1(oru.visit))
    if not oru.results:
        raise ValueError("an ORU^R01 needs a result")
    under_first = len(segments) + 2
    for position, result in enumerate(oru.results, start=1):
        segments += _result(position, result, oru)
    return written(segments, oru.header, under_first)


def _result(position: int, result: Result, oru: Oru) -> list[str]:
    if result.status not in RESULT_STATUSES:
        raise ValueError(f"OBR-25 {result.status!r} is not in table 0123")
    placer, filler = ei(result.placer), ei(result.filler)
    if not result.filler.id:
        raise ValueError("OBR-3 needs a filler order number")
    segments = [
        segment("ORC", {1: "RE", 2: placer, 3: filler, 5: text_of(result.order_status)}),
        segment(
            "OBR",
            {
                1: str(position),
                2: placer,
                3: filler,
                4: ce(result.procedure),
                7: time_of(result.observed_at),
                18: text_of(result.accession),
                22: format_dtm(result.reported_at),
                24: text_of(result.section),
                25: result.status,
                32: ndl(result.interpreter),
            },
        ),
    ]
    marker = text_of(oru.version_marker)
    if marker and oru.version_marker_in == "NTE":
        segments.append(segment("NTE", {1: "1", 3: marker}))
        marker = ""
    segments += obx_segments(result.observations, marker=marker, line_length=oru.line_length)
    return segments + [segment("ZDS", {1: f"{text_of(uid)}^^Application^DICOM"}) for uid in result.study_uids]
