"""The database goes away and comes back: the spool keeps everything, and the indexer catches up."""

from __future__ import annotations

import threading
import time

import psycopg
from sqlalchemy import make_url

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.kit.db import postgres
from heliograph.records.archive import indexer, queries, spool
from tests.cast import Cast
from tests.records.archive import files


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
