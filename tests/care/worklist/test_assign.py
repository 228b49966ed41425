"""The right reader, with proof: choice, reasons, capacity over groups and threads, reassignment, the rules run again."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.care.worklist import holds, jobs
from heliograph.care.worklist.access import steered_case
from heliograph.care.worklist.assign import assign_read, hand_back
from heliograph.care.worklist.errors import IllegalStep, NoLongerEligible, NotEligible, OnHold, ReasonNeeded
from heliograph.care.worklist.open import check_still_eligible, complete_read, giving_back, open_read
from heliograph.care.worklist.queries import readers_for
from heliograph.kit.actor import Actor
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import NotFound
from heliograph.records.agreements.new_version import new_version
from tests.care.worklist.scene import Scene

MINUTE = timedelta(minutes=1)


def test_every_other_reader_of_the_group_has_a_written_reason(scene: Scene) -> None:
    scene.reader("Solveig", capacity=1)
    case_id = scene.ready_case()
    (proof,) = scene.assignments(case_id)
    assert proof.occasion == "assigned"
    told = {v["name"]: v for v in proof.verdicts}
    assert set(told) == {"Dr Imogen Tarrant", "Dr Anselm Vogt", "Dr Solveig Solveigsen"}, "not Otto: no agreement"
    assert told["Dr Anselm Vogt"]["why"] == "Not licensed in Norway"
    assert told["Dr Anselm Vogt"]["eligible"] is False
    assert sum(v["is_assigned"] for v in proof.verdicts) == 1
    assert all(v["why"] for v in proof.verdicts)


def test_the_least_loaded_gets_it_and_ties_go_to_who_got_fewer_today(scene: Scene) -> None:
    solveig, _ = scene.reader("Solveig")
    chosen = [scene.read(scene.ready_case()).reader_id for _ in range(4)]
    assert sorted(map(str, chosen)) == sorted(map(str, [solveig, scene.cast.imogen_reader] * 2))
    assert chosen[0] != chosen[1]


def _agree_with_borealis(scene: Scene) -> None:
    with scene.works.begin(scene.cast.astrid) as work:
        new_version(work, scene.cast.norfjord, scene.cast.borealis, promises={"STAT": 45}, viewing_places=["AU", "CH"])


def test_capacity_counts_over_both_groups_of_a_locum(scene: Scene) -> None:
    _agree_with_borealis(scene)
    scene.set("update people.readers set is_active = false")
    locum, _ = scene.reader("Lena", scene.cast.aurora, scene.cast.borealis, capacity=1)
    first = scene.ready_case()
    assert scene.read(first).reader_id == locum
    # Off for Aurora now, on for Borealis: another group, the same person, and still full.
    scene.set("delete from rota.shifts where organization_id = :g", g=scene.cast.aurora)
    second = scene.ready_case()
    assert scene.read(second).reader_id is None
    (alarm,) = scene.alarms(kind="no_reader")
    assert "Dr Lena Lenasen: full: 1 of 1 over both groups" in alarm.text


def test_a_case_moves_to_the_group_under_whose_agreement_it_is_read(scene: Scene) -> None:
    _agree_with_borealis(scene)
    scene.set("update people.readers set is_active = false")
    lena, actor = scene.reader("Lena", scene.cast.borealis)
    case_id = scene.ready_case()
    assert scene.read(case_id).reader_id == lena
    case = scene.case(case_id)
    assert case.group_organization_id == scene.cast.borealis
    assert case.due_at is not None
    assert case.clock_started_at is not None
    assert case.due_at - case.clock_started_at == 30 * MINUTE, "the promise was made before; it doesn't move"
    with scene.works.read(actor) as work:
        assert work.session.scalar(text("select count(*) from worklist.cases")) == 1


@pytest.mark.parametrize("capacity", [1, 2])
def test_two_threads_never_exceed_a_readers_capacity(scene: Scene, capacity: int) -> None:
    scene.set("update people.readers set is_active = false")
    scene.reader("Solveig", capacity=capacity)
    studies = []
    for i in range(6):
        patient = scene.patient()
        scene.order(patient, accession=f"NF-{i}", priority="ROUTINE")
        studies.append(scene.images(patient, accession=f"NF-{i}"))
    gate, faults = threading.Barrier(len(studies)), list[BaseException]()

    def finish(study: UUID) -> None:
        try:
            gate.wait()
            scene.complete(study)
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=finish, args=(s,)) for s in studies]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    states = [scene.read(scene.case_of(s).id).state for s in studies]
    assert states.count("assigned") == capacity
    assert states.count("ready") == len(studies) - capacity
    assert len(scene.alarms(kind="no_reader")) == len(studies) - capacity


def test_nobody_alarms_at_once_with_reasons_and_is_recorded_only_when_they_change(
    scene: Scene, clock: FixedClock
) -> None:
    scene.set("delete from rota.shifts")
    case_id = scene.ready_case()
    assert scene.read(case_id).state == "ready"
    (alarm,) = scene.alarms(kind="no_reader")
    assert alarm.text == "Nobody can read it now. Dr Imogen Tarrant: off shift; 1 more by licence."
    before = scene.actions(case_id)
    clock.advance(MINUTE)
    assert jobs.assign_waiting(scene.works) == 0
    assert scene.actions(case_id) == before, "the same outcome is not recorded again"
    scene.set("update people.licences set status = 'suspended' where jurisdiction = 'NO'")
    assert jobs.assign_waiting(scene.works) == 0
    assert scene.actions(case_id).count("read.no_reader") == 2
    scene.set("update people.licences set status = 'active'")
    scene.set(
        "insert into rota.shifts (organization_id, reader_id, starts_at, ends_at) values (:g, :r, :a, :b)",
        g=scene.cast.aurora, r=scene.cast.imogen_reader, a=clock.now(), b=clock.now() + timedelta(hours=8),
    )  # fmt: skip
    assert jobs.assign_waiting(scene.works) == 1
    assert scene.read(case_id).reader_id == scene.cast.imogen_reader
    assert scene.alarms(kind="no_reader") == []


def test_a_coordinator_reassigns_with_a_reason(scene: Scene) -> None:
    case_id = scene.ready_case()
    solveig, _ = scene.reader("Solveig")
    read_id = scene.read(case_id).id
    with scene.works.begin(scene.cast.nadia) as work:
        assign_read(work, read_id, solveig, "Imogen is on the phone.")
    proof = scene.assignments(case_id)[-1]
    assert (proof.occasion, proof.reader_id, proof.reason) == ("reassigned", solveig, "Imogen is on the phone.")
    assert proof.decided_by == scene.cast.nadia.id
    assert next(v["why"] for v in proof.verdicts if v["is_assigned"]) == "Assigned by Nadia Rourke, 0 of 10"


def test_a_hard_rule_is_not_overridden(scene: Scene) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    with pytest.raises(NotEligible) as refused, scene.works.begin(scene.cast.nadia) as work:
        assign_read(work, read_id, scene.cast.anselm_reader, "He is awake.", override_reason="I answer for it.")
    assert "Not licensed in Norway" in refused.value.detail
    assert [c["rule"] for c in refused.value.extra["checks"]] == ["licence"]
    assert scene.read(case_id).reader_id == scene.cast.imogen_reader


def test_what_reassigning_asks(scene: Scene) -> None:
    read_id = scene.read(scene.ready_case()).id
    for who in (scene.cast.olga, scene.cast.harper, scene.cast.imogen, scene.cast.eirik, scene.cast.pat):
        with pytest.raises(NotFound), scene.works.begin(who) as work:
            assign_read(work, read_id, scene.cast.anselm_reader, "Mine now.")
    with pytest.raises(ReasonNeeded), scene.works.begin(scene.cast.nadia) as work:
        assign_read(work, read_id, scene.cast.anselm_reader, "  ")
    with pytest.raises(NotFound), scene.works.begin(scene.cast.nadia) as work:
        assign_read(work, read_id, scene.cast.otto_reader, "Not of a covering group.")


def test_handed_back_goes_to_another_and_not_to_the_same_again(scene: Scene) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    with scene.works.begin(scene.cast.imogen) as work:
        hand_back(work, read_id, "I know the patient.")
    assert scene.read(case_id).state == "ready"
    (alarm,) = scene.alarms(kind="no_reader")
    assert "Dr Imogen Tarrant: had it before" in alarm.text
    assert jobs.assign_waiting(scene.works) == 0
    solveig, _ = scene.reader("Solveig")
    assert jobs.assign_waiting(scene.works) == 1
    assert scene.read(case_id).reader_id == solveig
    assert jobs.assign_waiting(scene.works) == 0


def test_handing_back_to_a_reader_of_another_group(scene: Scene) -> None:
    """The reader knows nothing of the other group; the platform gives it in the same transaction."""
    _agree_with_borealis(scene)
    case_id = scene.ready_case()
    lena, _ = scene.reader("Lena", scene.cast.borealis)
    with scene.works.begin(scene.cast.imogen) as work:
        hand_back(work, scene.read(case_id).id, "I know the patient.")
        assert work.session.scalar(text("select current_setting('heliograph.kind')")) == "user"
    assert scene.read(case_id).reader_id == lena


def test_only_the_reader_of_a_read_opens_it(scene: Scene) -> None:
    _, solveig = scene.reader("Solveig", capacity=1)
    case_id = scene.ready_case()
    read_id, had_by = scene.read(case_id).id, scene.read(case_id).reader_id
    mine, other = (scene.cast.imogen, solveig) if had_by == scene.cast.imogen_reader else (solveig, scene.cast.imogen)
    for who in (other, scene.cast.otto, scene.cast.nadia, scene.cast.eirik):
        with pytest.raises(NotFound), scene.works.begin(who) as work:
            open_read(work, read_id)
    with scene.works.begin(mine) as work:
        assert open_read(work, read_id).eligible
    assert scene.read(case_id).state == "reading"
    assert scene.assignments(case_id)[-1].occasion == "opened"
    assert scene.actions(case_id).count("read.opened") == 1
    with scene.works.begin(mine) as work:  # a second window
        work.record("test")
        open_read(work, read_id)
    assert scene.actions(case_id).count("read.opened") == 1


@pytest.mark.parametrize(
    "loss",
    [
        "update people.licences set status = 'suspended' where jurisdiction = 'NO'",
        "update people.licences set valid_until = :soon where jurisdiction = 'NO'",
        "update people.privileges set status = 'suspended'",
        "update people.certificates set valid_until = :now",
        "update people.reading_places set is_current = false",
        "update people.reading_places set jurisdiction = 'US-MA'",
        "delete from people.reader_languages",
        "delete from rota.shifts",
    ],
)
def test_who_may_no_longer_read_is_refused_and_the_read_goes_back(scene: Scene, clock: FixedClock, loss: str) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    values = {"now": clock.now(), "soon": clock.now() + 5 * MINUTE}
    scene.set(loss, **{k: v for k, v in values.items() if f":{k}" in loss})
    with (
        pytest.raises(NoLongerEligible) as refused,
        giving_back(scene.works),
        scene.works.begin(scene.cast.imogen) as work,
    ):
        open_read(work, read_id)
    assert any(c["outcome"] != "pass" for c in refused.value.extra["checks"])
    read = scene.read(case_id)
    assert (read.state, read.reader_id) == ("ready", None)
    assert [a.occasion for a in scene.assignments(case_id)] == ["assigned", "no_longer_eligible", "no_reader"]
    with scene.rows() as s:
        refusals = s.execute(
            text("select count(*) from audit.events where case_id = :c and outcome = 'refused'"), {"c": case_id}
        ).scalar()
    assert refusals == 1


def test_the_rules_run_again_at_signing(scene: Scene) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    with scene.works.begin(scene.cast.imogen) as work:
        open_read(work, read_id)
    scene.set("update people.licences set status = 'suspended' where jurisdiction = 'NO'")
    with pytest.raises(NoLongerEligible), giving_back(scene.works), scene.works.begin(scene.cast.imogen) as work:
        check_still_eligible(work, read_id, "signed")
    assert scene.read(case_id).state == "ready"
    with pytest.raises(IllegalStep), scene.works.begin(scene.cast.nadia) as work:
        complete_read(work, read_id)


def test_the_end_of_the_shift_does_not_keep_from_signing(scene: Scene, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    with scene.works.begin(scene.cast.imogen) as work:
        open_read(work, read_id)
    clock.advance(timedelta(hours=10))
    with scene.works.begin(scene.cast.imogen) as work:
        assert check_still_eligible(work, read_id, "signed").eligible
        complete_read(work, read_id)
    assert scene.read(case_id).state == "done"


def test_an_unopened_read_is_taken_back_when_its_readers_shift_ends(scene: Scene, clock: FixedClock) -> None:
    case_id = scene.ready_case()
    assert jobs.recheck_assigned(scene.works) == 0
    clock.advance(timedelta(hours=10))
    assert jobs.recheck_assigned(scene.works) == 1
    assert scene.read(case_id).state == "ready"
    assert "read.no_longer_eligible" in scene.actions(case_id)


@pytest.mark.parametrize("is_opened", [False, True])
def test_the_end_of_an_engagement_takes_the_read_at_once_out_of_sight_and_soon_back(
    scene: Scene, is_opened: bool
) -> None:
    """By the database's clock and by ours: the first decides what is seen, the second what the rules say."""
    case_id = scene.ready_case()
    read_id = scene.read(case_id).id
    if is_opened:
        with scene.works.begin(scene.cast.imogen) as work:
            open_read(work, read_id)
    scene.set("update people.engagements set valid_until = least(now(), :now)", now=scene.works.clock.now())
    with pytest.raises(NotFound), scene.works.begin(scene.cast.imogen) as work:
        open_read(work, read_id)
    assert jobs.recheck_assigned(scene.works) == 1
    assert (scene.read(case_id).state, scene.read(case_id).reader_id) == ("ready", None)
    assert "read.no_longer_eligible" in scene.actions(case_id)


def test_a_held_case_is_given_to_nobody(scene: Scene) -> None:
    scene.set("delete from rota.shifts where reader_id = :r", r=scene.cast.imogen_reader)
    case_id = scene.ready_case()
    with scene.works.begin(scene.cast.nadia) as work:
        holds.hold(work, steered_case(work, case_id), "Wrong patient on the form.")
    scene.reader("Solveig")
    assert jobs.assign_waiting(scene.works) == 0
    with pytest.raises(OnHold), scene.works.begin(scene.cast.nadia) as work:
        assign_read(work, scene.read(case_id).id, None, "Try again.")
    with scene.works.begin(scene.cast.nadia) as work:
        holds.resume(work, steered_case(work, case_id))
    assert jobs.assign_waiting(scene.works) == 1


def test_the_matrix_as_kept_and_as_now(scene: Scene) -> None:
    case_id = scene.ready_case()
    scene.set("update people.licences set status = 'suspended' where jurisdiction = 'NO'")

    def matrix(who: Actor, at: str) -> dict[str, bool]:
        with scene.works.read(who) as work:
            return {r.name: r.eligible for r in readers_for(work, case_id, at).readers}

    assert matrix(scene.cast.nadia, "assigned") == {"Dr Imogen Tarrant": True, "Dr Anselm Vogt": False}
    assert matrix(scene.cast.nadia, "now") == {"Dr Imogen Tarrant": False, "Dr Anselm Vogt": False}
    assert matrix(scene.cast.nadia, "opened") == {}
    for outsider in (scene.cast.olga, scene.cast.otto, scene.cast.harper, scene.cast.pat, scene.cast.astrid):
        with pytest.raises(NotFound):
            matrix(outsider, "now")
