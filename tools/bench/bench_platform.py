"""The whole platform under load: images in beside the indexer, complete to ready on the board, pages and frames, memory."""

from __future__ import annotations

import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pydicom

from heliograph.app.demo.cases import DemoCase, make_files, round_of
from heliograph.app.demo.client import Person, until
from heliograph.app.demo.site import ResultReceiver, send_images, send_order
from heliograph.app.demo.studies import make_slices
from heliograph.kit.db import postgres
from tools.bench import bench_cstore, bench_worklist
from tools.bench.figures import Figure, figure
from tools.running import PASSWORD, Platform, running

QUIET = 6
"""Seconds of quiet at the measured sites: short, but longer than the time that filing may take (`complete.SETTLING_SECONDS`)."""
CASES = 10_000
LIMIT_MB = 900.0


def measure(slices: int = 600, cases: int = CASES) -> list[Figure]:
    """Everything that needs the platform running, in one run of it."""
    receiver = ResultReceiver()
    receiver.start()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder,
            tempfile.TemporaryDirectory() as work,
            running(Path(folder), results_port=receiver.port, quiet_seconds=QUIET) as platform,
        ):
            figures, study = _ingest(platform, Path(work), slices)
            figures += _ready(platform, Path(work))
            figures += _frames(platform, study)
            figures += _pages(platform, cases)
            figures.append(_memory(platform))
            return figures
    finally:
        receiver.stop()


# ---------------------------------------------------------------- images in


def _ingest(platform: Platform, work: Path, slices: int) -> tuple[list[Figure], tuple[Path, ...]]:
    """C-STORE as a registered caller into the running platform, with the indexer beside it."""
    figures: list[Figure] = []
    files: tuple[Path, ...] = ()
    for associations in (1, 4):
        files = make_slices(work / f"slices-{associations}", slices, seed=f"bench/{associations}")
        size = sum(p.stat().st_size for p in files) / 1e6
        case = _case(0)
        os.sync()
        begun = time.perf_counter()
        with ThreadPoolExecutor(associations) as pool:
            parts = [files[k::associations] for k in range(associations)]
            sent = [r for results in pool.map(partial(send_images, platform.settings, case), parts) for r in results]
        seconds = time.perf_counter() - begun
        if not all(r.stored for r in sent):
            raise RuntimeError("an object was not stored")
        platform.until(lambda: not _spooled(platform), 120, "the spool is empty")
        filed = time.perf_counter() - begun
        many = f"{associations} association{'s' if associations > 1 else ''}"
        goal = bench_cstore.GOAL if associations == 1 else None
        name = f"C-STORE into the running platform, {many}"
        figures += [
            figure(name, slices / seconds, "objects/s", "higher", goal),
            figure(f"{name}, volume", size / seconds, "MB/s", "higher"),
            figure(f"{name}, until filed", slices / filed, "objects/s", "higher"),
        ]
    return figures, files


def _spooled(platform: Platform) -> bool:
    return any((platform.settings.spool_dir / "incoming").rglob("*.dcm"))


# ---------------------------------------------------------------- complete to ready


def _ready(platform: Platform, work: Path, rounds: int = 5) -> list[Figure]:
    """From completeness to the case standing on the coordinator's board as assigned: by quiet, and by the technologist's word."""
    quiet, told = list[float](), list[float]()
    with Person(platform.base_url, "nadia", PASSWORD) as nadia, Person(platform.base_url, "eirik", PASSWORD) as eirik:
        for number in range(rounds):
            case = _case(number)
            _, study = make_files(case, work / f"ready-{number}", datetime.now(UTC))
            send_order(platform.settings, case, f"B{case.accession}")
            send_images(platform.settings, case, study.files)
            complete = time.perf_counter() + QUIET
            if number % 2:
                found = until(partial(_study_of, eirik, case.accession), 10, "the study is on the site's page")
                complete = time.perf_counter()
                eirik.post(f"/api/studies/{found}/complete")
            until(partial(_assigned, nadia, case.accession), 60, "the case is ready on the board")
            (told if number % 2 else quiet).append(time.perf_counter() - complete)
    return [
        figure("quiet time over to ready on the board (worst)", max(quiet), "s", "lower", 1.0),
        figure("technologist's complete to ready on the board (worst)", max(told), "s", "lower", 1.0),
    ]


def _case(number: int) -> DemoCase:
    """A chest or head of Norfjord with an accession number of its own."""
    case = round_of(datetime.now(UTC))[2]
    return replace(case, accession=f"NOB{number}{time.time_ns() % 10**9}")


def _study_of(site: Person, accession: str) -> str | None:
    for row in site.post("/api/search", {"words": accession}):
        if row["case_id"] and (studies := site.get(f"/api/cases/{row['case_id']}")["studies"]):
            return str(studies[0]["id"])
    return None


def _assigned(coordinator: Person, accession: str) -> bool | None:
    for row in coordinator.get("/api/board")["cases"]:
        if (
            row["accession"] == accession
            and not row["is_arriving"]
            and row["case_state"] in ("ready", "assigned", "no_reader")
        ):
            return True
    return None


# ---------------------------------------------------------------- frames and pages


class Asker:
    """One signed-in keep-alive connection that reads answers whole."""

    def __init__(self, platform: Platform, username: str, password: str) -> None:
        with Person(platform.base_url, username, password) as person:
            self._cookie = person.cookie
        self._connection = http.client.HTTPConnection("127.0.0.1", platform.ports["http"], timeout=60)

    def ask(self, path: str, accept: str = "*/*") -> int:
        """The bytes of a good answer.

        Raises:
            RuntimeError: it was not good.
        """
        self._connection.request("GET", path, headers={"Cookie": self._cookie, "Accept": accept})
        answer = self._connection.getresponse()
        size = len(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path.partition('?')[0]} answered {answer.status}")
        return size

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _askers(platform: Platform, number: int, username: str, password: str) -> Iterator[list[Asker]]:
    made = [Asker(platform, username, password) for _ in range(number)]
    try:
        yield made
    finally:
        for asker in made:
            asker.close()


def _rate(askers: Sequence[Asker], asked: Callable[[Asker, int], int], each: int) -> tuple[float, list[float]]:
    """Requests a second over all, and the seconds of each request."""

    def one(asker: Asker) -> list[float]:
        times = []
        for number in range(each):
            begun = time.perf_counter()
            asked(asker, number)
            times.append(time.perf_counter() - begun)
        return times

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(askers)) as pool:
        times = [t for part in pool.map(one, askers) for t in part]
    return len(times) / (time.perf_counter() - begun), times


def _frames(platform: Platform, study: Sequence[Path]) -> list[Figure]:
    """WADO-RS frames of 0.52 MB, as OHIF asks for them."""
    figures = []
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    heads = [pydicom.dcmread(p, stop_before_pixels=True, specific_tags=tags) for p in study[:200]]
    paths = [
        f"/dicomweb/norfjord/studies/{d.StudyInstanceUID}/series/{d.SeriesInstanceUID}/instances/{d.SOPInstanceUID}/frames/1"
        for d in heads
    ]
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    for clients in (1, 4):
        with _askers(platform, clients, "eirik", PASSWORD) as askers:
            rate, times = _rate(askers, lambda a, n: a.ask(paths[n % len(paths)], accept), 200)
        many = f"{clients} client{'s' if clients > 1 else ''}"
        figures += [
            figure(f"frames (0.52 MB), {many}", rate, "requests/s", "higher"),
            figure(f"frames (0.52 MB), {many}, p95", _p95(times), "ms", "lower"),
        ]
    return figures


def _pages(platform: Platform, cases: int) -> list[Figure]:
    """A reader's list and the coordinator's board with `cases` open cases."""
    figures = []
    with postgres.start(platform.settings.data_dir) as database:
        bench_worklist.fill(database.owner_url, cases)
    for page, path, who in (("my list", "/api/my-list", "reader"), ("board", "/api/board", "coordinator")):
        for clients in (1, 4):
            with _askers(platform, clients, who, bench_worklist.PASSWORD) as askers:
                _rate(askers, lambda a, _n, p=path: a.ask(p), 5)  # type: ignore[misc]  # the first ones warm plans and caches
                rate, times = _rate(askers, lambda a, _n, p=path: a.ask(p), 100)  # type: ignore[misc]
            many = f"{page} with {cases} open cases, {clients} client{'s' if clients > 1 else ''}"
            figures += [
                figure(many, rate, "requests/s", "higher"),
                figure(f"{many}, p95", _p95(times), "ms", "lower", bench_worklist.GOAL_MS if clients == 1 else None),
            ]
    return figures


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[18] * 1000


def _memory(platform: Platform) -> Figure:
    by_part: dict[str, Any] = {name: round(mb, 1) for name, mb in platform.memory_mb().items()}
    made = figure(
        "memory of all processes together after this load (PSS)", sum(by_part.values()), "MB", "lower", LIMIT_MB
    )
    return made | {"detail": by_part}
