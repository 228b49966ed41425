"""The DICOMweb door behind a real uvicorn on loopback, and signed-in callers."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Receive, Scope, Send

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.api import router
from heliograph.exchange.dicomweb.fast import FastFrames
from heliograph.governance.access.door import COOKIE, CSRF_HEADER
from heliograph.governance.access.model import Key, SessionRow
from heliograph.governance.access.passwords import token_hash
from heliograph.governance.access.sessions import Sessions
from heliograph.kit.actor import Actor
from heliograph.kit.http import install_problem_handlers
from tests.cast import Cast


@dataclass(frozen=True)
class Served:
    """A running server, and clients of it by who they are."""

    url: str
    client: Callable[[Actor | None], httpx.Client]
    key: Callable[..., str]
    sessions: Sessions
    routed: list[str]
    """Addresses that came to the router, in order: not those that were answered before it."""

    @property
    def norfjord(self) -> str:
        return f"{self.url}/dicomweb/norfjord"


class Noting:
    """Notes what passes."""

    def __init__(self, app: ASGIApp, routed: list[str]) -> None:
        self._app, self._routed = app, routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._routed.append(scope["path"])
        await self._app(scope, receive, send)


@pytest.fixture
def served(context: Context, cast: Cast, owner_url: str) -> Iterator[Served]:
    app = FastAPI()
    app.state.context = context
    app.state.sessions = Sessions(context.works, context.settings)
    install_problem_handlers(app)
    routed: list[str] = []
    app.add_middleware(Noting, routed=routed)
    app.add_middleware(FastFrames)
    app.include_router(router)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    clients: list[httpx.Client] = []
    engine = create_engine(owner_url)

    def client(actor: Actor | None) -> httpx.Client:
        made = httpx.Client(base_url=url, timeout=60)
        clients.append(made)
        if actor is None:
            return made
        token = secrets.token_urlsafe(16)
        now = context.works.clock.now()
        with Session(engine) as s:
            s.add(
                SessionRow(
                    token_hash=token_hash(token),
                    csrf_token="csrf",
                    user_id=actor.id,
                    created_at=now,
                    last_seen_at=now,
                    expires_at=now + timedelta(hours=8),
                )
            )
            s.commit()
        made.cookies.set(COOKIE, token)
        made.headers[CSRF_HEADER] = "csrf"
        return made

    def key(*, may_store: bool = True, may_read: bool = True, outside: bool = False) -> str:
        token = secrets.token_urlsafe(16)
        with Session(engine) as s:
            s.add(
                Key(
                    organization_id=cast.llano if outside else cast.norfjord,
                    facility_id=cast.llano_facility if outside else cast.norfjord_facility,
                    name="test",
                    token_hash=token_hash(token),
                    may_store=may_store,
                    may_read=may_read,
                )
            )
            s.commit()
        return token

    try:
        yield Served(url, client, key, app.state.sessions, routed)
    finally:
        for made in clients:
            made.close()
        engine.dispose()
        server.should_exit = True
        thread.join(10)
