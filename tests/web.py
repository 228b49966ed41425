"""The whole web application in the tests, and browsers of the cast.

`app_of(context)` puts the real application together; `sign_in_as(context_or_app, cast.imogen)` signs in over HTTP and gives a client
with the session's cookie and the token that changes must bear.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.app.web.main import create_app
from heliograph.governance.access.door import CSRF_HEADER
from heliograph.governance.access.users import user_facts
from heliograph.kit.actor import Actor, system
from tests.cast import PASSWORD


def app_of(context: Context) -> FastAPI:
    """The real application on the test's database. Its live events listen only inside `with TestClient(app)`."""
    return create_app(context)


def stranger(where: Context | FastAPI, **options: str) -> TestClient:
    """A browser that is not signed in, at the address that people use."""
    app = where if isinstance(where, FastAPI) else app_of(where)
    return TestClient(app, base_url=options.pop("base_url", app.state.context.settings.public_url), **options)  # type: ignore[arg-type]


def username_of(where: Context | FastAPI, who: Actor) -> str:
    """The name with which `who` signs in."""
    context: Context = where.state.context if isinstance(where, FastAPI) else where
    assert who.id is not None
    with context.works.read(system("test")) as work:
        return user_facts(work.session, who.id).username


def sign_in_as(where: Context | FastAPI, who: Actor) -> TestClient:
    """A browser in which `who`, one of the cast, has signed in."""
    client = stranger(where)
    answer = client.post("/api/sign-in", json={"username": username_of(where, who), "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers[CSRF_HEADER] = answer.json()["csrf_token"]
    return client
