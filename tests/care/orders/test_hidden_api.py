"""Hidden images over HTTP: what is hidden is told to who may show it again; persons hide and restore with a reason."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor, system
from tests.cast import Cast
from tests.records.archive import notes
from tests.records.archive.test_rejections import STUDY, came, counts, facts, images, shown
from tests.web import sign_in_as


def test_it_works(context: Context, cast: Cast) -> None:
    came(context, cast, *images())
    study_id = facts(context, cast).id
    eirik = sign_in_as(context, cast.eirik)
    before = eirik.get(f"/api/studies/{study_id}/hidden").json()
    assert [(s["series_instance_uid"], s["number_of_instances"]) for s in before["series"]] == [
        (f"{STUDY}.1", 2),
        (f"{STUDY}.2", 2),
    ]
    assert (before["patient_name"], before["hidden"]) == ("LARSEN^Kari", [])
    listed = eirik.get(f"/api/studies/{study_id}/instances", params={"series": f"{STUDY}.1"}).json()
    assert [i["sop_instance_uid"] for i in listed] == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    made = eirik.post(
        f"/api/studies/{study_id}/reject",
        json={"kind": "safety", "reason": "Wrong side", "sop_instance_uids": [f"{STUDY}.1.1"]},
    )
    assert made.status_code == 201, made.text
    assert shown(context, cast) == ["1.2", "2.1", "2.2"]
    (line,) = eirik.get("/api/hidden-images").json()
    assert (line["id"], line["study_id"], line["number_of_instances"]) == (made.json()["id"], str(study_id), 1)
    assert (line["by"], line["is_by_note"], line["description"]) == (cast.eirik.name, False, "CT head")
    assert "LARSEN" not in str(line)
    (one,) = eirik.get(f"/api/studies/{study_id}/hidden").json()["hidden"]
    assert (one["reason"], one["restored_at"]) == ("Wrong side", None)
    back = eirik.post(f"/api/rejections/{line['id']}/restore", json={"reason": "The right side"})
    assert (back.status_code, back.json()) == (200, {"instances": 1})
    assert eirik.get("/api/hidden-images").json() == []
    (one,) = eirik.get(f"/api/studies/{study_id}/hidden").json()["hidden"]
    assert (one["restored_by"], one["restore_reason"]) == (cast.eirik.name, "The right side")
    assert counts(context, cast)[:3] == (2, 4, ["CT"])
    with context.works.read(system("test", cast.norfjord)) as work:
        told = work.session.scalars(
            select(AuditEvent.action)
            .where(AuditEvent.study_id == study_id, AuditEvent.action.like("images.%"))
            .order_by(AuditEvent.id)
        ).all()
    assert told == [
        "images.hidden_viewed", "images.rejected", "images.hidden_viewed", "images.restored", "images.hidden_viewed",
    ]  # fmt: skip


def test_a_note_names_its_sender_and_a_coordinator_restores(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    named = {STUDY: {f"{STUDY}.1": [f"{STUDY}.1.1"]}}
    came(context, cast, notes.note(STUDY, named, title=notes.SAFETY, words="Kari, other arm"))
    study_id = facts(context, cast).id
    nadia = sign_in_as(context, cast.nadia)
    (line,) = nadia.get("/api/hidden-images").json()
    assert (line["kind"], line["is_by_note"], line["by"]) == ("safety", True, None)
    assert "Kari" not in str(line)
    (one,) = nadia.get(f"/api/studies/{study_id}/hidden").json()["hidden"]
    assert one["reason"] == "Rejected for Patient Safety Reasons: Kari, other arm"
    assert nadia.post(f"/api/rejections/{line['id']}/restore", json={"reason": "Fine"}).status_code == 200
    again = nadia.post(f"/api/rejections/{line['id']}/restore", json={"reason": "Fine"})
    assert (again.status_code, again.json()["code"]) == (409, "already-restored")


@pytest.mark.parametrize("name", ["harper", "otto", "olga", "imogen", "anselm", "astrid", "runa", "pat"])
def test_an_outsider_sees_and_does_nothing(context: Context, cast: Cast, name: str) -> None:
    came(context, cast, *images(series=1))
    study_id = facts(context, cast).id
    eirik = sign_in_as(context, cast.eirik)
    made = eirik.post(f"/api/studies/{study_id}/reject", json={"kind": "quality", "reason": "Blurred"}).json()["id"]
    who: Actor = getattr(cast, name)
    client = sign_in_as(context, who)
    listed = client.get("/api/hidden-images")
    assert listed.status_code == 403 or listed.json() == []
    for answer in (
        client.get(f"/api/studies/{study_id}/hidden"),
        client.get(f"/api/studies/{study_id}/instances", params={"series": f"{STUDY}.1"}),
        client.post(f"/api/studies/{study_id}/reject", json={"kind": "quality", "reason": "x"}),
        client.post(f"/api/rejections/{made}/restore", json={"reason": "x"}),
    ):
        assert answer.status_code in (403, 404), (name, answer.text)
    assert shown(context, cast) == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "deletion", "reason": "x"},
        {"kind": "quality", "reason": ""},
        {"kind": "quality"},
        {"kind": "quality", "reason": "x", "sop_instance_uids": []},
        {"kind": "quality", "reason": "x", "series_instance_uid": "../x"},
    ],
)
def test_what_is_no_rejection(context: Context, cast: Cast, body: dict[str, object]) -> None:
    came(context, cast, *images(series=1))
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.post(f"/api/studies/{facts(context, cast).id}/reject", json=body).status_code == 422
    assert len(shown(context, cast)) == 2


def test_images_that_are_not_there(context: Context, cast: Cast) -> None:
    came(context, cast, *images(series=1))
    eirik = sign_in_as(context, cast.eirik)
    body = {"kind": "quality", "reason": "x", "sop_instance_uids": ["2.999.404"]}
    answer = eirik.post(f"/api/studies/{facts(context, cast).id}/reject", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-hide")
