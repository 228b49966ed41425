"""What the web door takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from heliograph.care.reading.open_report import Workspace
from heliograph.care.reading.queries import VersionFacts
from heliograph.care.reading.rules import Level
from heliograph.care.reading.templates import FieldType, SectionKind, Template
from heliograph.care.worklist.schemas import CaseDetail
from heliograph.care.worklist.states import ReadKind, ReadState, VersionKind, VersionState


class Content(BaseModel):
    """What the reader wrote: text by section, answers by field."""

    sections: dict[str, str] = Field(default_factory=dict, max_length=50)
    fields: dict[str, Any] = Field(default_factory=dict, max_length=200)


class DraftIn(BaseModel):
    """A save: the revision that the editor has, and the whole content."""

    revision: int
    content: Content


class SavedOut(BaseModel):
    """The revision to name in the next save."""

    revision: int
    saved_at: datetime


class Override(BaseModel):
    """Why a check that asks is set aside."""

    check: str = Field(max_length=60)
    reason: str = Field(min_length=1, max_length=500)


class SignIn(DraftIn):
    """A signature. `password` or `totp` proves the person where it is needed."""

    kind: Literal["final", "preliminary", "addendum"] | None = None
    password: str | None = None
    totp: str | None = None
    overrides: list[Override] = Field(default_factory=list, max_length=20)


class ProblemOut(BaseModel):
    """A finding of the checks."""

    id: str
    level: Level
    text: str
    field: str | None = None


class VersionSection(BaseModel):
    """A section of a signed version."""

    id: str
    title: str
    text: str


class SignerLicence(BaseModel):
    """The licence that the signer read under."""

    jurisdiction: str
    number: str


class SignerPlace(BaseModel):
    """Where the signer read from."""

    name: str
    jurisdiction: str


class SignerDetails(BaseModel):
    """What stood of the signer at that moment."""

    licence: SignerLicence | None
    place: SignerPlace | None


class VersionOut(BaseModel):
    """A signed version."""

    id: UUID
    number: int
    kind: VersionKind
    state: VersionState
    sections: list[VersionSection]
    text: str
    signer_name: str
    signer_details: SignerDetails
    meaning: str
    signed_at: datetime
    accession: list[str]
    case_id: UUID
    content_sha256: str


class ReadOut(BaseModel):
    """The read."""

    id: UUID
    kind: ReadKind
    state: ReadState


class SectionOut(BaseModel):
    """A section of the template."""

    id: str
    title: str
    loinc: str
    required: bool
    kind: SectionKind


class FieldOut(BaseModel):
    """A field of the template. `minimum` and `maximum` are plausible, not enforced."""

    id: str
    section: str
    label: str
    type: FieldType
    options: list[str] | None
    unit: str | None
    required: bool
    normal: Any
    minimum: float | None
    maximum: float | None


class TemplateOut(BaseModel):
    """The template that the report is written in."""

    id: str
    version: int
    name: str
    sections: list[SectionOut]
    fields: list[FieldOut]


class ReportOut(BaseModel):
    """The report."""

    id: UUID
    template: TemplateOut
    language: str


class DraftOut(BaseModel):
    """The draft as it stands."""

    revision: int
    content: Content
    saved_at: datetime


class LockOut(BaseModel):
    """Who has the report open."""

    holder: str
    since: datetime


class ViewerOut(BaseModel):
    """What the viewer shows: studies of the case, and priors."""

    organization_slug: str
    study_instance_uids: list[str]
    prior_uids: list[str]


class WorkspaceOut(BaseModel):
    """All that the reading page needs."""

    case: CaseDetail
    read: ReadOut
    report: ReportOut
    draft: DraftOut
    previous_versions: list[VersionOut]
    lock: LockOut
    viewer: ViewerOut
    signature_needed: bool


def version_out(v: VersionFacts) -> VersionOut:
    """A version for the web."""
    return VersionOut(
        id=v.id,
        number=v.number,
        kind=v.kind,
        state=v.state,
        sections=[VersionSection(id=s["id"], title=s["title"], text=s["text"]) for s in v.sections],
        text=v.text,
        signer_name=v.signer_name,
        signer_details=SignerDetails.model_validate(v.signer_details),
        meaning=v.meaning,
        signed_at=v.signed_at,
        accession=v.accession,
        case_id=v.case_id,
        content_sha256=v.content_sha256,
    )


def template_out(t: Template) -> TemplateOut:
    """A template for the web."""
    return TemplateOut(
        id=t.id,
        version=t.version,
        name=t.name,
        sections=[
            SectionOut(id=s.id, title=s.title, loinc=s.loinc, required=s.required, kind=s.kind) for s in t.sections
        ],
        fields=[
            FieldOut(
                id=f.id,
                section=f.section,
                label=f.label,
                type=f.type,
                options=list(f.options) or None,
                unit=f.unit,
                required=f.required,
                normal=f.normal,
                minimum=f.minimum,
                maximum=f.maximum,
            )
            for f in t.fields
        ],
    )


def workspace_out(w: Workspace, case: CaseDetail, *, signature_needed: bool) -> WorkspaceOut:
    """The workspace for the web."""
    return WorkspaceOut(
        case=case,
        read=ReadOut(id=w.read.id, kind=w.read.kind, state=w.read.state),
        report=ReportOut(id=w.report_id, template=template_out(w.template), language=w.language),
        draft=DraftOut(
            revision=w.draft.revision, content=Content.model_validate(w.draft.content), saved_at=w.draft.saved_at
        ),
        previous_versions=[version_out(v) for v in w.previous_versions],
        lock=LockOut(holder=w.lock.holder, since=w.lock.since),
        viewer=ViewerOut(
            organization_slug=w.organization_slug,
            study_instance_uids=w.study_instance_uids,
            prior_uids=w.prior_uids,
        ),
        signature_needed=signature_needed,
    )
