"""What can be wrong with DICOM bytes. No text here holds a value of the data set: it may be patient data."""

from __future__ import annotations

from heliograph.kit.errors import HeliographError


class DicomError(HeliographError):
    """These bytes cannot be taken as a DICOM data set."""


class NotDicom(DicomError):
    """The bytes are not a DICOM data set."""


class Truncated(DicomError):
    """The data set ends before it should: the transfer or the file was cut off."""


class BadIdentity(DicomError):
    """A UID that identifies the object is missing or invalid, or the object names two patients.

    `keyword` is the DICOM keyword at fault.
    """

    def __init__(self, keyword: str, why: str) -> None:
        super().__init__(f"{keyword} {why}")
        self.keyword = keyword


class TooDeep(DicomError):
    """Sequences are nested deeper than any real object nests them."""


class Bomb(DicomError):
    """The deflated data set expands beyond any real object."""


class FrameMissing(DicomError):
    """The object says it has this frame, but its bytes are not there or cannot be told apart."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"frame {number}: {why}")
        self.number = number
