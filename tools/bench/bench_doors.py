"""The archive's doors on the whole platform: STOW-RS, metadata, frames, QIDO-RS and C-FIND over 20,000 studies, and memory after it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pydicom
from pydicom import Dataset

from heliograph.app.demo.cases import round_of
from heliograph.app.demo.network import DemoSite
from heliograph.app.demo.studies import make_slices
from heliograph.governance.access.passwords import token_hash
from heliograph.kit.db import postgres
from heliograph.kit.net.dicom import Peer, Remote, associate
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.client import PLAIN, STUDY_FIND
from heliograph.kit.net.dicom.identifiers import encode_identifier, query_for
from heliograph.kit.net.dicom.services import PENDING
from tools.bench import lean
from tools.bench.figures import Figure, figure
from tools.running import Platform, running

STUDIES = 20_000
INSTANCES = 900
PER_REQUEST = 50
NODE_MB = 700.0
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'

_FILL = """
insert into archive.studies (organization_id, facility_id, study_instance_uid, accession_number, first_received_at, last_received_at,
    completed_at, match_state, dicom_patient_id, dicom_patient_name, dicom_birth_date, dicom_sex, study_date, study_time, study_id,
    study_description, modalities, number_of_series, number_of_instances)
select f.organization_id, f.id, '2.25.7' || n, 'QA' || n, now(), now(), now(), 'prior', 'QP' || n / 4,
    (array['Hansen', 'Johansen', 'Olsen', 'Larsen', 'Andersen', 'Pedersen', 'Nilsen', 'Kristiansen'])[1 + n %% 8] || n / 4 || '^Given',
    '1950-01-01'::date + n / 4, 'F', '2020-01-01'::date + n %% 2000, '120000', 'S' || n, 'CT head',
    (array['{CT}', '{MR}', '{CT,SR}', '{DX}'])[1 + n %% 4]::text[], 1, 1
from sites.facilities f join tenancy.organizations o on o.id = f.organization_id, generate_series(1, %(number)s) n
where o.slug = 'norfjord';
insert into archive.series (organization_id, study_id, series_instance_uid, modality, series_number, number_of_instances)
select organization_id, id, study_instance_uid || '.1', modalities[1], 1, 1 from archive.studies where study_instance_uid like '2.25.7%%';
"""

QUERIES: dict[str, dict[str, str]] = {
    "newest 100": {},
    "patient ID": {"PatientID": "QP700"},
    "name prefix": {"PatientName": "hansen70*"},
    "accession": {"AccessionNumber": "QA4711"},
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


def measure(slices: int = 600) -> list[Figure]:
    """Everything, in one run of the platform."""
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder,
        tempfile.TemporaryDirectory() as work,
        running(Path(folder)) as platform,
    ):
        token = _fill(platform, STUDIES)
        files = make_slices(Path(work), max(slices, INSTANCES), seed="bench/doors")
        figures = [_stow(platform, token, files, slices)]
        figures += _retrieved(platform, token, files)
        figures += _qido(platform, token)
        figures += _found(platform, round_of(datetime.now(UTC))[2].site)
        figures.append(_memory(platform))
        return figures


def _fill(platform: Platform, number: int) -> str:
    """So many studies of Norfjord, and a key that may store and read there: its token."""
    token = secrets.token_urlsafe(16)
    with (
        postgres.start(platform.settings.data_dir) as database,
        psycopg.connect(database.owner_url.replace("+psycopg", "")) as c,
    ):
        for statement in _FILL.strip().removesuffix(";").split(";\n"):
            c.execute(statement, {"number": number})
        c.execute(
            "insert into access.keys (organization_id, facility_id, name, token_hash, may_store, may_read) "
            "select f.organization_id, f.id, 'bench', %s, true, true from sites.facilities f "
            "join tenancy.organizations o on o.id = f.organization_id where o.slug = 'norfjord' limit 1",
            (token_hash(token),),
        )
        c.commit()
        c.autocommit = True
        c.execute("vacuum analyze")  # as autovacuum leaves it within a minute
    return token


def _stow(platform: Platform, token: str, files: Sequence[Path], timed: int) -> Figure:
    """Requests of 50 objects on one connection; the objects beyond `timed` come after the clock has stopped."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["http"], timeout=120)
    kind = 'multipart/related; type="application/dicom"; boundary=b0undary'
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}", "Accept": "application/dicom+json"}
    bodies = []
    for at in range(0, len(files), PER_REQUEST):
        contents = [p.read_bytes() for p in files[at : at + PER_REQUEST]]
        parts = [b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in contents]
        bodies.append(b"".join(parts) + b"--b0undary--\r\n")
    os.sync()
    seconds, stored, begun = 0.0, 0, time.perf_counter()
    for number, body in enumerate(bodies, 1):
        connection.request("POST", "/dicomweb/norfjord/studies", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status not in (200, 202) or told.get("00081198"):  # FailedSOPSequence
            raise RuntimeError(f"STOW answered {answer.status}")
        if number * PER_REQUEST <= timed:
            seconds, stored = time.perf_counter() - begun, number * PER_REQUEST
    connection.close()
    incoming = platform.settings.spool_dir / "incoming"
    platform.until(lambda: not any(incoming.rglob("*.dcm")), 180, "the spool is empty")
    return figure("STOW-RS, requests of 50 objects of 0.53 MB", stored / seconds, "objects/s", "higher", 300)


def _retrieved(platform: Platform, token: str, files: Sequence[Path]) -> list[Figure]:
    """Metadata of the whole series, and its frames by one and four clients."""
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    heads = [pydicom.dcmread(p, stop_before_pixels=True, specific_tags=tags) for p in files]
    series = f"/dicomweb/norfjord/studies/{heads[0].StudyInstanceUID}/series/{heads[0].SeriesInstanceUID}"
    port, key = platform.ports["http"], {"Authorization": f"Bearer {token}"}
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


def _qido(platform: Platform, token: str) -> list[Figure]:
    """The first hundred matches of each query."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/dicom+json"}
    made = {}
    for name, keys in QUERIES.items():
        path = "/dicomweb/norfjord/studies?" + urlencode({"limit": 100} | keys)
        made[name] = lean.rate(platform.ports["http"], headers, [path], 60, 1)[1]
    return _of_queries("QIDO-RS", made)


def _found(platform: Platform, site: DemoSite) -> list[Figure]:
    """C-FIND over one association of our own SCU, all matches received and, as with QIDO-RS, none decoded: that is the client's work."""
    remote = Remote("127.0.0.1", platform.ports["dimse"], site.called_ae, site.calling_ae)
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


def _memory(platform: Platform) -> Figure:
    by_part = {n: round(mb, 1) for n, mb in platform.memory_mb().items() if n in ("web", "dimse", "worker")}
    name = "memory of web, dimse and worker after this load (PSS)"
    return figure(name, sum(by_part.values()), "MB", "lower", NODE_MB) | {"detail": by_part}
