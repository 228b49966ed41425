"""Documents that came with site reports: downloaded, never shown as a page of ours."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from heliograph.care.results.access import report_for
from heliograph.care.results.model import SiteAttachment
from heliograph.kit.actor import system
from heliograph.kit.db.session import ROW_LOCK
from heliograph.kit.errors import NotFound
from heliograph.kit.objects import Objects
from heliograph.kit.work import Work, WorkFactory
from heliograph.records.archive.place import write


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document with its bytes."""

    name: str
    media_type: str
    data: bytes


def read_attachment(work: Work, objects: Objects, report_id: UUID, attachment_id: UUID) -> Attachment:
    """A document of a report that the actor may see; that they saw it is recorded. Raises: NotFound."""
    report = report_for(work, report_id)
    row = work.session.get(SiteAttachment, attachment_id)
    if row is None or row.report_id != report.id:
        raise NotFound
    data = row.data if row.data is not None else objects.get(row.object_key or "")
    work.record(
        "document.viewed",
        organization_id=row.organization_id,
        order_id=report.order_id,
        patient_id=report.patient_id,
        subject_kind="document",
        subject_id=row.id,
    )
    return Attachment(row.name, row.media_type, data)


def keep_attachment(works: WorkFactory, objects: Objects, organization_id: UUID, attachment_id: UUID) -> None:
    """Makes an attachment an object, durable before the row lets go of the bytes. Again it does nothing."""
    with works.begin(system("results", organization_id)) as work:
        row = work.session.get(SiteAttachment, attachment_id, with_for_update=ROW_LOCK)
        if row is None or row.data is None:
            return
        key = f"reports/{organization_id.hex}/{uuid4().hex}.pdf"
        write(objects, key, row.data)
        row.object_key, row.data = key, None
        work.session.flush()
        work.record(
            "document.stored",
            organization_id=organization_id,
            subject_kind="document",
            subject_id=attachment_id,
            detail={"length": row.length},
        )
