"""A reader opens their read: rules again, the lock, and the draft, made on the first time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from heliograph.care.reading import lock
from heliograph.care.reading.access import OwnRead, own_read
from heliograph.care.reading.model import Draft, Report
from heliograph.care.reading.prefill import first_content
from heliograph.care.reading.queries import VersionFacts, studies_of_case, versions_of_case
from heliograph.care.reading.templates import Template, template, template_for, with_addendum
from heliograph.care.worklist.open import open_read
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.work import Work
from heliograph.records.archive.queries import StudyFacts, priors_of, studies
from heliograph.records.people.queries import reader_facts
from heliograph.records.sites.queries import facility


@dataclass(frozen=True, slots=True)
class DraftFacts:
    """A draft. `content`: see `content`."""

    revision: int
    content: dict[str, Any]
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Workspace:
    """All that the report editor and the viewer beside it need."""

    read: OwnRead
    report_id: UUID
    template: Template
    language: str
    draft: DraftFacts
    previous_versions: list[VersionFacts]
    lock: lock.Lock
    organization_slug: str
    study_instance_uids: list[str]
    prior_uids: list[str]


def open_report(work: Work, read_id: UUID) -> Workspace:
    """Opens the actor's read with its report and draft.

    Opening it again (a reload, another window) takes it over: the draft's revision moves on, so that the other window's next save is
    refused.

    Raises: NotFound, NoLongerEligible, HeldByAnother, and what the worklist refuses.
    """
    own_read(work, read_id)
    open_read(work, read_id)
    work.session.flush()
    read = own_read(work, read_id)
    report = _report(work, read)
    held = lock.take(work, report.id, read.organization_id)
    found = _studies(work, read)
    draft = _draft(work, read, report, found)
    priors = priors_of(work.session, read.patient_id, [s.id for s in found]) if read.patient_id else []
    owner = organization(work.session, read.organization_id)
    work.record(
        "report.opened",
        organization_id=read.organization_id,
        case_id=read.case_id,
        patient_id=read.patient_id,
        subject_kind="report",
        subject_id=report.id,
    )
    work.touch("report", report.id, read.organization_id, read.group_organization_id)
    return Workspace(
        read=read,
        report_id=report.id,
        template=template_of(report, read),
        language=report.language,
        draft=DraftFacts(draft.revision, draft.content, draft.saved_at),
        previous_versions=versions_of_case(work.session, read.case_id),
        lock=held,
        organization_slug=owner.slug if owner else "",
        study_instance_uids=[s.study_instance_uid for s in found],
        prior_uids=[p.study_instance_uid for p in priors],
    )


def release_report(work: Work, read_id: UUID) -> None:
    """The actor closes the report: others may take it; the draft is kept. Raises: NotFound."""
    read = own_read(work, read_id)
    report = report_of(work, read.case_id)
    if report is not None:
        lock.release(work, report.id)
        work.touch("report", report.id, read.organization_id, read.group_organization_id)


def report_of(work: Work, case_id: UUID, *, for_update: bool = False) -> Report | None:
    """The report of a case, if it was ever opened."""
    query = select(Report).where(Report.case_id == case_id)
    return work.session.scalar(query.with_for_update(key_share=True) if for_update else query)


def template_of(report: Report, read: OwnRead) -> Template:
    """The template that this read writes in."""
    base = template(report.template_id)
    return with_addendum(base) if read.is_addendum else base


def _report(work: Work, read: OwnRead) -> Report:
    chosen = template_for(read.exam_class)
    work.session.execute(
        insert(Report)
        .values(
            organization_id=read.organization_id,
            case_id=read.case_id,
            template_id=chosen.id,
            template_version=chosen.version,
            language=_language(work, read),
            created_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=["case_id"])
    )
    return work.session.scalars(select(Report).where(Report.case_id == read.case_id)).one()


def _draft(work: Work, read: OwnRead, report: Report, found: list[StudyFacts]) -> Draft:
    """The actor's draft, its revision moved on; or a new one. The caller holds the lock, so that nobody makes it twice."""
    draft = work.session.scalar(
        select(Draft).where(Draft.read_id == read.id, Draft.author_id == work.actor.id).with_for_update(key_share=True)
    )
    if draft is not None:
        draft.revision += 1
    else:
        draft = Draft(
            organization_id=read.organization_id,
            report_id=report.id,
            read_id=read.id,
            author_id=work.actor.id,
            content=first_content(work, read, found),
            revision=1,
            saved_at=work.now,
        )
        work.session.add(draft)
    work.session.flush()
    return draft


def _studies(work: Work, read: OwnRead) -> list[StudyFacts]:
    ids = studies_of_case(work.session, read.case_id)
    known = studies(work.session, ids)
    return [known[i] for i in ids if i in known]


def _language(work: Work, read: OwnRead) -> str:
    """The site's first language that the reader reports in."""
    site = facility(work.session, read.facility_id)
    wanted = site.report_languages if site else []
    (reader,) = reader_facts(work.session, [read.reader_id])
    return next((x for x in wanted if x in reader.languages), wanted[0] if wanted else "en")
