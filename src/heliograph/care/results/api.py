"""Routes of site reports: parse, call, answer."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from heliograph.care.results import attachments, compare, queries, receive, schemas
from heliograph.governance.access.door import WorkDep, require_roles
from heliograph.kit.http import ObjectsDep

router = APIRouter(prefix="/api", tags=["site reports"])
SeesPatients = Depends(require_roles("reader", "coordinator", "site_staff", "auditor"))
Files = Depends(require_roles("coordinator", "site_staff"))
Coordinator = Depends(require_roles("coordinator"))


@router.get("/cases/{case_id}/site-reports", dependencies=[SeesPatients])
def of_case(work: WorkDep, case_id: UUID) -> schemas.CaseSiteReports:
    """What sites reported of this case and of its patient before, and where it differs from ours. That you saw it is recorded."""
    return queries.reports_of_case(work, case_id)


@router.get("/site-reports/held", dependencies=[Files])
def held(work: WorkDep) -> list[schemas.HeldReportOut]:
    """Reports that wait for you to say what they belong to."""
    return queries.held_reports(work)


@router.get("/site-reports/{report_id}", dependencies=[SeesPatients])
def one(work: WorkDep, report_id: UUID) -> schemas.TextOut:
    """One version of a site's report. That you saw it is recorded."""
    return queries.one_version(work, report_id)


@router.post("/site-reports/{report_id}/file", dependencies=[Files], status_code=204)
def file(work: WorkDep, report_id: UUID, body: schemas.FileIn) -> None:
    """Says what a held report belongs to."""
    receive.file_held(work, report_id, body.order_id, body.reason)


@router.get(
    "/site-reports/{report_id}/attachments/{attachment_id}",
    dependencies=[SeesPatients],
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
def download(work: WorkDep, objects: ObjectsDep, report_id: UUID, attachment_id: UUID) -> Response:
    """A document that came with a report, to be saved: it is never shown as a page of ours. That you took it is recorded."""
    found = attachments.read_attachment(work, objects, report_id, attachment_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
    return Response(found.data, media_type=found.media_type, headers=headers)


@router.post("/discrepancies/{discrepancy_id}/close", dependencies=[Coordinator], status_code=204)
def close(work: WorkDep, discrepancy_id: UUID, body: schemas.CloseIn) -> None:
    """You have looked at both texts."""
    compare.close(work, discrepancy_id, body.outcome, body.note)
