"""/api/admin/users/{id}/roles."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from heliograph.app.context import Context
from tests.cast import Cast
from tests.governance.access.conftest import Rows
from tests.web import app_of, sign_in_as


def _role(organization: object, role: str = "auditor", **more: str) -> dict[str, str]:
    return {"organization_id": str(organization), "role": role, **more}


def test_it_works(context: Context, cast: Cast, record: Rows) -> None:
    astrid = sign_in_as(context, cast.astrid)
    roles = f"/api/admin/users/{cast.eirik.id}/roles"
    assert astrid.post(roles, json=_role(cast.norfjord)).status_code == 204
    assert astrid.post(roles, json=_role(cast.norfjord)).status_code == 204, "twice changes nothing"
    eirik = sign_in_as(context, cast.eirik)
    assert {r["role"] for r in eirik.get("/api/session").json()["roles"]} == {"site_staff", "auditor"}
    assert astrid.delete(roles, params=_role(cast.norfjord)).status_code == 204
    assert isinstance(eirik.app, FastAPI)
    eirik.app.state.sessions.forget_all()
    assert {r["role"] for r in eirik.get("/api/session").json()["roles"]} == {"site_staff"}
    assert astrid.delete(roles, params=_role(cast.norfjord)).status_code == 404
    assert [line.subject_id for line in record("role.given")] == [cast.eirik.id]
    assert [line.subject_id for line in record("role.ended")] == [cast.eirik.id]


@pytest.mark.parametrize("who", ["eirik", "runa", "harper", "nadia", "imogen", "olga"])
def test_outsiders_are_refused(context: Context, cast: Cast, who: str) -> None:
    outsider = getattr(cast, who)
    client = sign_in_as(context, outsider)
    roles = f"/api/admin/users/{outsider.id}/roles"
    assert client.post(roles, json=_role(cast.norfjord, "administrator")).status_code == 403
    assert (
        client.delete(f"/api/admin/users/{cast.eirik.id}/roles", params=_role(cast.norfjord, "site_staff")).status_code
        == 403
    )


def test_an_administrator_gives_no_role_elsewhere(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    for organization in (cast.llano, cast.aurora):
        answer = astrid.post(f"/api/admin/users/{cast.astrid.id}/roles", json=_role(organization, "coordinator"))
        assert answer.status_code == 403
    ended = astrid.delete(f"/api/admin/users/{cast.harper.id}/roles", params=_role(cast.llano, "site_staff"))
    assert ended.status_code == 403


def test_a_role_is_not_tied_to_another_organisations_facility(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    roles = f"/api/admin/users/{cast.eirik.id}/roles"
    foreign = _role(cast.norfjord, "site_staff", facility_id=str(cast.llano_facility))
    assert astrid.post(roles, json=foreign).status_code == 422
    own = _role(cast.norfjord, "site_staff", facility_id=str(cast.norfjord_facility))
    assert astrid.post(roles, json=own).status_code == 204


def test_the_operator_gives_roles_but_none_to_themselves(context: Context, cast: Cast) -> None:
    """Pat runs the platform and sees no patients; so Pat can't become a coordinator by Pat's own hand."""
    pat = sign_in_as(app_of(context), cast.pat)
    assert (
        pat.post(f"/api/admin/users/{cast.harper.id}/roles", json=_role(cast.llano, "administrator")).status_code == 204
    )
    for organization, role in ((cast.norfjord, "site_staff"), (cast.aurora, "coordinator")):
        assert pat.post(f"/api/admin/users/{cast.pat.id}/roles", json=_role(organization, role)).status_code == 403


def test_an_unknown_user_gets_none(context: Context, cast: Cast) -> None:
    astrid = sign_in_as(context, cast.astrid)
    nobody = "/api/admin/users/01890000-0000-7000-8000-000000000000/roles"
    assert astrid.post(nobody, json=_role(cast.norfjord)).status_code == 404
    assert astrid.post(f"/api/admin/users/{cast.eirik.id}/roles", json=_role(cast.norfjord, "king")).status_code == 422
