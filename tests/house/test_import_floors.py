"""The import contracts hold for the tree as it is, and break for each kind of import that they forbid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package and of the contracts, to plant imports in."""
    leave_out = shutil.ignore_patterns("static", "__pycache__")
    shutil.copytree(ROOT / "src" / "heliograph", tmp_path / "src" / "heliograph", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    return subprocess.run(
        [program, "--no-cache"],
        cwd=tree,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def plant(tree: Path, module: str, imported: str) -> None:
    """Write `module` (and the packages above it) with one import in it."""
    path = tree / "src" / (module.replace(".", "/") + ".py")
    for folder in [path.parent, *path.parent.parents]:
        if folder == tree / "src":
            break
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    path.write_text(f"import {imported}\n")


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("heliograph.kit.planted", "heliograph.governance.tenancy", "Floors import downwards only"),
        ("heliograph.governance.audit.planted", "heliograph.records.sites", "Floors import downwards only"),
        ("heliograph.records.archive.planted", "heliograph.care.orders", "Floors import downwards only"),
        ("heliograph.care.delivery.planted", "heliograph.exchange.hl7", "Floors import downwards only"),
        ("heliograph.exchange.dimse.planted", "heliograph.app", "Floors import downwards only"),
        ("heliograph.edge.planted", "heliograph.records.archive", "Floors import downwards only"),
        ("heliograph.app.planted", "heliograph.edge.planted_too", "Nobody imports the edge"),
        ("heliograph.exchange.hl7.planted", "heliograph.exchange.dimse", "Doors do not import each other"),
        ("heliograph.care.orders.planted", "heliograph.care.worklist", "Inside care"),
        ("heliograph.care.reading.planted", "heliograph.care.delivery", "Inside care"),
        ("heliograph.records.sites.planted", "heliograph.records.archive", "Inside records"),
        (
            "heliograph.business.billing.planted",
            "heliograph.business.analytics.planted_too",
            "Inside business",
        ),
        ("heliograph.governance.tenancy.planted", "heliograph.governance.access", "Inside governance"),
        ("heliograph.kit.codecs.planted", "heliograph.kit.db", "Codecs do no input or output"),
    ],
)
def test_a_planted_import_breaks_its_contract(tree: Path, module: str, imported: str, contract: str) -> None:
    if imported.endswith(("planted_too", "below")):
        plant(tree, imported, "json")
    plant(tree, module, imported)
    done = lint(tree)
    assert done.returncode != 0, done.stdout
    assert f"{contract} BROKEN" in done.stdout
    assert module in done.stdout


def test_a_room_without_a_place_in_the_order_is_refused(tree: Path) -> None:
    plant(tree, "heliograph.care.cellar.planted", "json")
    done = lint(tree)
    assert done.returncode != 0
    assert "cellar" in done.stdout
