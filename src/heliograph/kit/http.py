"""What every web door shares: problem details (RFC 9457) and the state that the app carries."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from heliograph.kit.errors import HeliographError
from heliograph.kit.log import log
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory

PROBLEM = "application/problem+json"
_log = log(__name__)


def problem(status: int, code: str, title: str, detail: str, **members: Any) -> JSONResponse:
    """A problem document. `type` is a stable relative reference; `detail` is in words a person can act on."""
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    headers = {"Cache-Control": "no-store"}
    if status == 429 and "retry_after" in members:
        headers["Retry-After"] = str(members["retry_after"])
    return JSONResponse(jsonable_encoder(body), status_code=status, media_type=PROBLEM, headers=headers)


_INTERNAL = frozenset({"action", "organization_id", "case_id", "study_id", "subject"})
"""Members of a refusal that are for the record only."""


def unexpected() -> JSONResponse:
    """Of an unexpected fault nothing is told but that it happened."""
    return problem(
        500,
        "unexpected",
        "Something unexpected went wrong.",
        "It is in the server's log. Try again; if it stays, tell your support.",
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Maps every refusal to a problem document. An unexpected fault is answered where the headers are added."""

    @app.exception_handler(HeliographError)
    async def refused(request: Request, error: HeliographError) -> JSONResponse:
        await run_in_threadpool(_record, request, error)
        extra = {k: v for k, v in error.extra.items() if k not in _INTERNAL}
        title = (type(error).__doc__ or "").strip().splitlines()[0]
        return problem(error.status, error.code, title, error.detail, **extra)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeout)
    async def database_away(_request: Request, error: SQLAlchemyError) -> JSONResponse:
        _log.warning("the database does not answer", error=type(error).__name__)
        return problem(
            503,
            "database-away",
            "The database does not answer.",
            "Try again shortly; what you typed is kept on this page.",
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # The input itself is left out: it may hold patient data.
        problems = [
            {"field": ".".join(str(p) for p in e["loc"][1:]) or str(e["loc"][0]), "text": e["msg"]}
            for e in error.errors()
        ]
        text = "; ".join(f"{p['field']}: {p['text']}" for p in problems[:5])
        return problem(422, "invalid", "The input can't be taken as it is.", text, problems=problems)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, f"http-{error.status_code}", str(error.detail), str(error.detail))
        answer.headers.update(error.headers or {})  # Allow, with 405
        return answer


def _record(request: Request, error: HeliographError) -> None:
    """Records a refusal that came before any work began, as of a role or a missing token, where we know whom it met."""
    actor = getattr(request.state, "actor", None)
    if actor is not None and not error.is_recorded:
        route = getattr(request.scope.get("route"), "path", "request")
        works = cast(WorkFactory, request.app.state.context.works)
        works.record_refusal(actor, error, action=f"{request.method} {route}")


# Asynchronous, as they never wait: the framework would run each plain function in a thread.
async def _works(request: Request) -> WorkFactory:
    return cast(WorkFactory, request.app.state.context.works)


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.context.settings)


async def _objects(request: Request) -> Objects:
    return cast(Objects, request.app.state.context.objects)


WorksDep = Annotated[WorkFactory, Depends(_works)]
SettingsDep = Annotated[Settings, Depends(_settings)]
ObjectsDep = Annotated[Objects, Depends(_objects)]
