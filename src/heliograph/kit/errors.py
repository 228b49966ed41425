"""The base of every named refusal, and how a door turns one into an answer.

A room defines its refusals beside itself as subclasses whose docstring is the default message. `status` is the HTTP status that the
web door answers with; other doors map classes in a table of their own.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HeliographError(Exception):
    """Something was refused.

    `is_recorded` is set once the refusal stands in the record, so that it stands there once.
    `detail` says what is wrong and what to do, in the reader's words; it never holds patient data. `extra` carries machine-readable
    members for the problem document (RFC 9457 3.2), ids only.
    """

    status: ClassVar[int] = 400

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.extra = extra
        self.is_recorded = False
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        """The stable name of the refusal: the class name in kebab case, used as the problem type."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class NotFound(HeliographError):
    """There is nothing here, or you may not see it."""

    status = 404


class NotAllowed(HeliographError):
    """Your role does not allow this."""

    status = 403


class Conflict(HeliographError):
    """Somebody changed this meanwhile; load it again."""

    status = 409


class Invalid(HeliographError):
    """The input can't be taken as it is."""

    status = 422


class NotSignedIn(HeliographError):
    """Sign in to go on."""

    status = 401


class TooMany(HeliographError):
    """Too many attempts; wait a little."""

    status = 429


class Unavailable(HeliographError):
    """A part that this needs does not answer; try again shortly."""

    status = 503
