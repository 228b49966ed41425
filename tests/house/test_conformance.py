"""The conformance statements say what the code does: each table of them is the code's, and none is missing."""

from __future__ import annotations

import re

import pytest

from tools import conformance

DOCUMENTS = sorted(conformance.FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", ["dicom.md", "dicomweb.md"])
def test_the_tables_are_those_of_the_code(name: str) -> None:
    text = (conformance.FOLDER / name).read_text("utf-8")
    assert conformance.filled(text) == text, "run python -m tools.conformance"


def test_every_table_stands_somewhere_and_has_rows() -> None:
    assert set.union(*(conformance.named(path.read_text("utf-8")) for path in DOCUMENTS)) == set(conformance.TABLES)
    for name, table in conformance.TABLES.items():
        lines = table().splitlines()
        assert len(lines) > 2, name
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, name


def test_a_change_of_the_code_would_be_seen() -> None:
    text = (conformance.FOLDER / "dicomweb.md").read_text("utf-8")
    changed = text.replace("`0xA700`", "`0xA701`", 1)
    assert changed != text
    assert conformance.filled(changed) == text


def test_what_is_named_is_there() -> None:
    assert "1.2.840.10008.5.1.4.1.1.2" in conformance.storage_classes()
    assert len(conformance.storage_classes()) > 150
    assert set(conformance.offered().values()) >= {"C-ECHO", "C-FIND", "C-GET", "C-MOVE"}
    assert ("POST", "/studies") in {(method, path) for method, path, _ in conformance.routes()}
