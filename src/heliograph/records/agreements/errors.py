"""Refusals of agreements."""

from heliograph.kit.errors import Invalid


class BadAgreement(Invalid):
    """The agreement can't be made as it is."""
