"""/api/admin/organizations: the operator adds them, administrators see their own."""

from __future__ import annotations

import pytest

from heliograph.app.context import Context
from tests.cast import Cast
from tests.governance.access.conftest import Rows
from tests.web import sign_in_as

NEW = {"slug": "savanna", "name": "Savanna Clinic", "short_name": "Savanna", "kind": "clinic"}


def test_it_works(context: Context, cast: Cast, record: Rows) -> None:
    pat = sign_in_as(context, cast.pat)
    made = pat.post("/api/admin/organizations", json=NEW)
    assert made.status_code == 201
    assert {o["slug"] for o in pat.get("/api/admin/organizations").json()} == {
        "norfjord", "llano-verde", "aurora", "borealis", "savanna",
    }  # fmt: skip
    assert [str(line.organization_id) for line in record("organization.added")] == [made.json()["id"]]


def test_an_administrator_sees_their_own_and_adds_none(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    assert [o["slug"] for o in astrid.get("/api/admin/organizations").json()] == ["norfjord"]
    assert astrid.post("/api/admin/organizations", json=NEW).status_code == 403


@pytest.mark.parametrize("who", ["eirik", "runa", "harper", "nadia", "imogen", "otto"])
def test_outsiders_are_refused(context: Context, cast: Cast, who: str) -> None:
    client = sign_in_as(context, getattr(cast, who))
    assert client.get("/api/admin/organizations").status_code == 403
    assert client.post("/api/admin/organizations", json=NEW).status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"slug": "norfjord"}, 409, "slug-taken"),
        ({"slug": "../x"}, 422, "invalid"),
        ({"kind": "castle"}, 422, "invalid"),
    ],
)
def test_what_can_not_be(context: Context, cast: Cast, change: dict[str, str], status: int, code: str) -> None:
    answer = sign_in_as(context, cast.pat).post("/api/admin/organizations", json={**NEW, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
