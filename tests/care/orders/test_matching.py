"""Studies meet their orders: in either order of arrival, at the same moment, by hand; and never by guess."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from heliograph.app.context import Context
from heliograph.care.orders import queries
from heliograph.care.orders.errors import AlreadyMatched, OrderCancelled, OtherPatient, ReasonNeeded, StudyHeld
from heliograph.care.orders.incoming import IncomingPatient
from heliograph.care.orders.match import match_by_hand, match_study
from heliograph.care.orders.reactions import match_images
from heliograph.care.orders.receive import receive_order
from heliograph.kit.actor import system
from heliograph.kit.errors import NotAllowed, NotFound
from heliograph.kit.events import Reactions
from heliograph.kit.work import Work
from heliograph.records.archive.events import ImagesIndexed
from heliograph.records.archive.model import Study
from heliograph.records.sites.queries import facility
from tests.care.orders.help import make_study, message, receive, state_of
from tests.cast import Cast
from tests.records.archive import files

BERIT = IncomingPatient("NF-7002", names=("Strand", "Berit"))


def match(context: Context, cast: Cast, study_id):
    with context.works.begin(system("t", cast.norfjord)) as work:
        decision = match_study(work, study_id)
        work.record("test.done", organization_id=cast.norfjord)
    return decision


def joined(context: Context, cast: Cast) -> list[tuple]:
    with context.works.read(system("t", cast.norfjord)) as work:
        rows = work.session.execute(text("select order_id, study_id, matched_by from orders.order_studies order by id"))
        return [tuple(r) for r in rows]


def test_order_first_then_images(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast)
    assert match(context, cast, study).order_id == order.id
    assert state_of(context, cast, study)[0] == "matched"
    assert joined(context, cast) == [(order.id, study, None)]
    assert match(context, cast, study).state == "matched"  # again: nothing more
    assert len(joined(context, cast)) == 1
    with context.works.read(system("t", cast.norfjord)) as work:
        found = work.session.execute(
            text("select order_id, outcome from audit.events where action = 'study.matched'")
        ).all()
        assert [tuple(r) for r in found] == [(order.id, "done")]


def test_images_first_then_order(context: Context, cast: Cast) -> None:
    """Field report C11."""
    study = make_study(context, cast)
    assert match(context, cast, study).state == "unmatched"
    assert state_of(context, cast, study)[1] == "No order has this accession number yet."
    order = receive(context, cast, message())
    assert state_of(context, cast, study)[:2] == ("matched", None)
    assert joined(context, cast) == [(order.id, study, None)]


def test_an_accession_that_comes_with_a_change_finds_its_images(context: Context, cast: Cast) -> None:
    study = make_study(context, cast)
    receive(context, cast, message(accession_number=None))
    assert state_of(context, cast, study)[0] == "unmatched"
    receive(context, cast, message(control="changed"))
    assert state_of(context, cast, study)[0] == "matched"


def test_two_studies_of_one_order_both_match(context: Context, cast: Cast) -> None:
    receive(context, cast, message())
    for uid in ("2.999.1", "2.999.2"):
        assert match(context, cast, make_study(context, cast, uid=uid)).state == "matched"


def test_another_patients_images_wait(context: Context, cast: Cast) -> None:
    """Field report C08."""
    receive(context, cast, message())
    study = make_study(context, cast, patient="NF-7002", name="Strand^Berit")
    assert match(context, cast, study).state == "unmatched"
    assert state_of(context, cast, study)[1] == "The order with this accession number is for another patient."


def test_a_repeated_accession_blocks_matching_not_storage(context: Context, cast: Cast) -> None:
    """Field report C08."""
    one = receive(context, cast, message())
    numbers = {"placer_number": "P-2", "filler_number": "F-2"}
    two = receive(context, cast, message(**numbers, accession_number="A2"))
    receive(context, cast, message(control="changed", **numbers))  # the site gives it the number of the first
    assert one.id != two.id
    study = make_study(context, cast)
    assert match(context, cast, study).state == "unmatched"
    # Once one of them is cancelled, the other is meant.
    receive(context, cast, message(control="cancelled", placer_number="P-2", filler_number="F-2"))
    assert match(context, cast, study).order_id == one.id


def test_a_held_study_is_left_alone(context: Context, cast: Cast) -> None:
    study = make_study(context, cast, state="held")
    receive(context, cast, message())
    assert match(context, cast, study).state == "held"
    assert state_of(context, cast, study)[0] == "held"


def test_the_same_accession_of_another_organisation_is_never_seen(context: Context, cast: Cast) -> None:
    """Field report C08."""
    study = make_study(context, cast)
    with context.works.begin(system("hl7", cast.llano)) as work:
        place = facility(work.session, cast.llano_facility)
        assert place is not None
        same = replace(message(), accession_issuer="NORFJORD", patient=replace(message().patient, authority="NORFJORD"))
        receive_order(work, place, same)
    assert match(context, cast, study).state == "unmatched"


def test_an_order_and_its_images_at_the_same_moment_meet(context: Context, cast: Cast) -> None:
    for n in range(5):
        gate = threading.Barrier(2)
        patient = state_of(context, cast, make_study(context, cast, uid=f"2.999.9.{n}", accession=None))[2]

        def images(n=n, gate=gate, patient=patient) -> None:
            with context.works.begin(system("index", cast.norfjord)) as work:
                row = Study(
                    organization_id=cast.norfjord,
                    facility_id=cast.norfjord_facility,
                    patient_id=patient,
                    study_instance_uid=f"2.999.{n}",
                    accession_number=f"A{n}",
                    first_received_at=work.now,
                    last_received_at=work.now,
                    number_of_instances=1,
                )
                work.session.add(row)
                work.session.flush()
                gate.wait()
                match_study(work, row.id)

        def order(n=n, gate=gate) -> None:
            gate.wait()
            receive(context, cast, message(placer_number=f"P{n}", filler_number=f"F{n}", accession_number=f"A{n}"))

        threads = [threading.Thread(target=images), threading.Thread(target=order)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(joined(context, cast)) == 5


def test_an_order_and_its_images_that_both_make_the_patient_meet(context: Context, cast: Cast) -> None:
    """The order comes while the images' transaction has made the patient and not matched yet: neither waits for the other."""
    made = threading.Event()

    def slow_match(work: Work, event: ImagesIndexed) -> None:
        made.set()
        work.session.execute(text("select pg_sleep(0.3)"))
        match_images(work, event)

    reactions = Reactions()
    reactions.on(ImagesIndexed, slow_match)
    works = replace(context.works, reactions=reactions)
    dropped = files.drop(
        context.settings.spool_dir, cast, files.ct("2.999.5", "2.999.5.1", patient="NF-7001", name="Bakke^Solveig")
    )
    images = threading.Thread(target=files.index, args=(works, context.objects, [dropped]))
    images.start()
    assert made.wait(10)
    receive(context, cast, message())
    images.join()
    assert len(joined(context, cast)) == 1


# ------------------------------------------------------------------ by hand


@pytest.mark.parametrize("who", ["eirik", "nadia"])
def test_site_staff_and_coordinators_match_by_hand(context: Context, cast: Cast, who) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast, accession="TYPO")
    with context.works.begin(getattr(cast, who)) as work:
        match_by_hand(work, study, order.id, "The accession was typed at the scanner")
    assert state_of(context, cast, study)[:2] == ("matched", "The accession was typed at the scanner")
    assert joined(context, cast) == [(order.id, study, getattr(cast, who).id)]


def test_images_without_a_patient_take_the_orders(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast, patient=None, name="")
    with context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, order.id, "Emergency: registered after the scan")
        brief = queries.order(work.session, order.id)
    assert brief is not None
    assert state_of(context, cast, study)[2] == brief.patient_id


def test_another_patients_images_need_a_confirmation(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast, patient="NF-7002", name="Strand^Berit")
    with pytest.raises(OtherPatient), context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, order.id, "Same person")
    assert state_of(context, cast, study)[0] == "unmatched"
    with context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, order.id, "Wrong worklist entry chosen", confirm_other_patient=True)
        brief = queries.order(work.session, order.id)
    assert brief is not None
    assert state_of(context, cast, study)[2] == brief.patient_id
    with context.works.read(system("t", cast.norfjord)) as work:
        detail = work.session.scalar(text("select detail from audit.events where action = 'study.corrected'"))
        assert detail["patient_moved"] is True


def test_what_cannot_be_matched_by_hand(context: Context, cast: Cast) -> None:
    order = receive(context, cast, message())
    other = receive(context, cast, message(placer_number="P-2", filler_number="F-2", accession_number="A2"))
    cancelled = receive(context, cast, message(placer_number="P-3", filler_number="F-3", accession_number="A3"))
    receive(
        context, cast, message(placer_number="P-3", filler_number="F-3", accession_number="A3", control="cancelled")
    )
    study = make_study(context, cast, accession=None)
    held = make_study(context, cast, uid="2.999.2", accession=None, state="held")
    for study_id, order_id, reason, error in (
        (study, order.id, " ", ReasonNeeded),
        (study, cancelled.id, "why", OrderCancelled),
        (held, order.id, "why", StudyHeld),
        (study, cast.norfjord, "why", NotFound),
        (cast.norfjord, order.id, "why", NotFound),
    ):
        with pytest.raises(error), context.works.begin(cast.eirik) as work:
            match_by_hand(work, study_id, order_id, reason)
    with context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, order.id, "why")
    with context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, order.id, "again")  # done already: nothing to do
        work.record("test.done", organization_id=cast.norfjord)
    with pytest.raises(AlreadyMatched), context.works.begin(cast.eirik) as work:
        match_by_hand(work, study, other.id, "why")


@pytest.mark.parametrize(
    ("who", "error"), [("harper", NotFound), ("olga", NotFound), ("imogen", NotFound), ("runa", NotAllowed)]
)
def test_outsiders_match_nothing(context: Context, cast: Cast, who, error) -> None:
    order = receive(context, cast, message())
    study = make_study(context, cast, accession=None)
    with pytest.raises(error), context.works.begin(getattr(cast, who)) as work:
        match_by_hand(work, study, order.id, "mine")
    assert state_of(context, cast, study)[0] == "unmatched"
    if error is NotFound:
        with context.works.read(getattr(cast, who)) as work:
            assert queries.candidates(work.session, study) is None
            assert queries.order(work.session, order.id) is None


def test_candidates_the_likeliest_first_with_what_differs(context: Context, cast: Cast) -> None:
    wrong_number = receive(context, cast, message(accession_number="A9"))
    other_patient = receive(context, cast, message(placer_number="P-2", filler_number="F-2", patient=BERIT))
    unrelated = receive(
        context, cast, message(placer_number="P-3", filler_number="F-3", accession_number="A7", patient=BERIT)
    )
    study = make_study(context, cast)
    with context.works.read(cast.nadia) as work:
        found = queries.candidates(work.session, study)
    assert found is not None
    assert [c.order.id for c in found] == [other_patient.id, wrong_number.id, unrelated.id]
    assert [[d.field for d in c.differences] for c in found] == [
        ["name", "birth_date", "sex", "patient_id"],
        ["accession"],
        ["name", "birth_date", "sex", "patient_id", "accession"],
    ]
    assert (found[1].differences[0].in_order, found[1].differences[0].in_images) == ("A9", "A1")


def test_the_same_number_of_another_authority_differs(context: Context, cast: Cast, owner_url: str) -> None:
    receive(context, cast, message())
    study = make_study(context, cast)
    owner = create_engine(owner_url)
    with owner.begin() as connection:
        connection.execute(text("update archive.studies set dicom_patient_issuer = 'ELSEWHERE'"))
        connection.execute(text("delete from orders.order_studies"))
    owner.dispose()
    with context.works.read(cast.nadia) as work:
        (candidate,) = queries.candidates(work.session, study) or []
    (differs,) = candidate.differences
    assert (differs.field, differs.in_order, differs.in_images) == ("patient_id_issuer", "NORFJORD", "ELSEWHERE")
