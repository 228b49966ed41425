"""Which version of a site's report counts, and whether it says otherwise than ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, Protocol, TypedDict, TypeVar

from heliograph.care.orders.exam_classes import laterality_of

Status = Literal["preliminary", "final", "corrected", "appended", "withdrawn", "cancelled"]
Outcome = Literal["agrees", "minor", "major", "superseded"]
IMPRESSION = "impression"


class Section(TypedDict):
    """A part of a report."""

    id: str
    title: str
    text: str


class Told(Protocol):
    """What `standing` needs of a version."""

    @property
    def status(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def reported_at(self) -> datetime | None: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def received_at(self) -> datetime: ...


T = TypeVar("T", bound=Told)


@dataclass(frozen=True, slots=True)
class Standing(Generic[T]):
    """What counts of a report: `base` with what was added to it; or `withdrawn`, the version that took it back."""

    base: T | None
    additions: tuple[T, ...] = ()
    withdrawn: T | None = None


def said_at(one: Told) -> tuple[datetime, datetime, datetime]:
    """Order of events: when the site said that it changed (OBR-22), then the message's time (MSH-7), then its arrival."""
    sent = one.sent_at or one.received_at
    return one.reported_at or sent, sent, one.received_at


def standing(versions: Sequence[T]) -> Standing[T]:
    """What counts of the versions of one report, in whatever order they came.

    A preliminary version stands only while nothing final was said, however late it comes. An addition stays until a whole text
    contains it. What was withdrawn stands no more, unless the site reports anew afterwards.
    """
    base: T | None = None
    additions: tuple[T, ...] = ()
    withdrawn: T | None = None
    for one in sorted(versions, key=said_at):
        if one.status in ("withdrawn", "cancelled"):
            base, additions, withdrawn = None, (), one
        elif one.status == "preliminary":
            if withdrawn is None and (base is None or base.status == "preliminary"):
                base = one
        elif one.status == "appended":
            additions, withdrawn = (*additions, one), None
        else:
            base, withdrawn = one, None
            additions = tuple(a for a in additions if plain(a.text) not in plain(one.text))
    return Standing(base, additions, withdrawn)


def to_text(sections: Sequence[Section]) -> str:
    """The report as plain text."""
    return "\n\n".join(f"{s['title'].upper()}\n{s['text']}" for s in sections)


_HEADING = re.compile(
    r"^[ \t]*(impression|conclusion|konklusjon|vurdering|opinion|summary)[ \t]*:?[ \t]*", re.IGNORECASE | re.MULTILINE
)
_NEXT = re.compile(r"\n[ \t]*[A-Z][A-Z /&]{3,40}:?[ \t]*(\n|$)")


def impression_of(sections: Sequence[Section]) -> str | None:
    """What the report concludes: its impression, else what stands under such a heading; None where nothing says which part that is."""
    own = [s["text"] for s in sections if s["id"] == IMPRESSION and s["text"].strip()]
    if own:
        return "\n".join(own)
    whole = "\n".join(s["text"] for s in sections)
    found = _HEADING.search(whole)
    if found is None:
        return None
    rest = whole[found.end() :]
    end = _NEXT.search(rest)
    return (rest[: end.start()] if end else rest).strip() or None


def plain(text: str) -> str:
    """For comparison: case, spaces, line breaks, numbering and punctuation at the ends of words say nothing."""
    lines = [re.sub(r"^\s*(\d{1,2}[.)]|[-*•])\s+", "", line) for line in text.casefold().splitlines()]
    return " ".join(word for word in (w.strip(".,;:!") for w in " ".join(lines).split()) if word)


@dataclass(frozen=True, slots=True)
class Difference:
    """The site concludes otherwise than we."""

    side_differs: bool
    """One says left where the other says right."""


def difference(ours: Sequence[Section], theirs: Sequence[Section]) -> Difference | None:
    """Whether two reports conclude otherwise: by their impressions, or, where one has none, by their whole text. Words decide nothing
    more: whether it matters is a person's to say."""
    one, other = impression_of(ours), impression_of(theirs)
    if one is None or other is None:
        one, other = (" ".join(s["text"] for s in sections) for sections in (ours, theirs))
    if plain(one) == plain(other):
        return None
    return Difference({laterality_of(one), laterality_of(other)} == {"L", "R"})
