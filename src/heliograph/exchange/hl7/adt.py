"""ADT in: what sites say of their patients, whom they merge, and who bears another number (HL7 v2.5.1 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from heliograph.care.orders.merge import merge_told, rename_told
from heliograph.exchange.hl7.faults import BadOrder
from heliograph.exchange.hl7.feed import Feed, Taken
from heliograph.exchange.hl7.pid import Site, site_of
from heliograph.exchange.hl7.told import retired_of, told_of
from heliograph.kit.codecs.hl7 import FieldMissing, Location, Message, Segment
from heliograph.kit.work import Work
from heliograph.records.patients.doubts import IdentityInDoubt
from heliograph.records.patients.identify import Told
from heliograph.records.patients.index import take
from heliograph.records.patients.merge import SelfMerge

SHARED = "PID-3 lists an identifier of another patient, who keeps it; a person is asked whether both are one."
RETIRED = "The identifier was merged before; the patient who goes on stays as they are."
ONE_ALREADY = "The two identifiers name one patient already."


def take_update(work: Work, message: Message, feed: Feed) -> Taken:
    """A01 A04 A05 A08 A28 A31: makes the patient, or takes what changed. Visits are not kept: an order tells its own.

    Raises: FieldMissing, BadOrder, IdentityInDoubt, NoIdentifier.
    """
    taken = take(work, feed.facility.organization_id, told_of(message.need("PID"), message, site_of(feed)))
    return Taken(remark=RETIRED if taken.patient.merge_id is not None else SHARED if taken.is_shared else None)


def take_merge(work: Work, message: Message, feed: Feed) -> Taken:
    """A40, and A18 A30 A34 A36 A39 before it: each MRG is merged into the PID before it, all of the message or none.

    Raises: FieldMissing, BadOrder (207 at MRG-1: with itself), IdentityInDoubt, NoIdentifier.
    """
    site, done = site_of(feed), 0
    for survivor, retired, mrg in _pairs(message, site):
        try:
            reason = f"The site merged them: {message.type}^{message.trigger}."
            made = merge_told(work, feed.facility.organization_id, survivor, retired, reason)
        except SelfMerge as error:
            raise BadOrder(
                "207", _at(mrg), "MRG-1 is the identifier of PID-3: nobody is merged with themself."
            ) from error
        except IdentityInDoubt as error:
            raise _placed(error, mrg) from error
        done += made.merge_id is not None
    return Taken(remark=None if done else ONE_ALREADY)


def take_rename(work: Work, message: Message, feed: Feed) -> Taken:
    """A47, and A46 before it: PID-3 is the new identifier of who bore MRG-1. No merge.

    Raises: FieldMissing, BadOrder, IdentityInDoubt, NoIdentifier.
    """
    for patient, former, mrg in _pairs(message, site_of(feed)):
        try:
            rename_told(work, feed.facility.organization_id, patient, former)
        except IdentityInDoubt as error:
            raise _placed(error, mrg) from error
    return Taken()


UPDATES: Final = ("A01", "A04", "A05", "A08", "A28", "A31")
MERGES: Final = ("A18", "A30", "A34", "A36", "A39", "A40")
RENAMES: Final = ("A46", "A47")
KINDS: Final[Mapping[tuple[str, str], Callable[[Work, Message, Feed], Taken]]] = {
    **{("ADT", trigger): take_update for trigger in UPDATES},
    **{("ADT", trigger): take_merge for trigger in MERGES},
    **{("ADT", trigger): take_rename for trigger in RENAMES},
}
"""What this file takes, for the table of kinds. Moves and discharges change nothing here: feeds ignore them by name."""


def _pairs(message: Message, site: Site) -> Iterator[tuple[Told, Told, Segment]]:
    """Each MRG with the PID before it (ADT_A39: the group PID, PD1, MRG, PV1 repeats). Raises: FieldMissing, BadOrder."""
    pid: Segment | None = None
    found = 0
    for segment in message.all_segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                raise FieldMissing("PID")
            found += 1
            yield told_of(pid, message, site), retired_of(segment, site), segment
    if not found:
        raise FieldMissing("MRG" if pid is not None else "PID")


def _at(mrg: Segment) -> Location:
    return Location("MRG", mrg.sequence, 1)


def _placed(error: IdentityInDoubt, mrg: Segment) -> IdentityInDoubt:
    """The same, with its place where it is about MRG-1."""
    if error.other_id is not None:
        error.location = _at(mrg)
    return error
