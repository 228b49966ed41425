"""Routes of reading."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from heliograph.care.reading.drafts import check_draft, save_draft
from heliograph.care.reading.open_report import open_report, release_report
from heliograph.care.reading.pdf import report_pdf
from heliograph.care.reading.schemas import (
    DraftIn,
    ProblemOut,
    SavedOut,
    SignIn,
    VersionOut,
    WorkspaceOut,
    version_out,
    workspace_out,
)
from heliograph.care.reading.sign import sign_report
from heliograph.care.reading.views import view_report
from heliograph.care.worklist.detail import case_detail
from heliograph.care.worklist.open import giving_back
from heliograph.governance.access.door import CurrentUser, ReadDep, WorkDep
from heliograph.governance.access.sign_in import prove, signature_stands
from heliograph.kit.http import SettingsDep, WorksDep

router = APIRouter(prefix="/api", tags=["reading"])


@router.post("/reads/{read_id}/open")
def post_open(read_id: UUID, works: WorksDep, actor: CurrentUser, settings: SettingsDep) -> WorkspaceOut:
    """Opens your read: its report, draft and images."""
    with giving_back(works), works.begin(actor) as work:
        opened = open_report(work, read_id)
        case = case_detail(work, opened.read.case_id)
        return workspace_out(opened, case, signature_needed=not signature_stands(work, settings))


@router.put("/reads/{read_id}/draft")
def put_draft(read_id: UUID, body: DraftIn, work: WorkDep) -> SavedOut:
    """Keeps what you typed."""
    saved = save_draft(work, read_id, body.revision, body.content.model_dump())
    return SavedOut(revision=saved.revision, saved_at=saved.saved_at)


@router.post("/reads/{read_id}/release", status_code=204)
def post_release(read_id: UUID, work: WorkDep) -> None:
    """Lets others have the report; your draft is kept."""
    release_report(work, read_id)


@router.get("/reads/{read_id}/checks")
def get_checks(read_id: UUID, work: ReadDep) -> list[ProblemOut]:
    """What stands between the saved draft and your signature."""
    return [ProblemOut(id=p.id, level=p.level, text=p.text, field=p.field) for p in check_draft(work, read_id)]


@router.post("/reads/{read_id}/sign")
def post_sign(read_id: UUID, body: SignIn, works: WorksDep, actor: CurrentUser, settings: SettingsDep) -> VersionOut:
    """Signs. What was typed goes with it, so that nothing is signed that you did not see."""
    if body.password or body.totp:
        prove(works, actor, password=body.password, totp=body.totp)
    overrides = [(o.check, o.reason) for o in body.overrides]
    with giving_back(works), works.begin(actor) as work:
        made = sign_report(work, settings, read_id, body.revision, body.content.model_dump(), body.kind, overrides)
    return version_out(made)


@router.get("/reports/{version_id}")
def get_report(version_id: UUID, work: WorkDep) -> VersionOut:
    """A signed version. That you saw it is recorded."""
    return version_out(view_report(work, version_id))


@router.get("/reports/{version_id}/pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}})
def get_pdf(version_id: UUID, work: WorkDep) -> Response:
    """A signed version on paper. That you saw it is recorded."""
    view_report(work, version_id)
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="report-{version_id}.pdf"',
    }
    return Response(report_pdf(work.session, version_id), media_type="application/pdf", headers=headers)
