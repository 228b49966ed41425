"""Administration of sites and the message log, over HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.errors import NotFound
from heliograph.records.sites.administer import change_facility
from heliograph.records.sites.api import router
from tests.cast import Cast
from tests.records.sites.web import browser

FACILITY = {
    "code": "NF2", "name": "Norfjord Outpatient", "short_name": "NF out", "jurisdiction": "NO", "time_zone": "Europe/Oslo",
    "report_languages": ["nb", "en"], "patient_id_authority": "NORFJORD", "accession_issuer": "NF2",
}  # fmt: skip


def test_it_works(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, router)
    made = astrid.post("/api/admin/facilities", json={**FACILITY, "organization_id": str(cast.norfjord)})
    assert made.status_code == 201
    id_ = made.json()["id"]
    assert astrid.patch(f"/api/admin/facilities/{id_}", json={"quiet_seconds": 30, "phone": None}).status_code == 204
    assert {f["code"]: f["quiet_seconds"] for f in astrid.get("/api/admin/facilities").json()} == {
        "NORFJORD": 10,
        "NF2": 30,
    }
    assert (
        astrid.post("/api/admin/facilities", json={**FACILITY, "organization_id": str(cast.norfjord)}).json()["code"]
        == "code-taken"
    )
    assert {f["held_answer"] for f in astrid.get("/api/admin/facilities").json()} == {"warning"}
    assert astrid.patch(f"/api/admin/facilities/{id_}", json={"held_answer": "failure"}).status_code == 204
    assert astrid.patch(f"/api/admin/facilities/{id_}", json={"held_answer": "silence"}).status_code == 422
    answers = {f["code"]: f["held_answer"] for f in astrid.get("/api/admin/facilities").json()}
    assert answers == {"NORFJORD": "warning", "NF2": "failure"}
    caller = {"facility_id": id_, "called_ae": "HELIO_NF", "calling_ae": "NF2_CR", "address": "10.1.0.0/16"}
    assert astrid.post("/api/admin/callers", json=caller).status_code == 201
    assert {c["calling_ae"] for c in astrid.get("/api/admin/callers").json()} == {"NF_CT1", "NF2_CR"}
    endpoint = {"facility_id": id_, "kind": "hl7_out", "name": "Out", "application": "RIS", "facility_name": "NF2"}
    assert astrid.post("/api/admin/endpoints", json=endpoint).json()["code"] == "bad-site"
    made = astrid.post("/api/admin/endpoints", json={**endpoint, "host": "127.0.0.1", "port": 2576})
    assert made.status_code == 201
    assert (
        astrid.patch(f"/api/admin/endpoints/{made.json()['id']}", json={"charset": "EBCDIC"}).json()["code"]
        == "bad-site"
    )
    with context.works.read(system("t", cast.norfjord)) as work:
        actions = work.session.scalars(
            text("select action from audit.events where subject_kind is not null order by id")
        ).all()
    assert [a for a in actions if not a.startswith("session.")] == [
        "facility.added", "facility.changed", "facility.changed", "caller.added", "endpoint.added",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"jurisdiction": "Norway"}, {"time_zone": "Oslo"}, {"time_zone": "../etc"}, {"report_languages": ["English!"]}],
)
def test_what_no_facility_can_be(context: Context, cast: Cast, wrong) -> None:
    astrid = browser(context, cast.astrid, router)
    answer = astrid.post("/api/admin/facilities", json={**FACILITY, **wrong, "organization_id": str(cast.norfjord)})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-site")


def test_an_administrator_elsewhere_changes_and_sees_nothing(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, router)
    llano = {**FACILITY, "organization_id": str(cast.llano)}
    assert astrid.post("/api/admin/facilities", json=llano).status_code == 404
    assert astrid.patch(f"/api/admin/facilities/{cast.llano_facility}", json={"name": "Mine"}).status_code == 404
    caller = {"facility_id": str(cast.llano_facility), "called_ae": "A", "calling_ae": "B"}
    assert astrid.post("/api/admin/callers", json=caller).status_code == 404
    assert (
        astrid.patch(f"/api/admin/callers/{cast.caller}", json={"facility_id": str(cast.llano_facility)}).status_code
        == 404
    )
    endpoint = {
        "facility_id": str(cast.llano_facility),
        "kind": "hl7_in",
        "name": "x",
        "application": "x",
        "facility_name": "x",
    }
    assert astrid.post("/api/admin/endpoints", json=endpoint).status_code == 404
    assert all(f["organization_id"] == str(cast.norfjord) for f in astrid.get("/api/admin/facilities").json())


@pytest.mark.parametrize("who", ["eirik", "harper", "nadia", "imogen", "pat", "runa"])
def test_only_administrators_administer(context: Context, cast: Cast, who) -> None:
    other = browser(context, getattr(cast, who), router)
    for path in ("facilities", "callers", "endpoints"):
        assert other.get(f"/api/admin/{path}").status_code == 403
    with pytest.raises(NotFound), context.works.begin(getattr(cast, who)) as work:
        change_facility(work, cast.norfjord_facility, {"name": "Mine"})
