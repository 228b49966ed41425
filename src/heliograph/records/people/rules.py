"""Validity. Pure."""

from __future__ import annotations

from datetime import datetime


def valid_at(valid_from: datetime, valid_until: datetime | None, at: datetime) -> bool:
    """Whether `at` lies in [valid_from, valid_until); None is open."""
    return valid_from <= at and (valid_until is None or at < valid_until)
