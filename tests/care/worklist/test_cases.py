"""From images to a case with its reader: readiness, the clock, late images, changed and cancelled orders, provisional reads."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.care.orders.events import OrderChanged
from heliograph.care.orders.match import match_by_hand, match_waiting
from heliograph.care.orders.model import Order, RequestedProcedure
from heliograph.care.worklist import jobs
from heliograph.care.worklist.addendum import open_addendum
from heliograph.care.worklist.cases import read_provisionally
from heliograph.care.worklist.errors import AddendumOpen, NothingSigned, NotProvisional
from heliograph.care.worklist.open import complete_read, open_read
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotFound
from tests.care.worklist.scene import Scene

MINUTE = timedelta(minutes=1)


def test_complete_images_make_a_case_ready_and_assigned_in_one_go(scene: Scene, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    case, read = scene.case(case_id), scene.read(case_id)
    assert (read.state, read.reader_id, read.kind) == ("assigned", scene.cast.imogen_reader, "primary")
    assert case.clock_started_at == clock.now()
    assert case.due_at == clock.now() + 30 * MINUTE
    assert case.group_organization_id == scene.cast.aurora
    actions = scene.actions(case_id)
    assert [a for a in actions if a in ("case.created", "case.ready", "grant.given", "read.assigned")] == [
        "case.created", "case.ready", "grant.given", "read.assigned",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order_age", "image_age", "started"),
    [(60 * MINUTE, 5 * MINUTE, 5 * MINUTE), (2 * MINUTE, 40 * MINUTE, 2 * MINUTE)],
)
def test_the_clock_starts_at_the_later_of_images_and_order(
    scene: Scene, clock: FixedClock, order_age: timedelta, image_age: timedelta, started: timedelta
) -> None:
    patient = scene.patient()
    scene.order(patient, received=order_age, priority="URGENT")
    study = scene.images(patient, age=image_age)
    scene.complete(study)
    case = scene.case_of(study)
    assert case.clock_started_at == clock.now() - started
    assert case.due_at == clock.now() - started + 120 * MINUTE


def test_images_before_the_order_become_a_case_when_it_comes(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    study = scene.images(patient, age=20 * MINUTE)
    scene.complete(study)
    order = scene.order(patient)
    with scene.works.begin(scene.platform) as work:
        assert match_waiting(work, work.session.get_one(Order, order)) == [study]
    case = scene.case_of(study)
    assert scene.read(case.id).state == "assigned"
    assert case.clock_started_at == clock.now()


def test_a_routine_case_waits_until_its_images_are_complete(scene: Scene) -> None:
    patient = scene.patient()
    scene.order(patient, priority="ROUTINE")
    study = scene.images(patient)
    case = scene.case_of(study)
    assert scene.read(case.id).state == "waiting"
    assert case.due_at is None
    scene.complete(study)
    assert scene.read(case.id).state == "assigned"


def test_a_stat_case_is_ready_as_arriving_and_its_clock_moves_openly_to_the_last_image(
    scene: Scene, clock: FixedClock
) -> None:
    patient = scene.patient()
    scene.order(patient)
    study = scene.images(patient)
    case = scene.case_of(study)
    first = clock.now()
    assert case.is_arriving
    assert case.clock_started_at == first
    assert scene.read(case.id).state == "assigned"
    clock.advance(4 * MINUTE)
    scene.more_images(study)
    clock.advance(MINUTE)
    scene.complete(study)
    case = scene.case(case.id)
    assert not case.is_arriving
    assert case.clock_started_at == first + 4 * MINUTE
    assert scene.actions(case.id).count("case.clock_started") == 2
    assert case.late_images_at is None


def test_one_case_an_order_with_all_its_procedures_and_studies(scene: Scene) -> None:
    patient = scene.patient()
    scene.order(
        patient,
        priority="ROUTINE",
        procedures=(("CT head, no contrast", "ct_head_wo"), ("CT cervical spine", "ct_cspine_wo")),
    )
    one, two = scene.images(patient), scene.images(patient, number=300)
    assert scene.case_of(one).id == scene.case_of(two).id
    scene.complete(one)
    case_id = scene.case_of(one).id
    assert scene.read(case_id).state == "waiting", "the second study still arrives"
    scene.complete(two)
    assert scene.read(case_id).state == "assigned"
    assert scene.case(case_id).description == "CT head, no contrast + CT cervical spine"


def test_images_only_facilities_need_no_order(scene: Scene) -> None:
    scene.set("update sites.facilities set is_images_only = true where id = :id", id=scene.cast.norfjord_facility)
    study = scene.images(scene.patient(), accession=None)
    scene.complete(study)
    case = scene.case_of(study)
    assert case.exam_class.startswith("ct_head")
    assert scene.read(case.id).state == "assigned"


def test_late_images_join_before_opening_and_the_clock_stays(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    case = scene.case_of(study)
    clock.advance(2 * MINUTE)
    scene.more_images(study)
    after = scene.case(case.id)
    assert (after.clock_started_at, after.due_at) == (case.clock_started_at, case.due_at)
    assert after.late_images_at is None
    assert "case.images_joined" in scene.actions(case.id)


def test_late_images_while_reading_mark_the_case_and_alarm(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    case_id = scene.case_of(study).id
    with scene.works.begin(scene.cast.imogen) as work:
        open_read(work, scene.read(case_id).id)
    clock.advance(MINUTE)
    scene.more_images(study, 12)
    assert scene.case(case_id).late_images_at == clock.now()
    assert [a.text for a in scene.alarms(kind="late_images")] == ["12 images joined while the case is being read."]
    assert len(scene.reads(case_id)) == 1


def test_images_after_signing_open_an_addendum_for_who_signed(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    case_id = scene.case_of(study).id
    _sign(scene, case_id)
    clock.advance(10 * MINUTE)
    scene.more_images(study, 1)
    scene.more_images(study, 1)
    reads = scene.reads(case_id)
    assert [(r.kind, r.state, r.reader_id) for r in reads] == [
        ("primary", "done", scene.cast.imogen_reader),
        ("addendum", "assigned", scene.cast.imogen_reader),
    ]
    assert reads[1].due_at == clock.now() + 30 * MINUTE, "an addendum has its own clock"
    assert scene.case(case_id).due_at != reads[1].due_at
    assert scene.case(case_id).closed_at is None


def test_a_study_of_the_order_that_comes_after_signing_opens_an_addendum_too(scene: Scene) -> None:
    patient = scene.patient()
    scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    case_id = scene.case_of(study).id
    _sign(scene, case_id)
    scene.images(patient, number=20)
    assert [r.kind for r in scene.reads(case_id)] == ["primary", "addendum"]


def test_an_addendum_by_hand(scene: Scene) -> None:
    case_id = scene.ready_case()
    with pytest.raises(NothingSigned), scene.works.begin(scene.cast.nadia) as work:
        open_addendum(work, case_id, "A prior was found.")
    _sign(scene, case_id)
    with pytest.raises(NotFound), scene.works.begin(scene.cast.otto) as work:
        open_addendum(work, case_id, "Not his.")
    with scene.works.begin(scene.cast.imogen) as work:
        read_id = open_addendum(work, case_id, "A prior was found.")
    assert scene.read(case_id).id == read_id
    with pytest.raises(AddendumOpen), scene.works.begin(scene.cast.nadia) as work:
        open_addendum(work, case_id, "Twice.")


def test_another_priority_moves_the_deadline_from_the_same_start(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    order = scene.order(patient, priority="ROUTINE")
    study = scene.images(patient)
    scene.complete(study)
    case = scene.case_of(study)
    clock.advance(5 * MINUTE)
    with scene.works.begin(scene.platform) as work:
        work.session.get_one(Order, order).priority = "STAT"
        work.record("order.changed", organization_id=scene.cast.norfjord, order_id=order)
        work.announce(OrderChanged(scene.cast.norfjord, order, "updated"))
    after = scene.case(case.id)
    assert after.priority == "STAT"
    assert after.clock_started_at == case.clock_started_at
    assert after.clock_started_at is not None
    assert after.due_at == after.clock_started_at + 30 * MINUTE
    assert "case.priority_changed" in scene.actions(case.id)


def test_more_procedures_join_the_case(scene: Scene) -> None:
    patient = scene.patient()
    order = scene.order(patient, priority="ROUTINE")
    study = scene.images(patient)
    with scene.works.begin(scene.platform) as work:
        work.session.add(
            RequestedProcedure(
                organization_id=scene.cast.norfjord,
                order_id=order,
                position=1,
                description="CT cervical spine",
                exam_class="ct_cspine_wo",
            )
        )
        work.record("order.changed", organization_id=scene.cast.norfjord, order_id=order)
        work.announce(OrderChanged(scene.cast.norfjord, order, "updated"))
    assert scene.case_of(study).description == "CT head, no contrast + CT cervical spine"


def test_a_cancelled_order_cancels_the_read_and_ends_the_groups_grant(scene: Scene) -> None:
    patient = scene.patient()
    order = scene.order(patient)
    study = scene.images(patient)
    scene.complete(study)
    case_id = scene.case_of(study).id
    with scene.works.begin(scene.platform) as work:
        work.session.get_one(Order, order).status = "cancelled"
        work.record("order.cancelled", organization_id=scene.cast.norfjord, order_id=order)
        work.announce(OrderChanged(scene.cast.norfjord, order, "cancelled"))
    assert scene.read(case_id).state == "cancelled"
    assert scene.case(case_id).closed_at is not None
    with scene.rows() as s:
        open_grants = s.execute(
            text("select count(*) from tenancy.grants where case_id = :c and valid_until is null"), {"c": case_id}
        ).scalar()
    assert open_grants == 0


def test_an_unmatched_stat_is_read_provisionally_and_then_matched(scene: Scene, clock: FixedClock) -> None:
    patient = scene.patient()
    study = scene.images(patient, accession="NF-unknown")
    scene.complete(study)
    with scene.works.begin(scene.cast.nadia) as work:
        case_id = read_provisionally(work, study, "STAT")
    assert scene.case(case_id).is_provisional
    assert scene.read(case_id).reader_id == scene.cast.imogen_reader
    order = scene.order(patient, accession="NF-7", priority="STROKE")
    with scene.works.begin(scene.cast.nadia) as work:
        match_by_hand(work, study, order, "Same patient; the scanner had an old worklist.")
    after = scene.case_of(study)
    assert (after.id, after.is_provisional, after.priority) == (case_id, False, "STROKE")
    assert after.description == "CT head, no contrast"


def test_what_may_not_be_read_provisionally(scene: Scene) -> None:
    unmatched = scene.images(scene.patient(), accession="NF-x")
    nameless = scene.images(None, accession="NF-y")
    with pytest.raises(NotFound), scene.works.begin(scene.cast.olga) as work:
        read_provisionally(work, unmatched, "STAT")
    with pytest.raises(NotProvisional), scene.works.begin(scene.cast.nadia) as work:
        read_provisionally(work, unmatched, "ROUTINE")
    with pytest.raises(NotProvisional), scene.works.begin(scene.cast.nadia) as work:
        read_provisionally(work, nameless, "STAT")
    scene.set("update agreements.agreements set allows_provisional_stat = false")
    with pytest.raises(NotProvisional), scene.works.begin(scene.cast.nadia) as work:
        read_provisionally(work, unmatched, "STAT")


def test_an_unmatched_study_raises_one_alarm_in_time(scene: Scene, clock: FixedClock) -> None:
    study = scene.images(scene.patient(), accession="NF-none")
    assert jobs.raise_unmatched_alarms(scene.works, minutes=10) == 0
    clock.advance(10 * MINUTE)
    assert jobs.raise_unmatched_alarms(scene.works, minutes=10) == 1
    assert jobs.raise_unmatched_alarms(scene.works, minutes=10) == 0
    (alarm,) = scene.alarms(kind="unmatched_study")
    assert alarm.study_id == study
    assert "No order has this accession number yet." in alarm.text


def test_a_broken_promise_raises_one_alarm_and_signing_clears_it(scene: Scene, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    clock.advance(31 * MINUTE)
    assert jobs.promise_broken(scene.works) == 1
    assert jobs.promise_broken(scene.works) == 0
    _sign(scene, case_id)
    assert scene.alarms(kind="promise_broken") == []


def _sign(scene: Scene, case_id: UUID) -> None:
    with scene.works.begin(scene.cast.imogen) as work:
        read = scene.read(case_id)
        open_read(work, read.id)
        complete_read(work, read.id)
