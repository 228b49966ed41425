"""Killed after a scanner was told that its request for commitment is taken, and before its report: the report comes all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as PushModel  # type: ignore[attr-defined]

from tests.crash.scene import Scene, Study, moment
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")
INSTANCE = "1.2.840.10008.1.20.1.1"
NUMBER = 3


@dataclass
class Scanner:
    """The site's scanner as a user of storage commitment: it has reports on both ways, and keeps its answer back while `answers` is
    not set."""

    ae_title: str
    reports: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)
    """(event type, transaction, committed objects), in the order they came."""
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()
        ae = AE(ae_title=self.ae_title)
        ae.add_supported_context(PushModel, scu_role=False, scp_role=True)
        self._server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take)]
        )
        self.port: int = self._server.socket.getsockname()[1]

    def stop(self) -> None:
        self.answers.set()
        self._server.shutdown()

    def of(self, transaction: str) -> list[tuple[int, tuple[str, ...]]]:
        return [(event, objects) for event, about, objects in self.reports if about == transaction]

    def _take(self, event: evt.Event) -> tuple[int, None]:
        told: Dataset = event.event_information
        committed = tuple(item.ReferencedSOPInstanceUID for item in told.get("ReferencedSOPSequence", []))
        self.reports.append((event.event_type, told.TransactionUID, committed))
        self.answers.wait(60)
        return 0x0000, None

    def ask(self, scene: Scene, study: Study, uids: list[str]) -> tuple[str, Any]:
        """Asks for commitment; the transaction, and the association, which stays open for the report."""
        asked = Dataset()
        asked.TransactionUID = generate_uid()
        asked.ReferencedSOPSequence = []
        for uid in uids:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
            asked.ReferencedSOPSequence.append(item)
        settings = scene.platform.settings
        ae = AE(ae_title=self.ae_title)
        ae.add_requested_context(PushModel)
        association = ae.associate(
            settings.dimse_host, settings.dimse_port, ae_title=study.case.site.called_ae,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take)],
        )  # fmt: skip
        assert association.is_established
        status, _ = association.send_n_action(asked, 1, PushModel, INSTANCE)
        assert status.Status == 0x0000
        return str(asked.TransactionUID), association


@pytest.fixture(scope="module")
def scanner(scene: Scene) -> Iterator[Scanner]:
    """The scanner, which the hospital's administrator has made known as a node."""
    site = scene.study(1).case.site
    astrid = scene.person("astrid")
    organization = {o["slug"]: o["id"] for o in astrid.get("/api/admin/organizations")}[site.slug]
    facility = next(f for f in astrid.get("/api/admin/facilities") if f["organization_id"] == organization)
    scanner = Scanner(site.calling_ae)
    try:
        astrid.post(
            "/api/admin/nodes",
            {
                "organization_id": organization, "facility_id": facility["id"], "name": f"Scanner {site.calling_ae}",
                "ae_title": site.calling_ae, "calling_ae": site.called_ae, "host": "127.0.0.1", "port": scanner.port,
            },
        )  # fmt: skip
        yield scanner
    finally:
        scanner.stop()


def killed_before_the_report(
    scene: Scene, scanner: Scanner, victim: Victim, seconds: float = 0.0, *, in_report: bool = False
) -> int:
    """Sends, asks, kills `seconds` after the answer or (`in_report`) while the scanner has the report and has not answered it, brings
    back, and waits for the report. How often it came."""
    study = scene.study(NUMBER)
    assert len(scene.send(study)) == NUMBER
    uids = scene.uids(study)
    if in_report:
        scanner.answers.clear()
    try:
        transaction, association = scanner.ask(scene, study, uids)
        if in_report:
            scene.until(lambda: bool(scanner.of(transaction)), 30, "the scanner has the report")
        time.sleep(seconds)
        scene.kill(victim)
    finally:
        scanner.answers.set()
    association.abort()
    scene.bring_back()

    def state() -> list[tuple[Any, ...]]:
        return scene.rows("select state, failed from archive.commitments where transaction_uid = %s", transaction)

    # 10 s while the first association has its try; 120 s for a try that was cut off
    scene.until(lambda: state() == [("reported", 0)], 180, "the commitment is reported")
    reports = scanner.of(transaction)
    assert reports
    assert set(reports) == {(1, tuple(uids))}, "each report says the same: all is committed"
    scene.wait_archived(study, study.files)
    return len(reports)


def test_the_listener_is_killed_before_it_reports(scene: Scene, scanner: Scanner) -> None:
    assert killed_before_the_report(scene, scanner, "dimse") == 1
    scene.assert_record_whole()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["dimse", "worker", "postgres", "supervisor", "everything but postgres"])
def test_killed_at_random_moments(scene: Scene, scanner: Scanner, victim: Victim) -> None:
    for most in (0.3, 1.0, 12.0, 12.0):  # before, around and after the first try, and around the worker's
        killed_before_the_report(scene, scanner, victim, moment(most))
    scene.assert_record_whole()


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["dimse", "supervisor", "everything but postgres"])
def test_killed_while_the_scanner_has_the_report_and_has_not_answered_it(
    scene: Scene, scanner: Scanner, victim: Victim
) -> None:
    assert killed_before_the_report(scene, scanner, victim, in_report=True) >= 2
    scene.assert_record_whole()
