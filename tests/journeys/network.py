"""The world around the platform in the journeys: sites that order, send images and take reports, and what they send."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from heliograph.app.demo.cases import CASES, DemoCase, make_files
from heliograph.app.demo.client import Person
from heliograph.app.demo.network import PASSWORD
from heliograph.app.demo.once import filled
from heliograph.app.demo.site import send_images, send_order
from heliograph.governance.audit.keys import audit_key
from heliograph.governance.audit.verify import Verdict, verify
from heliograph.kit.codecs.hl7 import AckCode, build_ack, parse
from heliograph.kit.net import mllp
from tools.running import Platform

CT_WITH_BLEED, CT_HEAD, _XRAY, MR_KENYA, XRAY_TEXAS, ULTRASOUND_KENYA, _UNORDERED = CASES
_numbers = itertools.count(1)


class SiteSystem:
    """The sites' system that takes ORU^R01; it answers with `code`."""

    def __init__(self) -> None:
        self.code: AckCode = "AA"
        self.taken: list[str] = []
        """Accession numbers, in the order they came."""
        self._listener = mllp.MllpListener("127.0.0.1", 0, self._take)
        self._listener.start()
        self.port = self._listener.port

    def stop(self) -> None:
        self._listener.stop(grace=1)

    def _take(self, payload: bytes, _peer: mllp.Peer) -> bytes:
        message = parse(payload, "UNICODE UTF-8")
        self.taken.append(message.text("OBR-18") or "")
        text = "" if self.code == "AA" else "The result could not be filed"
        control_id = f"A{len(self.taken)}"
        return build_ack(message, self.code, control_id_of_answer=control_id, now=datetime.now(UTC), text=text)


@dataclass
class Network:
    """The running platform, and the hands of its sites."""

    platform: Platform
    site: SiteSystem
    folder: Path
    _people: dict[str, Person] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.platform.base_url

    def person(self, username: str) -> Person:
        """Somebody who looks in by the API, to see what a page should come to show."""
        if username not in self._people:
            self._people[username] = Person(self.url, username, PASSWORD)
        return self._people[username]

    def exam(self, model: DemoCase, priority: str | None = None) -> DemoCase:
        """An examination like `model` under an accession of its own."""
        accession = f"{model.site.code[:2]}J{next(_numbers):03}{datetime.now(UTC):%H%M%S}"
        return replace(model, accession=accession, priority=priority or model.priority)

    def order(self, case: DemoCase) -> None:
        """The site's system orders it, and is answered AA."""
        assert send_order(self.platform.settings, case, f"O{case.accession}").code == "AA"

    def send_phantom(self, case: DemoCase) -> int:
        """The whole made volume, and its prior from the site's archive. How many images the exam has."""
        prior, study = make_files(case, self.folder, datetime.now(UTC))
        if prior:
            self._send(case, prior.files, as_priors=True)
        self._send(case, study.files)
        return len(study.files)

    def send_small(self, case: DemoCase, images: int = 2) -> list[Path]:
        """A few small images, where nobody looks closely; their files."""
        folder = self.folder / case.accession
        folder.mkdir(parents=True)
        ds = pydicom.dcmread(str(get_testdata_file("MR_small.dcm" if case.modality == "MR" else "CT_small.dcm")))
        ds.PatientID, ds.IssuerOfPatientID = case.patient.patient_id, case.patient.issuer
        ds.PatientName, ds.PatientBirthDate, ds.PatientSex = (
            case.patient.name,
            case.patient.birth_date,
            case.patient.sex,
        )
        ds.AccessionNumber, ds.StudyDescription = case.accession, case.procedure[1]
        ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
        files = []
        for index in range(images):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.InstanceNumber = str(index + 1)
            files.append(folder / f"{index}.dcm")
            ds.save_as(files[-1], enforce_file_format=True)
        self._send(case, files)
        return files

    def send_corrected(self, case: DemoCase, file: Path, patient_id: str = "") -> str:
        """The same image again, under the same UID, with another name, and identifier: it is held, with a warning. Returns the UID."""
        ds = pydicom.dcmread(file)
        ds.PatientName = "Corrected^Name"
        ds.PatientID = patient_id or ds.PatientID
        ds.save_as(file.with_name("corrected.dcm"), enforce_file_format=True)
        self._send(case, [file.with_name("corrected.dcm")], status=0xB000)
        return str(ds.SOPInstanceUID)

    def ready(self, model: DemoCase, priority: str | None = None, *, reader: str | None = None) -> tuple[DemoCase, str]:
        """An ordered exam with its images, assigned (to `reader`, a family name); with the id of its read."""
        case = self.exam(model, priority)
        self.order(case)
        self.send_small(case)
        return case, self.read_of(case, reader)

    def read_of(self, case: DemoCase, reader: str | None = None) -> str:
        """The id of the case's read, as soon as it is assigned and no image is awaited any more."""
        found: list[str] = []

        def assigned() -> bool:
            found[:] = [
                row["read_id"]
                for row in self.person("nadia").get("/api/board")["cases"]
                if row["accession"] == case.accession
                and not row["is_arriving"]
                and row["reader"]
                and (reader is None or row["reader"]["name"].endswith(reader))
            ]
            return bool(found)

        Platform.until(assigned, 40, f"a reader has {case.accession}")
        return found[0]

    def sign(self, read_id: str) -> dict[str, Any]:
        """The reader writes the read's report and signs it; the version."""
        imogen = self.person("imogen")
        workspace = imogen.post(f"/api/reads/{read_id}/open")
        body = {"revision": workspace["draft"]["revision"], "content": filled(workspace)}
        body["revision"] = imogen.put(f"/api/reads/{read_id}/draft", body)["revision"]
        imogen.prove()
        version: dict[str, Any] = imogen.post(f"/api/reads/{read_id}/sign", {**body, "kind": "final"})
        return version

    def verify_record(self) -> Verdict:
        """The audit log, verified as `heliograph audit verify` does."""
        settings = self.platform.settings
        with self.platform.context() as context:
            return verify(context.works, audit_key(settings.keys_dir), settings.witness_file, context.objects)

    def close(self) -> None:
        for person in self._people.values():
            person.close()

    def _send(self, case: DemoCase, files: Sequence[Path], *, as_priors: bool = False, status: int = 0) -> None:
        results = send_images(self.platform.settings, case, files, as_priors=as_priors)
        assert [r.status for r in results] == [status] * len(files)
