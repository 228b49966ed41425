"""Pure decisions about orders: which priority a message means, and which order a study answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast
from uuid import UUID

import yaml


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What a study tells for matching. `accession_issuer`: the images', or the facility's where they carry none."""

    match_state: str
    patient_id: UUID | None
    accession_number: str | None
    accession_issuer: str | None
    facility_is_images_only: bool = False


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What an order tells for matching."""

    id: UUID
    patient_id: UUID
    accession_number: str | None
    accession_issuer: str | None
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """The state that a study gets: matched (with the order), unmatched or not_needed; and why, without patient data."""

    state: str
    order_id: UUID | None = None
    reason: str | None = None


def decide_match(study: StudyFacts, orders: Sequence[OrderFacts]) -> Decision:
    """Which of the organisation's orders the study answers: same patient and same accession (number and issuer), exactly one live order.

    Anything else waits with its reason: nothing is guessed. A held study, a matched one, and a prior stay as they are.
    """
    if study.match_state in ("held", "matched", "prior"):
        return Decision(study.match_state)
    if study.facility_is_images_only:
        return Decision("not_needed", reason="This facility sends images without orders.")
    if not study.accession_number:
        return Decision("unmatched", reason="The images carry no accession number.")
    if study.patient_id is None:
        return Decision("unmatched", reason="The images carry no patient identifier.")
    numbered = [o for o in orders if o.accession_number == study.accession_number]
    if not numbered:
        return Decision("unmatched", reason="No order has this accession number yet.")
    issued = [o for o in numbered if o.accession_issuer in (None, study.accession_issuer)]
    if not issued:
        return Decision("unmatched", reason="An order has this accession number, but from another issuer.")
    live = [o for o in issued if o.is_live]
    if not live:
        return Decision("unmatched", reason="The order with this accession number was cancelled.")
    if len(live) > 1:
        return Decision("unmatched", reason=f"{len(live)} orders have this accession number.")
    if live[0].patient_id != study.patient_id:
        return Decision("unmatched", reason="The order with this accession number is for another patient.")
    return Decision("matched", live[0].id)


@dataclass(frozen=True, slots=True)
class Priority:
    """A priority of ours; `rank` lower is sooner."""

    code: str
    rank: int
    name: str
    hl7: str
    """HL7 table 0485, for what we send."""


@cache
def priorities() -> dict[str, Priority]:
    """All priorities by code, the most urgent first."""
    return {p["code"]: Priority(**p) for p in _table()["priorities"]}


def rank(code: str) -> int:
    """How soon: lower is sooner. Raises KeyError."""
    return priorities()[code].rank


def priority_of(codes: Iterable[str | None], own: Mapping[str, str] | None = None) -> tuple[str | None, bool]:
    """The most urgent priority that codes of HL7 table 0485 (TQ1-9, ORC-7.6, OBR-27.6) mean, and whether it was a default.

    `own` is what the sender means by a code, before the table of all. None when no code was sent at all: a stored priority stays.
    Codes that nobody knows give the default, flagged.
    """
    sent = [c.strip().upper() for c in codes if c and c.strip()]
    if not sent:
        return None, False
    table = _table()
    found = [
        (own or {}).get(c) or table["hl7"].get(c) or table["hl7_words"].get(c) or _timed(c, table["hl7_timed"])
        for c in sent
    ]
    known = [f for f in found if f is not None]
    if not known:
        return str(table["unknown"]), True
    return min(known, key=rank), False


def _timed(code: str, pattern: str) -> str | None:
    return "TIMED" if re.fullmatch(pattern, code) else None


@cache
def _table() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((files(__package__) / "data" / "priorities.yaml").read_text("utf-8")))
