"""The wheel is whole: the code, the web app, the viewer and the migrations, and nothing of the workshop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout as `make wheel` does it; needs `make setup` to have run."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("heliograph-*.whl"))


def test_what_it_carries(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.py")}
    migrations = {f"heliograph/{path.relative_to(ROOT)}" for path in (ROOT / "migrations").rglob("*.py")}
    assert len(migrations) > 1
    assert sources | migrations <= names
    assert {
        "heliograph/app/static/app/index.html",
        "heliograph/app/static/viewer-extension/heliograph.js",
        "heliograph/app/static/viewer/index.html",
        "heliograph/app/static/viewer/csp.json",
        "heliograph/app/static/viewer/LICENSE.txt",
    } <= names
    assert any(re.fullmatch(r"heliograph/app/static/app/.*\.js", name) for name in names)
    assert any(re.fullmatch(r"heliograph/app/static/viewer/app\.bundle\.\w+\.js\.gz", name) for name in names)


def test_what_it_leaves_behind(wheel: Path) -> None:
    strangers = [
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not re.match(r"heliograph(-[^/]+\.dist-info)?/", name)
        or re.search(r"(\.pyc|\.map|\.stamp|/sw\.js|/app-config\.js|/node_modules/.*)$", name)
    ]
    assert strangers == []


def test_it_runs_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    """Installed apart from the checkout: its own code, its version, its migrations, its console script."""
    place = tmp_path / "place"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*install, "--target", str(place), str(wheel)], check=True)
    ask = (
        "import heliograph, importlib.metadata as m\n"
        "from heliograph.app.migrate import migrations_folder\n"
        "print(heliograph.__file__, migrations_folder(), sep='\\n')\n"
        "print(m.version('heliograph'), heliograph.__version__, sep='\\n')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    code, migrations, installed, said = done.stdout.split("\n")[:4]
    assert Path(code) == place / "heliograph" / "__init__.py"
    assert Path(migrations) == place / "heliograph" / "migrations"
    assert installed == said
    helped = subprocess.run(
        [place / "bin" / "heliograph", "--help"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert helped.returncode == 0, helped.stderr
    assert "serve" in helped.stdout
