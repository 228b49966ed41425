"""A browser of one of the cast, at an application that holds some rooms' routes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.governance.access.door import COOKIE, CSRF_HEADER
from heliograph.governance.access.sessions import Sessions
from heliograph.governance.access.sign_in import sign_in
from heliograph.kit.actor import Actor
from heliograph.kit.http import install_problem_handlers
from tests.cast import PASSWORD

USERNAMES = {
    "Dr Eirik Solbakken": "eirik",
    "Astrid Vik": "astrid",
    "Runa Lie": "runa",
    "Harper Quinn": "harper",
    "Nadia Rourke": "nadia",
    "Dr Imogen Tarrant": "imogen",
    "Dr Otto Brandt": "otto",
    "Olga Ferrer": "olga",
    "Pat Moreau": "pat",
}


def browser(context: Context, who: Actor, *routers: APIRouter) -> TestClient:
    """A signed-in client over HTTP as the real door makes it: cookie, CSRF token, problem details."""
    app = FastAPI()
    app.state.context = context
    app.state.sessions = Sessions(context.works, context.settings)
    install_problem_handlers(app)
    for router in routers:
        app.include_router(router)
    new = sign_in(
        context.works, context.settings, USERNAMES[who.name], PASSWORD, None, address="127.0.0.1", user_agent="test"
    )
    client = TestClient(app, base_url="http://127.0.0.1:8080")
    client.cookies.set(COOKIE, new.token)
    client.headers[CSRF_HEADER] = app.state.sessions.by_cookie(new.token, address=None, unsafe=False).csrf_token
    return client
