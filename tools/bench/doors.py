"""What is measured at an archive's doors, the same for ours and for a peer's."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pydicom
from pydicom import Dataset

from heliograph.kit.net.dicom import Peer, Remote, associate
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.client import PLAIN, STUDY_FIND
from heliograph.kit.net.dicom.identifiers import encode_identifier, query_for
from heliograph.kit.net.dicom.services import PENDING
from tools.bench import lean
from tools.bench.figures import Figure, figure

STUDIES = 20_000
PER_REQUEST = 50
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@dataclass(frozen=True)
class Door:
    """A DICOMweb root on a port of loopback, and what its requests bear."""

    port: int
    root: str
    headers: Mapping[str, str] = field(default_factory=dict)


QUERIES: dict[str, dict[str, str]] = {
    "newest 100": {},
    "patient ID": {"PatientID": "QP700"},
    "name prefix": {"PatientName": "hansen70*"},
    "accession": {"AccessionNumber": "QA4711"},
    "study UID": {"StudyInstanceUID": "2.25.74711"},
    "date range": {"StudyDate": "20220101-20220107"},
    "date and modality": {"StudyDate": "20220301-20220331", "ModalitiesInStudy": "MR"},
}
_SHOWN = (
    "StudyInstanceUID",
    "PatientName",
    "PatientID",
    "StudyDate",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)


def stow(door: Door, series: Sequence[Sequence[Path]], timed: int, settle: Callable[[], None] = lambda: None) -> Figure:
    """Requests of 50 objects on one connection; of each series the objects beyond `timed` come after the clock has stopped, and
    `settle` waits for the server to be idle again. The median of the series, since one alone takes but two seconds."""
    rates = []
    for files in series:
        rates.append(_stow(door, files, timed))
        settle()
    name = "STOW-RS, requests of 50 objects of 0.53 MB"
    detail = {"runs": [round(rate, 1) for rate in rates]}
    return figure(name, statistics.median(rates), "objects/s", "higher", 300) | {"detail": detail}


def _stow(door: Door, files: Sequence[Path], timed: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=120)
    kind = 'multipart/related; type="application/dicom"; boundary=b0undary'
    headers = {**door.headers, "Content-Type": kind, "Accept": "application/dicom+json"}
    bodies = []
    for at in range(0, len(files), PER_REQUEST):
        contents = [p.read_bytes() for p in files[at : at + PER_REQUEST]]
        parts = [b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in contents]
        bodies.append(b"".join(parts) + b"--b0undary--\r\n")
    os.sync()
    seconds, stored, begun = 0.0, 0, time.perf_counter()
    for number, body in enumerate(bodies, 1):
        connection.request("POST", f"{door.root}/studies", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        # FailedSOPSequence; Orthanc names it, empty, when nothing failed
        if answer.status not in (200, 202) or told.get("00081198", {}).get("Value"):
            raise RuntimeError(f"STOW answered {answer.status}")
        if number * PER_REQUEST <= timed:
            seconds, stored = time.perf_counter() - begun, number * PER_REQUEST
    connection.close()
    return stored / seconds


def retrieved(door: Door, files: Sequence[Path]) -> list[Figure]:
    """Metadata of the whole series, and its frames by one and four clients."""
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    heads = [pydicom.dcmread(p, stop_before_pixels=True, specific_tags=tags) for p in files]
    series = f"{door.root}/studies/{heads[0].StudyInstanceUID}/series/{heads[0].SeriesInstanceUID}"
    port, key = door.port, dict(door.headers)
    headers = key | {"Accept": "application/dicom+json", "Accept-Encoding": "gzip"}
    _, times = lean.rate(port, headers, [f"{series}/metadata"], 10, 1)
    made = figure(f"metadata of a series of {len(files)} instances", statistics.median(times), "s", "lower", 0.1)
    figures = [made | {"value": round(statistics.median(times), 4)}]
    paths = [f"{series}/instances/{d.SOPInstanceUID}/frames/1" for d in heads]
    for clients in (1, 4):
        rate, times = lean.rate(port, key | {"Accept": FRAMES}, paths, 1000, clients)
        many = f"{clients} client{'s' if clients > 1 else ''} of raw sockets"
        figures += [
            figure(f"frames (0.52 MB), {many}", rate, "requests/s", "higher", 1000 if clients == 4 else None),
            figure(f"frames (0.52 MB), {many}, p95", p95(times) * 1000, "ms", "lower"),
        ]
    return figures


def searched(door: Door) -> list[Figure]:
    """The first hundred matches of each query."""
    headers = {**door.headers, "Accept": "application/dicom+json"}
    made = {}
    for name, keys in QUERIES.items():
        path = f"{door.root}/studies?" + urlencode({"limit": 100} | keys)
        made[name] = lean.rate(door.port, headers, [path], 60, 1)[1]
    return _of_queries("QIDO-RS", made)


def found(remote: Remote) -> list[Figure]:
    """C-FIND over one association of our own SCU, all matches received and, as with QIDO-RS, none decoded: that is the client's work."""
    made = {}
    with associate(remote, [(STUDY_FIND, PLAIN)]) as peer:
        for name, keys in QUERIES.items():
            if not keys:
                continue  # C-FIND has no pages
            query = query_for("STUDY", dict.fromkeys(_SHOWN, "") | keys)
            made[name] = [_timed(peer, query) for _ in range(60)]
    return _of_queries("C-FIND", made)


def _timed(peer: Peer, query: Dataset) -> float:
    context = peer.context_for(STUDY_FIND)
    if context is None:
        raise RuntimeError("C-FIND is not offered")
    identifier = encode_identifier(query, peer.contexts[context][1])
    message_id, matches = peer.next_message_id(), 0
    begun = time.perf_counter()
    peer.send(context, dimse.encode_query_request(dimse.C_FIND_RQ, message_id, STUDY_FIND), [identifier])
    while peer.response(dimse.C_FIND_RSP, message_id).status & 0xFFFE == PENDING:
        matches += 1
    if not matches:
        raise RuntimeError("a query found nothing")
    return time.perf_counter() - begun


def _of_queries(door: str, made: dict[str, list[float]]) -> list[Figure]:
    """p50 and p95 over all kinds of query; p95 of each kind is told beside it."""
    times = [t * 1000 for kind in made.values() for t in kind]
    by_kind = {name: round(p95(kind) * 1000, 1) for name, kind in made.items()}
    name = f"{door} over {STUDIES:,} studies"
    return [
        figure(f"{name}, p50", statistics.median(times), "ms", "lower"),
        figure(f"{name}, p95", p95(times), "ms", "lower", 20) | {"detail": by_kind},
    ]


def p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[18]
