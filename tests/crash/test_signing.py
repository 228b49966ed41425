"""Killed while a report is being signed: it is signed with all that belongs to it, or not at all."""

from __future__ import annotations

import threading
import time

import pytest

from tests.crash.scene import Scene, moment
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")


def killed_while_signing(scene: Scene, victim: Victim, most: float = 0.25) -> bool:
    """Signs, kills at a random moment, brings back, looks, and goes on to the delivered report. Whether the kill came after the commit."""
    report = scene.open_report()
    answers: list[str | None] = []
    signing = threading.Thread(target=lambda: answers.append(scene.sign(report)))
    signing.start()
    time.sleep(moment(most))
    scene.kill(victim)
    signing.join(60)
    scene.bring_back()
    version = scene.assert_signed_wholly_or_not(report)
    if answers[0] is not None:
        assert str(version) == answers[0], "what was answered is there"
    if version is None:
        made = report.reader.post(f"/api/reads/{report.read_id}/sign", report.body)
        assert made["number"] == 1
        assert str(scene.assert_signed_wholly_or_not(report)) == made["id"]
    scene.wait_delivered(report)
    return version is not None


def test_the_web_server_is_killed(scene: Scene) -> None:
    killed_while_signing(scene, "web")


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["web", "postgres", "supervisor", "worker", "everything but postgres"])
def test_killed_ten_times_at_random_moments(scene: Scene, victim: Victim) -> None:
    committed = [killed_while_signing(scene, victim) for _ in range(10)]
    print(f"{sum(committed)} of 10 were signed before the kill")
    scene.assert_record_whole()
