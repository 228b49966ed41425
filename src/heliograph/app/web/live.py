"""Live pages: one LISTEN connection a process, fanned out as server-sent events with ids only, filtered by what each session may see."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from heliograph.app.web import metrics
from heliograph.governance.access.door import CurrentUser
from heliograph.governance.access.sessions import SESSION_TOPIC, Sessions
from heliograph.kit.actor import Actor
from heliograph.kit.log import log
from heliograph.kit.work import CHANNEL, WorkFactory

_log = log(__name__)
HEARTBEAT = 20.0
RESYNC = "event: resync\ndata: {}\n\n"
CHECK = ": still here\n\n"
_VISIBLE = text("select tenancy.actor_organizations() || tenancy.actor_groups()")


@dataclass(eq=False)
class Page:
    """One listening browser: what it may see, and what it has not been told yet."""

    actor: Actor
    visible: frozenset[str]
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(maxsize=500))

    def tell(self, event: str) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            # A page that can't keep up loads everything again instead.
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(RESYNC)


class Live:
    """The process's ear on the database."""

    def __init__(self, works: WorkFactory, sessions: Sessions, database_url: str) -> None:
        self._works = works
        self._sessions = sessions
        self._conninfo = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.pages: set[Page] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        first = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    if not first:  # something may have been missed
                        self._sessions.forget_all()
                        self._tell_all(RESYNC)
                    first = False
                    async for notice in connection.notifies():
                        self._pass_on(notice.payload)
            except psycopg.Error as error:
                _log.warning("live events interrupted", error=type(error).__name__)
                await asyncio.sleep(1.0)

    def _pass_on(self, payload: str) -> None:
        told = json.loads(payload)
        if told["topic"] == SESSION_TOPIC:
            self._sessions.forget_all()
            for page in self.pages:
                if str(page.actor.id) == told["id"]:
                    page.tell(CHECK)
            return
        may_see = frozenset(told["organizations"])
        event = f"event: changed\ndata: {json.dumps({'topic': told['topic'], 'id': told['id']})}\n\n"
        for page in self.pages:
            if page.visible & may_see:
                page.tell(event)

    def _tell_all(self, event: str) -> None:
        for page in self.pages:
            page.tell(event)

    def visible_to(self, actor: Actor) -> frozenset[str]:
        """Organisations whose changes the actor hears of: decided by the functions that row-level security uses."""
        with self._works.read(actor) as work:
            found: list[UUID] = work.session.scalar(_VISIBLE) or []
        return frozenset(str(o) for o in found)

    async def stream(self, page: Page, request: Request) -> AsyncIterator[str]:
        self.pages.add(page)
        metrics.LIVE_PAGES.inc()
        try:
            yield "retry: 1000\n\n" + RESYNC
            while not await request.is_disconnected():
                try:
                    event = await asyncio.wait_for(page.queue.get(), HEARTBEAT)
                except TimeoutError:
                    event = CHECK
                if event is CHECK:
                    # Let in once, a stream must not outlive its session or the roles that it was opened with.
                    if not await run_in_threadpool(self._sessions.still_open, page.actor):
                        return
                    page.visible = await run_in_threadpool(self.visible_to, page.actor)
                yield event
        finally:
            self.pages.discard(page)
            metrics.LIVE_PAGES.dec()


router = APIRouter(prefix="/api", tags=["live"])


@router.get("/events", response_class=StreamingResponse)
async def events(request: Request, actor: CurrentUser) -> StreamingResponse:
    """Server-sent events: `changed` with {topic, id}, `resync` when something may have been missed."""
    live: Live = request.app.state.live
    page = Page(actor, await run_in_threadpool(live.visible_to, actor))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(live.stream(page, request), media_type="text/event-stream", headers=headers)
