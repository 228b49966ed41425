"""Deleting a study over HTTP: by the administrator, who sees no patient."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import Actor
from heliograph.kit.clock import FixedClock
from heliograph.records.archive.deletion import purge_due
from tests.care.reading.help import make_read, sign, with_session
from tests.cast import Cast
from tests.records.archive.test_rejections import STUDY, came, facts, images, shown
from tests.web import sign_in_as


def asked(cast: Cast, **more: Any) -> dict[str, Any]:
    return {"organization_id": str(cast.norfjord), **more}


def test_it_works(context: Context, cast: Cast, clock: FixedClock) -> None:
    came(context, cast, *images())
    study_id = str(facts(context, cast).id)
    astrid = sign_in_as(context, cast.astrid)
    (by_number,) = astrid.post("/api/admin/deletions/find", json=asked(cast, accession_number=" A1 ")).json()
    (by_uid,) = astrid.post("/api/admin/deletions/find", json=asked(cast, study_instance_uid=STUDY)).json()
    assert by_number == by_uid
    assert (by_uid["id"], by_uid["number_of_instances"], by_uid["has_report"]) == (study_id, 4, False)
    assert "LARSEN" not in str(by_uid)
    body = asked(cast, study_id=study_id, reason="Asked for", confirmed="0000")
    wrong = astrid.post("/api/admin/deletions", json=body)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not-confirmed")
    made = astrid.post("/api/admin/deletions", json={**body, "confirmed": STUDY[-4:]})
    assert made.status_code == 201, made.text
    assert shown(context, cast) == []
    listed = astrid.get("/api/admin/deletions").json()
    (one,) = listed["deletions"]
    assert (listed["days"], one["by"], one["study"]["waits"]) == (7.0, cast.astrid.name, True)
    # The site's staff see it among what is hidden, and can't undo it.
    eirik = sign_in_as(context, cast.eirik)
    (line,) = eirik.get("/api/hidden-images").json()
    assert (line["kind"], line["purge_at"] is not None) == ("deletion", True)
    refused = eirik.post(f"/api/rejections/{one['id']}/restore", json={"reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "waits-for-deletion")
    undone = astrid.post(f"/api/admin/deletions/{one['id']}/undo", json=asked(cast, reason="Another was meant"))
    assert (undone.status_code, undone.json()) == (200, {"instances": 4})
    assert len(shown(context, cast)) == 4
    assert astrid.post("/api/admin/deletions", json={**body, "confirmed": STUDY[-4:]}).status_code == 201
    clock.advance(timedelta(days=7))
    assert purge_due(context.works, context.objects) == 1
    gone, before = astrid.get("/api/admin/deletions").json()["deletions"]
    assert (gone["purged_at"] is not None, gone["number_of_instances"]) == (True, 4)
    assert before["restored_at"] is not None


def test_a_study_with_a_signed_report_is_said_to_have_one_and_the_report_stays(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    version = sign(context, with_session(context, cast.imogen), made.read_id)
    astrid = sign_in_as(context, cast.astrid)
    (one,) = astrid.post("/api/admin/deletions/find", json=asked(cast, accession_number="A1")).json() or [None]
    assert one is not None
    assert one["has_report"] is True
    body = asked(cast, study_id=one["id"], reason="Asked for", confirmed=one["study_instance_uid"][-4:])
    assert astrid.post("/api/admin/deletions", json=body).status_code == 201
    purge_due(context.works, context.objects, now=context.works.clock.now() + timedelta(days=8))
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.get(f"/api/reports/{version.id}").status_code == 200


@pytest.mark.parametrize("name", ["eirik", "nadia", "runa", "imogen", "harper", "otto", "olga", "pat"])
def test_an_outsider_finds_and_deletes_nothing(context: Context, cast: Cast, name: str) -> None:
    came(context, cast, *images(series=1))
    study_id = str(facts(context, cast).id)
    body = asked(cast, study_id=study_id, reason="x", confirmed=STUDY[-4:])
    astrid = sign_in_as(context, cast.astrid)
    made = astrid.post("/api/admin/deletions", json=body).json()["id"]
    who: Actor = getattr(cast, name)
    client = sign_in_as(context, who)
    for answer in (
        client.get("/api/admin/deletions"),
        client.post("/api/admin/deletions/find", json=asked(cast, study_instance_uid=STUDY)),
        client.post("/api/admin/deletions", json=body),
        client.post(f"/api/admin/deletions/{made}/undo", json=asked(cast, reason="x")),
    ):
        assert answer.status_code == 403, (name, answer.text)
    assert shown(context, cast) == []
