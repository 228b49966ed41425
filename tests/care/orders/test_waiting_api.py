"""What waits at the door: expected counts, held studies, objects that could not be filed."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.records.archive.model import HeldObject, Study
from tests.cast import Cast
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
