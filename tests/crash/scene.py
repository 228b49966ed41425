"""What the crash tests do on the platform: images sent in, a report opened, results taken; and what must be true afterwards."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import make_url

from heliograph.app.demo.cases import DemoCase, round_of
from heliograph.app.demo.client import Person, Unexpected
from heliograph.app.demo.network import PASSWORD
from heliograph.app.demo.once import archived, digest, filled
from heliograph.app.demo.site import send_order
from heliograph.exchange.dicomweb.multipart import parts
from heliograph.kit.codecs.hl7 import build_ack, parse
from heliograph.kit.db import postgres
from heliograph.kit.db.postgres_config import ADMIN, DATABASE
from heliograph.kit.net import mllp
from heliograph.kit.net.dicom import AssociationError, SendResult, send_files
from tools.running import Platform, Victim

STORESCU = Path("/usr/bin/storescu")  # by path: a virtual environment's `storescu` is pynetdicom's
SENT = re.compile(r"I: Sending file: (.+)")


class SiteSystem:
    """The site's system: takes results, and keeps its answer back while `answers` is not set."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []  # (accession, MSH-10), in the order they came
        self.answers = threading.Event()
        self.answers.set()
        self._listener = mllp.MllpListener("127.0.0.1", 0, self._take)
        self._listener.start()
        self.port = self._listener.port

    def control_ids(self, accession: str) -> list[str]:
        """MSH-10 of each message about `accession` that came."""
        return [control for about, control in self.taken if about == accession]

    def stop(self) -> None:
        self.answers.set()
        self._listener.stop(grace=1)

    def _take(self, payload: bytes, _peer: mllp.Peer) -> bytes:
        message = parse(payload, "UNICODE UTF-8")
        self.taken.append((message.text("OBR-18") or "", message.control_id or ""))
        self.answers.wait(60)
        return build_ack(message, "AA", control_id_of_answer=f"A{len(self.taken)}", now=datetime.now(UTC))


@dataclass(frozen=True)
class Study:
    """Files of one made study; `digests` of their data sets by file."""

    case: DemoCase
    uid: str
    files: tuple[Path, ...]
    digests: dict[Path, bytes]


@dataclass(frozen=True)
class OpenReport:
    """A report that a reader has open, written and saved."""

    study: Study
    case_id: str
    read_id: str
    reader: Person
    body: dict[str, Any]


@dataclass
class Scene:
    """The platform under test and what happens on it."""

    platform: Platform
    site: SiteSystem
    folder: Path
    _numbers: list[int] = field(default_factory=lambda: [0])
    _people: dict[str, Person] = field(default_factory=dict)

    # ---------------------------------------------------------------- images

    def study(self, number: int) -> Study:
        """`number` small CT images of one study, made anew, of a patient of the demonstration."""
        self._numbers[0] += 1
        case = replace(round_of(datetime.now(UTC))[1], accession=f"NOX{self._numbers[0]}T{time.time_ns() % 10**8}")
        folder = self.folder / case.accession
        folder.mkdir(parents=True)
        ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        ds.PatientID, ds.IssuerOfPatientID = case.patient.patient_id, case.patient.issuer
        ds.PatientName, ds.PatientBirthDate, ds.PatientSex = (
            case.patient.name,
            case.patient.birth_date,
            case.patient.sex,
        )
        # storescu encodes anew what it reads; without these elements its bytes are the file's.
        for element in list(ds):
            if element.VR == "SQ" or element.tag.group == 0xFFFC:
                del ds[element.tag]
        ds.AccessionNumber = case.accession
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        files, digests = [], {}
        for index in range(number):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.InstanceNumber = str(index + 1)
            path = folder / f"{index:04}.dcm"
            ds.save_as(path, enforce_file_format=True)
            files.append(path)
            digests[path] = digest(path.read_bytes())
        return Study(case, str(ds.StudyInstanceUID), tuple(files), digests)

    def send(
        self, study: Study, files: Sequence[Path] | None = None, *, at: int = -1, then: Callable[[], None] = bool
    ) -> list[Path]:  # type: ignore[assignment]
        """Sends with our sender; calls `then` when `at` files are answered. The files that were answered with success."""
        stored: list[Path] = []

        def note(result: SendResult) -> None:
            if result.status == 0:
                stored.append(result.path)
                if len(stored) == at:
                    then()

        settings, site = self.platform.settings, study.case.site
        with suppress(AssociationError):  # killed while the association was made: nothing was answered
            send_files(
                settings.dimse_host, settings.dimse_port, called=site.called_ae, calling=site.calling_ae,
                files=study.files if files is None else files, on_progress=note,
            )  # fmt: skip
        return stored

    def send_by_storescu(self, study: Study, *, at: int, then: Callable[[], None]) -> list[Path]:
        """The same with DCMTK's storescu, whose words tell what was answered."""
        settings, site = self.platform.settings, study.case.site
        command = [
            str(STORESCU), "-v", "-aet", site.calling_ae, "-aec", site.called_ae,
            settings.dimse_host, str(settings.dimse_port), *map(str, study.files),
        ]  # fmt: skip
        stored: list[Path] = []
        current: Path | None = None
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if found := SENT.match(line):
                    current = Path(found[1].strip())
                elif "Received Store Response (Success)" in line and current is not None:
                    stored.append(current)
                    if len(stored) == at:
                        then()
        return stored

    @staticmethod
    def uids(study: Study) -> list[str]:
        """SOP Instance UIDs of its files, in their order."""
        return [str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in study.files]

    def store(
        self, study: Study, files: Sequence[Path] | None = None, *, each: int = 10, wanted: str = "00081199"
    ) -> list[Path]:
        """Sends by STOW-RS, `each` files a request, until a request is not taken. The files that were answered as stored."""
        session = self.person("eirik").session()
        by_uid = {uid_of(path): path for path in study.files}
        left, stored = list(study.files if files is None else files), []
        kind = 'multipart/related; type="application/dicom"; boundary=b0'
        with httpx.Client(
            base_url=self.platform.base_url, timeout=30, headers={**session, "Content-Type": kind}
        ) as client:
            while left:
                some, left = left[:each], left[each:]
                pieces = [({"Content-Type": "application/dicom"}, (path.read_bytes(),)) for path in some]
                where = f"/dicomweb/{study.case.site.slug}/studies"
                try:
                    answer = client.post(where, content=b"".join(parts("b0", pieces)))
                except httpx.TransportError:
                    return stored
                if answer.status_code == 503:  # nobody can be asked who we are
                    return stored
                assert answer.status_code in (200, 202), answer.text
                stored += [by_uid[item["00081155"]["Value"][0]] for item in answer.json()[wanted]["Value"]]
        return stored

    def in_archive(self, study: Study) -> list[bytes]:
        """Digests of what the archive gives back of the study; none while there is none."""
        try:
            return archived(self.person("eirik"), study.case.site.slug, study.uid)
        except (Unexpected, httpx.TransportError):
            return []

    def wait_archived(self, study: Study, files: Sequence[Path], timeout: float = 60) -> None:
        """Each of `files` is in the archive, byte for byte, and none twice."""
        wanted = {study.digests[path] for path in files}
        found: list[bytes] = []

        def there() -> bool:
            found[:] = self.in_archive(study)
            return wanted <= set(found)

        self.until(there, timeout, f"the {len(wanted)} objects that were answered with success are in the archive")
        assert len(found) == len(set(found))
        assert set(found) <= set(study.digests.values())

    # ---------------------------------------------------------------- reports

    def person(self, username: str) -> Person:
        """Signed in once: a session outlives every crash."""
        if username not in self._people:
            self._people[username] = Person(self.platform.base_url, username, PASSWORD)
        return self._people[username]

    def close(self) -> None:
        for person in self._people.values():
            person.close()

    def open_report(self) -> OpenReport:
        """An order and two images in; assigned, opened, written, saved, the password typed."""
        study = self.study(2)
        ack = send_order(self.platform.settings, study.case, f"X{study.case.accession}")
        assert ack.code == "AA"
        assert len(self.send(study)) == 2
        rows: list[dict[str, Any]] = []

        def assigned() -> bool:
            cases = nadia.get("/api/board")["cases"]
            rows[:] = [
                c for c in cases if c["accession"] == study.case.accession and c["reader"] and not c["is_arriving"]
            ]
            return bool(rows)

        nadia = self.person("nadia")
        self.until(assigned, 40, "the case is assigned")
        reader = self.person("imogen")
        assert rows[0]["reader"]["name"].endswith("Tarrant")
        read_id = rows[0]["read_id"]
        workspace = reader.post(f"/api/reads/{read_id}/open")
        content = filled(workspace)
        saved = reader.put(
            f"/api/reads/{read_id}/draft", {"revision": workspace["draft"]["revision"], "content": content}
        )
        reader.prove()
        body = {"revision": saved["revision"], "content": content, "kind": "final"}
        return OpenReport(study, rows[0]["case_id"], read_id, reader, body)

    @staticmethod
    def sign(report: OpenReport) -> str | None:
        """Signs; the version's id, or None if no answer came."""
        try:
            return str(report.reader.post(f"/api/reads/{report.read_id}/sign", report.body)["id"])
        except (Unexpected, httpx.TransportError):
            return None

    def assert_signed_wholly_or_not(self, report: OpenReport) -> UUID | None:
        """The version with all that belongs to it, or none, and then the draft as it was. Gives the version."""
        versions = self.rows("select id from reading.report_versions where read_id = %s", report.read_id)
        drafts = self.rows("select revision, content from reading.drafts where read_id = %s", report.read_id)
        ((state,),) = self.rows("select state from worklist.reads where id = %s", report.read_id)
        deliveries = self.rows(
            "select d.channel from delivery.deliveries d join reading.report_versions v on v.id = d.report_version_id "
            "where v.case_id = %s order by 1", report.case_id,
        )  # fmt: skip
        events = self.rows(
            "select subject_id from audit.events where case_id = %s and action = 'report.signed' and outcome = 'done'",
            report.case_id,
        )
        if not versions:
            assert (state, deliveries, events) == ("reading", [], [])
            ((revision, content),) = drafts
            assert revision == report.body["revision"]
            assert content["sections"] == report.body["content"]["sections"]
            return None
        assert (len(versions), drafts, state) == (1, [], "done")
        assert [c for (c,) in deliveries] == ["archive", "hl7", "page"]
        assert events == versions
        version: UUID = versions[0][0]
        return version

    def wait_delivered(self, report: OpenReport, timeout: float = 90) -> None:
        """The site's system has the report, and its acknowledgement is on the row; the archive has its document."""

        def acknowledged() -> bool:
            return self.rows(
                "select channel from delivery.deliveries where case_id = %s and state = 'acknowledged' order by 1",
                report.case_id,
            ) == [("archive",), ("hl7",)]

        self.until(acknowledged, timeout, "the report is delivered")
        controls = self.site.control_ids(report.study.case.accession)
        assert controls
        assert len(set(controls)) == 1, "a retry bears the same message control id"

    # ---------------------------------------------------------------- the platform

    def kill(self, victim: Victim) -> None:
        """Kills it; a supervisor is started again as an operator's init system would."""
        self.platform.kill(victim)

    def bring_back(self) -> None:
        """Waits until everything runs again; starts it where nobody is left to do so."""
        platform = self.platform
        if platform.process is None:
            platform.until(lambda: not platform.parts(), 30, "the parts end with their supervisor")
            platform.start()
        platform.wait_ready()
        self.until(lambda: platform.postmaster() is not None, 30, "PostgreSQL is back")

    def assert_record_whole(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "heliograph.app.cli", "audit", "verify"],
            env=self.platform.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "whole" in done.stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database holds, seen past row-level security."""
        with postgres.start(self.platform.settings.data_dir) as running:
            url = make_url(running.server.url(ADMIN, DATABASE)).set(drivername="postgresql")
            with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
                return connection.execute(query, values).fetchall()  # type: ignore[call-overload]

    @staticmethod
    def until(true: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < end, f"{what}: not within {timeout:.0f} s"
            time.sleep(0.2)


def uid_of(path: Path) -> str:
    """The SOP Instance UID of a file."""
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def moment(most: float) -> float:
    """A random moment, printed so that a failure tells it."""
    seconds = random.uniform(0, most)
    print(f"killed after {seconds * 1000:.0f} ms")
    return seconds
