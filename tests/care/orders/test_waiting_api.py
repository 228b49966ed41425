"""What waits at the door: expected counts, held studies, objects that could not be filed."""

from __future__ import annotations

import io
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.records.archive.model import HeldObject, Study
from tests.cast import Cast
from tests.records.archive import files
from tests.web import sign_in_as


@pytest.fixture
def study_id(context: Context, cast: Cast) -> UUID:
    """A study of Norfjord, held for two patients' images."""
    with context.works.begin(system("test", cast.norfjord)) as work:
        study = Study(
            organization_id=cast.norfjord,
            facility_id=cast.norfjord_facility,
            study_instance_uid="1.2.3",
            number_of_instances=2,
            first_received_at=work.now,
            last_received_at=work.now,
            match_state="held",
            match_reason="Images of two patients.",
        )
        work.session.add(study)
        work.session.flush()
        work.record("study.held", organization_id=cast.norfjord, study_id=study.id)
        return study.id


@pytest.fixture
def held_id(context: Context, cast: Cast) -> UUID:
    """An object of Norfjord that could not be filed."""
    context.objects.put("held/x", b"not dicom")
    with context.works.begin(system("test", cast.norfjord)) as work:
        row = HeldObject(
            organization_id=cast.norfjord,
            facility_id=cast.norfjord_facility,
            object_key="held/x",
            object_length=9,
            sha256=b"\0" * 32,
            reason="unreadable",
            detail="there is no DICM prefix",
        )
        work.session.add(row)
        work.session.flush()
        work.record("object.held", organization_id=cast.norfjord)
        return row.id


def test_it_works(context: Context, cast: Cast, study_id: UUID, held_id: UUID) -> None:
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.post(f"/api/studies/{study_id}/expect", json={"instances": 3}).status_code == 204
    assert (
        eirik.post(f"/api/studies/{study_id}/release", json={"reason": "Typing error at the scanner."}).status_code
        == 204
    )
    assert [h["id"] for h in eirik.get("/api/held-objects").json()] == [str(held_id)]
    with context.works.read(system("test", cast.norfjord)) as work:
        study = work.session.get_one(Study, study_id)
        assert (study.match_state, study.expected_instances) == ("unmatched", 3)
        reasons = work.session.scalars(select(AuditEvent.reason).where(AuditEvent.action == "study.released")).all()
        assert reasons == ["Typing error at the scanner."]


def test_the_technologist_says_that_all_images_are_here(context: Context, cast: Cast, study_id: UUID) -> None:
    assert sign_in_as(context, cast.eirik).post(f"/api/studies/{study_id}/complete").status_code == 204
    with context.works.read(system("test", cast.norfjord)) as work:
        study = work.session.get_one(Study, study_id)
        assert (study.completed_by, study.completed_at) == ("technologist", work.now)


def test_a_held_object_is_tried_again_or_dismissed(context: Context, cast: Cast, held_id: UUID) -> None:
    nadia = sign_in_as(context, cast.nadia)
    assert nadia.post(f"/api/held-objects/{held_id}/retry").status_code == 204
    spooled = list((context.settings.spool_dir / "incoming").rglob("*.dcm"))
    assert [p.read_bytes() for p in spooled] == [b"not dicom"]
    assert nadia.get("/api/held-objects").json() == []
    assert nadia.post(f"/api/held-objects/{held_id}/dismiss", json={"reason": "x"}).status_code == 404


def test_what_is_unreadable_shows_its_first_bytes(context: Context, cast: Cast, held_id: UUID) -> None:
    found = sign_in_as(context, cast.eirik).get(f"/api/held-objects/{held_id}").json()
    assert (found["lines"], found["first_bytes"]) == (
        [],
        ["0000  6e 6f 74 20 64 69 63 6f 6d                       not dicom"],
    )
    with context.works.read(system("test", cast.norfjord)) as work:
        seen = work.session.scalars(select(AuditEvent.subject_id).where(AuditEvent.action == "object.viewed")).all()
        assert seen == [held_id]


def test_another_content_is_shown_beside_what_is_filed(context: Context, cast: Cast) -> None:
    first = files.ct("2.999.3", "2.999.3.1", sop="2.999.3.1.1", name="LARSEN^Kari")
    other_name = files.ct("2.999.3", "2.999.3.1", sop="2.999.3.1.1", name="LARSEN^Karin")
    other_pixels = files.ct("2.999.3", "2.999.3.1", sop="2.999.3.1.1", name="LARSEN^Kari", fill=7)
    for data in (first, other_name, other_pixels):
        files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])
    eirik = sign_in_as(context, cast.eirik)
    by_pixels, by_name = (
        eirik.get(f"/api/held-objects/{h['id']}").json() for h in eirik.get("/api/held-objects").json()
    )
    assert [(d["name"], d["filed"], d["value"]) for d in by_name["differences"]] == [
        ("Patient's Name", "LARSEN^Kari", "LARSEN^Karin")
    ]
    assert (by_name["same_pixels"], by_pixels["same_pixels"]) == (True, False)
    assert by_pixels["differences"] == []
    assert by_name["filed_study_id"] is not None
    assert {"tag": "00080060", "name": "Modality", "vr": "CS", "value": "CT", "depth": 0, "filed": None} in by_name[
        "lines"
    ]
    picture = eirik.get(f"/api/held-objects/{by_name['id']}/preview")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (16, 16)


def test_lost_bytes_are_told(context: Context, cast: Cast, held_id: UUID) -> None:
    context.objects.delete("held/x")
    eirik = sign_in_as(context, cast.eirik)
    for path in (f"/api/held-objects/{held_id}", f"/api/held-objects/{held_id}/preview"):
        answer = eirik.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "bytes-missing")
    assert eirik.post(f"/api/held-objects/{held_id}/retry").status_code == 503
    assert [h["id"] for h in eirik.get("/api/held-objects").json()] == [str(held_id)]


def test_how_full_the_quarantine_is(context: Context, cast: Cast, held_id: UUID) -> None:
    most = {
        "most_objects": context.settings.quarantine_objects,
        "most_size": context.settings.quarantine_mb << 20,
    }
    ours = {"organization_id": str(cast.norfjord), "organization_name": "Norfjord", "objects": 1, "size": 9, **most}
    for insider in (cast.eirik, cast.nadia):
        assert sign_in_as(context, insider).get("/api/quarantine").json() == [ours]
    (theirs,) = sign_in_as(context, cast.harper).get("/api/quarantine").json()
    assert (theirs["organization_id"], theirs["objects"], theirs["size"]) == (str(cast.llano), 0, 0)
    assert sign_in_as(context, cast.olga).get("/api/quarantine").json() == []
    assert sign_in_as(context, cast.imogen).get("/api/quarantine").status_code == 403
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.post(f"/api/held-objects/{held_id}/dismiss", json={"reason": "Not ours"}).status_code == 204
    assert eirik.get("/api/quarantine").json() == [{**ours, "objects": 0, "size": 0}]


def test_one_of_many_alike_is_dismissed_alone_or_all_are(context: Context, cast: Cast) -> None:
    for number in (1, 2, 3):
        for name in ("LARSEN^Kari", "NILSEN^Nora"):
            data = files.ct("2.999.3", "2.999.3.1", number, sop=f"2.999.3.1.{number}", patient="NF-1", name=name)
            files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])
    eirik = sign_in_as(context, cast.eirik)
    for left in (2, 0):
        (waiting,) = eirik.get("/api/held-objects").json()
        assert waiting["alike"] == (3 if left else 2)
        body = {"reason": "Sent by mistake", "all_alike": not left}
        assert eirik.post(f"/api/held-objects/{waiting['id']}/dismiss", json=body).status_code == 204
        assert sum(h["alike"] for h in eirik.get("/api/held-objects").json()) == left


def test_there_is_no_picture_of_what_is_unreadable(context: Context, cast: Cast, held_id: UUID) -> None:
    assert sign_in_as(context, cast.eirik).get(f"/api/held-objects/{held_id}/preview").status_code == 406


def test_a_study_that_is_not_held_is_not_released(context: Context, cast: Cast, study_id: UUID) -> None:
    eirik = sign_in_as(context, cast.eirik)
    eirik.post(f"/api/studies/{study_id}/release", json={"reason": "x"})
    assert eirik.post(f"/api/studies/{study_id}/release", json={"reason": "x"}).status_code == 404


@pytest.mark.parametrize("who", ["harper", "olga"])
def test_an_outsider_sees_and_changes_nothing(
    context: Context, cast: Cast, study_id: UUID, held_id: UUID, who: str
) -> None:
    outsider = sign_in_as(context, getattr(cast, who))
    assert outsider.get("/api/held-objects").json() == []
    for path in (f"/api/held-objects/{held_id}", f"/api/held-objects/{held_id}/preview"):
        assert outsider.get(path).status_code == 404, path
    for path, body in (
        (f"/api/studies/{study_id}/expect", {"instances": 1}),
        (f"/api/studies/{study_id}/complete", None),
        (f"/api/studies/{study_id}/release", {"reason": "x"}),
        (f"/api/held-objects/{held_id}/retry", None),
        (f"/api/held-objects/{held_id}/dismiss", {"reason": "x"}),
    ):
        assert outsider.post(path, json=body).status_code == 404, path


def test_a_reader_may_not(context: Context, cast: Cast, study_id: UUID) -> None:
    imogen = sign_in_as(context, cast.imogen)
    assert imogen.post(f"/api/studies/{study_id}/release", json={"reason": "x"}).status_code == 403
