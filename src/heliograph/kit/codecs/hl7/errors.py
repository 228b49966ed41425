"""What can be wrong with an HL7 message. None of these repeats its content, which may be about a patient."""

from __future__ import annotations

from typing import NamedTuple

from heliograph.kit.errors import Invalid


class Location(NamedTuple):
    """A place in a message (ERL, HL7 v2.5.1 2.A.28); everything counts from 1. `sequence`: which PID of
    several PIDs."""

    segment: str
    sequence: int = 1
    field: int | None = None
    repetition: int | None = None
    component: int | None = None
    subcomponent: int | None = None

    def __str__(self) -> str:
        parts = ["" if part is None else str(part) for part in self]
        return "^".join(parts).rstrip("^")


class NotHl7(Invalid):
    """This does not begin with a readable MSH segment."""


class NotAnAck(Invalid):
    """The answer holds no MSA segment."""


class BadDtm(Invalid):
    """A date or time is not in the HL7 form YYYY[MM[DD[HH[MM[SS[.S]]]]]][+/-ZZZZ]."""


class UnknownCharset(Invalid):
    """This character set is not one of HL7 table 0211."""


class Unencodable(Invalid):
    """The text holds characters that the chosen character set does not have."""


class FieldMissing(Invalid):
    """A required value is missing."""

    def __init__(self, segment: str, sequence: int = 1, field: int | None = None, component: int | None = None) -> None:
        self.location = Location(segment, sequence, field, 1 if component else None, component)
        place = segment if field is None else f"{segment}-{field}" + (f".{component}" if component else "")
        super().__init__(f"{place} is missing.", location=str(self.location))
