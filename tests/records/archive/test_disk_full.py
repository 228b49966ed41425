"""Disks that are full, really: what was answered with success is there, the rest is refused by name, and service resumes by itself."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from heliograph.app.context import Context, make_context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.db import postgres
from heliograph.kit.net.dicom import Acceptance, Answer, Limits, StorageListener, StoreRequest, send_files
from heliograph.kit.settings import Settings
from heliograph.records.archive import indexer, queries, spool
from tests.cast import Cast, make_cast
from tests.records.archive import files
from tests.records.archive.disks import SmallDisk, small_disk
from tests.records.archive.test_outage import number_filed, until

OUT_OF_RESOURCES = 0xA700


@pytest.fixture
def spool_disk(settings: Settings) -> Iterator[SmallDisk]:
    with small_disk(8, settings.spool_dir) as disk:
        yield disk


@pytest.fixture
def objects_disk(settings: Settings) -> Iterator[SmallDisk]:
    with small_disk(8, settings.data_dir / "objects") as disk:
        yield disk


def written(folder: Path, data: list[bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04d}.dcm" for number in range(len(data))]
    for path, one in zip(paths, data, strict=True):
        path.write_bytes(one)
    return paths


def send(listener: StorageListener, paths: list[Path]) -> list[int | None]:
    found = send_files("127.0.0.1", listener.port, called="HELIO_NF", calling="NF_CT1", files=paths)
    return [result.status for result in found]


def leftovers(folder: Path) -> list[Path]:
    """Files of the spool or the objects that are nobody's: what was never finished."""
    return [p for p in folder.rglob("*.part") if p.is_file()]


def archived(context: Context, cast: Cast, study: str) -> set[bytes]:
    """The data sets that the archive has of a study, as they came."""
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
        assert found is not None
        places = queries.instance_places(work.session, found.id)
    return {files.body(context.objects.get_range(p.object_key, p.object_offset, p.object_length)) for p in places}


@contextmanager
def indexing(context: Context) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=indexer.run, args=(context.works, context.objects, context.settings, stop), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


# ------------------------------------------------------------------ the spool


@pytest.mark.parametrize("how", ["bytes", "names"])
def test_c_store_into_a_full_spool(
    context: Context, cast: Cast, spool_disk: SmallDisk, tmp_path: Path, how: str
) -> None:
    study, _, data = files.series_of(6, size=128)
    paths = written(tmp_path / "out", data)
    with listening(context) as listener:
        assert send(listener, paths[:2]) == [0, 0]
        spool_disk.fill() if how == "bytes" else spool_disk.take_names()
        assert send(listener, paths[2:]) == [OUT_OF_RESOURCES] * 4
        assert leftovers(spool_disk.at) == []
        spool_disk.free()
        assert send(listener, paths[2:]) == [0] * 4
    with indexing(context):
        until(lambda: number_filed(context, cast, study) == 6)
    assert archived(context, cast, study) == {files.body(one) for one in data}
    assert leftovers(spool_disk.at) == []


def test_the_spool_fills_within_an_object(context: Context, cast: Cast, spool_disk: SmallDisk, tmp_path: Path) -> None:
    _, _, data = files.series_of(2, size=512)
    small, large = files.ct("1.2.3", "1.2.3.1"), data[0]
    paths = written(tmp_path / "out", [large, small])
    with listening(context) as listener:
        send(listener, written(tmp_path / "first", [data[1]]))  # its folders are made
        spool_disk.leave(len(large) // 2)
        assert send(listener, paths) == [OUT_OF_RESOURCES, 0]
    kept = {files.body(one.path.read_bytes()) for one in spool.waiting(spool_disk.at)}
    assert kept == {files.body(small), files.body(data[1])}
    assert leftovers(spool_disk.at) == []


def test_what_is_too_large_for_memory_meets_a_full_disk(cast: Cast, tmp_path: Path) -> None:
    """The association lives on; the next object, which fits, is taken."""
    taken: list[bytes] = []

    def store(_acceptance: Acceptance, request: StoreRequest) -> Answer:
        taken.append(request.read())
        return Answer(0)

    large, small = files.ct("1.2.3", "1.2.3.1", size=512), files.ct("1.2.3", "1.2.3.1")
    paths = written(tmp_path / "out", [large, small, large])
    with small_disk(1) as disk:
        disk.fill()
        listener = StorageListener(
            "127.0.0.1", 0, accept=Acceptance, store=store, overflow_folder=disk.at, limits=Limits(memory=64 << 10)
        )
        with listener:
            assert send(listener, paths) == [OUT_OF_RESOURCES, 0, OUT_OF_RESOURCES]
            disk.free()
            assert send(listener, paths[:1]) == [0]
    assert taken == [files.body(small), files.body(large)]


# ------------------------------------------------------------------ the objects


@pytest.mark.parametrize("how", ["bytes", "names"])
def test_a_full_object_store_keeps_all_in_the_spool(
    objects_disk: SmallDisk, context: Context, cast: Cast, how: str
) -> None:
    study, _, data = files.series_of(6, size=128)
    with indexing(context):
        files.drop(context.settings.spool_dir, cast, data[0])
        until(lambda: number_filed(context, cast, study) == 1)
        objects_disk.leave(40_000) if how == "bytes" else objects_disk.take_names()
        for one in data[1:]:
            files.drop(context.settings.spool_dir, cast, one)
        time.sleep(1)
        assert number_filed(context, cast, study) < 6
        assert spool.waiting(context.settings.spool_dir) != []
        objects_disk.free()
        until(lambda: number_filed(context, cast, study) == 6)
        until(lambda: spool.waiting(context.settings.spool_dir) == [])
    assert archived(context, cast, study) == {files.body(one) for one in data}
    assert leftovers(objects_disk.at) == []


# ------------------------------------------------------------------ the database's own disk


@contextmanager
def database_on(disk: SmallDisk, server: postgres.Running) -> Iterator[str]:
    """A database of ours whose files are on `disk`; its address as the application role."""
    folder = disk.at / "tablespace"
    folder.mkdir(mode=0o700)
    admin = make_url(server.admin_url).set(database="postgres", drivername="postgresql")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        (data,) = connection.execute("show data_directory").fetchone() or ("",)
        owner = Path(data).stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        connection.execute(f"create tablespace small_disk location '{folder}'")
        try:
            connection.execute(
                "create database on_small_disk template heliograph owner heliograph_owner tablespace small_disk "
                "strategy file_copy"
            )
            yield make_url(server.app_url).set(database="on_small_disk").render_as_string(hide_password=False)
        finally:
            connection.execute("drop database if exists on_small_disk with (force)")
            connection.execute("drop tablespace small_disk")


def test_a_database_without_disk_is_away(settings: Settings, clock: FixedClock, server: postgres.Running) -> None:
    with small_disk(96) as disk, database_on(disk, server) as url:
        owner = make_url(server.owner_url).set(database="on_small_disk").render_as_string(hide_password=False)
        cast = make_cast(owner)
        context = make_context(settings, url, part="test", clock=clock)
        try:
            study, _, data = files.series_of(300)
            entries = [files.drop(settings.spool_dir, cast, one) for one in data]
            disk.fill()
            with pytest.raises(indexer.DatabaseAway):
                indexer.empty_once(context.works, context.objects, settings.spool_dir, gather=0)
            assert {e.path for e in spool.waiting(settings.spool_dir)} <= {e.path for e in entries}
            assert spool.waiting(settings.spool_dir) != []
            with indexing(context):
                time.sleep(0.5)
                disk.free()
                until(lambda: number_filed(context, cast, study) == 300, 60)
                until(lambda: spool.waiting(settings.spool_dir) == [])
            assert archived(context, cast, study) == {files.body(one) for one in data}
        finally:
            context.engine.dispose()


# ------------------------------------------------------------------ again and again, while others send


def fill_and_free(context: Context, cast: Cast, disk: SmallDisk, folder: Path, *, rounds: int, each: int) -> None:
    """Four senders send `each` objects again until each is answered with success, while the disk is filled and freed."""
    studies = [files.series_of(each, size=96) for _ in range(4)]
    answered: list[int | None] = []
    refused = threading.Event()
    done = threading.Event()

    files_of = [written(folder / str(number), studies[number][2]) for number in range(4)]

    def sender(number: int, listener: StorageListener) -> None:
        left = files_of[number]
        while left:
            statuses = send(listener, left)
            answered.extend(statuses)
            if OUT_OF_RESOURCES in statuses:
                refused.set()
                done.wait(0.05)
            left = [path for path, status in zip(left, statuses, strict=True) if status != 0]

    def filler() -> None:
        for _ in range(rounds):
            disk.leave(random.choice([0, 5_000, 60_000]))
            time.sleep(random.uniform(0.05, 0.5))
            disk.free()
            time.sleep(random.uniform(0.05, 0.3))
        done.set()

    with indexing(context), listening(context) as listener:
        disk.fill()
        threads = [threading.Thread(target=sender, args=(number, listener)) for number in range(4)]
        for thread in threads:
            thread.start()
        if disk.at == context.settings.spool_dir:
            assert refused.wait(120)  # statuses are told when an association has tried all its objects
        filling = threading.Thread(target=filler)
        filling.start()
        for thread in [*threads, filling]:
            thread.join(300)
            assert not thread.is_alive()
        assert set(answered) <= {0, OUT_OF_RESOURCES}
        assert answered.count(0) == 4 * each
        for study, _, _ in studies:
            until(lambda study=study: number_filed(context, cast, study) == each, 120)  # type: ignore[misc]
        until(lambda: spool.waiting(context.settings.spool_dir) == [])
    for study, _, data in studies:
        assert archived(context, cast, study) == {files.body(one) for one in data}
    assert leftovers(disk.at) == []


def test_a_spool_that_is_full_now_and_then(context: Context, cast: Cast, spool_disk: SmallDisk, tmp_path: Path) -> None:
    fill_and_free(context, cast, spool_disk, tmp_path / "out", rounds=4, each=20)


@pytest.mark.soak
@pytest.mark.parametrize("which", ["spool", "objects"])
def test_disks_that_are_full_now_and_then_for_long(
    settings: Settings, database_url: str, clock: FixedClock, owner_url: str, tmp_path: Path, which: str
) -> None:
    folder = settings.spool_dir if which == "spool" else settings.data_dir / "objects"
    with small_disk(16 if which == "spool" else 256, folder) as disk:
        context = make_context(settings, database_url, part="test", clock=clock)
        cast = make_cast(owner_url)
        fill_and_free(context, cast, disk, tmp_path / "out", rounds=120, each=1500)
        context.engine.dispose()
