"""Killed while images come in: what was answered with success is in the archive, byte for byte, once."""

from __future__ import annotations

import random

import pytest

from tests.crash.scene import STORESCU, Scene, Study
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")
NUMBER = 200
NEED_DCMTK = pytest.mark.skipif(not STORESCU.exists(), reason="DCMTK is not installed")


def killed_while_sending(scene: Scene, victim: Victim, at: int, *, dcmtk: bool = False) -> tuple[Study, int]:
    """Sends, kills after `at` answers, brings back, sends the rest, and looks; the study, and how many were answered the first time."""
    study = scene.study(NUMBER)
    send = scene.send_by_storescu if dcmtk else scene.send
    stored = send(study, at=at, then=lambda: scene.kill(victim))
    assert len(stored) >= at
    scene.bring_back()
    scene.wait_archived(study, stored)
    rest = [path for path in study.files if path not in stored]
    assert scene.send(study, rest) == rest
    scene.wait_archived(study, study.files)
    assert len(scene.in_archive(study)) == NUMBER
    return study, len(stored)


def test_the_listener_is_killed(scene: Scene) -> None:
    _, stored = killed_while_sending(scene, "dimse", 90)
    assert stored < NUMBER


@pytest.mark.dcmtk
@NEED_DCMTK
def test_everything_but_postgres_is_killed_and_postgres_is_adopted(scene: Scene) -> None:
    left_behind = scene.platform.postmaster()
    _, stored = killed_while_sending(scene, "everything but postgres", 90, dcmtk=True)
    assert stored < NUMBER
    assert scene.platform.postmaster() == left_behind


def test_without_a_database_the_spool_goes_on_receiving_and_catches_up(scene: Scene) -> None:
    before = scene.platform.postmaster()
    _, stored = killed_while_sending(scene, "postgres", 20)
    assert stored == NUMBER, "the listener needs no database"
    assert scene.platform.postmaster() != before


def test_the_indexer_is_killed(scene: Scene) -> None:
    _, stored = killed_while_sending(scene, "worker", 60)
    assert stored == NUMBER


VICTIMS: tuple[Victim, ...] = ("dimse", "web", "worker", "supervisor", "postgres", "everything but postgres")


@pytest.mark.soak
@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_ten_times_at_random_moments(scene: Scene, victim: Victim) -> None:
    for number in range(10):
        killed_while_sending(scene, victim, random.randint(1, NUMBER - 1), dcmtk=bool(number % 2) and STORESCU.exists())
    scene.assert_record_whole()
