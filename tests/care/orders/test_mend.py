"""A person says whose images these are: what the study, its order, its case and its report then are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from uuid import UUID

import pydicom
import pytest
from sqlalchemy import select, text

from heliograph.app.context import Context
from heliograph.care.orders import mend
from heliograph.care.orders.match import match_by_hand
from heliograph.care.worklist.cases import read_provisionally
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import system
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.records.archive.corrections import NotCorrectable
from heliograph.records.archive.model import Study
from heliograph.records.archive.overlay import outgoing_file
from heliograph.records.archive.queries import instance_places, study_by_uid
from tests.care.worklist.scene import Scene
from tests.cast import Cast
from tests.records.archive import files
from tests.web import sign_in_as

STUDY = "2.999.7"


@pytest.fixture
def scene(context: Context, cast: Cast, owner_url: str) -> Iterator[Scene]:
    made = Scene(context, cast, owner_url)
    yield made
    made.owner.dispose()


def came(context: Context, cast: Cast, patient: str, name: str, *, number: int = 1, birth: str = "19480312") -> UUID:
    """An image, filed; returns its study."""
    data = files.ct(
        STUDY,
        f"{STUDY}.1",
        number,
        sop=f"{STUDY}.1.{number}",
        patient=patient,
        name=name,
        birth_date=birth,
        accession="",
    )
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])
    with context.works.read(system("test", cast.norfjord)) as work:
        found = study_by_uid(work.session, cast.norfjord, STUDY)
    assert found is not None
    return found.id


def patient_of(context: Context, cast: Cast, study_id: UUID) -> UUID | None:
    with context.works.read(system("test", cast.norfjord)) as work:
        return work.session.get_one(Study, study_id).patient_id


def out(context: Context, cast: Cast, study_id: UUID) -> list[tuple[str, str]]:
    """(name, id) as each image says on its way out."""
    with context.works.read(system("test", cast.norfjord)) as work:
        places = instance_places(work.session, study_id)
    read = [pydicom.dcmread(io.BytesIO(b"".join(outgoing_file(context.objects, p)))) for p in places]
    return [(str(ds.PatientName), ds.PatientID) for ds in read]


def test_one_click_takes_a_proposal_for_the_whole_study(context: Context, cast: Cast) -> None:
    for number in (1, 2):
        study_id = came(context, cast, "NF-1", "LARSEN^Kari", number=number)
    for number in (1, 2):
        came(context, cast, "NF-2", "NILSEN^Nora", number=number, birth="19700101")
    eirik = sign_in_as(context, cast.eirik)
    (waiting,) = eirik.get("/api/held-objects").json()
    assert (waiting["reason"], waiting["alike"]) == ("correction", 2)
    seen = eirik.get(f"/api/held-objects/{waiting['id']}").json()
    assert seen["proposal"] == {"00100010": "NILSEN^Nora", "00100020": "NF-2", "00100030": "19700101"}
    answer = eirik.post(f"/api/held-objects/{waiting['id']}/accept", json={"reason": "The site sent it again"})
    assert answer.json() == {"study_id": str(study_id)}
    assert eirik.get("/api/held-objects").json() == []
    assert out(context, cast, study_id) == [("NILSEN^Nora", "NF-2")] * 2

    whose = eirik.get(f"/api/studies/{study_id}/identity").json()
    assert whose["patient"]["display_name"] == "NILSEN, Nora"
    assert [(i["name"], i["id"], i["number_of_instances"]) for i in whose["images"]] == [("LARSEN^Kari", "NF-1", 2)]
    assert whose["images"][0]["known"]["display_name"] == "LARSEN, Kari"
    now = {a["name"]: (a["vr"], a["value"]) for a in whose["attributes"]}
    assert now["Patient's Name"] == ("PN", "NILSEN^Nora")  # as it goes out
    assert now["Study Description"] == ("LO", "CT head")
    assert "Patient ID" not in now  # another identifier is another patient
    assert (whose["description"], whose["facility_name"], whose["orders"]) == ("CT head", "Norfjord", [])
    (step,) = whose["steps"]
    assert (step["kind"], step["is_in_force"], step["made_by"]) == ("resent", True, cast.eirik.name)
    assert {(c["name"], c["original"], c["value"]) for c in step["changes"]} == {
        ("Patient's Name", "LARSEN^Kari", "NILSEN^Nora"),
        ("Patient ID", "NF-1", "NF-2"),
        ("Patient's Birth Date", "19480312", "19700101"),
    }
    assert eirik.post(f"/api/studies/{study_id}/corrections/undo", json={"reason": "No"}).status_code == 204
    assert out(context, cast, study_id) == [("LARSEN^Kari", "NF-1")] * 2
    refused = eirik.post(f"/api/studies/{study_id}/corrections/undo", json={"reason": "No"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-to-undo")


def test_whom_an_identifier_is_known_to_be_is_shown_beside_whom_the_images_name(context: Context, cast: Cast) -> None:
    nora = files.ct("2.999.8", "2.999.8.1", patient="NF-2", name="NILSEN^Nora", birth_date="19700101")
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, nora)])
    came(context, cast, "NF-1", "LARSEN^Kari")
    came(context, cast, "NF-2", "LARSEN^Kari")
    eirik = sign_in_as(context, cast.eirik)
    (waiting,) = eirik.get("/api/held-objects").json()
    at = f"/api/held-objects/{waiting['id']}"
    assert eirik.post(f"{at}/accept", json={"reason": "x"}).json()["code"] == "other-person"
    told, known = eirik.get(f"{at}/other-person").json().values()
    assert (told["name"], told["birth_date"], told["identifier"]) == ("LARSEN, Kari", "1948-03-12", "NF-2")
    assert (known["name"], known["birth_date"], known["identifier"]) == ("NILSEN, Nora", "1970-01-01", "NF-2")
    assert told["authority"] == known["authority"] != ""
    with context.works.read(system("test", cast.norfjord)) as work:
        seen = work.session.scalars(select(AuditEvent.patient_id).where(AuditEvent.action == "patient.viewed")).all()
        ours = work.session.scalars(select(Study.patient_id).where(Study.study_instance_uid == "2.999.8")).one()
    assert seen == [ours]
    for outsider in (cast.harper, cast.olga):
        assert sign_in_as(context, outsider).get(f"{at}/other-person").status_code == 404
    assert sign_in_as(context, cast.imogen).get(f"{at}/other-person").status_code == 403
    assert eirik.post(f"{at}/accept", json={"reason": "Married", "confirm_other_person": True}).status_code == 200
    assert eirik.get(f"{at}/other-person").status_code == 404


def test_of_who_is_no_other_person_nothing_is_shown(context: Context, cast: Cast) -> None:
    came(context, cast, "NF-1", "LARSEN^Kari")
    came(context, cast, "NF-1", "LARSEN^Karin")
    eirik = sign_in_as(context, cast.eirik)
    (waiting,) = eirik.get("/api/held-objects").json()
    assert eirik.get(f"/api/held-objects/{waiting['id']}/other-person").status_code == 404


def test_images_of_two_patients_are_one_patients_when_a_person_says_so(context: Context, cast: Cast) -> None:
    came(context, cast, "NF-1", "LARSEN^Kari")
    study_id = came(context, cast, "NF-2", "NILSEN^Nora", number=2, birth="19700101")
    eirik = sign_in_as(context, cast.eirik)
    whose = eirik.get(f"/api/studies/{study_id}/identity").json()
    assert (whose["match_state"], {i["id"] for i in whose["images"]}) == ("held", {"NF-1", "NF-2"})
    assert eirik.post(f"/api/studies/{study_id}/release", json={"reason": "Kari's, both"}).status_code == 204
    assert out(context, cast, study_id) == [("LARSEN^Kari", "NF-1")] * 2


def test_a_held_study_is_filed_under_another_patient(context: Context, cast: Cast) -> None:
    with_nora = files.ct("2.999.8", "2.999.8.1", patient="NF-2", name="NILSEN^Nora", birth_date="19700101")
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, with_nora)])
    with context.works.read(system("test", cast.norfjord)) as work:
        theirs = study_by_uid(work.session, cast.norfjord, "2.999.8")
    assert theirs is not None
    nora = theirs.patient_id
    came(context, cast, "NF-1", "LARSEN^Kari")
    study_id = came(context, cast, "NF-2", "NILSEN^Nora", number=2, birth="19700101")
    eirik = sign_in_as(context, cast.eirik)
    body = {"patient_id": str(nora), "reason": "Nora was on the table"}
    assert eirik.post(f"/api/studies/{study_id}/patient", json=body).status_code == 204
    assert patient_of(context, cast, study_id) == nora
    assert out(context, cast, study_id) == [("NILSEN^Nora", "NF-2")] * 2
    with context.works.read(system("test", cast.norfjord)) as work:
        assert work.session.get_one(Study, study_id).match_state == "unmatched"
        told = work.session.scalars(
            select(AuditEvent).where(AuditEvent.study_id == study_id, AuditEvent.action == "study.corrected")
        ).one()
    assert (told.reason, told.detail["kind"]) == ("Nora was on the table", "moved")
    assert "Nora" not in str(told.detail)  # which attributes, never their values


def test_matching_by_hand_to_another_patients_order_is_told_by_the_images(
    context: Context, cast: Cast, scene: Scene
) -> None:
    study_id = came(context, cast, "NF-1", "LARSEN^Kari")
    patient = scene.patient()
    order = scene.order(patient, accession="OTHER")
    with context.works.begin(cast.eirik) as work:
        match_by_hand(work, study_id, order, "Wrong worklist entry", confirm_other_patient=True)
    ((name, value),) = out(context, cast, study_id)
    assert name.startswith("Haugland")
    assert value.startswith("4471-")


def test_a_study_filed_elsewhere_leaves_its_order_and_case(scene: Scene) -> None:
    case_id = scene.ready_case()
    assert scene.read(case_id).state == "assigned"
    with scene.rows() as s:
        study_id = s.scalars(
            text("select study_id from worklist.case_studies where case_id = :c"), {"c": case_id}
        ).one()
    other = scene.patient()
    with scene.works.begin(scene.cast.eirik) as work:
        mend.file_under_patient(work, study_id, other, "The other sister was on the table")
    assert scene.read(case_id).state == "cancelled"
    assert {"case.study_left", "case.cancelled"} <= set(scene.actions(case_id))
    with scene.rows() as s:
        assert s.execute(text("select count(*) from orders.order_studies")).scalar_one() == 0
        assert s.get_one(Study, study_id).match_state == "unmatched"
    # Its own order comes: a new case, of the right patient.
    with scene.rows() as s:
        accession = s.get_one(Study, study_id).accession_number
    assert accession is not None
    order = scene.order(other, accession=accession + "-2")
    with scene.works.begin(scene.cast.eirik) as work:
        match_by_hand(work, study_id, order, "Her own order")
    case = scene.case_of(study_id)
    assert case.id != case_id
    assert case.patient_id == other


def test_a_signed_report_stays_and_is_flagged(scene: Scene) -> None:
    case_id = scene.ready_case()
    scene.set("update worklist.reads set state = 'done' where case_id = :c", c=case_id)
    with scene.rows() as s:
        study_id = s.scalars(
            text("select study_id from worklist.case_studies where case_id = :c"), {"c": case_id}
        ).one()
    with scene.works.begin(scene.cast.eirik) as work:
        mend.take_off_order(work, study_id, "Another patient's")
    assert scene.read(case_id).state == "done"
    (alarm,) = scene.alarms(kind="images_left")
    assert alarm.case_id == case_id
    assert "correct or withdraw it" in alarm.text


def test_who_reads_without_an_order_reads_for_the_right_patient(scene: Scene) -> None:
    """A provisional case follows its images to their patient, and so does what the group may see."""
    patient = scene.patient()
    study_id = scene.images(patient, accession=None)
    scene.set("update agreements.agreements set allows_provisional_stat = true")
    with scene.works.begin(scene.platform) as work:
        case_id = read_provisionally(work, study_id)
    other = scene.patient()
    with scene.works.begin(scene.cast.eirik) as work:
        mend.file_under_patient(work, study_id, other, "Typed wrong")
    assert scene.case(case_id).patient_id == other
    with scene.rows() as s:
        open_grants = s.scalars(
            text(
                "select patient_id from tenancy.grants where case_id = :c and (valid_until is null or valid_until > now())"
            ),
            {"c": case_id},
        ).all()
    assert open_grants == [other]


def test_an_accession_put_right_finds_its_order(scene: Scene) -> None:
    patient = scene.patient()
    scene.order(patient, accession="NF-RIGHT")
    study_id = scene.images(patient, accession="NF-WRONG")
    with scene.works.begin(scene.cast.eirik) as work:
        mend.put_right(work, study_id, {"00080050": "NF-RIGHT"}, "Typed wrong at the scanner")
    with scene.rows() as s:
        assert s.get_one(Study, study_id).match_state == "matched"
    with pytest.raises(NotCorrectable), scene.works.begin(scene.cast.eirik) as work:
        mend.put_right(work, study_id, {"00100020": "NF-9"}, "Typed wrong")


def test_only_who_looks_after_the_site_may(scene: Scene) -> None:
    patient, theirs = scene.patient(), scene.patient(scene.cast.llano)
    study_id = scene.images(patient)
    for actor, error in ((scene.cast.otto, NotFound), (scene.cast.imogen, NotAllowed)):
        with pytest.raises((error, NotFound, NotAllowed)), scene.works.begin(actor) as work:
            mend.file_under_patient(work, study_id, patient, "x")
        with pytest.raises((error, NotFound, NotAllowed)), scene.works.begin(actor) as work:
            mend.put_right(work, study_id, {"00080050": "A"}, "x")
        with pytest.raises((error, NotFound, NotAllowed)), scene.works.begin(actor) as work:
            mend.take_back(work, study_id, "x")
    with pytest.raises(NotFound), scene.works.begin(scene.platform) as work:
        mend.file_under_patient(work, study_id, theirs, "a patient of another organisation")
