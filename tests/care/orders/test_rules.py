"""Which order a study answers, which priority a message means, which step an order may take: as tables."""

from __future__ import annotations

from uuid import UUID

import pytest

from heliograph.care.orders.rules import OrderFacts, StudyFacts, decide_match, priorities, priority_of
from heliograph.care.orders.states import STATUSES, allows

ANNA, BERIT = UUID(int=1), UUID(int=2)
ONE, TWO = UUID(int=11), UUID(int=12)


def study(**changes) -> StudyFacts:
    facts = {"match_state": "unmatched", "patient_id": ANNA, "accession_number": "A1", "accession_issuer": "NF"}
    return StudyFacts(**{**facts, **changes})


def order(id_=ONE, **changes) -> OrderFacts:
    return OrderFacts(**{"id": id_, "patient_id": ANNA, "accession_number": "A1", "accession_issuer": "NF", **changes})


@pytest.mark.parametrize(
    ("images", "orders", "state", "order_id", "reason"),
    [
        (study(), [order()], "matched", ONE, None),
        (study(), [order(accession_issuer=None)], "matched", ONE, None),
        (study(), [order(), order(TWO, is_live=False)], "matched", ONE, None),
        (study(), [order(), order(TWO, accession_number="A2")], "matched", ONE, None),
        (study(), [order(), order(TWO, accession_issuer="LV")], "matched", ONE, None),
        (study(), [], "unmatched", None, "No order has"),
        (study(), [order(accession_number="A2")], "unmatched", None, "No order has"),
        (study(), [order(accession_number="a1")], "unmatched", None, "No order has"),
        (study(), [order(accession_issuer="LV")], "unmatched", None, "another issuer"),
        (study(), [order(is_live=False)], "unmatched", None, "cancelled"),
        (study(), [order(patient_id=BERIT)], "unmatched", None, "another patient"),
        (study(), [order(), order(TWO)], "unmatched", None, "2 orders"),
        # A repeated number blocks, even where only one of them is of this patient: nothing is guessed.
        (study(), [order(), order(TWO, patient_id=BERIT)], "unmatched", None, "2 orders"),
        (study(accession_number=None), [order()], "unmatched", None, "no accession"),
        (study(accession_number=""), [order(accession_number="")], "unmatched", None, "no accession"),
        (study(patient_id=None), [order()], "unmatched", None, "no patient"),
        (study(match_state="held"), [order()], "held", None, None),
        (study(match_state="matched"), [order(TWO)], "matched", None, None),
        (study(facility_is_images_only=True), [], "not_needed", None, "without orders"),
        (study(facility_is_images_only=True, accession_number=None), [], "not_needed", None, "without orders"),
        (study(facility_is_images_only=True, match_state="held"), [], "held", None, None),
    ],
)
def test_matching(images, orders, state, order_id, reason) -> None:
    decision = decide_match(images, orders)
    assert (decision.state, decision.order_id) == (state, order_id)
    assert (decision.reason is None) if reason is None else (reason in (decision.reason or ""))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["S"], ("STAT", False)), (["R", "S"], ("STAT", False)), (["A"], ("ASAP", False)), (["r"], ("ROUTINE", False)),
        (["P"], ("PREOP", False)), (["C"], ("ROUTINE", False)), (["T"], ("TIMED", False)), (["TM30"], ("TIMED", False)),
        (["STROKE", "S"], ("STROKE", False)), (["TRAUMA"], ("TRAUMA1", False)), (["U"], ("URGENT", False)),
        ([], (None, False)), ([None, "", " "], (None, False)), (["ZZ"], ("ROUTINE", True)), (["ZZ", "A"], ("ASAP", False)),
    ],
)  # fmt: skip
def test_priorities(codes, expected) -> None:
    assert priority_of(codes) == expected


def test_priorities_are_ordered_and_known_to_hl7() -> None:
    ranks = [p.rank for p in priorities().values()]
    assert ranks == sorted(ranks)
    assert all(priority_of([p.hl7])[0] in priorities() for p in priorities().values())


def test_a_cancelled_order_comes_back_only_as_scheduled() -> None:
    assert [s for s in STATUSES if allows("cancelled", s)] == ["scheduled"]
    assert all(allows(s, "cancelled") for s in STATUSES if s != "cancelled")
