"""Refusals of site reports."""

from __future__ import annotations

from heliograph.kit.errors import Conflict, Invalid


class NotHeld(Conflict):
    """This report does not wait for anybody any more."""


class AlreadyClosed(Conflict):
    """Somebody closed this already."""


class ReasonNeeded(Invalid):
    """Say why; the reason is kept in the record."""


class OrderOfAnother(Conflict):
    """That order is of another patient or another organisation."""
