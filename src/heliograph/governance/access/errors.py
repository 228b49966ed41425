"""Refusals of access."""

from heliograph.kit.errors import Conflict, HeliographError, NotAllowed, TooMany


class WrongCredentials(HeliographError):
    """The name or the password is not right."""

    status = 401


class TotpNeeded(HeliographError):
    """Type the six digits of your authenticator app."""

    status = 401


class SignatureNeeded(HeliographError):
    """Type your password to sign."""

    status = 401


class TooManyAttempts(TooMany):
    """Too many attempts to sign in."""


class BadCsrfToken(NotAllowed):
    """This page is out of date; load it again."""


class UsernameTaken(Conflict):
    """There is a user of this name already."""


class NotYourUser(NotAllowed):
    """This person also works elsewhere: ask the platform's operator to change them."""
