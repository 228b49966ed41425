"""Two patients who are one: what is theirs follows, says so on its way out, and goes back when that was wrong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pydicom
import pytest
from sqlalchemy import select

from heliograph.app.context import Context
from heliograph.care.orders.enter import enter_order
from heliograph.care.orders.incoming import IncomingPatient, IncomingProcedure
from heliograph.care.orders.mend import file_under_patient, put_right, take_back
from heliograph.care.orders.merge import merge_patients, unmerge_patients
from heliograph.care.orders.model import Order
from heliograph.kit.actor import system
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.records.archive import corrections
from heliograph.records.archive.model import Study
from heliograph.records.archive.overlay import outgoing_file
from heliograph.records.archive.queries import instance_places, study_by_uid
from heliograph.records.patients.identify import identify
from heliograph.records.patients.merge import MergedAlready, MergedFurther, MergeUndone, SelfMerge, merges_of
from heliograph.records.patients.queries import find, search
from tests.care.orders.help import message, receive
from tests.care.worklist.scene import Scene
from tests.cast import Cast
from tests.records.archive import files
from tests.web import sign_in_as


@pytest.fixture
def scene(context: Context, cast: Cast, owner_url: str) -> Iterator[Scene]:
    made = Scene(context, cast, owner_url)
    yield made
    made.owner.dispose()


def person(context: Context, cast: Cast, value: str, family: str, *, llano: bool = False) -> UUID:
    organization = cast.llano if llano else cast.norfjord
    with context.works.begin(system("test", organization)) as work:
        found = identify(
            work, organization, "NORFJORD", value, names=(family, "Kari"), birth_date=date(1948, 3, 12), sex="F"
        )
        return found.id


def came(context: Context, cast: Cast, patient: str, name: str, study: str) -> UUID:
    data = files.ct(study, f"{study}.1", sop=f"{study}.1.1", patient=patient, name=name, accession="")
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])
    with context.works.read(system("test", cast.norfjord)) as work:
        found = study_by_uid(work.session, cast.norfjord, study)
    assert found is not None
    return found.id


def out(context: Context, cast: Cast, study_id: UUID) -> tuple[str, str, UUID | None]:
    """(name, id) as the image says on its way out, and under whom the study is filed."""
    with context.works.read(system("test", cast.norfjord)) as work:
        (place,) = instance_places(work.session, study_id)
        filed = work.session.get_one(Study, study_id).patient_id
    ds = pydicom.dcmread(io.BytesIO(b"".join(outgoing_file(context.objects, place))))
    return str(ds.PatientName), ds.PatientID, filed


def test_studies_name_the_survivor_also_those_that_come_later_and_go_back(context: Context, cast: Cast) -> None:
    first = came(context, cast, "NF-1", "LARSEN^Kari", "2.999.1")
    second = came(context, cast, "NF-2", "LARSSON^Kari", "2.999.2")
    _, _, kari = out(context, cast, first)
    _, _, larsson = out(context, cast, second)
    assert kari is not None and larsson is not None  # noqa: PT018
    eirik = sign_in_as(context, cast.eirik)
    made = eirik.post(f"/api/patients/{kari}/merge", json={"merged_id": str(larsson), "reason": "Married"})
    assert made.status_code == 200
    assert out(context, cast, second) == ("LARSEN^Kari", "NF-1", kari)
    assert out(context, cast, first) == ("LARSEN^Kari", "NF-1", kari)
    third = came(context, cast, "NF-2", "LARSSON^Kari", "2.999.3")  # the scanner goes on with the old number
    assert out(context, cast, third) == ("LARSEN^Kari", "NF-1", kari)
    with context.works.read(system("test", cast.norfjord)) as work:
        authority = work.session.get_one(Study, third).dicom_patient_issuer or "NORFJORD"
        found = find(work.session, cast.norfjord, authority, "NF-2")
        assert found is not None
        assert found.id == kari
        assert [p.id for p in search(work.session, "LARS", [cast.norfjord])] == [kari]
    # The same merge again changes nothing.
    again = eirik.post(f"/api/patients/{kari}/merge", json={"merged_id": str(larsson), "reason": "Married"})
    assert again.json() == made.json()
    with context.works.begin(cast.eirik) as work:
        corrections.correct(work, second, "entered", {"00081030": "CT head, again"}, "typed wrong")

    assert eirik.post(f"/api/merges/{made.json()['id']}/undo", json={"reason": "Two sisters"}).status_code == 204
    assert out(context, cast, first) == ("LARSEN^Kari", "NF-1", kari)
    for study in (second, third):
        assert out(context, cast, study) == ("LARSSON^Kari", "NF-2", larsson)
    with context.works.read(system("test", cast.norfjord)) as work:
        assert work.session.get_one(Study, second).study_description == "CT head, again"  # put right since: it stays
    listed = eirik.get(f"/api/patients/{kari}/merges").json()
    assert [(m["merged_id"], m["undo_reason"]) for m in listed] == [(str(larsson), "Two sisters")]
    with pytest.raises(MergeUndone), context.works.begin(cast.eirik) as work:
        unmerge_patients(work, UUID(made.json()["id"]), "again")


def test_merges_make_no_circles(context: Context, cast: Cast) -> None:
    """Field report C06: with oneself, reversed, and repeated."""
    a, b, c = (person(context, cast, v, "LARSEN") for v in ("A", "B", "C"))
    with context.works.begin(cast.eirik) as work:
        merge_patients(work, a, b, "one")
    for survivor, merged, error in ((a, a, SelfMerge), (b, a, SelfMerge), (b, c, MergedAlready), (c, b, MergedAlready)):
        with pytest.raises(error), context.works.begin(cast.eirik) as work:
            merge_patients(work, survivor, merged, "x")
    with context.works.begin(cast.eirik) as work:
        merge_patients(work, c, a, "a chain, not a circle")
    with context.works.read(system("test", cast.norfjord)) as work:
        found = find(work.session, cast.norfjord, "NORFJORD", "B")
        assert found is not None
        assert found.id == c
        assert len(merges_of(work.session, a)) == 2


def test_orders_and_cases_follow_and_a_signed_report_is_flagged(scene: Scene) -> None:
    case_id = scene.ready_case()
    merged, survivor = scene.case(case_id).patient_id, scene.patient()
    assert merged is not None
    with scene.works.begin(scene.cast.eirik) as work:
        merge_id = merge_patients(work, survivor, merged, "One person")
    assert scene.case(case_id).patient_id == survivor
    assert scene.read(case_id).state == "assigned"  # still at the top of the reader's list
    with scene.rows() as s:
        assert {o.patient_id for o in s.query(Order)} == {survivor}
    with scene.works.begin(scene.cast.eirik) as work:
        unmerge_patients(work, merge_id, "Two persons")
    assert scene.case(case_id).patient_id == merged
    with scene.rows() as s:
        assert {o.patient_id for o in s.query(Order)} == {merged}
    scene.set("update worklist.reads set state = 'done' where case_id = :c", c=case_id)
    with scene.works.begin(scene.cast.eirik) as work:
        merge_patients(work, survivor, merged, "One person after all")
    assert scene.case(case_id).patient_id == merged
    (alarm,) = scene.alarms(kind="images_left")
    assert alarm.case_id == case_id


def test_only_who_looks_after_the_organisation_merges_its_patients(context: Context, cast: Cast) -> None:
    a, b = (person(context, cast, v, "LARSEN") for v in ("A", "B"))
    theirs = person(context, cast, "A", "OTHER", llano=True)
    for actor in (cast.otto, cast.imogen):
        with pytest.raises((NotFound, NotAllowed)), context.works.begin(actor) as work:
            merge_patients(work, a, b, "x")
    with pytest.raises(NotFound), context.works.begin(cast.eirik) as work:
        merge_patients(work, a, theirs, "x")
    with pytest.raises(NotFound), context.works.begin(system("test", cast.norfjord, cast.llano)) as work:
        merge_patients(work, a, theirs, "x")


def test_a_merge_is_taken_back_as_a_whole_whatever_was_put_right_meanwhile(context: Context, cast: Cast) -> None:
    first = came(context, cast, "NF-1", "LARSEN^Kari", "2.999.1")
    second = came(context, cast, "NF-2", "LARSSON^Kari", "2.999.2")
    kari, larsson = out(context, cast, first)[2], out(context, cast, second)[2]
    assert kari is not None
    assert larsson is not None
    with context.works.begin(cast.eirik) as work:
        merge_id = merge_patients(work, kari, larsson, "Married")
    with pytest.raises(corrections.OfAMerge), context.works.begin(cast.eirik) as work:
        take_back(work, second, "not hers")  # one study alone would be under a patient who does not go on
    for undone in (False, True):
        with context.works.begin(cast.eirik) as work:
            put_right(work, second, {"00081030": f"CT head {undone}"}, "typed wrong")
        if undone:
            with context.works.begin(cast.eirik) as work:
                take_back(work, second, "it was right")
    with pytest.raises(corrections.OfAMerge), context.works.begin(cast.eirik) as work:
        for _ in range(3):
            take_back(work, second, "further and further")
    with context.works.begin(cast.eirik) as work:
        unmerge_patients(work, merge_id, "Two sisters")
    assert out(context, cast, second) == ("LARSSON^Kari", "NF-2", larsson)


def test_what_is_filed_under_a_merged_patient_is_the_survivors(context: Context, cast: Cast) -> None:
    first = came(context, cast, "NF-1", "LARSEN^Kari", "2.999.1")
    second = came(context, cast, "NF-2", "LARSSON^Kari", "2.999.2")
    third = came(context, cast, "NF-3", "NILSEN^Nora", "2.999.3")
    kari, larsson = out(context, cast, first)[2], out(context, cast, second)[2]
    assert kari is not None
    assert larsson is not None
    with context.works.begin(cast.eirik) as work:
        merge_patients(work, kari, larsson, "Married")
        file_under_patient(work, third, larsson, "She was on the table")
    assert out(context, cast, third) == ("LARSEN^Kari", "NF-1", kari)


def test_of_several_merges_the_last_goes_first(context: Context, cast: Cast) -> None:
    """Else what came by the first would stay with who came last."""
    a, b, c = (person(context, cast, v, "LARSEN") for v in ("A", "B", "C"))
    with context.works.begin(cast.eirik) as work:
        first = merge_patients(work, b, a, "one")
        last = merge_patients(work, c, b, "one")
    with pytest.raises(MergedFurther), context.works.begin(cast.eirik) as work:
        unmerge_patients(work, first, "two")
    with context.works.begin(cast.eirik) as work:
        unmerge_patients(work, last, "two")
        unmerge_patients(work, first, "two")
    with context.works.read(system("test", cast.norfjord)) as work:
        found = {v: find(work.session, cast.norfjord, "NORFJORD", v) for v in "ABC"}
    assert {v: p.id for v, p in found.items() if p} == {"A": a, "B": b, "C": c}


def test_orders_that_came_since_go_back_to_whom_they_name(context: Context, cast: Cast) -> None:
    a, b, c = (person(context, cast, v, "LARSEN") for v in ("A", "B", "C"))

    def order(value: str) -> None:
        number = f"{value}{len(named)}"
        named[number] = value
        told = IncomingPatient(value, names=("LARSEN", "Kari"), birth_date=date(1948, 3, 12), sex="F")
        numbers = {"placer_number": number, "filler_number": number, "accession_number": number}
        receive(context, cast, message(patient=told, **numbers))

    def theirs() -> dict[str, UUID]:
        with context.works.read(system("test", cast.norfjord)) as work:
            return {o.accession_number or "": o.patient_id for o in work.session.scalars(select(Order))}

    named: dict[str, str] = {}
    order("A")
    with context.works.begin(cast.eirik) as work:
        first = merge_patients(work, b, a, "one")
    for value in "AB":
        order(value)
    with context.works.begin(cast.eirik) as work:
        last = merge_patients(work, c, b, "one")
    for value in "ABC":
        order(value)
    with context.works.begin(cast.eirik) as work:
        entered = enter_order(
            work,
            cast.norfjord_facility,
            IncomingPatient("A", names=("LARSEN", "Kari"), birth_date=date(1948, 3, 12), sex="F"),
            (IncomingProcedure("CT hode", code="CTHEAD", modality="CT"),),
            priority="ROUTINE",
            accession_number="A-HAND",
        )
    named["A-HAND"] = "A"
    assert theirs() == dict.fromkeys(named, c)
    with context.works.begin(cast.eirik) as work:
        unmerge_patients(work, last, "two")
    assert theirs() == {number: c if value == "C" else b for number, value in named.items()}
    with context.works.begin(cast.eirik) as work:
        unmerge_patients(work, first, "two")
    assert theirs() == {number: {"A": a, "B": b, "C": c}[value] for number, value in named.items()}
    with context.works.read(system("test", cast.norfjord)) as work:
        assert work.session.get_one(Order, entered).patient_id == a
