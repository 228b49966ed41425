"""One real platform for all crash tests: its processes are killed, it is not thrown away in between."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.scene import Scene, SiteSystem
from tools.running import Platform


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    """A platform with the demonstration network, ready, and the site's system that takes its results."""
    folder = Path(
        tempfile.mkdtemp(prefix="heliograph-crash-")
    )  # pytest's own folders are closed to PostgreSQL's account
    site = SiteSystem()
    platform = Platform(folder, delivery_timeout_seconds="2")
    try:
        platform.prepare(results_port=site.port, quiet_seconds=1)
        platform.start()
        platform.wait_ready()
        scene = Scene(platform, site, folder / "made")
        yield scene
        scene.close()
    finally:
        site.stop()
        platform.clean_up()
        shutil.rmtree(folder, ignore_errors=True)
