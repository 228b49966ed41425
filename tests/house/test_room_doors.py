"""A room is entered by its doors: use-cases, queries, rules, states, schemas, events, errors.

Its tables, routes, jobs and reactions are its own; only `heliograph.app`, which wires them, may import them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import grimp
import pytest

FLOORS = {"governance", "records", "care", "business", "exchange"}
CLOSED = re.compile(r"(model|models|api|jobs|reactions)(_\w+)?")


def room(module: str) -> tuple[str, str] | None:
    """Floor and room that `module` lies in; None for the kit, the app and the floors themselves."""
    parts = module.split(".")
    return (parts[1], parts[2]) if len(parts) > 2 and parts[1] in FLOORS else None


def trespasses(imports: Iterable[tuple[str, str]]) -> list[str]:
    """Those of `imports` (importer, imported) that enter another room past its doors."""
    found = []
    for importer, imported in imports:
        entered = room(imported)
        inside = imported.split(".")[3:4]
        if entered is None or not inside or not CLOSED.fullmatch(inside[0]):
            continue
        if room(importer) != entered and not importer.startswith("heliograph.app"):
            found.append(f"{importer} imports {imported}")
    return sorted(found)


def test_every_room_is_entered_by_its_doors() -> None:
    graph = grimp.build_graph("heliograph", cache_dir=None)
    imports = [
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    assert any(room(imported) for _, imported in imports), "no imports of rooms found: is the graph empty?"
    assert trespasses(imports) == []


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("heliograph.care.delivery.send", "heliograph.care.reading.queries", True),
        ("heliograph.care.delivery.send", "heliograph.care.reading.rules", True),
        ("heliograph.care.delivery.send", "heliograph.care.reading.sign", True),
        ("heliograph.care.delivery.send", "heliograph.care.reading.model", False),
        ("heliograph.care.delivery.send", "heliograph.care.reading.model.report", False),
        ("heliograph.exchange.dimse.store", "heliograph.records.archive.jobs", False),
        ("heliograph.exchange.dimse.store", "heliograph.records.archive.reactions", False),
        ("heliograph.governance.audit.seal", "heliograph.governance.access.api", False),
        ("heliograph.care.reading.sign", "heliograph.care.reading.model", True),
        ("heliograph.app.web.routes", "heliograph.care.reading.api", True),
        ("heliograph.app.models", "heliograph.care.reading.model", True),
        ("heliograph.care.reading.sign", "heliograph.kit.jobs", True),
        ("heliograph.care.reading.sign", "heliograph.care.worklist.modelling", True),
    ],
)
def test_what_is_a_door(importer: str, imported: str, allowed: bool) -> None:
    assert (trespasses([(importer, imported)]) == []) is allowed
