"""Signing: a version is made, immutable, in one transaction with the end of the read and all that reacts to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import func, select, text

from heliograph.care.reading import lock
from heliograph.care.reading.access import OwnRead, own_read
from heliograph.care.reading.content import cleaned, compose, content_hash, to_text
from heliograph.care.reading.drafts import has_new_images, images_disagree, is_another_now, locked_draft
from heliograph.care.reading.errors import (
    AlreadySigned,
    DraftMovedOn,
    IdentityChanged,
    ImagesDisagree,
    Incomplete,
    NewImages,
    NotOpen,
)
from heliograph.care.reading.events import ReportSigned
from heliograph.care.reading.model import Report, ReportVersion
from heliograph.care.reading.open_report import report_of, template_of
from heliograph.care.reading.queries import VersionFacts, accessions_of_case, studies_of_case, version
from heliograph.care.reading.rules import IMAGES_DISAGREE, check, stops, to_confirm
from heliograph.care.worklist.open import check_still_eligible, complete_read
from heliograph.governance.access.sign_in import require_signature
from heliograph.kit.errors import Invalid, NotFound
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.archive.queries import studies
from heliograph.records.people.queries import reader_facts
from heliograph.records.people.rules import valid_at
from heliograph.records.sites.queries import facility

Kind = Literal["preliminary", "final", "addendum"]
NEW_IMAGES, IDENTITY_CHANGED = "new-images", "identity-changed"
_NAME = text("select title, given_name, family_name from people.readers where id = :id")


def sign_report(
    work: Work,
    settings: Settings,
    read_id: UUID,
    revision: int,
    content: Mapping[str, Any],
    kind: Kind | None = None,
    overrides: Sequence[tuple[str, str]] = (),
) -> VersionFacts:
    """Signs `content` as the next version; run inside the worklist's `giving_back`.

    An addendum read makes an addendum: the version before it, with what is added. A preliminary version of any other read leaves the
    read open for its final one. Of a provisional case the delivery is held, not the signature.

    Args:
        revision: the draft's, as the editor has it.
        kind: default: what the read is for.
        overrides: (check, reason) of checks that ask.

    Raises: SignatureNeeded, NotFound, NotOpen, AlreadySigned, HeldByAnother, DraftMovedOn, BadContent, NoLongerEligible, NewImages,
        IdentityChanged, ImagesDisagree (fields), Incomplete (problems).
    """
    require_signature(work, settings)
    if own_read(work, read_id).state == "done":
        raise AlreadySigned()
    # The worklist locks the case first and then the read, and so do we by asking it first.
    check_still_eligible(work, read_id, "signed")
    read = own_read(work, read_id)
    if read.state == "done":
        raise AlreadySigned()
    report = report_of(work, read.case_id, for_update=True)
    if read.state != "reading" or report is None:
        raise NotOpen()
    lock.refresh(work, report.id, read.organization_id)
    draft = locked_draft(work, read)
    if draft.revision != revision:
        raise DraftMovedOn(revision=draft.revision)
    template = template_of(report, read)
    wanted = cleaned(template, content)
    problems = stops(check(template, wanted))
    if problems:
        listed = [{"field": p.field, "text": p.text, "id": p.id} for p in problems]
        raise Incomplete(" ".join(p.text for p in problems[:5]), problems=listed)
    said = {name for name, reason in overrides if reason.strip()}
    if has_new_images(read) and NEW_IMAGES not in said:
        raise NewImages(late_images_at=read.late_images_at)
    if is_another_now(read) and IDENTITY_CHANGED not in said:
        raise IdentityChanged(identity_changed_at=read.identity_changed_at)
    wrong = to_confirm(images_disagree(work, read.case_id))
    if wrong and IMAGES_DISAGREE not in said:
        raise ImagesDisagree(fields=wrong)  # which, never what they say

    made = _make(work, read, report, wanted, _kind(read, kind))
    is_done = made.kind != "preliminary" or read.kind == "preliminary"
    if is_done:
        work.session.delete(draft)
        lock.release(work, report.id)
        complete_read(work, read.id)
    else:
        draft.content, draft.revision, draft.saved_at = wanted, revision + 1, work.now
    work.session.flush()
    work.record(
        "report.addendum_signed" if made.kind == "addendum" else "report.signed",
        organization_id=read.organization_id,
        case_id=read.case_id,
        patient_id=read.patient_id,
        subject_kind="report_version",
        subject_id=made.id,
        reason="; ".join(f"{name}: {reason}" for name, reason in overrides) or None,
        detail={
            "number": made.number,
            "kind": made.kind,
            "content_sha256": made.content_sha256.hex(),
            "meaning": made.meaning,
        },
    )
    for topic, id_ in (("report", report.id), ("case", read.case_id)):
        work.touch(topic, id_, read.organization_id, read.group_organization_id)
    work.announce(ReportSigned(read.organization_id, read.case_id, read.id, report.id, made.id, made.number, made.kind))
    facts = version(work.session, made.id)
    if facts is None:
        raise NotFound()
    return facts


def _kind(read: OwnRead, wanted: Kind | None) -> Kind:
    usual: Kind = "addendum" if read.is_addendum else "preliminary" if read.kind == "preliminary" else "final"
    if wanted is not None and (wanted == "addendum") != read.is_addendum:
        raise Invalid("What is added to a signed report is an addendum, and nothing else is.")
    if wanted == "final" and read.kind == "preliminary":
        raise Invalid("This read is for a preliminary report.")
    return wanted or usual


def _make(work: Work, read: OwnRead, report: Report, wanted: dict[str, Any], kind: Kind) -> ReportVersion:
    """The next version. The report's row is locked, so that numbers have no gaps and no twins."""
    number = (
        work.session.scalar(select(func.max(ReportVersion.number)).where(ReportVersion.report_id == report.id)) or 0
    ) + 1
    template = template_of(report, read)
    sections: list[dict[str, Any]] = [*compose(template, wanted)]
    if kind == "addendum":
        before = _last(work, report)
        added = {
            "id": f"addendum-{number}",
            "title": _addendum_title(work.actor.name, work.now),
            "text": sections[-1]["text"],
        }
        sections, wanted = [*before.content["sections"], added], before.content
    found = studies(work.session, studies_of_case(work.session, read.case_id))
    content = {
        "template": {"id": template.id, "version": report.template_version},
        "sections": sections,
        "fields": wanted["fields"],
        "subject": {
            "patient_id": str(read.patient_id) if read.patient_id else None,
            "accessions": accessions_of_case(work.session, [read.case_id]).get(read.case_id, []),
            "study_instance_uids": sorted(s.study_instance_uid for s in found.values()),
        },
    }
    name, details = _signer(work, read)
    made = ReportVersion(
        id=uuid4(),
        organization_id=read.organization_id,
        report_id=report.id,
        case_id=read.case_id,
        read_id=read.id,
        number=number,
        kind=kind,
        content=content,
        text=to_text(sections),
        content_sha256=content_hash(content, number, kind),
        signed_by=work.actor.id,
        signer_name=name,
        signer_details=details,
        meaning="author",
        signed_at=work.now,
    )
    work.session.add(made)
    work.session.flush()
    return made


def _last(work: Work, report: Report) -> ReportVersion:
    found = work.session.scalar(
        select(ReportVersion).where(ReportVersion.report_id == report.id).order_by(ReportVersion.number.desc()).limit(1)
    )
    if found is None:
        raise NotOpen("There is no signed report to add to.")
    return found


def _addendum_title(name: str, at: datetime) -> str:
    return f"Addendum, {at.day} {at:%B %Y %H:%M} UTC, {name}"


def _signer(work: Work, read: OwnRead) -> tuple[str, dict[str, Any]]:
    """The signer as printed: name, the licence that counts at the site, and where they read."""
    (reader,) = reader_facts(work.session, [read.reader_id])
    site = facility(work.session, read.facility_id)
    jurisdiction = site.jurisdiction if site else None
    licence = next(
        (
            x
            for x in reader.licences
            if x.jurisdiction == jurisdiction
            and x.status == "active"
            and valid_at(x.valid_from, x.valid_until, work.now)
        ),
        None,
    )
    place = reader.place
    title, given, family = work.session.execute(_NAME, {"id": reader.reader_id}).one()
    return reader.name, {
        "reader_id": str(reader.reader_id),
        "name": {"prefix": title, "given": given, "family": family},
        "licence": {"jurisdiction": licence.jurisdiction, "number": licence.number} if licence else None,
        "place": {"name": place.name, "jurisdiction": place.jurisdiction} if place else None,
    }
