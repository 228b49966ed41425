"""Signing in and out, and who one is: put together from access, people and rota."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from heliograph.app.web.session_view import SessionView, describe_session
from heliograph.governance.access.door import COOKIE, CurrentUser, KnownDep
from heliograph.governance.access.sessions import Sessions
from heliograph.governance.access.sign_in import prove, sign_in, sign_out
from heliograph.kit.http import SettingsDep, WorksDep

router = APIRouter(prefix="/api", tags=["session"])


class SignIn(BaseModel):
    """What a person types to sign in."""

    username: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(max_length=500)
    totp: SecretStr | None = Field(None, max_length=20)


class Proof(BaseModel):
    """What a person types to sign a report: either."""

    password: SecretStr | None = Field(None, max_length=500)
    totp: SecretStr | None = Field(None, max_length=20)


class Proved(BaseModel):
    """Until when the person may sign without proving themselves again, if idle from now on."""

    signature_until: datetime


@router.post("/sign-in")
def sign_in_(body: SignIn, request: Request, response: Response, works: WorksDep, settings: SettingsDep) -> SessionView:
    """Begins a session; its token is in an HttpOnly cookie."""
    address = request.client.host if request.client else ""
    session = sign_in(
        works,
        settings,
        body.username,
        body.password.get_secret_value(),
        body.totp.get_secret_value() if body.totp else None,
        address=address,
        user_agent=request.headers.get("user-agent", ""),
    )
    response.set_cookie(
        COOKIE,
        session.token,
        max_age=settings.session_hours * 3600,
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
        path="/",
    )
    known = cast(Sessions, request.app.state.sessions).by_cookie(session.token, address=address, unsafe=False)
    assert known is not None  # noqa: S101 (it was committed a moment ago)
    return describe_session(works, settings, known)


@router.get("/session")
def session(known: KnownDep, _user: CurrentUser, works: WorksDep, settings: SettingsDep) -> SessionView:
    """Who is signed in, with which roles, and the token that changes must bear."""
    return describe_session(works, settings, known)


@router.delete("/session", status_code=204)
def end_session(request: Request, response: Response, actor: CurrentUser, works: WorksDep) -> None:
    """Signs out."""
    with works.begin(actor) as work:
        sign_out(work)
    cast(Sessions, request.app.state.sessions).forget(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path="/")


@router.post("/session/prove")
def prove_(body: Proof, actor: CurrentUser, works: WorksDep, settings: SettingsDep) -> Proved:
    """Proves the person again, for signing."""
    password = body.password.get_secret_value() if body.password else None
    totp = body.totp.get_secret_value() if body.totp else None
    proved_at = prove(works, actor, password=password, totp=totp)
    return Proved(signature_until=proved_at + timedelta(minutes=settings.signature_idle_minutes))
