"""GET and DELETE /api/session: the cookie, and when a session ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from heliograph.app.context import Context, make_context
from heliograph.governance.access.door import COOKIE
from heliograph.governance.access.sessions import Sessions
from heliograph.governance.access.users import end_role, set_active, set_password
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from tests.cast import PASSWORD, Cast
from tests.governance.access.conftest import Rows
from tests.web import app_of, sign_in_as, stranger


def _status(client: TestClient, **headers: str) -> int:
    """As the next process would answer that never saw this session."""
    app = client.app
    assert isinstance(app, FastAPI)
    sessions: Sessions = app.state.sessions
    sessions.forget_all()
    return client.get("/api/session", headers=headers).status_code


def test_it_works(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    answer = imogen.get("/api/session")
    assert answer.status_code == 200
    assert answer.json()["user"]["username"] == "imogen"
    assert answer.headers["cache-control"] == "no-store"


def test_a_stranger_sees_nothing(context: Context, cast: Cast) -> None:
    client = stranger(context)
    client.cookies.set(COOKIE, "made-up")
    answer = client.get("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_cookie_can_be_read_by_no_script_and_is_sent_by_no_other_site(context: Context, cast: Cast) -> None:
    answer = stranger(context).post("/api/sign-in", json={"username": "imogen", "password": PASSWORD})
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= flags
    assert "secure" not in flags


def test_the_cookie_is_secure_where_people_use_https(context: Context, cast: Cast) -> None:
    settings = context.settings.model_copy(update={"public_url": "https://read.example"})
    https = make_context(settings, context.database_url, clock=context.works.clock)
    answer = stranger(https).post("/api/sign-in", json={"username": "imogen", "password": PASSWORD})
    https.engine.dispose()
    assert "secure" in {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert "max-age=" in answer.headers["strict-transport-security"]


def test_it_ends_when_idle(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    for _ in range(3):
        clock.advance(timedelta(minutes=29))
        assert _status(imogen) == 200
    clock.advance(timedelta(minutes=30, seconds=1))
    assert _status(imogen) == 401


@pytest.mark.parametrize("by_itself", [{"X-Unattended": "1"}, {"Accept": "text/event-stream"}], ids=["poll", "stream"])
def test_a_page_that_asks_by_itself_keeps_it_no_longer(
    context: Context, cast: Cast, clock: FixedClock, by_itself: dict[str, str]
) -> None:
    imogen = sign_in_as(context, cast.imogen)
    for minutes in (15, 14):
        clock.advance(timedelta(minutes=minutes))
        assert _status(imogen, **by_itself) == 200
    clock.advance(timedelta(minutes=2))
    assert _status(imogen, **by_itself) == 401


def test_it_ends_after_twelve_hours_however_busy(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    for _ in range(12 * 3 - 1):
        clock.advance(timedelta(minutes=20))
        assert _status(imogen) == 200
    clock.advance(timedelta(minutes=20))
    assert _status(imogen) == 401


def test_signing_out_ends_it_at_once(context: Context, cast: Cast, record: Rows) -> None:
    app = app_of(context)
    imogen = sign_in_as(app, cast.imogen)
    stolen = stranger(app)
    stolen.cookies.set(COOKIE, imogen.cookies[COOKIE])
    assert stolen.get("/api/session").status_code == 200
    assert imogen.delete("/api/session").status_code == 204
    assert COOKIE not in imogen.cookies
    assert stolen.get("/api/session").status_code == 401  # no cache outlives it
    assert [line.actor_name for line in record("session.signed_out")] == ["Dr Imogen Tarrant"]


def test_signing_out_ends_no_other_session(context: Context, cast: Cast) -> None:
    first, second = sign_in_as(context, cast.imogen), sign_in_as(context, cast.imogen)
    first.delete("/api/session")
    assert _status(second) == 200


def test_who_is_stopped_is_out(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert cast.imogen.id is not None
    with context.works.begin(system("test")) as work:
        set_active(work, cast.imogen.id, is_active=False)
    assert _status(imogen) == 401
    with context.works.begin(system("test")) as work:
        set_active(work, cast.imogen.id, is_active=True)
    assert _status(imogen) == 401, "the old session stays ended"


def test_a_new_password_ends_all_sessions(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert cast.imogen.id is not None
    with context.works.begin(system("test")) as work:
        set_password(work, cast.imogen.id, "another long password")
    assert _status(imogen) == 401


def test_every_process_forgets_who_was_stopped(context: Context, cast: Cast) -> None:
    """A session is believed for three seconds without asking; what ends it tells every process that listens."""
    app = app_of(context)
    assert cast.imogen.id is not None
    with TestClient(app):  # the live ear is on
        imogen = sign_in_as(app, cast.imogen)
        assert imogen.get("/api/session").status_code == 200
        with context.works.begin(system("elsewhere")) as work:
            set_active(work, cast.imogen.id, is_active=False)
        status = [imogen.get("/api/session").status_code for _ in range(200)]
    assert status[-1] == 401


def test_an_ended_role_is_gone_from_the_session(context: Context, cast: Cast) -> None:
    app = app_of(context)
    nadia = sign_in_as(app, cast.nadia)
    assert "board" in nadia.get("/api/session").json()["rooms"]
    assert cast.nadia.id is not None
    with context.works.begin(system("test")) as work:
        end_role(work, cast.nadia.id, cast.aurora, "coordinator")
    app.state.sessions.forget_all()
    session = nadia.get("/api/session").json()
    assert (session["roles"], session["rooms"]) == ([], [])
