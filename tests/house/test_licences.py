"""Everything pinned may be shipped under, or used beside, Apache-2.0: nothing under the GPL or the AGPL."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==[^\s;\\]+(\s*;)?", re.MULTILINE)
COPYLEFT = re.compile(r"\bA?GPL|\b(?<!Lesser )General Public License", re.IGNORECASE)
KNOWN = re.compile(r"\b(MIT|BSD|Apache|MPL|PSF|Python Software Foundation|LGPL|Lesser|ISC|HPND)\b", re.IGNORECASE)


def licence(name: str) -> str:
    """What an installed distribution says of its licence, in one line."""
    about = metadata.metadata(name)
    said = [about.get("License-Expression") or "", (about.get("License") or "").split("\n")[0]]
    said += [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    return " | ".join(filter(None, said))


def verdict(said: str) -> str | None:
    """Why a licence does not do; None if it does."""
    if COPYLEFT.search(said):
        return "copyleft"
    return None if KNOWN.search(said) else "unknown"


@pytest.mark.parametrize("lock", ["build", "runtime", "dev"])
def test_every_pinned_package_has_a_fitting_licence(lock: str) -> None:
    found = {}
    pins = PINNED.findall((REQUIREMENTS / f"{lock}.txt").read_text())
    assert pins
    for name, conditional in pins:
        try:
            said = licence(name)
        except metadata.PackageNotFoundError:
            assert conditional, f"{name} is pinned for every platform but is not installed"
            continue
        if why := verdict(said):
            found[name] = f"{why}: {said}"
    assert found == {}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("MIT", None),
        ("LGPL-3.0-only", None),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", None),
        ("GPL-3.0-or-later", "copyleft"),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", "copyleft"),
        ("AGPL-3.0", "copyleft"),
        ("Proprietary", "unknown"),
        ("", "unknown"),
    ],
)
def test_how_a_licence_is_judged(said: str, expected: str | None) -> None:
    assert verdict(said) == expected
