"""What a feed says of its own form: validated with words that name the value and the place, kept where it differs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from heliograph.records.agreements.rules import PRIORITIES
from heliograph.records.sites.mapping import BadMapping, checked, defaults, mapping_of, path, priorities

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no hyphen": ({"values": {"accession_number": {"paths": ["OBR18"]}}}, "accession_number: “OBR18” is no place"),
    "component nought": ({"values": {"modality": {"paths": ["OBR-24.0"]}}}, "modality: “OBR-24.0” is no place"),
    "small letters": ({"values": {"modality": {"paths": ["obr-24"]}}}, "modality: “obr-24”"),
    "the delimiters": ({"values": {"modality": {"paths": ["MSH-2"]}}}, "modality: “MSH-2” holds the delimiters"),
    "twice": ({"values": {"modality": {"paths": ["OBR-24", "OBR-24"]}}}, "modality: names a place twice"),
    "no list": ({"values": {"modality": {"paths": "OBR-24"}}}, "modality: is a list"),
    "no such value": ({"values": {"shoe_size": {"paths": []}}}, "shoe_size: is no value of an order"),
    "another word": ({"values": {"modality": {"path": []}}}, "modality: has paths, otherwise and agree"),
    "agree": ({"values": {"modality": {"agree": "yes"}}}, "modality: agree is yes or no"),
    "a component of PID-3": ({"values": {"patient_id": {"paths": ["PID-3.1"]}}}, "patient_id: names fields"),
    "no such priority": ({"priorities": {"E": "SOON"}}, "priorities: E can't mean SOON"),
    "no modality": ({"modalities": {"X": "rör"}}, "modalities: X means no DICOM Modality"),
    "an empty code": ({"modalities": {" ": "CT"}}, "modalities: has a code that is empty"),
    "something else": ({"colour": 1}, "colour: is nothing that a mapping has"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_not_be_is_named(name: str) -> None:
    mapping, words = BAD[name]
    with pytest.raises(BadMapping) as refused:
        checked(mapping)
    assert refused.value.detail.startswith(words)
    assert refused.value.extra["problems"][0]["field"].startswith("mapping.")


def test_only_what_differs_is_kept() -> None:
    as_usual = {n: {"paths": [p.text for p in v.paths], "agree": v.agree} for n, v in defaults().values.items()}
    assert checked({"values": as_usual, "priorities": {}, "patient_id": {"types": ["MR", "PI", "PT"]}}) == {}
    kept = checked({"values": {"modality": {"paths": [" OBR-24 "]}}, "priorities": {"e": "stat"}})
    assert kept == {
        "values": {"modality": {"paths": ["OBR-24"], "otherwise": [], "agree": False}},
        "priorities": {"E": "STAT"},
    }
    assert checked(kept) == kept
    assert mapping_of(kept).values["procedure"] == defaults().values["procedure"]


def test_a_path_has_its_parts() -> None:
    found = path("PID-3[2].4.1")
    assert (found.segment, found.field, found.repetition, found.component, found.subcomponent) == ("PID", 3, 2, 4, 1)
    assert path("OBX(110180)-5").key == "110180"


def test_the_table_in_the_documentation_is_this_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "conformance" / "hl7-orders.md").read_text("utf-8")
    for value in defaults().values.values():
        line = next(row for row in text.splitlines() if row.startswith(f"| {value.label} |"))
        assert [p.text for p in (*value.paths, *value.otherwise)] == re.findall(r"`([^`]+)`", line.split("|")[2])
        assert (line.split("|")[3].strip() == "yes") is value.agree


def test_priorities_are_those_of_the_platform() -> None:
    assert set(priorities()) == set(PRIORITIES)
