"""From the signature to the report on the wire: what a reader signs is with the site's system while the reader looks at the next case."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from heliograph.app.demo.cases import make_files, round_of
from heliograph.app.demo.client import Person, until
from heliograph.app.demo.once import filled
from heliograph.app.demo.people import READERS
from heliograph.app.demo.site import ResultReceiver, send_images, send_order
from tools.bench.figures import Figure, figure
from tools.running import PASSWORD, Platform, running

QUIET = 2
GOAL = 1.0
"""Seconds, the 95th of 100."""


def measure(rounds: int = 20) -> list[Figure]:
    """Signs `rounds` reports one after the other on a running platform: from the click to the ORU^R01 with text and PDF at the site's
    receiver."""
    receiver = ResultReceiver()
    receiver.start()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder,
            tempfile.TemporaryDirectory() as work,
            running(Path(folder), results_port=receiver.port, quiet_seconds=QUIET) as platform,
        ):
            times = sorted(_once(platform, receiver, n, Path(work) / f"signed-{n}") for n in range(rounds))
    finally:
        receiver.stop()
    p95 = times[min(rounds - 1, int(0.95 * rounds))]
    return [
        figure("signature to ORU on the wire, p95", p95, "s", "lower", GOAL),
        figure("signature to ORU on the wire, median", times[rounds // 2], "s", "lower"),
    ]


def _once(platform: Platform, receiver: ResultReceiver, number: int, folder: Path) -> float:
    case = replace(round_of(datetime.now(UTC))[2], accession=f"NOS{number}{time.time_ns() % 10**9}")
    _, study = make_files(case, folder, datetime.now(UTC))
    send_order(platform.settings, case, f"S{case.accession}")
    send_images(platform.settings, case, study.files)
    with Person(platform.base_url, "nadia", PASSWORD) as nadia:
        row = until(partial(_assigned, nadia, case.accession), 90, "the case is assigned")
    username = next(r.username for r in READERS if row["reader"]["name"].endswith(f"{r.given} {r.family}"))
    with Person(platform.base_url, username, PASSWORD) as reader:
        workspace = reader.post(f"/api/reads/{row['read_id']}/open")
        content = filled(workspace)
        saved = reader.put(
            f"/api/reads/{row['read_id']}/draft", {"revision": workspace["draft"]["revision"], "content": content}
        )
        reader.prove()
        clicked = time.time()
        body = {"revision": saved["revision"], "content": content, "kind": "final"}
        reader.post(f"/api/reads/{row['read_id']}/sign", body)
        result = receiver.wait_for(case.accession, 60)
    if result is None or b"^PDF^Base64^" not in result.payload:
        raise RuntimeError("a signed report did not come")
    return result.at.timestamp() - clicked


def _assigned(coordinator: Person, accession: str) -> dict[str, Any] | None:
    for row in coordinator.get("/api/board")["cases"]:
        if row["accession"] == accession and row["reader"] and not row["is_arriving"]:
            found: dict[str, Any] = row
            return found
    return None
