"""Documents in OBX-5 of type ED (HL7 v2.5.1 2.A.24): strict base64, bounded, and really what they are said to be. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from heliograph.care.results.incoming import IncomingFile
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.kit.codecs.hl7 import Location, Repetition, Segment

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a document."""
PDF: Final = "application/pdf"
_TYPES: Final = frozenset({"application", "ap", "text", "image", "multipart", PDF})
_SUBTYPES: Final = frozenset({"pdf", "x-pdf", PDF})
_MAGIC: Final = b"%PDF-"


def documents(obx: Segment) -> list[IncomingFile]:
    """The documents of an observation: PDF alone.

    Raises:
        BadOrder: the header (source, type, subtype, encoding) does not say that it is a PDF in base64 (103), it is no base64 or no PDF
            (102), or it is larger than 16 MiB (104); at OBX-5.
    """
    place = Location("OBX", obx.sequence, 5)
    return [_document(r, obx, place) for r in obx.repetitions(5) if r.raw]


def _document(r: Repetition, obx: Segment, place: Location) -> IncomingFile:
    kind, subtype, encoding = ((r.text(n) or "").strip().casefold() for n in (2, 3, 4))
    if encoding != "base64" or kind not in _TYPES or not (subtype in _SUBTYPES or kind == PDF):
        raise BadOrder("103", place, "OBX-5 must say what it holds: Application^PDF^Base64. Only PDF is taken.")
    sent = re.sub(r"[ \t\r\n]+", "", r.text(5) or "")
    if len(sent) > LARGEST * 4 // 3 + 4:
        raise BadOrder("104", place, "The document is larger than 16 MiB.")
    try:
        data = base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadOrder("102", place, "The document is no base64.") from error
    if not data.startswith(_MAGIC):
        raise BadOrder("102", place, "The document is no PDF, whatever OBX-5 says.")
    return IncomingFile(_name(obx), PDF, data)


def _name(obx: Segment) -> str:
    """What OBX-3 calls it, without marks that mean something in a header or a shell."""
    words = re.sub(r"[^\w .,()-]", "", obx.text(3, 2) or obx.text(3) or "").strip(" .")[:100]
    if words.casefold().endswith(".pdf"):
        return words
    return f"{words or 'report'}.pdf"
