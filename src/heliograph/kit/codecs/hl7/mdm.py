"""MDM, a report on its way out as a document (HL7 v2.5.1 9.6): T02 new, T06 addendum, T10 replacement, T11 cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from heliograph.kit.codecs.hl7.dtm import format_dtm
from heliograph.kit.codecs.hl7.oru import Result
from heliograph.kit.codecs.hl7.out import (
    EntityId,
    Header,
    Interpreter,
    Observation,
    Patient,
    Visit,
    ce,
    ei,
    msh,
    obx_segments,
    pid,
    pv1,
    segment,
    text_of,
    time_of,
    written,
    xcn,
)

MdmEvent = Literal["T02", "T06", "T10", "T11"]
STRUCTURES: Mapping[MdmEvent, str] = {"T02": "MDM_T02", "T06": "MDM_T02", "T10": "MDM_T02", "T11": "MDM_T01"}
"""MSH-9.3. A cancellation carries no content."""
COMPLETION = frozenset({"DI", "DO", "IN", "IP", "PA", "AU", "LA"})
"""TXA-17, table 0271."""
AVAILABILITY = frozenset({"AV", "CA", "OB", "UN"})
"""TXA-19, table 0273."""


@dataclass(frozen=True)
class Document:
    """TXA and what the document says. `id`: unique for each version of the report; `parent`: the document that it adds to or replaces;
    `completion`: TXA-17; `availability`: TXA-19; `activity_at`: when the exam was made."""

    id: str
    completion: str
    availability: str
    authenticator: Interpreter
    authenticated_at: datetime
    observations: tuple[Observation, ...] = ()
    parent: str = ""
    activity_at: datetime | None = None
    type: str = "DI"


@dataclass(frozen=True)
class Mdm:
    """The whole message: the orders that the document answers, and the document. Of `orders` the observations are not used."""

    header: Header
    event: MdmEvent
    patient: Patient
    orders: tuple[Result, ...]
    document: Document
    visit: Visit | None = None
    version_marker: str = ""
    line_length: int | None = None


def build_mdm(mdm: Mdm) -> bytes:
    """The payload of an MDM message, ready to be framed.

    Raises:
        Unencodable: a character does not fit into the character set.
        UnknownCharset: the character set is not in table 0211.
        ValueError: a status is not in its table, a PDF is none, a time has no zone, or nothing identifies the
            document.
    """
    document = mdm.document
    if not document.id:
        raise ValueError("TXA-12 needs a document number")
    if document.completion not in COMPLETION or document.availability not in AVAILABILITY:
        raise ValueError("TXA-17 or TXA-19 is not in its table")
    if mdm.event != "T02" and not document.parent:
        raise ValueError(f"an MDM^{mdm.event} names the document before it")
    if mdm.event != "T11" and not document.observations:
        raise ValueError("a document needs content")
    segments = [
        msh(mdm.header, f"MDM^{mdm.event}^{STRUCTURES[mdm.event]}"),
        segment("EVN", {1: mdm.event, 2: format_dtm(mdm.header.sent_at)}),
        pid(mdm.patient),
        # Required in this structure (9.6.1).
        pv1(mdm.visit or Visit()),
    ]
    for position, order in enumerate(mdm.orders, start=1):
        segments += _order(position, order)
    segments.append(_txa(mdm))
    note_after = len(segments)
    if mdm.event != "T11":
        segments += obx_segments(document.observations, marker=text_of(mdm.version_marker), line_length=mdm.line_length)
        # A note has its place under an OBX in this structure.
        note_after = min(note_after + 1, len(segments))
    return written(segments, mdm.header, note_after)


def _order(position: int, order: Result) -> list[str]:
    placer, filler = ei(order.placer), ei(order.filler)
    return [
        segment("ORC", {1: "RE", 2: placer, 3: filler, 5: text_of(order.order_status)}),
        segment(
            "OBR",
            {
                1: str(position),
                2: placer,
                3: filler,
                4: ce(order.procedure),
                7: time_of(order.observed_at),
                18: text_of(order.accession),
                24: text_of(order.section),
                25: order.status,
            },
        ),
    ]


def _txa(mdm: Mdm) -> str:
    document, first = mdm.document, mdm.orders[0] if mdm.orders else None
    return segment(
        "TXA",
        {
            1: "1",
            2: document.type,
            3: "TX",
            4: time_of(document.activity_at),
            9: xcn(document.authenticator),
            12: ei(EntityId(document.id, mdm.header.sender.application)),
            13: ei(EntityId(document.parent, mdm.header.sender.application)) if document.parent else "",
            14: ei(first.placer) if first else "",
            15: ei(first.filler) if first else "",
            17: document.completion,
            19: document.availability,
            22: xcn(document.authenticator, at=document.authenticated_at),
        },
    )
