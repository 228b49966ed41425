"""Killed while priors are fetched: another worker goes on where it was; all is here in the end, and nothing twice."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.crash.scene import Scene, moment
from tests.kit.net.archive import DCMQRSCP, dcmqrscp
from tools.running import Victim

pytestmark = [
    pytest.mark.dcmtk,
    pytest.mark.skipif(DCMQRSCP is None, reason="DCMTK is not installed"),
    pytest.mark.xdist_group("crash"),
]
NUMBER = 250


def killed_while_fetching(scene: Scene, victim: Victim, most: float = 1.0) -> None:
    """Has an old archive's study fetched, kills while it comes, brings back, and looks."""
    study = scene.study(NUMBER)
    astrid, nadia = scene.person("astrid"), scene.person("nadia")
    ids = {o["slug"]: o["id"] for o in astrid.get("/api/admin/organizations")}
    organization = ids[study.case.site.slug]
    facility = next(f for f in astrid.get("/api/admin/facilities") if f["organization_id"] == organization)
    title = study.case.accession[:16]
    with dcmqrscp(study.files, title=title) as port:
        node = astrid.post(
            "/api/admin/nodes",
            {
                "organization_id": organization, "facility_id": facility["id"], "name": f"Archive {title}", "ae_title": title,
                "calling_ae": "HELIO", "host": "127.0.0.1", "port": port, "is_queried": True,
            },
        )["id"]  # fmt: skip
        transfer = nadia.post("/api/transfers/fetch", {"node_id": node, "study_instance_uid": study.uid})["id"]

        def line() -> tuple[Any, ...]:
            return scene.rows("select state, expected, received from sites.transfers where id = %s", transfer)[0]

        scene.until(lambda: line()[1] is not None, 40, "the old archive was asked")
        time.sleep(moment(most))
        scene.kill(victim)
        scene.bring_back()
        scene.until(lambda: line()[0] == "done", 120, "the study is fetched")
        assert line() == ("done", NUMBER, NUMBER)
    scene.wait_archived(study, study.files)
    assert scene.rows("select match_state from archive.studies where study_instance_uid = %s", study.uid) == [
        ("prior",)
    ]
    assert scene.rows("select count(*) from archive.held_objects where study_instance_uid = %s", study.uid) == [(0,)]


def test_the_worker_is_killed(scene: Scene) -> None:
    killed_while_fetching(scene, "worker")
    scene.assert_record_whole()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["worker", "postgres", "supervisor", "everything but postgres"])
def test_killed_at_random_moments(scene: Scene, victim: Victim) -> None:
    for _ in range(3):
        killed_while_fetching(scene, victim)
    scene.assert_record_whole()
