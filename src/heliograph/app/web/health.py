"""Health and metrics for those who run the platform. They tell nothing about patients."""

from __future__ import annotations

import time
from contextlib import suppress

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from heliograph.app import migrate
from heliograph.app.context import Context
from heliograph.app.web import metrics
from heliograph.kit.actor import system

_FRESH_SECONDS = 30.0
router = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/health/ready")
def ready(request: Request) -> JSONResponse:
    """The database answers with the newest schema and objects can be written; else 503 with what is wrong."""
    context: Context = request.app.state.context
    wrong: dict[str, str] = {}
    try:
        if not migrate.is_current(context.database_url):
            wrong["database"] = "the schema is not the newest: run `heliograph migrate`"
    except SQLAlchemyError:
        wrong["database"] = "does not answer"
    try:
        context.objects.put("health/ready", b"ready")
    except Exception as error:  # noqa: BLE001 (any store's any fault means: not ready)
        wrong["objects"] = f"can't be written ({type(error).__name__})"
    status = {"status": "not ready" if wrong else "ready", "demonstration": context.settings.demonstration}
    return JSONResponse({**status, **wrong}, status_code=503 if wrong else 200)


@router.get("/metrics", response_class=PlainTextResponse)
def show_metrics(request: Request) -> PlainTextResponse:
    """Prometheus text format."""
    context: Context = request.app.state.context
    incoming = context.settings.spool_dir / "incoming"
    metrics.SPOOLED.set(sum(1 for _ in incoming.rglob("*.dcm")) if incoming.exists() else 0)
    try:
        with context.works.read(system("metrics")) as work:
            metrics.UNSEALED.set(work.session.scalar(text("select count(*) from audit.pending")) or 0)
    except SQLAlchemyError:
        metrics.UNSEALED.set(float("nan"))
    return PlainTextResponse(generate_latest() + _of_other_parts(context), media_type=CONTENT_TYPE_LATEST)


def _of_other_parts(context: Context) -> bytes:
    """What parts without HTTP on this host wrote of late; a part that was killed leaves its last figures behind."""
    found = b""
    for file in sorted((context.settings.data_dir / "metrics").glob("*.prom")):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime < _FRESH_SECONDS:
                found += file.read_bytes()
    return found
