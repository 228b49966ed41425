"""The archive's doors on the whole platform: STOW-RS, metadata, frames, QIDO-RS and C-FIND over 20,000 studies, and memory after it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from heliograph.app.demo.cases import round_of
from heliograph.app.demo.studies import make_slices
from heliograph.governance.access.passwords import token_hash
from heliograph.kit.db import postgres
from heliograph.kit.net.dicom import Remote
from tools.bench import bench_orthanc, doors
from tools.bench.doors import STUDIES, Door
from tools.bench.figures import Figure, figure
from tools.orthanc import DICOM_WEB, ORTHANC
from tools.running import Platform, running

INSTANCES = 900
SERIES = 3
NODE_MB = 700.0

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


def measure(slices: int = 600) -> list[Figure]:
    """Everything, in one run of the platform; then the same of Orthanc, where it is installed."""
    with tempfile.TemporaryDirectory() as work:
        most = max(slices, INSTANCES)
        series = [make_slices(Path(work) / str(n), most, seed=f"bench/doors/{n}") for n in range(SERIES)]
        figures = _ours(series, slices)
        return _beside(figures, bench_orthanc.measure(series, slices) if ORTHANC and DICOM_WEB else [])


def _ours(series: Sequence[Sequence[Path]], slices: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder, running(Path(folder)) as platform:
        token = _fill(platform, STUDIES)
        door = Door(platform.ports["http"], "/dicomweb/norfjord", {"Authorization": f"Bearer {token}"})
        incoming = platform.settings.spool_dir / "incoming"

        def settle() -> None:
            platform.until(lambda: not any(incoming.rglob("*.dcm")), 180, "the spool is empty")

        figures = [doors.stow(door, series, slices, settle)]
        figures += doors.retrieved(door, series[0])
        figures += doors.searched(door)
        site = round_of(datetime.now(UTC))[2].site
        figures += doors.found(Remote("127.0.0.1", platform.ports["dimse"], site.called_ae, site.calling_ae))
        figures.append(_memory(platform))
        return figures


def _beside(figures: list[Figure], peers: Sequence[Figure]) -> list[Figure]:
    """Our figures with those of Orthanc, where it is installed, in the same run."""
    values = {f["name"]: f["value"] for f in peers}
    if not values:
        print("  Orthanc and its DICOMweb plugin are not installed: nothing is measured beside them")
    return [f | {"peers": {"Orthanc": values[f["name"]]}} if f["name"] in values else f for f in figures]


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


def _memory(platform: Platform) -> Figure:
    by_part = {n: round(mb, 1) for n, mb in platform.memory_mb().items() if n in ("web", "dimse", "worker")}
    name = "memory of web, dimse and worker after this load (PSS)"
    return figure(name, sum(by_part.values()), "MB", "lower", NODE_MB) | {"detail": by_part}
