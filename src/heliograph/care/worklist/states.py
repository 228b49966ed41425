"""The life cycle of a read as a table, and the state of a case, which is derived from its reads, report and deliveries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from heliograph.care.worklist.errors import IllegalStep

CaseState = Literal[
    "arriving", "ready", "no_reader", "assigned", "reading", "signed", "delivered", "acknowledged", "cancelled"
]
ReadState = Literal["waiting", "ready", "assigned", "reading", "done", "cancelled"]
ReadKind = Literal["primary", "second", "arbiter", "preliminary", "oversight", "opinion", "addendum"]

# Of reports and deliveries. They stand here since a case's state is derived from them and the rooms above can't be imported.
VersionKind = Literal["preliminary", "final", "addendum", "corrected"]
VersionState = Literal["signed", "withdrawn"]
Channel = Literal["hl7", "archive", "page", "dicom", "email", "webhook", "folder", "sftp"]
DeliveryStatus = Literal["queued", "sent", "acknowledged", "held", "failed", "cancelled"]
CHANNEL_NAMES: Mapping[str, str] = {
    "hl7": "HL7", "archive": "archive", "page": "site page", "dicom": "DICOM", "email": "e-mail", "webhook": "webhook",
    "folder": "folder", "sftp": "SFTP",
}  # fmt: skip
CARRIES_THE_REPORT = frozenset({"hl7", "dicom", "folder", "sftp"})
"""Channels by which the site's own systems get the report itself; by the others they hear of it, or see it here."""

READ: Mapping[tuple[str, str], str] = {
    ("waiting", "become_ready"): "ready",
    ("waiting", "cancel"): "cancelled",
    ("ready", "assign"): "assigned",
    ("ready", "cancel"): "cancelled",
    ("assigned", "assign"): "assigned",
    ("assigned", "open"): "reading",
    ("assigned", "give_back"): "ready",
    ("assigned", "cancel"): "cancelled",
    ("reading", "assign"): "assigned",
    ("reading", "open"): "reading",
    ("reading", "give_back"): "ready",
    ("reading", "complete"): "done",
    ("reading", "cancel"): "cancelled",
}
"""(state, step) -> state. What is not here is refused."""

ACTIVE = ("waiting", "ready", "assigned", "reading")
HELD_BY_READER = ("assigned", "reading")
"""What counts against a reader's capacity."""


def next_state(state: str, step: str) -> str:
    """The state of a read after `step`. Raises: IllegalStep."""
    try:
        return READ[state, step]
    except KeyError:
        raise IllegalStep(f"A read that is {state} can't {step.replace('_', ' ')}.") from None


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """A delivery, for the case's state."""

    version_number: int
    channel: str
    state: str


def case_state(
    reads: Iterable[str],
    deliveries: Iterable[DeliveryState] = (),
    *,
    is_arriving: bool = False,
    has_no_reader: bool = False,
) -> CaseState:
    """The state of a case from the states of its reads, and the deliveries of its newest report version.

    Delivered: the site's own system acknowledged it. Acknowledged: a person of the site confirmed it on the site's page.
    """
    states = set(reads)
    active = states & set(ACTIVE)
    if not active:
        return _after_signing(deliveries) if "done" in states else "cancelled"
    if "reading" in active:
        return "reading"
    if is_arriving or active == {"waiting"}:
        return "arriving"
    if "assigned" in active:
        return "assigned"
    return "no_reader" if has_no_reader else "ready"


def is_finished(reads: Iterable[str], deliveries: Iterable[DeliveryState]) -> bool:
    """Whether nothing is left to do: no read is active, and where one was done its newest version is acknowledged everywhere, but
    where a person cancelled it."""
    states, newest = set(reads), _newest(deliveries)
    if states & set(ACTIVE):
        return False
    return "done" not in states or (bool(newest) and all(d.state in ("acknowledged", "cancelled") for d in newest))


def _after_signing(deliveries: Iterable[DeliveryState]) -> CaseState:
    newest = _newest(deliveries)
    if any(d.channel == "page" and d.state == "acknowledged" for d in newest):
        return "acknowledged"
    by_wire = [d for d in newest if d.channel in CARRIES_THE_REPORT and d.state != "cancelled"]
    return "delivered" if by_wire and all(d.state == "acknowledged" for d in by_wire) else "signed"


def _newest(deliveries: Iterable[DeliveryState]) -> list[DeliveryState]:
    found = list(deliveries)
    newest = max((d.version_number for d in found), default=0)
    return [d for d in found if d.version_number == newest]
