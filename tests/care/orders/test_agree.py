"""Images against their order: what is flagged, and what is no disagreement."""

from __future__ import annotations

from datetime import date

import pytest

from heliograph.care.orders.agree import Asked, Person, Shown, anatomy_differs, person_differs
from heliograph.care.orders.exam_classes import classify, exam_classes, zones_of_body_part, zones_of_procedure

KARI = Person("LARSEN, Kari", date(1948, 3, 12), "F")


@pytest.mark.parametrize(
    ("images", "fields"),
    [
        (Person("LARSEN Kari", date(1948, 3, 12), "F"), []),
        (Person("Kari LARSEN", date(1948, 3, 12), "F"), []),
        (Person("LARSEN Kari Anne", date(1948, 3, 12), "F"), []),
        (Person("", None, None), []),  # not told
        (Person("LARSEN Kari", date(1948, 3, 12), "U"), []),
        (Person("NILSEN Kari", date(1948, 3, 12), "F"), ["name"]),
        (Person("LARSEN Kari", date(1948, 12, 3), "F"), ["birth_date"]),
        (Person("LARSEN Kari", date(1948, 3, 12), "M"), ["sex"]),
        (Person("NILSEN Ola", date(1970, 1, 1), "M"), ["name", "birth_date", "sex"]),
    ],
)
def test_the_person(images: Person, fields: list[str]) -> None:
    assert [one.field for one in person_differs(KARI, images)] == fields


def test_both_are_told_as_they_say() -> None:
    (born,) = person_differs(KARI, Person("LARSEN Kari", date(1948, 12, 3), "F"))
    assert (born.in_order, born.in_images) == ("1948-03-12", "1948-12-03")


def asked(description: str, side: str | None = None, modality: str = "CT") -> Asked:
    return Asked(description, classify(description, modality=modality).id, side)


@pytest.mark.parametrize(
    ("procedure", "body_parts", "flagged"),
    [
        (asked("CT head without contrast"), ["HEAD"], None),
        (asked("CT head without contrast"), ["SKULL", "BRAIN", "Head "], None),
        (asked("CT head without contrast"), ["CHEST"], "CHEST"),
        (asked("CT hode"), ["ABDOMEN"], "ABDOMEN"),
        (asked("CT head without contrast"), ["HEAD", "CSPINE"], "CSPINE"),  # one series of something else
        (asked("CT cervical spine"), ["NECK", "SPINE", "CSPINE"], None),
        (asked("CT abdomen and pelvis with contrast"), ["ABDOMENPELVIS", "PELVIS", "LIVER"], None),
        (asked("CT abdomen"), ["CHESTABDPELVIS"], None),
        (asked("CT chest"), ["NECKCHESTABDPELV"], None),
        (asked("XR knee", "L", "DX"), ["LEG", "EXTREMITY", "PATELLA"], None),
        (asked("XR knee", "L", "DX"), ["HAND"], "HAND"),
        (asked("XR wrist", "L", "DX"), ["HAND", "FOREARM", "UPPERLIMB"], None),
        (asked("XR hip", "L", "DX"), ["PELVIS", "FEMUR"], None),
        (asked("CT trauma whole body"), ["HEAD", "CHEST", "FOOT"], None),  # may look anywhere
        (asked("CT"), ["HEAD"], None),  # names no body part
        (asked("CT head without contrast"), [None, "", "WHOLEBODY", "SOMETHING"], None),  # not told, or not known
    ],
)
def test_the_part_of_the_body(procedure: Asked, body_parts: list[str | None], flagged: str | None) -> None:
    found = anatomy_differs([procedure], [Shown(part) for part in body_parts], None)
    assert [(one.field, one.in_images) for one in found] == ([("body_part", flagged)] if flagged else [])


def test_of_several_procedures_each_may_be_shown() -> None:
    both = [asked("CT head"), asked("CT cervical spine")]
    assert anatomy_differs(both, [Shown("HEAD"), Shown("CSPINE")], None) == []
    (one,) = anatomy_differs(both, [Shown("HEAD"), Shown("FOOT")], None)
    assert (one.in_order, one.in_images) == ("CT head + CT cervical spine", "FOOT")
    anywhere = [*both, asked("CT")]
    assert anatomy_differs(anywhere, [Shown("FOOT")], None) == []


def shown(*sides: str, part: str = "KNEE", description: str | None = None) -> Shown:
    return Shown(part, frozenset(sides), description)


@pytest.mark.parametrize(
    ("wanted", "series", "study", "flagged"),
    [
        ("R", [shown("R")], None, None),
        ("R", [shown("L")], None, ("right", "left")),
        ("L", [shown("R")], None, ("left", "right")),
        ("R", [shown("R"), shown("L")], None, None),  # the other one to compare with
        ("R", [shown("B")], None, None),
        ("B", [shown("R")], None, ("both sides", "right")),
        ("B", [shown("R"), shown("L")], None, None),
        (None, [shown("L")], None, None),  # not asked
        ("R", [shown()], None, None),  # not told
        ("R", [shown(description="Kne venstre front")], None, ("right", "left")),
        ("R", [shown(description="Knee AP")], "XR KNEE LEFT", ("right", "left")),
        ("R", [shown("R", description="Compare left")], None, None),  # what an image says of itself counts
    ],
)
def test_the_side(wanted: str | None, series: list[Shown], study: str | None, flagged: tuple[str, str] | None) -> None:
    found = anatomy_differs([asked("XR knee", wanted, "DX")], series, study)
    assert [(one.in_order, one.in_images) for one in found if one.field == "laterality"] == (
        [flagged] if flagged else []
    )


def test_a_side_counts_for_the_procedure_of_its_part_of_the_body() -> None:
    order = [asked("XR chest", None, "DX"), asked("XR wrist right", "R", "DX")]
    (one,) = anatomy_differs(order, [shown("L", part="WRIST")], None)
    assert one.field == "laterality"
    assert anatomy_differs(order, [shown("L", part="CHEST")], None) == []


def test_left_sided_pain_is_no_side_of_a_chest() -> None:
    chest = asked("XR chest, left sided pain", "L", "DX")
    assert anatomy_differs([chest], [shown("R", part="CHEST")], None) == []


def test_each_class_that_names_a_region_lies_somewhere() -> None:
    """But for those that look everywhere; and what the class says of itself agrees with its own words."""
    nowhere = {c.id for c in exam_classes() if not c.is_general and not zones_of_procedure(None, c)}
    assert {c.region for c in exam_classes() if c.id in nowhere} <= {"whole_body", "breast"}, nowhere
    for c in exam_classes():
        if not c.is_general and zones_of_procedure(None, c) and zones_of_procedure(c.name, None):
            assert zones_of_procedure(None, c) & zones_of_procedure(c.name, None), c.id


@pytest.mark.parametrize(
    ("term", "zone"),
    [("CHEST", "chest"), ("TSPINE", "spine"), ("IAC", "head"), ("JAW", "head"), ("CHESTABDPELVIS", "pelvis"), ("BREAST", "breast"),
     ("Upper Limb", "arm"), ("FINGER", "hand"), ("PELVISLOWEXTREMT", "leg"), ("THYROIDGLAND", "neck")],
)  # fmt: skip
def test_terms_of_dicom(term: str, zone: str) -> None:
    assert zone in zones_of_body_part(term)
