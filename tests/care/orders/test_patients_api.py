"""Patients over HTTP: found by what is known of them, and all that follows one; reports under another identity are flagged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from heliograph.app.context import Context
from heliograph.care.orders.mend import file_under_patient
from heliograph.governance.access.model import RoleAssignment
from heliograph.governance.audit.model import AuditEvent
from heliograph.kit.actor import Actor, system
from heliograph.records.patients.identify import identify
from heliograph.records.sites.model import Facility
from tests.care.reading.help import make_read, sign, with_session
from tests.care.worklist.scene import Scene
from tests.cast import LONG_AGO, Cast
from tests.web import sign_in_as

KARI = date(1948, 3, 12)


@pytest.fixture
def scene(context: Context, cast: Cast, owner_url: str) -> Iterator[Scene]:
    made = Scene(context, cast, owner_url)
    yield made
    made.owner.dispose()


def known(
    context: Context, cast: Cast, value: str, family: str, given: str, born: date = KARI, *, owner: UUID | None = None
) -> UUID:
    owner = owner or cast.norfjord
    with context.works.begin(system("test", owner)) as work:
        return identify(work, owner, "NORFJORD", value, names=(family, given), birth_date=born, sex="F").id


def test_it_works(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    near = known(context, cast, "NF-77", "Larsson", "Kari")
    for who in (cast.eirik, cast.nadia):
        client = sign_in_as(context, who)
        hits = client.post("/api/patients/search", json={"words": "larsen", "birth_date": "1948-03-12"}).json()
        assert [(h["patient"]["display_name"], h["why"]) for h in hits] == [
            ("LARSEN, Kari", "name"),
            ("LARSSON, Kari", "near"),
        ]
        (hit,) = client.post("/api/patients/search", json={"words": "NF-7"}).json()
        assert (hit["patient"]["id"], hit["why"], hit["organization_id"]) == (
            str(near),
            "identifier",
            str(cast.norfjord),
        )
    page = client.get(f"/api/patients/{hits[0]['patient']['id']}").json()
    assert page["patient"]["identifiers"] == [{"authority": "NORFJORD", "value": "NF-1"}]
    (study,), (order,) = page["studies"], page["orders"]
    assert (study["id"], study["match_state"], study["number_of_instances"]) == (str(made.study_id), "matched", 2)
    assert (order["accession"], order["description"]) == ("A1", "CT hode")
    assert study["case_id"] == order["case_id"] == str(made.case_id)
    assert (page["reports"], page["merges"], page["goes_on_as"], page["may_merge"]) == ([], [], None, True)
    assert [(n["patient"]["id"], n["why"]) for n in page["near"]] == [(str(near), "near")]


def test_seeing_patients_is_on_record_without_what_was_asked(context: Context, cast: Cast) -> None:
    patient_id = known(context, cast, "NF-1", "Larsen", "Kari")
    eirik = sign_in_as(context, cast.eirik)
    assert len(eirik.post("/api/patients/search", json={"words": "larsen"}).json()) == 1
    assert eirik.get(f"/api/patients/{patient_id}").status_code == 200
    with context.works.read(system("test", cast.norfjord)) as work:
        told = work.session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action.in_(("patients.searched", "patient.viewed")))
            .order_by(AuditEvent.id)
        ).all()
    searched, viewed = told
    assert searched.detail == {"patients": [str(patient_id)]}
    assert (viewed.patient_id, viewed.actor_id) == (patient_id, cast.eirik.id)


def test_a_report_signed_under_another_identity_is_flagged(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id)
    nora = known(context, cast, "NF-2", "Nilsen", "Nora", date(1970, 1, 1))
    eirik = sign_in_as(context, cast.eirik)
    (hit,) = eirik.post("/api/patients/search", json={"words": "NF-1"}).json()
    kari = hit["patient"]["id"]
    (report,) = eirik.get(f"/api/patients/{kari}").json()["reports"]
    assert (report["signed_for"], report["images_of"]) == (None, None)

    with context.works.begin(cast.eirik) as work:
        file_under_patient(work, made.study_id, nora, "Nora was on the table")
    (report,) = eirik.get(f"/api/patients/{kari}").json()["reports"]
    assert report["signed_for"] is None
    assert report["images_of"]["display_name"] == "NILSEN, Nora"  # Kari's report is about Nora's images
    (report,) = eirik.get(f"/api/patients/{nora}").json()["reports"]
    assert report["signed_for"]["display_name"] == "LARSEN, Kari"
    assert (report["images_of"], report["case_id"]) == (None, str(made.case_id))


def test_a_merge_brings_its_reports_flagged_and_takes_them_back(context: Context, cast: Cast) -> None:
    made = make_read(context, cast)
    sign(context, with_session(context, cast.imogen), made.read_id)
    survivor = known(context, cast, "NF-9", "Larsen", "Kari Anne")
    eirik = sign_in_as(context, cast.eirik)
    (hit,) = eirik.post("/api/patients/search", json={"words": "NF-1"}).json()
    merged = hit["patient"]["id"]
    body = {"merged_id": merged, "reason": "One person, two cards"}
    merge_id = eirik.post(f"/api/patients/{survivor}/merge", json=body).json()["id"]

    page = eirik.get(f"/api/patients/{survivor}").json()
    assert [s["id"] for s in page["studies"]] == [str(made.study_id)]
    (report,) = page["reports"]
    assert (report["signed_for"]["id"], report["case_id"]) == (merged, str(made.case_id))
    (history,) = page["merges"]
    assert (history["other"]["id"], history["is_survivor"], history["made_by"]) == (merged, True, cast.eirik.name)
    gone = eirik.get(f"/api/patients/{merged}").json()
    assert (gone["goes_on_as"]["id"], gone["studies"], gone["merges"][0]["is_survivor"]) == (str(survivor), [], False)

    assert eirik.post(f"/api/merges/{merge_id}/undo", json={"reason": "Twins"}).status_code == 204
    assert eirik.get(f"/api/patients/{survivor}").json()["reports"] == []
    back = eirik.get(f"/api/patients/{merged}").json()
    assert (back["goes_on_as"], len(back["studies"]), back["merges"][0]["undo_reason"]) == (None, 1, "Twins")
    assert [r["signed_for"] for r in back["reports"]] == [None]


def test_a_role_at_one_facility_sees_who_was_there(context: Context, cast: Cast, scene: Scene) -> None:
    made = make_read(context, cast)
    other = known(context, cast, "NF-3", "Larsen", "Never There")
    with scene.rows() as s:
        place = Facility(
            organization_id=cast.norfjord, code="NFHC", name="Health Centre", short_name="Centre", jurisdiction="NO",
            time_zone="Europe/Oslo", patient_id_authority="NORFJORD", accession_issuer="NFHC", quiet_seconds=10,
            report_languages=["en"],
        )  # fmt: skip
        s.add(place)
        s.flush()
        centre = place.id
    narrowed = "update access.role_assignments set facility_id = :f where user_id = :u and role = 'site_staff'"
    scene.set(narrowed, f=cast.norfjord_facility, u=cast.eirik.id)
    eirik = sign_in_as(context, cast.eirik)
    (hit,) = eirik.post("/api/patients/search", json={"words": "larsen"}).json()
    page = eirik.get(f"/api/patients/{hit['patient']['id']}").json()
    assert [s["id"] for s in page["studies"]] == [str(made.study_id)]
    assert (page["may_merge"], page["near"]) == (False, [])  # a merge concerns every facility
    assert eirik.get(f"/api/patients/{other}").status_code == 404
    scene.set(narrowed, f=centre, u=cast.eirik.id)
    eirik = sign_in_as(context, cast.eirik)
    assert eirik.post("/api/patients/search", json={"words": "larsen"}).json() == []
    assert eirik.get(f"/api/patients/{hit['patient']['id']}").status_code == 404


@pytest.mark.parametrize("name", ["harper", "otto", "olga", "imogen", "anselm", "astrid", "runa", "pat"])
def test_an_outsider_finds_and_sees_nobody(context: Context, cast: Cast, name: str) -> None:
    patient_id = known(context, cast, "NF-1", "Larsen", "Kari")
    who: Actor = getattr(cast, name)
    client = sign_in_as(context, who)
    found = client.post("/api/patients/search", json={"words": "larsen", "birth_date": "1948-03-12"})
    assert found.status_code == 403 or found.json() == [], name
    told = client.post("/api/patients/search", json={"words": "larsen", "organization_id": str(cast.norfjord)})
    assert told.status_code in (403, 404), name
    assert client.get(f"/api/patients/{patient_id}").status_code in (403, 404), name


def test_equal_values_of_another_client_are_not_found(context: Context, cast: Cast, scene: Scene) -> None:
    known(context, cast, "NF-1", "Larsen", "Kari")
    theirs = known(context, cast, "NF-1", "Larsen", "Kari", owner=cast.llano)
    with scene.rows() as s:  # Eirik works for Llano Verde too
        s.execute(
            insert(RoleAssignment).values(
                user_id=cast.eirik.id, organization_id=cast.llano, role="site_staff", valid_from=LONG_AGO
            )
        )
    eirik = sign_in_as(context, cast.eirik)
    only = {"words": "NF-1", "organization_id": str(cast.llano)}
    assert [h["patient"]["id"] for h in eirik.post("/api/patients/search", json=only).json()] == [str(theirs)]
    assert len(eirik.post("/api/patients/search", json={"words": "NF-1"}).json()) == 2
    assert eirik.get(f"/api/patients/{theirs}").json()["near"] == []
