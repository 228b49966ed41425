"""/api/admin/users: who may make and change whom."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from heliograph.app.context import Context
from heliograph.kit.actor import Actor
from tests.cast import PASSWORD, Cast
from tests.governance.access.conftest import Rows
from tests.web import sign_in_as, stranger


def _new(cast: Cast, **more: Any) -> dict[str, Any]:
    role = {"organization_id": str(cast.norfjord), "role": "site_staff"}
    return {"username": "liv", "display_name": "Liv Moen", "password": "a long password", "roles": [role], **more}


def _names(client: TestClient) -> set[str]:
    return {u["username"] for u in client.get("/api/admin/users").json()}


def test_it_works(context: Context, cast: Cast, record: Rows) -> None:
    astrid = sign_in_as(context, cast.astrid)
    made = astrid.post("/api/admin/users", json=_new(cast))
    assert made.status_code == 201
    assert _names(astrid) == {"eirik", "astrid", "runa", "liv"}
    signed_in = stranger(context).post("/api/sign-in", json={"username": "liv", "password": "a long password"})
    assert signed_in.json()["rooms"] == ["site", "case"]
    assert [line.actor_name for line in record("user.added")] == ["Astrid Vik"]
    assert [line.organization_id for line in record("role.given")] == [cast.norfjord]


@pytest.mark.parametrize("who", ["eirik", "runa", "harper", "nadia", "imogen", "otto", "olga"])
def test_outsiders_are_refused(context: Context, cast: Cast, who: str) -> None:
    outsider: Actor = getattr(cast, who)
    client = sign_in_as(context, outsider)
    assert client.get("/api/admin/users").status_code == 403
    assert client.post("/api/admin/users", json=_new(cast)).status_code == 403
    assert client.patch(f"/api/admin/users/{cast.eirik.id}", json={"is_active": False}).status_code == 403
    assert client.post(f"/api/admin/users/{cast.eirik.id}/totp").status_code == 403


def test_an_administrator_sees_and_touches_only_their_own(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    assert _names(astrid) == {"eirik", "astrid", "runa"}
    absent = astrid.patch("/api/admin/users/01890000-0000-7000-8000-000000000000", json={"is_active": False})
    for other in (cast.harper, cast.imogen, cast.pat):
        answer = astrid.patch(f"/api/admin/users/{other.id}", json={"is_active": False, "password": "a long password"})
        assert (answer.status_code, answer.text) == (404, absent.text)
        assert astrid.post(f"/api/admin/users/{other.id}/totp").status_code == 404
    assert stranger(context).post("/api/sign-in", json={"username": "harper", "password": PASSWORD}).status_code == 200


def test_who_also_works_elsewhere_is_not_taken_over(context: Context, cast: Cast) -> None:
    """Giving Harper a role here must not make Harper's password one's own."""
    astrid = sign_in_as(context, cast.astrid)
    role = {"organization_id": str(cast.norfjord), "role": "site_staff"}
    assert astrid.post(f"/api/admin/users/{cast.harper.id}/roles", json=role).status_code == 204
    for change in ({"password": "a long password"}, {"is_active": False}):
        answer = astrid.patch(f"/api/admin/users/{cast.harper.id}", json=change)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-your-user")
    assert astrid.post(f"/api/admin/users/{cast.harper.id}/totp").status_code == 403
    assert stranger(context).post("/api/sign-in", json={"username": "harper", "password": PASSWORD}).status_code == 200


def test_a_refusal_is_on_record(context: Context, cast: Cast, as_owner: Rows) -> None:
    astrid = sign_in_as(context, cast.astrid)
    astrid.post("/api/admin/users", json=_new(cast, roles=[{"organization_id": str(cast.llano), "role": "reader"}]))
    lines = as_owner("select actor_name, organization_id from audit.events where outcome = 'refused'")
    assert lines == [("Astrid Vik", cast.llano)]
    assert not as_owner("select 1 from access.users where username = 'liv'"), "nothing half done stays"


def test_the_operator_may_change_anybody(context: Context, cast: Cast) -> None:
    pat = sign_in_as(context, cast.pat)
    assert len(_names(pat)) == 10
    assert pat.patch(f"/api/admin/users/{cast.harper.id}", json={"is_active": False}).json()["is_active"] is False
    assert stranger(context).post("/api/sign-in", json={"username": "harper", "password": PASSWORD}).status_code == 401


def test_a_stopped_user_is_out_and_a_new_password_counts(context: Context, cast: Cast) -> None:
    astrid, eirik = sign_in_as(context, cast.astrid), sign_in_as(context, cast.eirik)
    changed = astrid.patch(f"/api/admin/users/{cast.eirik.id}", json={"password": "another long one"})
    assert changed.status_code == 200
    assert "password" not in changed.text
    assert eirik.post("/api/session/prove", json={"password": PASSWORD}).status_code == 401
    again = stranger(context).post("/api/sign-in", json={"username": "eirik", "password": "another long one"})
    assert again.status_code == 200


def test_a_second_factor_is_shown_once_and_never_listed(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    address = astrid.post(f"/api/admin/users/{cast.eirik.id}/totp").json()["address"]
    assert address.startswith("otpauth://totp/Heliograph:eirik")
    secret = address.split("secret=")[1].split("&")[0]
    listed = astrid.get("/api/admin/users")
    assert secret not in listed.text
    assert {u["username"]: u["has_totp"] for u in listed.json()}["eirik"] is True


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"password": "short"}, 422, "invalid"),
        ({"username": "eirik"}, 409, "username-taken"),
        ({"username": "Eirik"}, 409, "username-taken"),
        ({"time_zone": "Mars/Base"}, 422, "invalid"),
        ({"time_zone": "../../etc/passwd"}, 422, "invalid"),
        ({"roles": []}, 403, "not-allowed"),
        ({"username": "a b"}, 422, "invalid"),
    ],
)
def test_what_can_not_be(context: Context, cast: Cast, change: dict[str, Any], status: int, code: str) -> None:
    answer = sign_in_as(context, cast.astrid).post("/api/admin/users", json=_new(cast, **change))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "a long password" not in answer.text
