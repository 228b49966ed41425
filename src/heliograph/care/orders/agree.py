"""Whether images are of the person, the part of the body and the side that their order says. Pure: facts in, disagreements out.

What one of the two does not tell is no disagreement: it is only flagged where both say something, and not the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from heliograph.care.orders.exam_classes import (
    find_exam_class,
    laterality_of,
    zones_of_body_part,
    zones_of_procedure,
)
from heliograph.records.patients.likeness import same_name

Field = Literal["name", "birth_date", "sex", "body_part", "laterality"]
SIDES: Final = {"L": "left", "R": "right", "B": "both sides"}
_SEXES: Final = ("M", "F", "O")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an order or images name; what is empty is not told."""

    name: str = dataclasses.field(repr=False)
    birth_date: date | None = dataclasses.field(default=None, repr=False)
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A procedure that was asked for. `laterality` is L, R, B or None."""

    description: str
    exam_class: str
    laterality: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a series shows: DICOM Body Part Examined, the sides (L, R, B) that its images say, and its description."""

    body_part: str | None = None
    sides: frozenset[str] = frozenset()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that order and images say differently, as each says it."""

    field: Field
    in_order: str = dataclasses.field(repr=False)
    in_images: str = dataclasses.field(repr=False)


def person_differs(order: Person, images: Person) -> list[Disagreement]:
    """Name, birth date and sex. A middle name, a title or the order of names is no difference."""
    found = []
    if order.name.strip() and images.name.strip() and not same_name(order.name, images.name):
        found.append(Disagreement("name", order.name, images.name))
    if None not in (order.birth_date, images.birth_date) and order.birth_date != images.birth_date:
        found.append(Disagreement("birth_date", f"{order.birth_date:%Y-%m-%d}", f"{images.birth_date:%Y-%m-%d}"))
    if order.sex != images.sex and order.sex in _SEXES and images.sex in _SEXES:
        found.append(Disagreement("sex", str(order.sex), str(images.sex)))
    return found


def anatomy_differs(
    asked: Sequence[Asked], shown: Sequence[Shown], study_description: str | None
) -> list[Disagreement]:
    """Body part and side. `asked` are the procedures that a study may answer."""
    return [*_part_differs(asked, shown), *_side_differs(asked, shown, study_description)]


def _part_differs(asked: Sequence[Asked], shown: Sequence[Shown]) -> list[Disagreement]:
    """A body part of a series that lies where none of the procedures looks."""
    wanted = [_zones(one) for one in asked]
    if not all(wanted):  # one of them may look anywhere
        return []
    zones = frozenset().union(*wanted)
    told = {one.body_part.strip(): zones_of_body_part(one.body_part) for one in shown if one.body_part}
    wrong = sorted(part for part, lies in told.items() if zones and lies and not lies & zones)
    return [Disagreement("body_part", " + ".join(a.description for a in asked), ", ".join(wrong))] if wrong else []


def _side_differs(asked: Sequence[Asked], shown: Sequence[Shown], study_description: str | None) -> list[Disagreement]:
    """A side that was asked for and that no image shows, where the images tell sides at all."""
    lies = frozenset().union(*(zones_of_body_part(one.body_part) for one in shown))
    about = [one for one in asked if _zones(one) & lies] or list(asked)
    if not about or any(one.laterality is None or not _has_sides(one) for one in about):
        return []
    wanted = _both(frozenset(one.laterality or "" for one in about))
    seen = frozenset().union(*(_both(one.sides or _said(one.description)) for one in shown))
    seen = seen or _both(_said(study_description))
    if not seen or wanted <= seen:
        return []
    return [Disagreement("laterality", _in_words(wanted), _in_words(seen))]


def _zones(one: Asked) -> frozenset[str]:
    return zones_of_procedure(one.description, find_exam_class(one.exam_class))


def _has_sides(one: Asked) -> bool:
    """Whether "left" of this procedure is a side of the body, and not of a pain."""
    exam = find_exam_class(one.exam_class)
    return exam is None or exam.laterality != "none"


def _said(text: str | None) -> frozenset[str]:
    side = laterality_of(text)
    return frozenset({side} if side else ())


def _both(sides: frozenset[str]) -> frozenset[str]:
    return frozenset("LR") if "B" in sides else sides


def _in_words(sides: frozenset[str]) -> str:
    return SIDES["B" if len(sides) > 1 else next(iter(sides))]
