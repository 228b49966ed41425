"""Site reports as pages show them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from heliograph.care.results.rules import Status


class ToldSection(BaseModel):
    """A part of a report."""

    id: str
    title: str
    text: str


class AttachmentOut(BaseModel):
    """A document that came with it: only to download."""

    id: UUID
    report_id: UUID
    name: str
    media_type: str
    length: int


class TextOut(BaseModel):
    """What one version says."""

    id: UUID
    status: Status
    author: str | None
    reported_at: datetime | None
    received_at: datetime
    sections: list[ToldSection]


class VersionLine(BaseModel):
    """A version in the history of a report."""

    id: UUID
    status: Status
    reported_at: datetime | None
    received_at: datetime
    stands: bool
    """It is what counts now, or a part of it."""


class SiteReportOut(BaseModel):
    """A site's report as it stands now. `base` is None where it was withdrawn, or only an addition came."""

    id: UUID
    """Of the version that came last."""
    facility: str
    description: str
    accession: str | None
    examined_at: datetime | None
    is_critical: bool
    """The site marked what stands as critically abnormal."""
    is_withdrawn: bool
    withdrawn_at: datetime | None
    base: TextOut | None
    additions: list[TextOut]
    attachments: list[AttachmentOut]
    versions: list[VersionLine]


class DiscrepancyOut(BaseModel):
    """Where a site's report says otherwise than ours, with both texts."""

    id: UUID
    kind: Literal["impression", "withdrawn"]
    side_differs: bool
    opened_at: datetime
    closed_at: datetime | None
    outcome: Literal["agrees", "minor", "major", "superseded"] | None
    note: str | None
    ours_number: int
    ours_signed_at: datetime
    ours_signer: str
    ours: str
    """The impression, or the whole text where there is none."""
    theirs_author: str | None
    theirs_at: datetime | None
    theirs: str


class CaseSiteReports(BaseModel):
    """What sites reported of a case's orders, and of the patient before."""

    own: list[SiteReportOut]
    """Of the orders that the case answers: the site's own."""
    priors: list[SiteReportOut]
    discrepancies: list[DiscrepancyOut]
    may_close: bool
    """You coordinate the case: you may close a discrepancy."""


class CloseIn(BaseModel):
    """What looking at both texts gave."""

    outcome: Literal["agrees", "minor", "major"]
    note: str = Field(default="", max_length=2000)


class OrderChoice(BaseModel):
    """An order of the patient that a held report may belong to."""

    id: UUID
    accession: str | None
    description: str
    received_at: datetime


class HeldReportOut(BaseModel):
    """A report that waits for a person."""

    id: UUID
    facility: str
    reason: str
    received_at: datetime
    description: str
    accession: str | None
    filler_number: str | None
    patient_id: UUID
    patient_name: str
    birth_date: date | None
    orders: list[OrderChoice]


class FileIn(BaseModel):
    """What a held report belongs to: an order of its patient, or none: then it is a prior report."""

    order_id: UUID | None
    reason: str = Field(max_length=500)
