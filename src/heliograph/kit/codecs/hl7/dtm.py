"""Dates and times (TS and DTM, HL7 v2.5.1 2.A.22): YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import IntEnum, StrEnum

from heliograph.kit.codecs.hl7.errors import BadDtm

_DTM = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d+))?)?)?)?)?)?(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)


class Precision(IntEnum):
    """How much of a time was given; the value is the number of digits, but for FRACTION."""

    YEAR = 4
    MONTH = 6
    DAY = 8
    HOUR = 10
    MINUTE = 12
    SECOND = 14
    FRACTION = 15


class ZoneSource(StrEnum):
    """Where the zone came from: the value itself, MSH-7, or the site's setting."""

    OWN = "own"
    MESSAGE = "message"
    SITE = "site"


@dataclass(frozen=True)
class Dtm:
    """A time with its precision.

    `value` is aware; what was not given is the beginning of the period. `ambiguous`: the clock showed this
    time twice (the first is taken); `nonexistent`: the clock skipped it (the offset before the change is
    taken). Both only with a named zone.
    """

    value: datetime
    precision: Precision
    zone_source: ZoneSource
    ambiguous: bool = False
    nonexistent: bool = False

    @property
    def date(self) -> date:
        """The calendar date as written, never moved by a zone."""
        return self.value.date()

    def iso(self) -> str:
        """ISO 8601 with no more than was given: `2026`, `2026-03`, `2026-03-29`, else date and time with
        offset."""
        if self.precision <= Precision.DAY:
            return self.value.date().isoformat()[: {4: 4, 6: 7, 8: 10}[self.precision]]
        return self.value.isoformat()


def parse_offset(text: str) -> timezone:
    """`+HHMM` or `-HHMM`; the sign applies to the minutes too.

    Raises:
        BadDtm
    """
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise BadDtm("The offset of a time zone is not between -1400 and +1400.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def parse_dtm(text: str, default_zone: tzinfo, message_zone: tzinfo | None = None) -> Dtm:
    """Read a time. The zone is its own, else that of the message (MSH-7, `Message.zone`), else the site's;
    never UTC by guess.

    Raises:
        BadDtm
    """
    found = _DTM.fullmatch(text.strip())
    if found is None:
        raise BadDtm
    *digits, fraction, offset = found.groups()
    given = [int(part) for part in digits if part is not None]
    precision = list(Precision)[len(given) - 1] if fraction is None else Precision.FRACTION
    year, month, day, hour, minute, second = given + [0, 1, 1, 0, 0, 0][len(given) :]
    zone: tzinfo
    if offset is not None:
        zone, source = parse_offset(offset), ZoneSource.OWN
    elif message_zone is not None:
        zone, source = message_zone, ZoneSource.MESSAGE
    else:
        zone, source = default_zone, ZoneSource.SITE
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        value = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError as error:
        raise BadDtm from error
    if precision <= Precision.DAY:
        return Dtm(value, precision, source)
    twice = value.utcoffset() != value.replace(fold=1).utcoffset()
    skipped = twice and not _exists(value)
    return Dtm(value, precision, source, ambiguous=twice and not skipped, nonexistent=skipped)


def zone_of(text: str) -> tzinfo | None:
    """The offset that a time carries itself, or None; for MSH-7."""
    found = _DTM.fullmatch(text.strip())
    return parse_offset(found.group(8)) if found is not None and found.group(8) else None


def format_dtm(value: datetime) -> str:
    """`YYYYMMDDHHMMSS+ZZZZ`.

    Raises:
        ValueError: the time has no zone.
    """
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("A time on the wire needs a zone.")
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"{value:%Y%m%d%H%M%S}{sign}{hours:02d}{rest:02d}".rjust(19, "0")


def _exists(value: datetime) -> bool:
    back = value.astimezone(UTC).astimezone(value.tzinfo)
    return back.replace(tzinfo=None, fold=0) == value.replace(tzinfo=None, fold=0)
