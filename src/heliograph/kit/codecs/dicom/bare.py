"""Data sets that came without preamble and file meta information, as old scanners and planning systems export them."""

from __future__ import annotations

from heliograph.kit.codecs.dicom.errors import DicomError
from heliograph.kit.codecs.dicom.part10 import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    part10_header,
    valid_uid,
)
from heliograph.kit.codecs.dicom.walk import elements, encoding_of

BEGINNING = 64 << 10
"""How much of a file `missing_header` needs, in bytes."""
_SOP_CLASS, _SOP_INSTANCE = 0x0008_0016, 0x0008_0018
_LONGEST_FIRST = 1024


def missing_header(beginning: bytes) -> bytes | None:
    """What must stand before a bare data set to make it a DICOM file (PS3.10 7.1); None if it is no bare data set.

    `beginning` is the file's first `BEGINNING` bytes. Only what begins in group 0008 and names a SOP class and instance is taken for
    one (or with the prefix or in group 0002, where only what stands before them is missing): anything else, a text or a picture, is
    not DICOM.
    """
    if beginning[128:132] == b"DICM" or len(beginning) < 16:
        return None
    if beginning[:4] == b"DICM":
        return bytes(128)
    if beginning[:6] == b"\x02\x00\x00\x00UL":
        return bytes(128) + b"DICM"
    syntax = _syntax(beginning)
    found = _uids(beginning, syntax) if syntax else {}
    if not syntax or not found.keys() >= {_SOP_CLASS, _SOP_INSTANCE}:
        return None
    return part10_header(found[_SOP_CLASS], found[_SOP_INSTANCE], syntax)


def _syntax(beginning: bytes) -> str:
    """The transfer syntax that the first element shows; empty if it shows none. Nothing bare is compressed."""
    is_explicit = beginning[4:6].isalpha() and beginning[4:6].isupper()
    if beginning[:2] == b"\x08\x00":
        if is_explicit:
            return EXPLICIT_LITTLE
        return IMPLICIT_LITTLE if int.from_bytes(beginning[4:8], "little") < _LONGEST_FIRST else ""
    return EXPLICIT_BIG if beginning[:2] == b"\x00\x08" and is_explicit else ""


def _uids(beginning: bytes, syntax: str) -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        for element in elements(memoryview(beginning), 0, len(beginning), encoding_of(syntax)):
            if element.tag > _SOP_INSTANCE:
                break
            if element.tag in (_SOP_CLASS, _SOP_INSTANCE):
                value = beginning[element.offset : element.offset + element.length]
                text = value.decode("ascii", "replace").strip("\0 ")
                if valid_uid(text):
                    found[element.tag] = text
    except DicomError:
        return {}
    return found
