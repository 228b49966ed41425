"""The database or the object store goes away and comes back: the spool keeps everything, and the indexer catches up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from heliograph.app.context import Context, make_context
from heliograph.kit.actor import system
from heliograph.kit.clock import FixedClock
from heliograph.kit.db import postgres
from heliograph.kit.objects import ObjectMissing, Objects, ObjectsAway
from heliograph.kit.settings import Settings
from heliograph.records.archive import indexer, queries, spool
from tests.cast import Cast, make_cast
from tests.records.archive import disks, files
from tests.records.archive.bucket import State, bucket


def admin(server: postgres.Running) -> psycopg.Connection:
    url = make_url(server.admin_url).set(database="postgres", drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def number_filed(context: Context, cast: Cast, uid: str) -> int:
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, uid)
        return found.number_of_instances if found else 0


def until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_indexer_files_what_comes_and_outlives_the_database(
    context: Context, cast: Cast, server: postgres.Running, database_url: str
) -> None:
    study, _, data = files.series_of(6)
    stop = threading.Event()
    args = (context.works, context.objects, context.settings, stop)
    thread = threading.Thread(target=indexer.run, args=args, daemon=True)
    thread.start()
    name = make_url(database_url).database
    try:
        for one in data[:2]:
            files.drop(context.settings.spool_dir, cast, one)
        until(lambda: number_filed(context, cast, study) == 2)
        with admin(server) as connection:
            connection.execute(f"alter database {name} with allow_connections false")
            connection.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            for one in data[2:]:
                files.drop(context.settings.spool_dir, cast, one)
            time.sleep(0.6)
            assert len(spool.waiting(context.settings.spool_dir)) == 4
            connection.execute(f"alter database {name} with allow_connections true")
        until(lambda: number_filed(context, cast, study) == 6)
        until(lambda: spool.waiting(context.settings.spool_dir) == [])
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_one_process_of_a_host_indexes(context: Context, cast: Cast) -> None:
    first, second = threading.Event(), threading.Event()
    run = lambda stop: indexer.run(context.works, context.objects, context.settings, stop)  # noqa: E731
    one = threading.Thread(target=run, args=(first,), daemon=True)
    one.start()
    lock = context.settings.spool_dir / ".indexer.lock"
    until(lock.exists)
    two = threading.Thread(target=run, args=(second,), daemon=True)
    two.start()
    time.sleep(0.2)
    first.set()
    one.join(5)
    study, _, data = files.series_of(1)
    files.drop(context.settings.spool_dir, cast, data[0])
    until(lambda: number_filed(context, cast, study) == 1)
    second.set()
    two.join(5)
    assert not one.is_alive()
    assert not two.is_alive()


def test_throughput(context: Context, cast: Cast) -> None:
    """Far below what it does (hundreds a second), so that a busy machine passes and a mistake does not."""
    _, _, data = files.series_of(200, size=128)
    for one in data:
        files.drop(context.settings.spool_dir, cast, one)
    started = time.perf_counter()
    assert indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0) == 200
    assert 200 / (time.perf_counter() - started) > 60


# ------------------------------------------------------------------ the object store


@contextmanager
def indexing(context: Context) -> Iterator[None]:
    stop = threading.Event()
    args = (context.works, context.objects, context.settings, stop)
    thread = threading.Thread(target=indexer.run, args=args, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def catches_up(context: Context, cast: Cast, take_away: Callable[[], object], give_back: Callable[[], object]) -> None:
    """Files some, takes the object store away, has more sent, gives it back: all is filed, and byte for byte what came."""
    study, _, data = files.series_of(6)
    with indexing(context):
        for one in data[:2]:
            files.drop(context.settings.spool_dir, cast, one)
        until(lambda: number_filed(context, cast, study) == 2)
        take_away()
        for one in data[2:]:
            files.drop(context.settings.spool_dir, cast, one)
        time.sleep(1)
        assert number_filed(context, cast, study) == 2
        assert len(spool.waiting(context.settings.spool_dir)) == 4
        give_back()
        until(lambda: number_filed(context, cast, study) == 6, 40)
        until(lambda: spool.waiting(context.settings.spool_dir) == [])
    with context.works.read(system("test", cast.norfjord)) as work:
        found = queries.study_by_uid(work.session, cast.norfjord, study)
        assert found is not None
        places = queries.instance_places(work.session, found.id)
    stored = [context.objects.get_range(p.object_key, p.object_offset, p.object_length) for p in places]
    assert {files.body(one) for one in stored} == {files.body(one) for one in data}


def test_the_folder_of_objects_is_renamed(context: Context, cast: Cast) -> None:
    folder = context.objects.folder
    assert folder is not None
    elsewhere = folder.with_name("elsewhere")

    def give_back() -> None:
        assert not folder.exists(), "nothing was made in the place of what went away"
        elsewhere.rename(folder)

    catches_up(context, cast, lambda: folder.rename(elsewhere), give_back)


def test_the_disk_of_objects_is_taken_off(
    settings: Settings, database_url: str, clock: FixedClock, owner_url: str
) -> None:
    """What is beneath a mount point is another disk: what is written there is hidden as soon as the disk is back."""
    at, disk = settings.data_dir / "objects", settings.data_dir / "disk"
    with disks.bound(disk, at):
        context = make_context(settings, database_url, part="test", clock=clock)
        cast = make_cast(owner_url)

        def give_back() -> None:
            assert list(at.iterdir()) == [], "nothing was written beneath"
            with pytest.raises(ObjectsAway):  # nor does a process that starts now
                Objects(str(at), remembered=settings.data_dir / "objects.mark").put("a/b", b"x")
            assert list(at.iterdir()) == []
            disks.mount_again(disk, at)

        catches_up(context, cast, lambda: disks.unmount(at), give_back)
        context.engine.dispose()


def test_the_disk_of_objects_takes_nothing_any_more(
    settings: Settings, database_url: str, clock: FixedClock, owner_url: str
) -> None:
    at = settings.data_dir / "objects"
    with disks.bound(settings.data_dir / "disk", at):
        context = make_context(settings, database_url, part="test", clock=clock)
        cast = make_cast(owner_url)
        catches_up(context, cast, lambda: disks.read_only(at, yes=True), lambda: disks.read_only(at, yes=False))
        context.engine.dispose()


@pytest.mark.parametrize("how", ["stopped", "failing", "denying", "hanging up"])
def test_the_bucket_is_away(
    settings: Settings,
    database_url: str,
    clock: FixedClock,
    owner_url: str,
    monkeypatch: pytest.MonkeyPatch,
    how: State | str,
) -> None:
    with bucket() as remote:
        for name, value in {
            "ENDPOINT": remote.endpoint, "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test",
            "REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"AWS_{name}", value)
        of_bucket = settings.model_copy(update={"objects_url": "s3://images/one"})
        context = make_context(of_bucket, database_url, part="test", clock=clock)
        cast = make_cast(owner_url)

        def take_away() -> None:
            if how == "stopped":
                remote.stop()
            else:
                remote.state = how  # type: ignore[assignment]
            with pytest.raises(ObjectsAway):
                context.objects.get("images/nothing")

        def give_back() -> None:
            if how == "stopped":
                remote.start()
            remote.state = "well"

        catches_up(context, cast, take_away, give_back)
        with pytest.raises(ObjectMissing):
            context.objects.get("images/nothing")
        assert len(list(context.objects.below("images"))) == 6
        context.engine.dispose()
