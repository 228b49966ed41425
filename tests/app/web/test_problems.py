"""Refusals are problem documents (RFC 9457), and none of them echoes what was sent."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, select, text
from structlog.testing import capture_logs

from heliograph.app.context import Context
from heliograph.governance.access.door import CSRF_HEADER, WorkDep
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.kit.log import _where_it_failed
from tests.cast import Cast
from tests.web import app_of, sign_in_as, stranger

SECRET = "NORDMANN^OLA"


def test_it_works(context: Context) -> None:
    answer = stranger(context).get("/api/session")
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert (body["status"], body["code"], body["type"]) == (401, "not-signed-in", "/problems/not-signed-in")
    assert answer.headers["cache-control"] == "no-store"


def test_an_unknown_address_and_a_wrong_method(context: Context) -> None:
    client = stranger(context)
    for answer, status in ((client.get("/api/nowhere"), 404), (client.put("/api/sign-in"), 405)):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.put("/api/sign-in").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/sign-in", {"username": {"x": SECRET}, "password": SECRET}),
        ("/api/sign-in", [SECRET]),
        ("/api/sign-in", SECRET),
        (
            "/api/orders",
            {
                "facility_id": SECRET,
                "patient": {"family_name": {"x": SECRET}, "birth_date": SECRET},
                "priority": SECRET,
            },
        ),
        ("/api/session/place", {"place_id": SECRET}),
    ],
)
def test_what_was_sent_is_not_echoed(context: Context, cast: Cast, path: str, body: object) -> None:
    answer = sign_in_as(context, cast.eirik).post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert answer.json()["problems"], "each wrong field is named"
    assert SECRET not in answer.text
    assert "OLA" not in answer.text


def test_a_broken_body_is_not_echoed(context: Context) -> None:
    answer = stranger(context).post(
        "/api/sign-in", content='{"username": "' + SECRET, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert SECRET not in answer.text


def _faulty(context: Context) -> FastAPI:
    """The application with routes that fail in the ways that nobody foresaw."""
    app = app_of(context)
    router = APIRouter(prefix="/api/faulty")

    @router.get("/value")
    def value() -> None:
        raise ValueError(SECRET)

    @router.post("/row")
    def row(work: WorkDep) -> None:
        sql = "insert into tenancy.organizations (slug, name, short_name, kind) values (:secret, :secret, :secret, :secret)"
        work.session.execute(text(sql), {"secret": SECRET})

    app.include_router(router)
    # Static files take what is left, so what is added later must go before them.
    app.router.routes.insert(0, app.router.routes.pop())
    return app


def test_an_unexpected_fault_tells_nothing_but_that_it_happened(
    context: Context, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = sign_in_as(_faulty(context), cast.eirik)
    with capture_logs() as logged:
        answers = [client.get("/api/faulty/value"), client.post("/api/faulty/row")]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert SECRET not in answer.text
    assert [line["error"] for line in logged if line["event"] == "unexpected fault"] == ["ValueError", "IntegrityError"]
    assert SECRET not in caplog.text


def test_the_log_tells_where_and_not_what() -> None:
    """PostgreSQL quotes the offending row in an error's text; none of it may reach a log."""
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise RuntimeError(f"Key (value)=({SECRET}) exists") from error
    except RuntimeError as error:
        event = _where_it_failed(None, "error", {"event": "x", "exc_info": error})
    assert SECRET not in json.dumps(event, default=str)
    assert "builtins.RuntimeError" in event["exception"]
    assert "builtins.ValueError" in event["exception"]
    assert f"{__file__}:" in event["exception"]
    assert "exc_info" not in event


def test_the_logs_of_libraries_go_the_same_way(context: Context) -> None:
    import subprocess
    import sys

    code = (
        "import logging\n"
        "from heliograph.kit.log import log, set_up_logging\n"
        "set_up_logging('test', form='json')\n"
        "try:\n"
        f"    raise ValueError('{SECRET}')\n"
        "except ValueError:\n"
        "    logging.getLogger('uvicorn.error').exception('library')\n"
        "    log('ours').exception('ours')\n"
    )
    for form in ("json", "console"):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("'json'", f"'{form}'")], capture_output=True, text=True, check=True
        )
        assert SECRET not in done.stderr.replace("raise ValueError", "")
        assert done.stderr.count("ValueError") == 2


def test_absence_names_nothing(context: Context, cast: Cast) -> None:
    """A refusal looks the same whether the thing is absent or another's."""
    client: TestClient = sign_in_as(context, cast.harper)
    id_ = "01890000-0000-7000-8000-000000000000"
    absent = client.get(f"/api/cases/{id_}")
    assert (absent.status_code, absent.json()["code"]) == (404, "not-found")
    assert id_ not in absent.text


def test_a_refusal_before_any_work_is_recorded_once(context: Context, cast: Cast) -> None:
    """A role that is missing, a token that is missing, and a case that one may not see: each stands in the record."""
    harper = sign_in_as(context, cast.harper)
    assert harper.get("/api/board").status_code == 403
    assert harper.get(f"/api/cases/{cast.norfjord}").status_code == 404
    assert harper.post("/api/session/prove", json={}, headers={CSRF_HEADER: "no"}).status_code == 403
    with context.works.read(system("test")) as work:
        rows = work.session.execute(
            select(AuditEvent.action, AuditEvent.reason)
            .where(AuditEvent.actor_id == cast.harper.id, AuditEvent.outcome == "refused")
            .order_by(AuditEvent.id)
        ).all()
    assert [tuple(r) for r in rows] == [
        ("GET /api/board", "not-allowed"),
        ("request", "not-found"),
        ("POST /api/session/prove", "bad-csrf-token"),
    ]


def test_a_database_that_is_away_is_said_in_words(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    app: FastAPI = imogen.app  # type: ignore[assignment]
    app.state.sessions.forget_all()
    context.works.sessions.configure(bind=create_engine("postgresql+psycopg://nobody@/nowhere?host=/nonexistent"))
    try:
        answer = imogen.get("/api/my-list?tab=mine")
    finally:
        context.works.sessions.configure(bind=context.engine)
    assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
    assert "nonexistent" not in answer.text
