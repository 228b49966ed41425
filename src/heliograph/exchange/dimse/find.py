"""C-FIND (PS3.4 C.4.1): an identifier in, matching identifiers out. The protocol is the listener's; this only answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from heliograph.kit.errors import HeliographError
from heliograph.kit.work import WorkFactory
from heliograph.records.sites.queries import KnownCaller

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MODELS: Final = (PATIENT_ROOT, STUDY_ROOT)

PENDING: Final = 0xFF00
PENDING_UNSUPPORTED: Final = 0xFF01
"""A match, and one or more optional keys of the request are not supported (PS3.4 Table C.4-1)."""
OUT_OF_RESOURCES: Final = 0xA700
MISMATCH: Final = 0xA900
UNABLE: Final = 0xC000


class FindRefused(HeliographError):
    """The query can't be answered as it is.

    `dimse_status` is the C-FIND status, `comment` (<= 64 characters, no patient data) the Error Comment (0000,0902), `offending`
    the tags of Offending Element (0000,0901).
    """

    def __init__(self, dimse_status: int, comment: str, *offending: int) -> None:
        super().__init__(comment)
        self.dimse_status, self.comment, self.offending = dimse_status, comment[:64], offending


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What SOP Class Extended Negotiation settled for the association (PS3.4 C.5.1.1), byte by byte; we grant all four."""

    relational: bool = False
    combined_date_time: bool = False
    fuzzy: bool = False
    timezone: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One pending response: its status, PENDING or PENDING_UNSUPPORTED, and its identifier."""

    status: int
    identifier: Dataset


def find(
    works: WorkFactory,
    caller: KnownCaller,
    sop_class_uid: str,
    identifier: Dataset,
    *,
    negotiated: Negotiated | None = None,
    address: str | None = None,
) -> Iterator[Found]:
    """The matches in `caller`'s organisation, newest first; the search is on record before the first one is given.

    Nothing is held while the caller takes its time: pages are read as they are needed, and giving the iterator up (C-CANCEL) is
    enough. When it ends of itself, the final status is success (0x0000).

    Raises:
        FindRefused: when called, for an identifier that can't be answered (0xA900, 0xC000); while iterating only for more matches
            than anybody is given (0xA700).
    """
    raise FindRefused(UNABLE, "C-FIND is not answered yet")
