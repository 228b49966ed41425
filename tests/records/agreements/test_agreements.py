"""Agreements are versions, made by the client's administrator; coordination follows them as a grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.governance.tenancy.queries import coordinated_clients
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotFound
from heliograph.kit.work import WorkFactory
from heliograph.records.agreements.api import router
from heliograph.records.agreements.new_version import new_version
from heliograph.records.agreements.queries import agreements_for
from tests.cast import Cast
from tests.records.sites.web import browser

Browse = Callable[[Actor], TestClient]


@pytest.fixture
def browse(context: Context) -> Browse:
    return lambda who: browser(context, who, router)


def _body(cast: Cast, **changes: object) -> dict[str, object]:
    return {
        "organization_id": str(cast.norfjord),
        "group_organization_id": str(cast.aurora),
        "promises": {"STAT": 20},
        "viewing_places": ["AU"],
        **changes,
    }


def test_a_new_version_supersedes(browse: Browse, cast: Cast, works: WorkFactory) -> None:
    admin = browse(cast.astrid)
    assert admin.post("/api/admin/agreements", json=_body(cast)).status_code == 201
    assert next((a["version"], a["promises"]) for a in admin.get("/api/admin/agreements").json()) == (2, {"STAT": 20})
    with works.read(system("test")) as work:
        (now,) = agreements_for(work.session, cast.norfjord, work.now)
        assert (now.version, now.viewing_places, now.label) == (2, ("AU",), "agreement with Aurora v2")
        (before,) = agreements_for(work.session, cast.norfjord, work.now - timedelta(days=1))
        assert before.version == 1


def test_a_version_for_later_leaves_today_alone(works: WorkFactory, cast: Cast, clock: FixedClock) -> None:
    with works.begin(cast.astrid) as work:
        new_version(work, cast.norfjord, cast.aurora, promises={"STAT": 20}, valid_from=clock.now() + timedelta(days=7))
    with works.read(system("test")) as work:
        assert [a.version for a in agreements_for(work.session, cast.norfjord, work.now)] == [1]
        assert [a.version for a in agreements_for(work.session, cast.norfjord, work.now + timedelta(days=8))] == [2]


def test_coordination_follows_the_agreement(works: WorkFactory, cast: Cast) -> None:
    def sees(who: Actor) -> int:
        with works.read(who) as work:
            return work.session.scalar(text("select cardinality(tenancy.actor_organizations())")) or 0

    assert sees(cast.olga) == 1  # her own group alone
    with works.begin(cast.astrid) as work:
        new_version(work, cast.norfjord, cast.borealis, promises={"STAT": 45})
    assert sees(cast.olga) == 2
    with works.begin(cast.astrid) as work:
        new_version(work, cast.norfjord, cast.borealis, promises={"STAT": 45}, includes_coordination=False)
    assert sees(cast.olga) == 1
    with works.read(system("test", cast.norfjord)) as work:
        assert coordinated_clients(work.session, [cast.borealis]) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"promises": {}}, "bad-agreement"),
        ({"promises": {"SOON": 5}}, "bad-agreement"),
        ({"viewing_places": ["XX"]}, "bad-agreement"),
        ({"promises": {"STAT": 0}}, "invalid"),
        ({"read_kind": "second"}, "invalid"),
    ],
)
def test_what_is_refused(browse: Browse, cast: Cast, change: dict[str, object], code: str) -> None:
    answer = browse(cast.astrid).post("/api/admin/agreements", json=_body(cast, **change))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_other_side_is_a_reading_group(browse: Browse, cast: Cast) -> None:
    answer = browse(cast.astrid).post("/api/admin/agreements", json=_body(cast, group_organization_id=str(cast.llano)))
    assert answer.json()["code"] == "bad-agreement"


def test_outsiders_agree_to_nothing(browse: Browse, works: WorkFactory, cast: Cast) -> None:
    answer = browse(cast.astrid).post("/api/admin/agreements", json=_body(cast, organization_id=str(cast.llano)))
    assert answer.status_code == 404
    for who in (cast.nadia, cast.imogen, cast.harper, cast.pat):
        assert browse(who).post("/api/admin/agreements", json=_body(cast)).status_code == 403
        with pytest.raises(NotFound), works.begin(who) as work:
            new_version(work, cast.norfjord, cast.aurora, promises={"STAT": 1})
