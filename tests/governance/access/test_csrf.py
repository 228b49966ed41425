"""A change by cookie bears the session's token and comes from our own pages."""

from __future__ import annotations

import pytest

from heliograph.app.context import Context
from heliograph.governance.access.door import CSRF_HEADER
from tests.cast import PASSWORD, Cast
from tests.web import sign_in_as

PROOF = {"password": PASSWORD}


def test_it_works(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert imogen.post("/api/session/prove", json=PROOF).status_code == 200
    own = {"Sec-Fetch-Site": "same-origin"}
    assert imogen.post("/api/session/prove", json=PROOF, headers=own).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
def test_without_the_token_nothing_changes(context: Context, cast: Cast, token: str) -> None:
    imogen = sign_in_as(context, cast.imogen)
    answer = imogen.delete("/api/session", headers={CSRF_HEADER: token.encode()})  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["code"]) == (403, "bad-csrf-token")
    assert imogen.get("/api/session").status_code == 200


def test_another_sessions_token_is_none(context: Context, cast: Cast) -> None:
    imogen, harper = sign_in_as(context, cast.imogen), sign_in_as(context, cast.harper)
    answer = imogen.post("/api/session/prove", json=PROOF, headers={CSRF_HEADER: harper.headers[CSRF_HEADER]})
    assert answer.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_change_nothing_even_with_the_token(context: Context, cast: Cast, site: str) -> None:
    imogen = sign_in_as(context, cast.imogen)
    answer = imogen.post("/api/session/prove", json=PROOF, headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, answer.json()["code"]) == (403, "bad-csrf-token")


def test_reading_needs_no_token(context: Context, cast: Cast) -> None:
    imogen = sign_in_as(context, cast.imogen)
    del imogen.headers[CSRF_HEADER]
    assert imogen.get("/api/session").status_code == 200


def test_every_change_of_the_whole_api_asks_for_it(context: Context, cast: Cast) -> None:
    """No route was forgotten: each unsafe one refuses a session without the token, whatever else it would say."""
    imogen = sign_in_as(context, cast.imogen)
    del imogen.headers[CSRF_HEADER]
    open_to_strangers = {("post", "/api/sign-in")}
    document = imogen.get("/api/openapi.json").json()
    unsafe = [
        (method, path)
        for path, methods in document["paths"].items()
        for method in methods
        if method not in ("get", "head", "options") and (method, path) not in open_to_strangers
    ]
    assert len(unsafe) > 10
    id_ = "01890000-0000-7000-8000-000000000000"
    for method, path in unsafe:
        address = "/".join(id_ if part.startswith("{") else part for part in path.split("/"))
        answer = imogen.request(method, address)
        assert answer.status_code == 403, (method, path, answer.status_code, answer.text)
        assert answer.json()["code"] == "bad-csrf-token", (method, path)


def test_every_route_asks_who_calls(context: Context, cast: Cast) -> None:
    """Each route of the API and of DICOMweb refuses a stranger before it looks at anything."""
    client = sign_in_as(context, cast.imogen)
    document = client.get("/api/openapi.json").json()
    client.cookies.clear()
    public = {"/api/sign-in", "/health/live", "/health/ready", "/metrics"}
    id_ = "01890000-0000-7000-8000-000000000000"
    for path, methods in document["paths"].items():
        for method in methods:
            if path in public:
                continue
            address = "/".join(id_ if part.startswith("{") else part for part in path.split("/"))
            answer = client.request(method, address)
            assert answer.status_code == 401, (method, path, answer.status_code, answer.text)
