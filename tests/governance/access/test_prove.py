"""POST /api/session/prove, and how long a proof stands for signing."""

from __future__ import annotations

from datetime import timedelta

import pyotp
from fastapi import FastAPI
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.governance.access.sign_in import TRIES_PER_NAME
from heliograph.governance.access.users import begin_totp
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from tests.cast import PASSWORD, Cast
from tests.governance.access.conftest import Rows
from tests.web import sign_in_as


def _needed(client: TestClient) -> bool:
    assert isinstance(client.app, FastAPI)
    client.app.state.sessions.forget_all()
    needed: bool = client.get("/api/session").json()["signature_needed"]
    return needed


def test_it_works(context: Context, cast: Cast, clock: FixedClock, record: Rows) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert _needed(imogen), "signing in is no signature"
    answer = imogen.post("/api/session/prove", json={"password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["signature_until"] == (clock.now() + timedelta(minutes=15)).isoformat().replace("+00:00", "Z")
    assert not _needed(imogen)
    assert [line.outcome for line in record("session.proved")] == ["done"]


def test_another_session_of_the_same_person_proves_nothing(context: Context, cast: Cast) -> None:
    here, there = sign_in_as(context, cast.imogen), sign_in_as(context, cast.imogen)
    here.post("/api/session/prove", json={"password": PASSWORD})
    assert _needed(there)


def test_it_ends_after_fifteen_idle_minutes(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    imogen.post("/api/session/prove", json={"password": PASSWORD})
    clock.advance(timedelta(minutes=15))
    assert not _needed(imogen)
    clock.advance(timedelta(seconds=1))
    assert _needed(imogen)


def test_looking_does_not_keep_it_but_changing_does(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    imogen.post("/api/session/prove", json={"password": PASSWORD})
    for _ in range(3):
        clock.advance(timedelta(minutes=10))
        imogen.post("/api/session/prove", json={})  # any unsafe request, as an autosave
        assert not _needed(imogen)
    clock.advance(timedelta(minutes=10))
    assert not _needed(imogen)
    clock.advance(timedelta(minutes=5, seconds=1))
    assert _needed(imogen)


def test_a_late_change_does_not_bring_it_back(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    imogen.post("/api/session/prove", json={"password": PASSWORD})
    clock.advance(timedelta(minutes=16))
    imogen.post("/api/session/prove", json={})
    assert _needed(imogen)


def test_a_request_without_the_token_does_not_keep_it(context: Context, cast: Cast, clock: FixedClock) -> None:
    imogen = sign_in_as(context, cast.imogen)
    imogen.post("/api/session/prove", json={"password": PASSWORD})
    clock.advance(timedelta(minutes=14))
    imogen.post("/api/session/prove", json={}, headers={"X-CSRF-Token": "wrong"})
    clock.advance(timedelta(minutes=2))
    assert _needed(imogen)


def test_a_wrong_password_proves_nothing(context: Context, cast: Cast, record: Rows) -> None:
    imogen = sign_in_as(context, cast.imogen)
    answer = imogen.post("/api/session/prove", json={"password": "wrong" * 4})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong-credentials")
    assert imogen.post("/api/session/prove", json={}).json()["code"] == "signature-needed"
    assert _needed(imogen)
    assert [line.outcome for line in record("session.proved")] == ["refused"]


def test_a_code_proves_too(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert imogen.post("/api/session/prove", json={"totp": "000000"}).status_code == 401, "there is no second factor"
    assert cast.imogen.id is not None
    with context.works.begin(system("test")) as work:
        totp = pyotp.parse_uri(begin_totp(work, cast.imogen.id))
    assert isinstance(totp, pyotp.TOTP)
    assert imogen.post("/api/session/prove", json={"totp": totp.now()}).status_code == 200
    assert not _needed(imogen)


def test_guesses_are_limited_apart_from_signing_in(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    for _ in range(TRIES_PER_NAME):
        assert imogen.post("/api/session/prove", json={"password": "wrong" * 4}).status_code == 401
    limited = imogen.post("/api/session/prove", json={"password": PASSWORD})
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    sign_in_as(context, cast.imogen)
