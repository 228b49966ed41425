"""What every route of the web door asks for: who calls, their work, and what role they must hold.

What never waits is `async`: the framework runs it at once, while each plain function is a trip to a thread.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from heliograph.governance.access.errors import BadCsrfToken
from heliograph.governance.access.sessions import Known, Sessions
from heliograph.kit.actor import Actor
from heliograph.kit.errors import NotAllowed, NotSignedIn
from heliograph.kit.http import WorksDep
from heliograph.kit.work import Work

COOKIE = "heliograph_session"
CSRF_HEADER = "X-CSRF-Token"
UNATTENDED_HEADER = "x-unattended"
"""A page says by it that it asks by itself, with nobody there: such a request keeps no session alive."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def known_caller(request: Request) -> Known:
    """The session or key behind the request.

    A request by cookie that changes something must bear the session's token in `X-CSRF-Token` and come from our own pages.

    Raises: NotSignedIn, BadCsrfToken.
    """
    sessions = cast(Sessions, request.app.state.sessions)
    address = request.client.host if request.client else None
    authorization = request.headers.get("authorization", "")
    if authorization.lower().startswith("bearer "):
        known = sessions.by_key(authorization[7:].strip(), address=address)
        if known is None:
            raise NotSignedIn("This key is unknown, expired or revoked.")
        request.state.actor = known.actor
        return known
    token = request.cookies.get(COOKIE)
    unsafe = request.method not in SAFE
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    given = "" if elsewhere else request.headers.get(CSRF_HEADER, "")
    # A stream of events begins anew by itself whenever the line was cut.
    by_itself = UNATTENDED_HEADER in request.headers or "text/event-stream" in request.headers.get("accept", "")
    known = (
        sessions.by_cookie(token, address=address, unsafe=unsafe, given=given, attended=not by_itself)
        if token
        else None
    )
    if known is None:
        raise NotSignedIn()
    request.state.actor = known.actor  # a refusal from here on is recorded as theirs
    if unsafe and not hmac.compare_digest(given.encode(), (known.csrf_token or "").encode()):
        raise BadCsrfToken()
    return known


def remembered_caller(request: Request) -> Known | None:
    """Whom `known_caller` would find behind a request that changes nothing, if that is remembered."""
    sessions = cast(Sessions, request.app.state.sessions)
    authorization = request.headers.get("authorization", "")
    is_key = authorization.lower().startswith("bearer ")
    token = authorization[7:].strip() if is_key else request.cookies.get(COOKIE)
    return sessions.remembered(token) if token else None


async def caller(request: Request) -> Known:
    """`known_caller`, without a trip to a thread where that is remembered."""
    if request.method in SAFE and (known := remembered_caller(request)) is not None:
        request.state.actor = known.actor
        return known
    return await run_in_threadpool(known_caller, request)


KnownDep = Annotated[Known, Depends(caller)]


async def current_actor(known: KnownDep) -> Actor:
    """The person or machine who calls."""
    return known.actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


async def current_user(actor: CurrentActor) -> Actor:
    """The signed-in person; keys are for machines' doors only. Raises NotAllowed."""
    if actor.kind != "user":
        raise NotAllowed("A key can't do this; sign in as a person.")
    return actor


CurrentUser = Annotated[Actor, Depends(current_user)]


def _begin(works: WorksDep, actor: CurrentUser) -> Iterator[Work]:
    with works.begin(actor) as work:
        yield work


def _read(works: WorksDep, actor: CurrentUser) -> Iterator[Work]:
    with works.read(actor) as work:
        yield work


# scope="function": committed before the answer is sent, so that success is never told before it is durable.
WorkDep = Annotated[Work, Depends(_begin, scope="function")]
ReadDep = Annotated[Work, Depends(_read, scope="function")]


def require_roles(*roles: str) -> Callable[[Actor], Awaitable[Actor]]:
    """A dependency that lets pass who holds any of `roles` anywhere; the use-case checks in which organisation."""

    async def check(actor: CurrentUser) -> Actor:
        if not any(actor.holds(role) for role in roles):
            raise NotAllowed(f"This is for: {', '.join(r.replace('_', ' ') for r in roles)}.")
        return actor

    return check
