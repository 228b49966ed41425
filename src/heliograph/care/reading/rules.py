"""Checks before signing. Pure: the template and the content in, what stops and what asks out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from heliograph.care.orders.agree import SIDES, Disagreement
from heliograph.care.reading.content import compose, in_words, is_empty
from heliograph.care.reading.templates import Template

Level = Literal["stop", "ask"]

_PLACEHOLDER = re.compile(
    r"\[\s*\]|\[\s[^\]\n]{0,60}\]|\[[^\]\n]{0,60}\?\s*\]|\*{3,}|_{3,}|<[A-Za-z][A-Za-z _-]{1,30}>|\{[^}\n]{0,60}\}|\bTBD\b|\bXX+\b"
)
_FOLLOW_UP = re.compile(r"\bfollow[- ]?up\b[^.\n]*", re.IGNORECASE)
_INTERVAL = re.compile(
    r"\d|\b(one|two|three|four|five|six|nine|twelve|days?|weeks?|months?|years?|annual(ly)?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of the checks. `field` is the id of the field or section that it is about."""

    id: str
    level: Level
    text: str
    field: str | None = None


def check(template: Template, content: Mapping[str, Any]) -> list[Problem]:
    """What stands between this content and the signature, what stops first. `content` is cleaned already."""
    found = [*_missing(template, content), *_placeholders(template, content)]
    found += [*_implausible(template, content), *_follow_up(content)]
    return sorted(found, key=lambda p: p.level != "stop")


IMAGES_DISAGREE = "images-disagree"
_SAYS = {
    "name": "The images name {images}, the order is for {order}.",
    "birth_date": "The images say born {images}, the order says {order}.",
    "sex": "The images say sex {images}, the order says {order}.",
    "body_part": "The images say that they show {images}, the order asks for {order}.",
    "laterality": "The images show the {images} side, the order asks for the {order} side.",
}
_CONFIRMED = frozenset({"name", "birth_date", "sex", "laterality"})
"""Wrong patient, wrong side: nobody signs past these without a reason. Scanners name a body part by the protocol; that only asks."""


def disagree(found: Sequence[Disagreement]) -> list[Problem]:
    """What images say otherwise than their order, each thing once."""
    texts = dict.fromkeys(
        (
            d.field,
            _SAYS[d.field].format(images=d.in_images, order=d.in_order).replace(f"the {SIDES['B']} side", SIDES["B"]),
        )
        for d in found
    )
    return [Problem(f"{IMAGES_DISAGREE}-{field}", "ask", text) for field, text in texts]


def to_confirm(found: Sequence[Disagreement]) -> list[str]:
    """The fields that need a reason before signing."""
    return sorted({d.field for d in found} & _CONFIRMED)


def stops(problems: list[Problem]) -> list[Problem]:
    """Those that stop the signature."""
    return [p for p in problems if p.level == "stop"]


def _missing(template: Template, content: Mapping[str, Any]) -> list[Problem]:
    fields, sections = content["fields"], content["sections"]
    found = [
        Problem("required-field", "stop", f"{f.label} is not filled in.", f.id)
        for f in template.fields
        if f.required and is_empty(fields.get(f.id))
    ]
    written = {s["id"]: s["text"] for s in compose(template, content)}
    found += [
        Problem("required-section", "stop", f"{s.title} is empty.", s.id)
        for s in template.sections
        if s.required and s.id not in written
    ]
    impression = sections.get("impression", "").split()
    if impression and impression == sections.get("findings", "").split():
        found.append(Problem("impression-repeats", "stop", "Impression only repeats the findings.", "impression"))
    return found


def _placeholders(template: Template, content: Mapping[str, Any]) -> list[Problem]:
    texts = [(s.id, s.title, content["sections"].get(s.id, "")) for s in template.sections]
    texts += [
        (f.id, f.label, content["fields"][f.id])
        for f in template.fields
        if isinstance(content["fields"].get(f.id), str)
    ]
    return [
        Problem("placeholder", "stop", f"{title} has something left to fill in: {hit.group(0).strip()}", id_)
        for id_, title, text in texts
        if (hit := _PLACEHOLDER.search(text))
    ]


def _implausible(template: Template, content: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem("implausible", "ask", f"{in_words(f, value)} is outside {f.minimum:g} to {f.maximum:g}; is the unit right?", f.id)
        for f in template.fields
        if f.type == "number" and (value := content["fields"].get(f.id)) is not None
        and f.minimum is not None and f.maximum is not None and not f.minimum <= value <= f.maximum
    ]  # fmt: skip


def _follow_up(content: Mapping[str, Any]) -> list[Problem]:
    for section in ("recommendation", "impression"):
        hit = _FOLLOW_UP.search(content["sections"].get(section, ""))
        if hit and not _INTERVAL.search(hit.group(0)):
            return [Problem("follow-up", "ask", "Follow-up is recommended without saying when.", section)]
    return []
