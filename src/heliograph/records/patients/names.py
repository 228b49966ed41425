"""How names are compared and shown. Pure."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import NamedTuple, Protocol

LAST = chr(0x10FFFF)
"""Sorts after every text under the C collation: the end of a prefix range."""

_WITHOUT_ACCENT = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
)


class PersonName(NamedTuple):
    """A patient's name in two parts; both may be empty."""

    family: str = ""
    given: str = ""


class Named(Protocol):
    """Anything that bears a family and a given name."""

    @property
    def family_name(self) -> str: ...
    @property
    def given_name(self) -> str: ...


class Born(Named, Protocol):
    """Anything that bears a name and a birth date."""

    @property
    def birth_date(self) -> date | None: ...


def normalised(text: str) -> str:
    """For comparison: case folded, accents stripped, apostrophes dropped, other marks as single spaces."""
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_WITHOUT_ACCENT)
    kept = []
    for character in unicodedata.normalize("NFKD", folded):
        category = unicodedata.category(character)
        if category == "Mn" or character in "'’ʼ`":
            continue
        kept.append(character if category[0] in "LN" else " ")
    return " ".join("".join(kept).split())


def name_key(family: str, given: str) -> str:
    """What prefix search compares: `larsen kari`."""
    return normalised(f"{family} {given}")


def is_another(known: Born, family_name: str, birth_date: date | None) -> bool:
    """Whether a person under a known identifier is likely somebody else: family name and birth date are both told and both differ."""
    stored, told = normalised(known.family_name), normalised(family_name)
    other_name = bool(stored) and bool(told) and stored != told
    return other_name and None not in (known.birth_date, birth_date) and known.birth_date != birth_date


def display_name(patient: Named) -> str:
    """FAMILY, Given; `(no name)` when there is none."""
    family, given = patient.family_name.upper(), patient.given_name
    return ", ".join(part for part in (family, given) if part) or "(no name)"


def age_years(birth_date: date | None, today: date) -> int | None:
    """Whole years at `today`; None without a birth date or before it. Born 29 February: older on 1 March."""
    if birth_date is None or birth_date > today:
        return None
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))
