"""What is committed builds anywhere: it names no package registry and no folder of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each pattern has a class or an escape in it, so that this file does not find itself.
FORBIDDEN = {
    "a package registry": r"registry\.(npmjs|yarnpkg|npmmirror)\.|pypi\.org|python[h]osted\.org",
    "an index option": r"--(extra-)?index[-]url|\bindex[-]url\s*=|^\s*regis[t]ry\s*=",
    "a resolved address in a lock": r"\"resol[v]ed\":",
    "a credential for a registry": r"_auth(Token)?\s*=",
    "a folder of one machine": r"(?<![\w.~*-])/(roo[t]|wor[k]|User[s]|hom[e]/[a-z])[\w-]*/",
}
PATTERNS = {what: re.compile(pattern, re.MULTILINE) for what, pattern in FORBIDDEN.items()}


def offences(text: str) -> list[str]:
    """What `text` contains that must not be committed, each with the piece that was found."""
    return [f"{what}: {found[0]!r}" for what, pattern in PATTERNS.items() if (found := pattern.search(text))]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_tracked_file_offends() -> None:
    found = {}
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or a DICOM file
        if problems := offences(text):
            found[str(path.relative_to(ROOT))] = problems
    assert found == {}


@pytest.mark.parametrize(
    "broken",
    [
        '"resol|ved": "https://example.org/x.tgz"',
        "https://registry.|npmjs.org/left-pad",
        "pip install --index|-url https://example.org/simple",
        "https://files.python|hosted.org/packages/x.whl",
        "see /wo|rk/notes/plan.md",
        "cd /ro|ot/heliograph/",
        "/home|/someone/heliograph",
        "\nregis|try = https://example.org",
    ],
)
def test_each_kind_is_found(broken: str) -> None:
    assert len(offences(broken.replace("|", ""))) == 1


@pytest.mark.parametrize("text", ["/var/lib/heliograph", "GET /api/work/1", "network/works", "~/home/x"])
def test_what_is_no_offence(text: str) -> None:
    assert offences(text) == []
