"""Killed while images come in by STOW-RS: what was answered as stored is in the archive, byte for byte, once; nothing half is left."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.crash.scene import Scene, moment
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")
NUMBER = 200
EACH = 10


def killed_while_storing(scene: Scene, victim: Victim, most: float = 1.0) -> int:
    """Stores, kills at a random moment, brings back, stores the rest, and looks. How many were answered before the kill."""
    study = scene.study(NUMBER)
    answered: list[Path] = []
    storing = threading.Thread(target=lambda: answered.extend(scene.store(study, each=EACH)))
    storing.start()
    time.sleep(moment(most))
    scene.kill(victim)
    storing.join(60)
    assert not storing.is_alive()
    before = len(answered)
    scene.bring_back()
    scene.wait_archived(study, answered)
    rest = [path for path in study.files if path not in answered]
    assert sorted(scene.store(study, rest, each=EACH)) == rest
    scene.wait_archived(study, study.files)
    assert len(scene.in_archive(study)) == NUMBER
    scene.until(lambda: unfinished(scene) == [], 30, "nothing half is left")
    return before


def unfinished(scene: Scene) -> list[Path]:
    """Objects that were placed in part. What a killed door left in the spool is swept when it is a day old, and never filed."""
    objects = scene.platform.folder / "objects"
    return [path for path in objects.rglob("*.part") if path.is_file()]


def test_the_web_server_is_killed(scene: Scene) -> None:
    killed_while_storing(scene, "web")


def test_the_database_is_killed(scene: Scene) -> None:
    killed_while_storing(scene, "postgres")


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["web", "worker", "supervisor", "postgres", "everything but postgres"])
def test_killed_ten_times_at_random_moments(scene: Scene, victim: Victim) -> None:
    for _ in range(10):
        killed_while_storing(scene, victim, 2.0)
    scene.assert_record_whole()
