"""What a way out for reports is: how one try is prepared, and how it is made. The ways that there are stand in `channels`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from heliograph.care.delivery.rules import Outcome
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.sites.queries import EndpointFacts

CONNECT_TIMEOUT = 10.0
"""Seconds; no more than the time-out for the answer."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try that is ours: of which version, where to, and as which message."""

    delivery_id: UUID
    organization_id: UUID
    case_id: UUID
    version_id: UUID
    version_number: int
    channel: str
    control_id: str
    """At most 20 characters; the same on every try of a message."""
    is_withdrawal: bool = False
    destination: EndpointFacts | None = None
    """Active; None on a channel without endpoints."""
    kept: bytes | None = None
    """What was sent on an earlier try of this message; None: this is the first."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one try sends. `payload` is kept in the message log the first time, and comes back as `Try.kept`: every try of a message
    sends the same bytes."""

    payload: bytes
    message_type: str
    """In the message log: ORU^R01, DICOM ... Not asked for where `Try.kept` is sent again."""
    peer: str
    """Where to, for the message log: without user names, passwords and patient data."""
    to: Any = None
    """What `talk` needs besides, such as an address or a key read from the database; never kept."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended. `detail` is in words without patient data; what the site wrote itself stays in the message log."""

    outcome: Outcome
    detail: str | None = None
    code: str | None = None
    answer: bytes | None = None


Prepare = Callable[[Work, Settings, Try], Prepared]
"""In the transaction that claims the try. Raises: CannotBuild: no try will mend it."""
Talk = Callable[[Settings, Try, Prepared], Result]
"""Outside any transaction; raises nothing. Ends within `settings.delivery_timeout_seconds` and `CONNECT_TIMEOUT` together, since a try
that takes longer counts as cut off and another begins."""
File = Callable[[Work, Objects, UUID], object]
"""Files the version of that id here, in the transaction that acknowledges it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One way out. Either `prepare` and `talk`, or `file`; the page has none of them: a person confirms."""

    prepare: Prepare | None = None
    talk: Talk | None = None
    file: File | None = None


def connect_timeout(settings: Settings) -> float:
    """Seconds until a connection counts as failed."""
    return min(CONNECT_TIMEOUT, settings.delivery_timeout_seconds)
