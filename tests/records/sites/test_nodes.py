"""DICOM nodes: kept by an administrator, seen by who looks after the organisation, and by nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.kit.actor import machine, system
from heliograph.records.sites.nodes import node_for, nodes_of
from heliograph.records.sites.nodes_api import router
from heliograph.records.sites.queries import sends_priors
from tests.cast import Cast
from tests.records.sites.web import browser

NODE = {
    "name": "Old archive", "ae_title": "NF_OLD", "calling_ae": "HELIO_NF", "host": "10.1.2.3", "port": 104,
}  # fmt: skip


def _new(cast: Cast, **values) -> dict:
    return {**NODE, "organization_id": str(cast.norfjord), "facility_id": str(cast.norfjord_facility), **values}


def test_it_works(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, router)
    made = astrid.post("/api/admin/nodes", json=_new(cast, ae_title=" NF_OLD\0", is_queried=True))
    assert made.status_code == 201
    id_ = made.json()["id"]
    assert astrid.post("/api/admin/nodes", json=_new(cast, name="Other")).json()["code"] == "node-taken"
    assert astrid.post("/api/admin/nodes", json=_new(cast, ae_title="OTHER")).json()["code"] == "node-taken"
    assert astrid.patch(f"/api/admin/nodes/{id_}", json={"port": 11112, "is_sent_to": True}).status_code == 204
    (listed,) = astrid.get("/api/admin/nodes").json()
    assert (listed["ae_title"], listed["port"], listed["is_queried"], listed["is_sent_to"]) == (
        "NF_OLD", 11112, True, True,
    )  # fmt: skip
    for actor in (system("dimse", cast.norfjord), machine("NF_CT1", cast.caller, cast.norfjord), cast.nadia):
        with context.works.read(actor) as work:
            found = node_for(work.session, cast.norfjord, "NF_OLD  ")
            assert found is not None
            assert (str(found.id), found.host, found.is_destination) == (id_, "10.1.2.3", False)
            assert node_for(work.session, cast.norfjord, "nf_old") is None
            assert sends_priors(work.session, found.id)
    assert astrid.patch(f"/api/admin/nodes/{id_}", json={"is_active": False}).status_code == 204
    with context.works.read(system("dimse", cast.norfjord)) as work:
        assert node_for(work.session, cast.norfjord, "NF_OLD") is None
        recorded = work.session.execute(
            text("select action, detail->'fields' from audit.events where subject_kind = 'node' order by id")
        ).all()
    assert [tuple(line) for line in recorded] == [
        ("node.added", None), ("node.changed", ["is_sent_to", "port"]), ("node.changed", ["is_active"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": "A\\B"}, {"ae_title": "   "}, {"ae_title": "A\tB"}, {"calling_ae": "Ø"}, {"host": "a b"}, {"host": "[::1"},
        {"name": "  "}, {"host": "http://x"},
    ],
)  # fmt: skip
def test_what_no_node_can_be(context: Context, cast: Cast, wrong) -> None:
    answer = browser(context, cast.astrid, router).post("/api/admin/nodes", json=_new(cast, **wrong))
    if wrong == {"host": "[::1"}:
        assert answer.status_code == 201  # brackets of an IPv6 address are dropped
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-site")


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 70000}, {"tls": "maybe"}, {"ae_title": "A" * 17}])
def test_what_can_not_be_read(context: Context, cast: Cast, wrong) -> None:
    answer = browser(context, cast.astrid, router).post("/api/admin/nodes", json=_new(cast, **wrong))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize("who", ["eirik", "harper", "nadia", "imogen", "pat", "runa"])
def test_only_administrators_keep_nodes(context: Context, cast: Cast, who) -> None:
    other = browser(context, getattr(cast, who), router)
    assert other.get("/api/admin/nodes").status_code == 403
    assert other.post("/api/admin/nodes", json=_new(cast)).status_code == 403


def test_an_administrator_elsewhere_keeps_and_sees_nothing(context: Context, cast: Cast) -> None:
    astrid = browser(context, cast.astrid, router)
    assert astrid.post("/api/admin/nodes", json=_new(cast, organization_id=str(cast.llano))).status_code == 404
    assert astrid.post("/api/admin/nodes", json=_new(cast, facility_id=str(cast.llano_facility))).status_code == 404
    made = astrid.post("/api/admin/nodes", json=_new(cast)).json()["id"]
    moved = astrid.patch(f"/api/admin/nodes/{made}", json={"facility_id": str(cast.llano_facility)})
    assert moved.status_code == 404


def test_the_database_itself_shows_a_node_to_nobody_else(context: Context, cast: Cast) -> None:
    browser(context, cast.astrid, router).post("/api/admin/nodes", json=_new(cast))
    for actor in (cast.astrid, cast.eirik, cast.runa, cast.nadia):
        with context.works.read(actor) as work:
            assert [n.name for n in nodes_of(work.session, [cast.norfjord])] == ["Old archive"], actor.name
    for actor in (cast.harper, cast.olga, cast.otto, cast.imogen, cast.pat, system("dimse"), system("x", cast.llano)):
        with context.works.read(actor) as work:
            assert work.session.scalar(text("select count(*) from sites.nodes")) == 0, actor.name
