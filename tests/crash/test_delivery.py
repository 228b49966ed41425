"""Killed while a site has a report and has not acknowledged it: it gets it again, under the same message control id."""

from __future__ import annotations

import time

import pytest

from tests.crash.scene import Scene, moment
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")


def killed_while_delivering(scene: Scene, victim: Victim, most: float = 0.5) -> int:
    """Signs, kills after the site took the message and before it answers, brings back, and looks. How often the site got it."""
    report = scene.open_report()
    accession = report.study.case.accession
    scene.site.answers.clear()
    try:
        assert scene.sign(report) is not None
        scene.until(lambda: bool(scene.site.control_ids(accession)), 30, "the site's system has the report")
        time.sleep(moment(most))
        scene.kill(victim)
    finally:
        scene.site.answers.set()
    scene.bring_back()
    assert scene.assert_signed_wholly_or_not(report) is not None
    scene.wait_delivered(report)
    return len(scene.site.control_ids(accession))


def test_the_worker_is_killed(scene: Scene) -> None:
    assert killed_while_delivering(scene, "worker") >= 2
    scene.assert_record_whole()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["worker", "postgres", "supervisor", "web", "everything but postgres"])
def test_killed_ten_times_at_random_moments(scene: Scene, victim: Victim) -> None:
    for _ in range(10):
        killed_while_delivering(scene, victim)
    scene.assert_record_whole()
