"""Orthanc on loopback, where it is installed: another archive that moves, asks and stores as its own code does."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from heliograph.app.demo.run import free_port

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
DICOM_WEB = next(
    (
        p
        for folder in ("/usr/share/orthanc/plugins", "/usr/lib/orthanc")
        for p in Path(folder).glob("libOrthancDicomWeb.so*")
    ),
    None,
)
TITLE = "ORTHANC"


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: its DICOM port and its REST API."""

    port: int
    http: httpx.Client

    def count(self) -> int:
        """How many objects it has."""
        found: int = self.http.get("/statistics").json()["CountInstances"]
        return found

    def job(self, answer: httpx.Response) -> Mapping[str, Any]:
        """The job that a request began, when it has ended."""
        identity = answer.raise_for_status().json()["ID"]
        for _ in range(600):
            job: Mapping[str, Any] = self.http.get(f"/jobs/{identity}").json()
            if job["State"] in ("Success", "Failure"):
                return job
            time.sleep(0.05)
        raise TimeoutError("the job did not end")


@contextmanager
def orthanc(
    *, modalities: Mapping[str, tuple[str, str, int]] | None = None, servers: Mapping[str, Any] | None = None
) -> Iterator[Orthanc]:
    """Orthanc with these DICOM nodes (name -> AE title, host, port) and DICOMweb servers (name -> its configuration)."""
    if ORTHANC is None or DICOM_WEB is None:
        raise FileNotFoundError("Orthanc and its DICOMweb plugin are not installed")
    folder = Path(tempfile.mkdtemp(prefix="orthanc-"))
    port, http = free_port(), free_port()
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "Name": "test", "StorageDirectory": str(folder / "store"), "IndexDirectory": str(folder / "store"),
                "Plugins": [str(DICOM_WEB)], "DicomAet": TITLE, "DicomPort": port, "HttpPort": http, "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False, "DicomCheckCalledAet": False, "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowStore": True,
                "DicomModalities": {name: list(node) for name, node in (modalities or {}).items()},
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": dict(servers or {})},
                "OverwriteInstances": True, "StableAge": 1,
            }
        )
    )  # fmt: skip
    process = subprocess.Popen(
        [ORTHANC, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    client = httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                client.get("/system").raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise TimeoutError("Orthanc does not answer") from None
                time.sleep(0.1)
        yield Orthanc(port, client)
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)
