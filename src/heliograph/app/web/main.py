"""Puts the web server together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import heliograph
from heliograph.app.context import Context
from heliograph.app.web import docs, health, live, session_api, static, viewer
from heliograph.app.web.headers import Headers
from heliograph.app.web.rooms import ROUTERS
from heliograph.exchange.dicomweb.fast import FastFrames
from heliograph.governance.access.sessions import Sessions
from heliograph.kit.http import install_problem_handlers


def create_app(context: Context) -> FastAPI:
    """The web application on `context`."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await app.state.live.start()
        yield
        await app.state.live.stop()

    app = FastAPI(
        title="Heliograph",
        version=heliograph.__version__,
        summary="Runs a teleradiology network.",
        docs_url=None,  # the framework's page loads its scripts from another host
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=life,
    )
    app.state.context = context
    app.state.sessions = Sessions(context.works, context.settings)
    app.state.live = live.Live(context.works, app.state.sessions, context.database_url)
    app.add_middleware(FastFrames)  # within the headers, which are added last
    app.add_middleware(Headers, viewer=static.STATIC / "viewer", https=context.settings.secure_cookies)
    install_problem_handlers(app)
    add_routes(app)
    return app


def add_routes(app: FastAPI) -> None:
    """Every route of every room and door; the static files last, since they take what is left."""
    for router in (session_api.router, live.router, health.router, docs.router, *ROUTERS, viewer.router, static.router):
        app.include_router(router)
