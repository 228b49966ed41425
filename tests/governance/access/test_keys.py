"""Bearer keys: machines at DICOMweb, and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.governance.access.users import add_key, revoke_key
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from tests.cast import Cast
from tests.web import app_of, sign_in_as, stranger

STUDIES = "/dicomweb/norfjord/studies"


def _key(context: Context, cast: Cast, clock: FixedClock, **options: bool) -> tuple[UUID, str]:
    with context.works.begin(system("test")) as work:
        return add_key(
            work,
            cast.norfjord,
            cast.norfjord_facility,
            "PACS",
            may_store=options.get("may_store", True),
            may_read=options.get("may_read", True),
            expires_at=clock.now() + timedelta(days=1),
        )


def _machine(app: FastAPI, token: str) -> TestClient:
    client = stranger(app)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_it_works(context: Context, cast: Cast, clock: FixedClock) -> None:
    _, token = _key(context, cast, clock)
    assert _machine(app_of(context), token).get(STUDIES).status_code in (200, 204)


def test_an_outsiders_key_is_blind(context: Context, cast: Cast, clock: FixedClock) -> None:
    _, token = _key(context, cast, clock)
    answer = _machine(app_of(context), token).get("/dicomweb/llano-verde/studies")
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("authorization", ["Bearer made-up", "Bearer ", "bearer made-up"])
def test_an_unknown_key_is_refused(context: Context, cast: Cast, authorization: str) -> None:
    client = stranger(context)
    answer = client.get(STUDIES, headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")


def test_an_expired_key_is_refused(context: Context, cast: Cast, clock: FixedClock) -> None:
    _, token = _key(context, cast, clock)
    clock.advance(timedelta(days=1))
    assert _machine(app_of(context), token).get(STUDIES).status_code == 401


def test_a_revoked_key_is_refused(context: Context, cast: Cast, clock: FixedClock) -> None:
    id_, token = _key(context, cast, clock)
    with context.works.begin(system("test")) as work:
        revoke_key(work, id_)
    assert _machine(app_of(context), token).get(STUDIES).status_code == 401


def test_a_key_may_not_do_what_people_do(context: Context, cast: Cast, clock: FixedClock) -> None:
    _, token = _key(context, cast, clock)
    app = app_of(context)
    client = _machine(app, token)
    document = client.get("/api/openapi.json").json()
    id_ = "01890000-0000-7000-8000-000000000000"
    asked = 0
    for path, methods in document["paths"].items():
        if not path.startswith("/api/") or path == "/api/sign-in":
            continue
        address = "/".join(id_ if part.startswith("{") else part for part in path.split("/"))
        for method in methods:
            answer = client.request(method, address)
            assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), (method, path, answer.text)
            asked += 1
    assert asked > 30


def test_a_key_beside_a_cookie_does_not_borrow_its_rights(context: Context, cast: Cast, clock: FixedClock) -> None:
    _, token = _key(context, cast, clock)
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.get("/api/session", headers={"Authorization": f"Bearer {token}"}).status_code == 403
