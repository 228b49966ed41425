"""The main job without a browser: an order and images in, read and signed, delivered and acknowledged; each step timed."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from heliograph.app.context import Context
from heliograph.app.demo import cases as demo_cases
from heliograph.app.demo.cases import DemoCase
from heliograph.app.demo.client import Person, Unexpected, until
from heliograph.app.demo.folder import stamped_cases
from heliograph.app.demo.network import PASSWORD
from heliograph.app.demo.people import READERS
from heliograph.app.demo.site import ResultReceiver, send_images, send_order
from heliograph.governance.audit.keys import audit_key
from heliograph.governance.audit.verify import verify
from heliograph.kit.codecs.dicom.header import locate_data_set

SITE_STAFF = {"norfjord": "eirik", "llano-verde": "lena", "kilele-springs": "joseph"}


@dataclass
class Steps:
    """What was done, how it went, how long it took."""

    rows: list[tuple[str, str, float, bool]] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def done(self, step: str, result: str, *, ok: bool = True) -> None:
        now = time.monotonic()
        self.rows.append((step, result, now - self._since, ok))
        self._since = now

    @property
    def all_well(self) -> bool:
        return all(ok for *_, ok in self.rows)

    def show(self) -> None:
        table = Table("Step", "Result", "Seconds", box=None, pad_edge=False)
        table.columns[2].justify = "right"
        for step, result, seconds, ok in self.rows:
            table.add_row(step, result if ok else f"[red]{result}[/]", f"{seconds:.2f}")
        Console().print(table)


def run_once(context: Context, receiver: ResultReceiver, studies: Path | None) -> Steps:
    """Does the job on a running platform and says how each step went. It never raises for a step that failed: the table says it."""
    steps = Steps()
    try:
        with tempfile.TemporaryDirectory(prefix="heliograph-demo-") as temporary:
            folder = Path(temporary)
            for case, files in _work(context, studies, folder, steps):
                _read_one(context, receiver, case, files, steps)
    except Unexpected as error:
        steps.done("stopped", str(error), ok=False)
    _prove_record(context, steps)
    return steps


def _work(context: Context, studies: Path | None, folder: Path, steps: Steps) -> list[tuple[DemoCase, Sequence[Path]]]:
    now = datetime.now(UTC)
    if studies:
        stamped = stamped_cases(studies, folder, now)
        for note in stamped.notes:
            steps.done("copies", note)
        if not stamped.cases:
            raise Unexpected(f"no DICOM study was found in {studies}")
        return list(stamped.cases)
    case = demo_cases.round_of(now)[0]
    prior, study = demo_cases.make_files(case, folder, now)
    priors = prior.files if prior else ()
    steps.done("studies made", f"{len(priors) + len(study.files)} files, {study.description} with a prior")
    stored = sum(r.stored for r in send_images(context.settings, case, priors, as_priors=True))
    steps.done("prior sent", f"{stored} of {len(priors)} stored", ok=stored == len(priors))
    return [(case, study.files)]


def _read_one(context: Context, receiver: ResultReceiver, case: DemoCase, files: Sequence[Path], steps: Steps) -> None:
    settings = context.settings
    base = f"http://{settings.http_host}:{settings.http_port}"
    ack = send_order(settings, case, f"D{case.accession}")
    steps.done("order sent", f"ORM^O01 answered {ack.code}", ok=ack.code == "AA")
    results = send_images(settings, case, files)
    stored = sum(r.stored for r in results)
    steps.done("images sent", f"{stored} of {len(files)} stored", ok=stored == len(files))
    with Person(base, "nadia", PASSWORD) as nadia:
        row = until(lambda: _assigned(nadia, case.accession), 90, "the case was not assigned")
        matrix = nadia.get(f"/api/cases/{row['case_id']}/readers?at=assigned")
    others = [r for r in matrix["readers"] if not r["is_assigned"]]
    reasoned = sum(1 for r in others if r["why"])
    steps.done(
        "ready and assigned",
        f"to {row['reader']['name']}; {reasoned} of {len(others)} others have a reason",
        ok=reasoned == len(others),
    )
    username = next(r.username for r in READERS if row["reader"]["name"].endswith(f"{r.given} {r.family}"))
    with Person(base, username, PASSWORD) as reader:
        workspace = reader.post(f"/api/reads/{row['read_id']}/open")
        steps.done("opened", f"{workspace['read']['state']}, template {workspace['report']['template']['id']}")
        same, total = _compare(reader, case.site.slug, files)
        steps.done("archive compared", f"{same} of {total} given back byte for byte", ok=same == total)
        version = _sign(reader, row["read_id"], workspace)
        steps.done("signed", f"version {version['number']}, {version['kind']}")
    result = receiver.wait_for(case.accession, 60)
    steps.done(
        "sent to the site",
        "ORU^R01 with text and PDF" if result and b"^PDF^Base64^" in result.payload else "nothing came",
        ok=result is not None,
    )
    with Person(base, SITE_STAFF[case.site.slug], PASSWORD) as site:
        until(lambda: _acknowledged(site, row["case_id"]), 60, "the delivery was not acknowledged")
        steps.done("delivered", "acknowledged by the site's system")
        pdf = site.bytes(f"/api/reports/{version['id']}/pdf")
        site.post(f"/api/reports/{version['id']}/acknowledge")
        steps.done(
            "seen at the site", f"PDF of {len(pdf) // 1024} KiB, confirmed by {site.name}", ok=pdf.startswith(b"%PDF-")
        )


def _assigned(coordinator: Person, accession: str) -> dict[str, Any] | None:
    for row in coordinator.get("/api/board")["cases"]:
        if row["accession"] == accession and row["reader"] and not row["is_arriving"]:
            found: dict[str, Any] = row
            return found
    return None


def _acknowledged(site: Person, case_id: str) -> bool | None:
    deliveries = site.get(f"/api/cases/{case_id}")["deliveries"]
    hl7 = [d for d in deliveries if d["channel"] == "hl7"]
    return True if hl7 and all(d["state"] == "acknowledged" for d in hl7) else None


def filled(workspace: dict[str, Any]) -> dict[str, Any]:
    """The workspace's draft content with every required section and field filled."""
    content: dict[str, Any] = workspace["draft"]["content"]
    template = workspace["report"]["template"]
    content["sections"]["findings"] = (
        "Normal ventricles and basal cisterns. Grey-white differentiation is preserved. Demonstration text."
    )
    content["sections"]["impression"] = "1. Demonstration report, made without a person looking at the images."
    for f in template["fields"]:
        if f["required"] and content["fields"].get(f["id"]) in (None, "", []):
            content["fields"][f["id"]] = _value(f)
    for s in template["sections"]:
        if s["required"] and not content["sections"].get(s["id"]):
            content["sections"][s["id"]] = "Demonstration text."
    return content


def _sign(reader: Person, read_id: str, workspace: dict[str, Any]) -> dict[str, Any]:
    content = filled(workspace)
    revision = workspace["draft"]["revision"]
    saved = reader.put(f"/api/reads/{read_id}/draft", {"revision": revision, "content": content})
    reader.prove()
    version: dict[str, Any] = reader.post(
        f"/api/reads/{read_id}/sign", {"revision": saved["revision"], "content": content, "kind": "final"}
    )
    return version


def _value(f: dict[str, Any]) -> Any:
    match f["type"]:
        case "enum":
            return f["options"][0]
        case "multi":
            return [f["options"][0]]
        case "number":
            return 0
        case "boolean":
            return False
        case _:
            return f.get("normal") or "Normal."


def _compare(reader: Person, slug: str, files: Sequence[Path]) -> tuple[int, int]:
    """How many of the sent data sets the archive gives back byte for byte, and how many were sent."""
    import pydicom

    sent: dict[str, set[bytes]] = {}
    for path in files:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        sent.setdefault(header.StudyInstanceUID, set()).add(digest(path.read_bytes()))
    same = sum(len(digests & set(archived(reader, slug, study_uid))) for study_uid, digests in sent.items())
    return same, sum(len(d) for d in sent.values())


def archived(person: Person, slug: str, study_uid: str) -> list[bytes]:
    """The digests of all data sets of a study, as the archive gives them back by WADO-RS to `person`."""
    answer = person.bytes(
        f"/dicomweb/{slug}/studies/{study_uid}", 'multipart/related; type="application/dicom"; transfer-syntax=*'
    )
    return [digest(part) for part in _parts(answer)]


def digest(part10: bytes) -> bytes:
    """SHA-256 of a file's data set, without its preamble and file meta information, which each node writes its own way."""
    view = memoryview(part10)
    offset, _syntax = locate_data_set(view)
    return hashlib.sha256(view[offset:]).digest()


def _parts(body: bytes) -> list[bytes]:
    boundary = body.split(b"\r\n", 1)[0] or body.split(b"\r\n", 2)[1]
    parts = (
        body.split(b"\r\n" + boundary) if not body.startswith(boundary) else (b"\r\n" + body).split(b"\r\n" + boundary)
    )
    return [part.split(b"\r\n\r\n", 1)[1] for part in parts if b"\r\n\r\n" in part]


def _prove_record(context: Context, steps: Steps) -> None:
    settings = context.settings
    verdict = verify(context.works, audit_key(settings.keys_dir), settings.witness_file, context.objects)
    text = f"whole, {verdict.size} events" if verdict.is_whole else verdict.problems[0].text
    steps.done("record verified", text, ok=verdict.is_whole)
