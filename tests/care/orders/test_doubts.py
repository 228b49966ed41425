"""Who a patient is: what messages left in doubt is settled by a person, and nobody signs for another patient unawares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.orders.doubts import settle_doubt, waiting_doubts
from heliograph.care.orders.errors import ReasonNeeded
from heliograph.care.orders.merge import merge_told
from heliograph.care.reading.drafts import check_draft
from heliograph.care.reading.errors import IdentityChanged
from heliograph.kit.actor import machine, system
from heliograph.kit.clock import FixedClock
from heliograph.kit.errors import Invalid, NotAllowed, NotFound
from heliograph.kit.work import Work
from heliograph.records.patients import doubts
from heliograph.records.patients.doubts import DoubtSettled, IdentityInDoubt
from heliograph.records.patients.identify import Told, ToldIdentifier
from heliograph.records.patients.index import take
from heliograph.records.patients.queries import find, patient
from tests.care.reading.help import Made, make_read, open_, sign, with_session
from tests.cast import Cast
from tests.web import sign_in_as

ADA = Told((ToldIdentifier("1", "NORFJORD"),), ("Lind", "Ada"), birth_date=date(1970, 1, 1), sex="F")
EVA = replace(ADA, names=("Strand", "Eva"), birth_date=date(1988, 2, 3))
KARI = Told((ToldIdentifier("NF-1", "NORFJORD"),), ("Larsen", "Kari"), birth_date=date(1948, 3, 12), sex="F")


@pytest.fixture
def site(context: Context, cast: Cast) -> Iterator[Work]:
    """As the site's feed."""
    with context.works.begin(machine("HL7 Norfjord RIS", cast.hl7_in, cast.norfjord)) as work:
        yield work


def told(context: Context, cast: Cast, one: Told) -> UUID:
    """What the door does with a message about a patient."""
    feed = machine("HL7 Norfjord RIS", cast.hl7_in, cast.norfjord)
    try:
        with context.works.begin(feed) as work:
            return take(work, cast.norfjord, one).patient.id
    except IdentityInDoubt as error:
        with context.works.begin(feed) as work:
            work.record("message.refused", organization_id=cast.norfjord)
            doubts.keep(work, error)
        return error.patient_id


def waiting(context: Context, who) -> list[doubts.DoubtFacts]:
    with context.works.begin(who) as work:
        return waiting_doubts(work)


def alarms(context: Context, cast: Cast) -> list[str]:
    with context.works.read(system("t", cast.norfjord)) as work:
        found = "select kind from worklist.alarms where cleared_at is null and kind like 'identity%' order by raised_at"
        return list(work.session.scalars(text(found)))


def test_the_same_human_is_taken_as_told(context: Context, cast: Cast) -> None:
    told(context, cast, ADA)
    who = told(context, cast, EVA)
    (one,) = waiting(context, cast.nadia)
    assert (one.kind, one.told["family_name"]) == ("told_differs", "Strand")
    for outsider in (cast.harper, cast.olga, cast.otto, cast.pat, cast.imogen):
        assert waiting(context, outsider) == []
        with pytest.raises((NotFound, NotAllowed)), context.works.begin(outsider) as work:
            settle_doubt(work, one.id, "same", "x")
    with pytest.raises(ReasonNeeded), context.works.begin(cast.nadia) as work:
        settle_doubt(work, one.id, "same", " ")
    with context.works.begin(cast.nadia) as work:
        settle_doubt(work, one.id, "same", "Emergency name before.")
    with context.works.read(cast.nadia) as work:
        now = patient(work.session, who)
        assert now is not None
        assert (now.family_name, now.birth_date) == ("Strand", date(1988, 2, 3))
    assert alarms(context, cast) == []
    assert told(context, cast, EVA) == who
    assert waiting(context, cast.nadia) == []
    with pytest.raises(DoubtSettled), context.works.begin(cast.nadia) as work:
        settle_doubt(work, one.id, "same", "again")


def test_another_human_stays_refused_and_is_not_asked_again(context: Context, cast: Cast) -> None:
    told(context, cast, ADA)
    who = told(context, cast, EVA)
    (one,) = waiting(context, cast.eirik)
    with context.works.begin(cast.eirik) as work:
        settle_doubt(work, one.id, "other", "The site must give another number.")
    told(context, cast, EVA)
    assert waiting(context, cast.eirik) == []
    assert alarms(context, cast) == []
    with context.works.read(cast.nadia) as work:
        assert patient(work.session, who).family_name == "Lind"  # type: ignore[union-attr]
    told(context, cast, replace(EVA, names=("Moen", "Eva")))
    assert len(waiting(context, cast.eirik)) == 1


def test_two_patients_are_merged_into_whom_the_person_names(context: Context, cast: Cast) -> None:
    shared = ToldIdentifier("N1", "NATID", "NI")
    first = told(context, cast, replace(ADA, identifiers=(ToldIdentifier("1", "NORFJORD"), shared)))
    second = told(context, cast, replace(ADA, identifiers=(ToldIdentifier("2", "NORFJORD"), shared)))
    (one,) = waiting(context, cast.nadia)
    with pytest.raises(Invalid), context.works.begin(cast.nadia) as work:
        settle_doubt(work, one.id, "same", "One human.")
    with context.works.begin(cast.nadia) as work:
        settle_doubt(work, one.id, "same", "One human.", survivor_id=second)
    with context.works.read(cast.nadia) as work:
        found = find(work.session, cast.norfjord, "NORFJORD", "1")
        assert found is not None
        assert found.id == second != first
    assert alarms(context, cast) == []


def test_a_merge_of_two_who_differ_is_undone_when_they_are_two(context: Context, cast: Cast, site: Work) -> None:
    one = take(site, cast.norfjord, ADA).patient.id
    other = replace(EVA, identifiers=(ToldIdentifier("2", "NORFJORD"),))
    two = take(site, cast.norfjord, other).patient.id
    merge_told(site, cast.norfjord, ADA, other, "A40")
    site.session.commit()
    (doubt,) = waiting(context, cast.nadia)
    assert (doubt.kind, doubt.patient_id, doubt.other_patient_id) == ("merged_differ", one, two)
    with context.works.begin(cast.nadia) as work:
        settle_doubt(work, doubt.id, "other", "Two people.")
    with context.works.read(cast.nadia) as work:
        assert find(work.session, cast.norfjord, "NORFJORD", "2").id == two  # type: ignore[union-attr]


def _merge(context: Context, cast: Cast, survivor: Told, retired: Told) -> None:
    with context.works.begin(machine("HL7 Norfjord RIS", cast.hl7_in, cast.norfjord)) as work:
        merge_told(work, cast.norfjord, survivor, retired, "A40")


@pytest.mark.parametrize("is_retired", [True, False])
def test_a_merge_while_somebody_reads_is_told_before_signing(
    context: Context, cast: Cast, clock: FixedClock, is_retired: bool
) -> None:
    made: Made = make_read(context, cast)
    imogen = with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    clock.advance(timedelta(minutes=1))
    twin = replace(KARI, identifiers=(ToldIdentifier("NF-2", "NORFJORD"),))
    _merge(context, cast, twin if is_retired else KARI, KARI if is_retired else twin)
    assert alarms(context, cast) == ["identity_changed"]
    with context.works.read(imogen) as work:
        assert "identity-changed" in {p.id for p in check_draft(work, made.read_id)}
    with context.works.read(cast.nadia) as work:
        case = work.session.execute(text("select patient_id from worklist.cases")).scalar_one()
        assert case == find(work.session, cast.norfjord, "NORFJORD", "NF-1").id  # type: ignore[union-attr]
    with pytest.raises(IdentityChanged):
        sign(context, imogen, made.read_id)
    sign(context, imogen, made.read_id, overrides=[("identity-changed", "Looked at again")])
    assert alarms(context, cast) == []


def test_a_new_name_while_somebody_reads_is_told_too(context: Context, cast: Cast, clock: FixedClock) -> None:
    made = make_read(context, cast)
    imogen = with_session(context, cast.imogen)
    open_(context, imogen, made.read_id)
    clock.advance(timedelta(minutes=1))
    told(context, cast, replace(KARI, names=("Larsen-Moe", "Kari")))
    assert alarms(context, cast) == ["identity_changed"]
    with pytest.raises(IdentityChanged):
        sign(context, imogen, made.read_id)


def test_a_signed_report_under_another_identity_is_flagged_and_not_moved(
    context: Context, cast: Cast, clock: FixedClock
) -> None:
    made = make_read(context, cast)
    imogen = with_session(context, cast.imogen)
    sign(context, imogen, made.read_id, kind="preliminary")
    with context.works.read(imogen) as work:
        before = work.session.execute(text("select patient_id from worklist.cases")).scalar_one()
    clock.advance(timedelta(minutes=1))
    _merge(context, cast, replace(KARI, identifiers=(ToldIdentifier("NF-2", "NORFJORD"),)), KARI)
    with context.works.read(cast.nadia) as work:
        assert work.session.execute(text("select patient_id from worklist.cases")).scalar_one() == before
        raised = set(work.session.scalars(text("select kind from worklist.alarms where cleared_at is null")))
    assert {"images_left", "identity_changed"} <= raised


def test_over_http(context: Context, cast: Cast) -> None:
    told(context, cast, ADA)
    told(context, cast, EVA)
    nadia = sign_in_as(context, cast.nadia)
    (one,) = nadia.get("/api/patient-doubts").json()
    assert (one["kind"], one["patient"]["family_name"], one["told"]["family_name"]) == (
        "told_differs",
        "Lind",
        "Strand",
    )
    settled = nadia.post(f"/api/patient-doubts/{one['id']}/settle", json={"decision": "same", "reason": "Was unknown."})
    assert settled.status_code == 204, settled.text
    assert nadia.get("/api/patient-doubts").json() == []
