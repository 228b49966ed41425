"""What a matching key asks for (PS3.4 C.2.2.2): its text, by value representation, as a condition. Pure: SQL comes later.

The rules that are ours to choose, the same wherever anybody searches: person names match without regard to case, all else with
it; accents count, but not in fuzzy matching; a name without wildcards also finds names that have further components.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from heliograph.kit.errors import Invalid

WILDCARD_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
NUMBER_VRS: Final = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
RANGE_VRS: Final = frozenset({"DA", "TM", "DT"})
MATCHED_VRS: Final = WILDCARD_VRS | NUMBER_VRS | RANGE_VRS | {"UI", "AS", "AT"}
EMPTY: Final = '""'
"""The value that asks for absence, where Empty Value Matching is agreed on (PS3.4 C.2.2.2.7)."""
MOST_VALUES: Final = 2000
_BETWEEN_WORDS: Final = re.compile(r"[\s^=,.'\u2019_*?\\-]+")
_OPEN_END: Final = re.compile(r"(?: *\^ *\**)+$")
"""Components at the end that are left out or may be anything."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UID: Final = re.compile(r"[0-9.]{1,64}")
_TM: Final = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?", re.ASCII)
_MOMENT: Final = r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-](?:0\d|1[0-4])[0-5]\d)?"
_DT: Final = re.compile(_MOMENT, re.ASCII)
_DT_RANGE: Final = re.compile(rf"({_MOMENT})?-({_MOMENT})?", re.ASCII)
_OFFSET: Final = re.compile(r"[+-]\d{4}$")
_SECOND: Final = timedelta(seconds=1)
# Letters that no decomposition takes apart, as archive.folded() has them.
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i"}
)


class BadKey(Invalid):
    """A matching key can't be understood. `path` names it by tags, `why` says what is wrong, without its value."""

    status = 400

    def __init__(self, path: tuple[str, ...], why: str) -> None:
        super().__init__(f"{'.'.join(path)}: {why}")
        self.path, self.why = path, why


@dataclass(frozen=True, slots=True)
class Texts:
    """Any of these texts; each may hold wildcards if `wild`."""

    values: tuple[str, ...]
    wild: bool = True


@dataclass(frozen=True, slots=True)
class Names:
    """Any of these names, lower case, each in groups as they were separated by `=`."""

    values: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """A name with a word that begins so for each of these, in any order; folded."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Any of these numbers."""

    values: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """From `low` until `high`, both included to their precision; either may be open. DA as YYYYMMDD; TM; DT, see `condition`."""

    vr: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Moments:
    """A DT from `low` until before `high`, both in UTC without zone; either may be open."""

    low: datetime | None
    high: datetime | None


@dataclass(frozen=True, slots=True)
class Empty:
    """No value."""


Condition: TypeAlias = Texts | Names | Words | Numbers | Between | Moments | Empty


def condition(
    path: tuple[str, ...], vr: str, text: str, *, fuzzy: bool, several: bool, empty: bool, timezone: str | None = None
) -> Condition | None:
    r"""What the key asks for; None: anything (PS3.4 C.2.2.2.3).

    Several values are separated by a backslash: always allowed for UIDs and codes, else if `several` (PS3.4 C.2.2.2.8).
    `empty` gives `""` its meaning; `timezone`, as +0100, is that of a DT which names none.

    Raises:
        BadKey
    """
    text = text.strip(" \0")
    if not text or (vr in WILDCARD_VRS and not text.strip("*")):
        return None
    if empty and text == EMPTY:
        return Empty()
    if vr == "DT":
        return _moments(path, text, timezone)
    if vr in RANGE_VRS:
        return _between(path, vr, text)
    parts = _parts(path, text)
    if len(parts) > 1 and not (several or vr in {"UI", "CS"}):
        raise BadKey(path, "one value only")
    if vr == "UI":
        if not all(_UID.fullmatch(p) for p in parts):
            raise BadKey(path, "a UID, without wildcards, or several separated by a backslash or comma")
        return Texts(parts, wild=False)
    if vr in NUMBER_VRS:
        return Numbers(tuple(_number(path, p) for p in parts))
    if vr == "PN":
        return _names(text, parts, fuzzy=fuzzy)
    return Texts(tuple(p.upper() for p in parts) if vr == "AT" else parts, wild=vr in WILDCARD_VRS)


def _parts(path: tuple[str, ...], text: str) -> tuple[str, ...]:
    if _CONTROL.search(text):
        raise BadKey(path, "no control characters")
    parts = tuple(p for part in text.split("\\") if (p := part.strip(" \0")))
    if not 0 < len(parts) <= MOST_VALUES:
        raise BadKey(path, f"one to {MOST_VALUES} values")
    return parts


def _names(text: str, parts: tuple[str, ...], *, fuzzy: bool) -> Condition | None:
    if fuzzy:
        words = folded_words(text)
        return Words(words) if words else None
    names = tuple(tuple(_OPEN_END.sub("", g.strip(" ")) for g in lower(p).split("=")[:3]) for p in parts)
    return Names(names) if all(any(g.strip("*") for g in name) for name in names) else None


def lower(text: str) -> str:
    """Lower case by Unicode's simple mapping, one letter for one, as PostgreSQL's `pg_c_utf8` has it."""
    return "".join("i" if c == "\u0130" else c.lower() for c in text)


def folded_words(text: str) -> tuple[str, ...]:
    """The words of a name without case, accents and punctuation; as `archive.folded` in the database."""
    plain = unicodedata.normalize("NFKD", lower(text).translate(_LETTERS))
    bare = "".join(c for c in plain if not "\u0300" <= c <= "\u036f")
    return tuple(word for word in _BETWEEN_WORDS.split(bare) if word)


def _number(path: tuple[str, ...], text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise BadKey(path, "a number") from None
    if not found.is_finite() or len(text) > 32 or abs(found.adjusted()) > 300:
        raise BadKey(path, "a number")
    return found


def _between(path: tuple[str, ...], vr: str, text: str) -> Between:
    read = _date if vr == "DA" else _time
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not first and not last:
        raise BadKey(path, "a range needs an end")
    low = read(path, first) if first else None
    high = read(path, last) if last else None
    if not dash:
        high = low
    if vr == "DA" and low and high and low > high:
        raise BadKey(path, "a range ends after it begins")
    return Between(vr, low, high)


def _moments(path: tuple[str, ...], text: str, timezone: str | None) -> Condition:
    """With an offset, moments are compared; without any, what is written."""
    single = _DT.fullmatch(text)  # "2026-0500" is a year in a zone, not a range
    found = _DT_RANGE.fullmatch(text)
    low, high = (text, text) if single else found.groups() if found else (None, None)
    if not low and not high:
        raise BadKey(path, "a date and time, or a range of two joined by -")
    try:
        first, last = (_moment(end, timezone or "") if end else None for end in (low, high))
    except (ValueError, OverflowError):
        raise BadKey(path, "a date and time that there is") from None
    if not timezone and not any(_OFFSET.search(end) for end in (low, high) if end):
        return Between("DT", low or None, high or None)
    return Moments(first[0] if first else None, last[1] if last else None)


def _moment(text: str, timezone: str) -> tuple[datetime, datetime]:
    """When it begins, and when what it names to its precision is over; UTC. Raises ValueError, OverflowError."""
    given = _OFFSET.search(text)
    offset, digits = given[0] if given else timezone, _OFFSET.sub("", text)
    whole, _, fraction = digits.partition(".")
    start = datetime.strptime(whole + "00000101000000"[len(whole) :], "%Y%m%d%H%M%S")  # noqa: DTZ007
    start += timedelta(microseconds=int(fraction.ljust(6, "0")) if fraction else 0)
    if len(whole) <= 6:
        months = start.year * 12 + start.month - 1 + (12 if len(whole) == 4 else 1)
        end = start.replace(year=months // 12, month=months % 12 + 1)
    elif fraction:
        end = start + timedelta(microseconds=10 ** (6 - len(fraction)))
    else:
        end = start + {8: timedelta(days=1), 10: timedelta(hours=1), 12: timedelta(minutes=1)}.get(len(whole), _SECOND)
    ahead = (
        timedelta(minutes=int(offset[0] + "1") * (int(offset[1:3]) * 60 + int(offset[3:5]))) if offset else timedelta()
    )
    return start - ahead, end - ahead


def _date(path: tuple[str, ...], text: str) -> str:
    plain = text.replace(".", "") if len(text) == 10 else text  # YYYY.MM.DD is older than DICOM (PS3.5 6.2)
    try:
        if len(plain) != 8 or not (plain.isascii() and plain.isdigit()):
            raise ValueError
        date(int(plain[:4]), int(plain[4:6]), int(plain[6:]))
    except ValueError:
        raise BadKey(path, "a date as YYYYMMDD, or a range of two joined by -") from None
    return plain


def _time(path: tuple[str, ...], text: str) -> str:
    plain = text.replace(":", "")
    if not _TM.fullmatch(plain):
        raise BadKey(path, "a time as HHMMSS, or a range of two joined by -")
    return plain
