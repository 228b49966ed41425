"""/api/admin/keys."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph.app.context import Context
from tests.cast import Cast
from tests.governance.access.conftest import Rows
from tests.web import sign_in_as


def _new(organization: object, facility: object) -> dict[str, Any]:
    return {"organization_id": str(organization), "facility_id": str(facility), "name": "PACS", "may_read": True}


def test_it_works(context: Context, cast: Cast, record: Rows, as_owner: Rows) -> None:
    astrid = sign_in_as(context, cast.astrid)
    made = astrid.post("/api/admin/keys", json=_new(cast.norfjord, cast.norfjord_facility))
    assert made.status_code == 201
    token, id_ = made.json()["token"], made.json()["id"]
    assert len(token) >= 40
    listed = astrid.get("/api/admin/keys")
    assert [(k["id"], k["name"], k["revoked_at"]) for k in listed.json()] == [(id_, "PACS", None)]
    assert token not in listed.text, "it is told once"
    kept = as_owner("select k::text from access.keys k union all select e::text from audit.events e")
    assert not [row for row in kept if token in row[0]]
    assert astrid.delete(f"/api/admin/keys/{id_}").status_code == 204
    assert astrid.get("/api/admin/keys").json()[0]["revoked_at"] is not None
    assert [line.organization_id for line in record("key.added")] == [cast.norfjord]
    assert [line.actor_name for line in record("key.revoked")] == ["Astrid Vik"]


@pytest.mark.parametrize("who", ["eirik", "runa", "harper", "nadia", "imogen"])
def test_outsiders_are_refused(context: Context, cast: Cast, who: str) -> None:
    client = sign_in_as(context, getattr(cast, who))
    assert client.get("/api/admin/keys").status_code == 403
    assert client.post("/api/admin/keys", json=_new(cast.norfjord, cast.norfjord_facility)).status_code == 403


def test_an_administrator_of_another_organisation_sees_and_revokes_none(
    context: Context, cast: Cast, as_owner: Rows
) -> None:
    id_ = (
        sign_in_as(context, cast.astrid)
        .post("/api/admin/keys", json=_new(cast.norfjord, cast.norfjord_facility))
        .json()["id"]
    )
    sign_in_as(context, cast.pat).post(
        f"/api/admin/users/{cast.harper.id}/roles", json={"organization_id": str(cast.llano), "role": "administrator"}
    )
    harper = sign_in_as(context, cast.harper)
    assert harper.get("/api/admin/keys").json() == []
    absent = harper.delete("/api/admin/keys/01890000-0000-7000-8000-000000000000")
    answer = harper.delete(f"/api/admin/keys/{id_}")
    assert (answer.status_code, answer.text) == (404, absent.text)
    assert harper.post("/api/admin/keys", json=_new(cast.norfjord, cast.norfjord_facility)).status_code == 403
    assert as_owner("select revoked_at from access.keys") == [(None,)]


def test_a_key_is_of_a_facility_of_its_organisation(context: Context, cast: Cast) -> None:
    """Else images sent by it would land in another client's facility."""
    astrid = sign_in_as(context, cast.astrid)
    assert astrid.post("/api/admin/keys", json=_new(cast.norfjord, cast.llano_facility)).status_code == 422
