"""Shifts: who is on, who may say so, and what can't be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.rota.api import router
from heliograph.care.rota.queries import on, shifts_of_readers
from heliograph.kit.actor import Actor, system
from heliograph.kit.clock import FixedClock
from heliograph.kit.work import WorkFactory
from tests.cast import Cast
from tests.records.sites.web import browser

Browse = Callable[[Actor], TestClient]


@pytest.fixture
def browse(context: Context) -> Browse:
    return lambda who: browser(context, who, router)


def _shift(cast: Cast, start: datetime, hours: float = 8) -> dict[str, str]:
    return {
        "organization_id": str(cast.aurora),
        "reader_id": str(cast.imogen_reader),
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=hours)).isoformat(),
    }


def test_a_shift_is_added_seen_and_removed(browse: Browse, cast: Cast, works: WorkFactory, clock: FixedClock) -> None:
    start = clock.now() + timedelta(days=1)
    client = browse(cast.nadia)
    made = client.post("/api/admin/shifts", json=_shift(cast, start))
    assert made.status_code == 201
    assert made.json()["id"] in [s["id"] for s in client.get("/api/admin/shifts").json()]
    with works.read(system("test")) as work:
        assert [s.reader_id for s in on(work.session, [cast.aurora], start)] == [cast.imogen_reader]
        assert on(work.session, [cast.aurora], start + timedelta(hours=8)) == []
        assert on(work.session, [cast.borealis], start) == []
        found = shifts_of_readers(work.session, [cast.imogen_reader], clock.now(), start + timedelta(hours=1))
        assert len(found[cast.imogen_reader]) == 2
    assert client.delete(f"/api/admin/shifts/{made.json()['id']}").status_code == 204
    assert client.delete(f"/api/admin/shifts/{made.json()['id']}").status_code == 404
    with works.read(system("test", cast.aurora)) as work:
        assert work.session.scalar(text("select count(*) from audit.events where action like 'shift.%'")) == 2


@pytest.mark.parametrize(("hours", "code"), [(0, "bad-shift"), (-1, "bad-shift"), (25, "bad-shift")])
def test_a_shift_has_a_sane_length(browse: Browse, cast: Cast, clock: FixedClock, hours: float, code: str) -> None:
    answer = browse(cast.nadia).post("/api/admin/shifts", json=_shift(cast, clock.now() + timedelta(days=2), hours))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_overlaps_and_strangers_are_refused(browse: Browse, cast: Cast, clock: FixedClock) -> None:
    client = browse(cast.nadia)
    assert client.post("/api/admin/shifts", json=_shift(cast, clock.now())).json()["code"] == "shift-overlaps"
    stranger = _shift(cast, clock.now() + timedelta(days=1)) | {"reader_id": str(cast.otto_reader)}
    assert client.post("/api/admin/shifts", json=stranger).json()["code"] == "not-engaged"


def test_outsiders_touch_no_shift(browse: Browse, cast: Cast, clock: FixedClock) -> None:
    shifts = browse(cast.nadia).get("/api/admin/shifts").json()
    assert len(shifts) == 2
    olga = browse(cast.olga)
    assert {s["reader_id"] for s in olga.get("/api/admin/shifts").json()} == {str(cast.otto_reader)}
    assert olga.post("/api/admin/shifts", json=_shift(cast, clock.now() + timedelta(days=1))).status_code == 404
    assert olga.delete(f"/api/admin/shifts/{shifts[0]['id']}").status_code == 404
    for who in (cast.imogen, cast.eirik, cast.pat):
        assert browse(who).get("/api/admin/shifts").status_code == 403
