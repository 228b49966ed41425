"""What the rules say about one reader and one case, in words, and how it is kept. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal
from uuid import UUID

Rule = Literal["engagement", "licence", "privilege", "subspecialty", "language", "place", "shift", "capacity"]
Outcome = Literal["pass", "fail", "unknown"]
RULES: tuple[Rule, ...] = (
    "engagement", "licence", "privilege", "subspecialty", "language", "place", "shift", "capacity",
)  # fmt: skip

HANDED_BACK = "Had it before"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's answer in words, and whose rule it is. `unknown` blocks and asks: it never allows."""

    rule: Rule
    outcome: Outcome
    text: str
    source: str

    @property
    def passes(self) -> bool:
        return self.outcome == "pass"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All rules' answers about one reader for one case. `group_id` and `agreement_id` say under which agreement they would read."""

    reader_id: UUID
    name: str
    hub: str
    checks: tuple[Check, ...]
    open: int
    capacity: int
    assigned_today: int = 0
    group_id: UUID | None = None
    agreement_id: UUID | None = None
    engagement_id: UUID | None = None
    is_assigned: bool = False
    why: str = ""

    @property
    def eligible(self) -> bool:
        """Whether every rule passes; no checks at all is no pass."""
        return bool(self.checks) and all(c.passes for c in self.checks)

    @property
    def blocking(self) -> tuple[Check, ...]:
        return tuple(c for c in self.checks if not c.passes)

    def as_document(self) -> dict[str, Any]:
        """For the table of assignments: plain JSON."""
        document = asdict(self)
        for name in ("reader_id", "group_id", "agreement_id", "engagement_id"):
            document[name] = str(document[name]) if document[name] else None
        document["checks"] = [asdict(c) for c in self.checks]
        document["eligible"] = self.eligible
        return document

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Verdict:
        """The verdict as it was kept."""
        values = {k: v for k, v in document.items() if k != "eligible"}
        for name in ("reader_id", "group_id", "agreement_id", "engagement_id"):
            values[name] = UUID(values[name]) if values.get(name) else None
        values["checks"] = tuple(Check(**c) for c in values["checks"])
        return Verdict(**values)


def choose(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The least loaded of the eligible; ties: fewer assigned today, then the id. None: nobody is eligible."""
    eligible = [v for v in verdicts if v.eligible]
    return min(eligible, key=lambda v: (v.open, v.assigned_today, v.reader_id), default=None)


def explained(
    verdicts: Sequence[Verdict], chosen: UUID | None, *, by_hand: str | None = None, excluded: Collection[UUID] = ()
) -> list[Verdict]:
    """The verdicts with a written reason for each reader.

    `by_hand` is the coordinator who chose; `excluded` had it before or handed it back.
    """
    eligible = sum(v.eligible for v in verdicts)
    best = next((v for v in verdicts if v.reader_id == chosen), None)

    def reason(v: Verdict) -> str:
        load = f"{v.open} of {v.capacity}"
        if v.reader_id == chosen:
            if by_hand:
                return f"Assigned by {by_hand}, {load}"
            return (
                f"Assigned. The only eligible reader, {load}"
                if eligible == 1
                else (f"Assigned. Least loaded of {eligible} eligible, {load}")
            )
        if not v.eligible:
            return "; ".join(c.text for c in v.blocking)
        if v.reader_id in excluded:
            return HANDED_BACK
        if best is None or by_hand:
            return f"Eligible, {load}"
        if v.open > best.open:
            return f"Eligible, but more open: {load}"
        return f"Eligible, as many open ({load}), but {v.assigned_today} given today"

    return [replace(v, is_assigned=v.reader_id == chosen, why=reason(v)) for v in verdicts]


def summary(verdicts: Sequence[Verdict]) -> str:
    """Why nobody can read it, for a coordinator: those whom a single rule keeps off by name, the others counted by rule."""
    if not verdicts:
        return "No reading group covers this exam."
    near = [v for v in verdicts if len(v.blocking) <= 1]
    named = [f"{v.name}: {_lower(v.blocking[0].text if v.blocking else HANDED_BACK)}" for v in near[:3]]
    rest = [v for v in verdicts if v not in near[:3]]
    counted = Counter(v.blocking[0].rule for v in rest if v.blocking)
    more = " more" if named else ""
    parts = named + [f"{n}{more} by {rule}" for rule, n in counted.most_common()]
    return "Nobody can read it now. " + "; ".join(parts) + "."


def outcome_key(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What must change for a new "no reader" to be worth recording: which rules keep each reader off, not the words."""
    return {
        v["reader_id"]: sorted(c["rule"] + c["outcome"] for c in v["checks"] if c["outcome"] != "pass")
        for v in verdicts
    }


def _lower(words: str) -> str:
    """`Off shift` -> `off shift`, but `US-TX licence` stays."""
    return words[0].lower() + words[1:] if words[1:2].islower() or words[1:2] == " " else words
