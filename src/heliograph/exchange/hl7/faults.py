"""What is wrong with the content of a message, with its place and its code of HL7 table 0357."""

from __future__ import annotations

from heliograph.kit.codecs.hl7 import Location
from heliograph.kit.errors import Invalid


class BadOrder(Invalid):
    """A value of the message can't be taken. `fault` is of HL7 table 0357."""

    def __init__(self, fault: str, location: Location, detail: str) -> None:
        self.fault, self.location = fault, location
        super().__init__(detail)
