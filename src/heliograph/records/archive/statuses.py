"""How a received object is answered: the statuses of the storage service (PS3.4 Table B.2-1), which STOW-RS uses as reasons
(PS3.18 Tables I.2-1 and I.2-2). What they mean is the same at every door."""

from __future__ import annotations

from typing import Final

from heliograph.kit.codecs.dicom import BadIdentity, Bomb, DicomError, TooDeep

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
OTHER_STUDY: Final = 0xA900
HELD: Final = 0xB000
ELEMENTS_DISCARDED: Final = 0xB006
NOT_OF_ITS_CLASS: Final = 0xB007
CANNOT_UNDERSTAND: Final = 0xC000
NOT_IDENTIFIED: Final = 0xC001
BEYOND_BOUNDS: Final = 0xC002
TAKEN: Final = 0xC010
NOT_KEPT: Final = 0xC020

FAILURES: Final = {
    OUT_OF_RESOURCES: "too little disk is free, or the disk fails",
    OTHER_STUDY: "the object belongs to another study than the request names",
    CANNOT_UNDERSTAND: "no readable DICOM object, or cut off, or without a bulk data part that it names",
    NOT_IDENTIFIED: "a UID is missing or invalid, or the object names two patients",
    BEYOND_BOUNDS: "nested too deeply, or inflates beyond what a real object does",
    TAKEN: "other content is here under this SOP Instance UID; held, and the facility wants failure answered",
    NOT_KEPT: "can't be read or identified, and was not kept: it is empty, or the quarantine is full",
}
WARNINGS: Final = {
    HELD: "durable: other content is here under this SOP Instance UID; held, unless what it says is in force already",
    ELEMENTS_DISCARDED: "stored without the elements of group 0000 or 0002 that stood in the data set",
    NOT_OF_ITS_CLASS: "stored; the sender or the file names another object, or there are fewer pixels than described",
}

ANSWERS: Final = {"warning": HELD, "success": SUCCESS, "failure": TAKEN}
"""What a facility may want its sender told of an object that is held for its UID (`Facility.held_answer`)."""


def status_of(error: DicomError) -> int:
    """The failure that tells of an error of the bytes."""
    if isinstance(error, BadIdentity):
        return NOT_IDENTIFIED
    return BEYOND_BOUNDS if isinstance(error, TooDeep | Bomb) else CANNOT_UNDERSTAND
