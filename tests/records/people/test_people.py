"""Readers and what they hold: who may keep it, that it is recorded, and that outsiders see nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.governance.access.model import RoleAssignment
from heliograph.kit.actor import Actor, system
from heliograph.kit.errors import NotFound
from heliograph.kit.work import WorkFactory
from heliograph.records.people.administer import add_licence, add_reader
from heliograph.records.people.api import router
from heliograph.records.people.queries import facts_of_groups, reader_facts, reader_of_user
from tests.cast import LATER, LONG_AGO, Cast
from tests.records.sites.web import browser

Browse = Callable[[Actor], TestClient]
FROM = "2026-01-01T00:00:00Z"


@pytest.fixture
def browse(context: Context, cast: Cast, owner_url: str) -> Browse:
    """Browsers of the cast; Nadia also administers Aurora here, Astrid administers Norfjord."""
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        connection.execute(
            RoleAssignment.__table__.insert(),  # type: ignore[attr-defined]
            {"user_id": cast.nadia.id, "organization_id": cast.aurora, "role": "administrator", "valid_from": LONG_AGO},
        )
    engine.dispose()
    return lambda who: browser(context, who, router)


def test_the_facts_of_a_group_in_few_statements(works: WorkFactory, cast: Cast) -> None:
    with works.read(system("test")) as work:
        facts = {r.name: r for r in facts_of_groups(work.session, [cast.aurora])}
    assert set(facts) == {"Dr Imogen Tarrant", "Dr Anselm Vogt"}
    imogen = facts["Dr Imogen Tarrant"]
    assert {x.jurisdiction for x in imogen.licences} == {"NO", "AU"}
    assert imogen.place is not None
    assert (imogen.place.name, imogen.place.jurisdiction) == ("Sydney", "AU")
    assert [p.facility_name for p in imogen.privileges] == ["Norfjord"]
    assert imogen.engagement_with(cast.aurora, datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert imogen.engagement_with(cast.borealis, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_group_keeps_its_readers(browse: Browse, cast: Cast, works: WorkFactory) -> None:
    admin = browse(cast.nadia)
    base = f"/api/admin/readers/{cast.anselm_reader}"
    made = admin.post(
        f"{base}/licences", json={"jurisdiction": "NO", "number": "N-9", "valid_from": FROM, "is_verified": True}
    )
    assert made.status_code == 201
    licence = f"{base}/licences/{made.json()['id']}"
    assert admin.patch(licence, json={"status": "suspended"}).status_code == 204
    calls: list[tuple[str, dict[str, Any]]] = [
        ("certificates", {"subspecialty": "msk", "board": "EBR", "valid_from": FROM}),
        ("languages", {"language": "de"}),
        ("places", {"name": "Bergen", "jurisdiction": "NO", "time_zone": "Europe/Oslo"}),
        ("engagements", {"organization_id": str(cast.aurora), "valid_from": "2030-01-01T00:00:00Z"}),
    ]
    for path, body in calls:
        assert admin.post(f"{base}/{path}", json=body).status_code in (201, 204), path
    body = admin.get(base).json()
    assert {x["jurisdiction"]: x["status"] for x in body["licences"]} == {"CH": "active", "NO": "suspended"}
    assert "msk" in [c["subspecialty"] for c in body["certificates"]]
    assert body["languages"] == ["de", "en"]
    assert [p["name"] for p in body["places"]] == ["Zurich", "Bergen"]
    assert {r["name"] for r in admin.get("/api/admin/readers").json()} == {"Dr Imogen Tarrant", "Dr Anselm Vogt"}
    with works.read(system("test", cast.aurora)) as work:
        actions = set(work.session.scalars(text("select action from audit.events")))
    assert {"licence.added", "licence.changed", "certificate.added", "language.added", "place.added"} <= actions


def test_a_facility_gives_privileges_itself(browse: Browse, cast: Cast) -> None:
    path = f"/api/admin/readers/{cast.otto_reader}/privileges"
    body = {"facility_id": str(cast.norfjord_facility), "subspecialties": ["neuro"], "valid_from": FROM}
    assert browse(cast.nadia).post(path, json=body).status_code == 404, "the group can't give itself privileges"
    made = browse(cast.astrid).post(path, json=body)
    assert made.status_code == 201
    change = browse(cast.astrid).patch(f"{path}/{made.json()['id']}", json={"status": "suspended"})
    assert change.status_code == 204
    (privilege,) = browse(cast.astrid).get(f"/api/admin/readers/{cast.otto_reader}").json()["privileges"]
    assert (privilege["status"], privilege["subspecialties"]) == ("suspended", ["neuro"])


def test_what_is_refused(browse: Browse, cast: Cast) -> None:
    admin, base = browse(cast.nadia), f"/api/admin/readers/{cast.imogen_reader}"
    backwards = {"jurisdiction": "NO", "number": "1", "valid_from": FROM, "valid_until": "2025-01-01T00:00:00Z"}
    assert admin.post(f"{base}/licences", json=backwards).json()["code"] == "bad-validity"
    nowhere = {"jurisdiction": "XX", "number": "1", "valid_from": FROM}
    assert admin.post(f"{base}/licences", json=nowhere).json()["code"] == "unknown-jurisdiction"
    twice = {
        "organization_id": str(cast.aurora), "user_id": str(cast.imogen.id), "given_name": "I", "family_name": "T",
    }  # fmt: skip
    assert admin.post("/api/admin/readers", json=twice).json()["code"] == "reader-exists"


def test_outsiders_keep_and_see_no_reader(browse: Browse, cast: Cast) -> None:
    base = f"/api/admin/readers/{cast.otto_reader}"
    licence = {"jurisdiction": "NO", "number": "1", "valid_from": FROM, "is_verified": True}
    for who in (cast.nadia, cast.astrid):
        assert browse(who).get(base).status_code == 404
        assert browse(who).post(f"{base}/licences", json=licence).status_code == 404
    for who in (cast.imogen, cast.eirik, cast.olga, cast.pat):
        assert browse(who).get("/api/admin/readers").status_code == 403


def test_a_reader_says_where_they_are(browse: Browse, cast: Cast, works: WorkFactory) -> None:
    base = f"/api/admin/readers/{cast.imogen_reader}"
    place = {"name": "Boston", "jurisdiction": "US-MA", "time_zone": "America/New_York"}
    place_id = browse(cast.nadia).post(f"{base}/places", json=place).json()["id"]
    moved = browse(cast.imogen).post("/api/session/place", json={"place_id": place_id})
    assert moved.json()["name"] == "Boston"
    assert browse(cast.otto).post("/api/session/place", json={"place_id": place_id}).json()["code"] == "place-not-yours"
    assert browse(cast.eirik).post("/api/session/place", json={"place_id": place_id}).status_code == 403
    with works.read(system("test")) as work:
        (facts,) = reader_facts(work.session, [cast.imogen_reader])
        assert [p.name for p in facts.places if p.is_current] == ["Boston"]


def test_a_user_becomes_a_reader(works: WorkFactory, cast: Cast) -> None:
    assert cast.eirik.id is not None
    with works.begin(system("set-up", cast.aurora)) as work:
        reader_id = add_reader(work, cast.aurora, cast.eirik.id, given_name="Eirik", family_name="Solbakken")
        add_licence(
            work, reader_id, jurisdiction_code="NO", number="1", valid_from=LONG_AGO, valid_until=LATER, is_verified=False
        )  # fmt: skip
        (facts,) = reader_facts(work.session, [reader_id])
    assert facts.licences[0].is_verified is False
    assert [e.organization_id for e in facts.engagements] == [cast.aurora]
    with works.read(system("test")) as work:
        assert reader_of_user(work.session, cast.eirik.id) == reader_id
    with pytest.raises(NotFound), works.begin(system("set-up", cast.norfjord)) as work:
        add_licence(
            work, reader_id, jurisdiction_code="NO", number="2", valid_from=LONG_AGO, valid_until=None, is_verified=True
        )  # fmt: skip
