"""The worker: one leader ticks, others wait to take over; jobs run; jobs of a dead worker are put back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from heliograph.app.context import Context
from heliograph.app.worker import main as worker
from heliograph.app.worker import tasks
from heliograph.app.worker.sweeps import sweeps
from heliograph.app.worker.ticks import Tick, run_ticks
from heliograph.governance.access.users import add_user
from heliograph.kit.actor import system
from heliograph.kit.db.session import make_engine
from tests.cast import Cast


def wait_for(what: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@contextmanager
def ticking(database_url: str, name: str, *ticks: Tick) -> Iterator[threading.Event]:
    """A worker's ticker on a pool of its own, as another process has."""
    engine, stop = make_engine(database_url, application_name=name), threading.Event()
    thread = threading.Thread(target=run_ticks, args=(engine, ticks, stop))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(30)
        engine.dispose()
        assert not thread.is_alive()


def _counting(counts: dict[str, int], name: str) -> Tick:
    def sweep() -> None:
        counts[name] = counts.get(name, 0) + 1

    return Tick(name, 0.05, sweep)


def test_it_works(database_url: str) -> None:
    counts: dict[str, int] = {}
    with ticking(database_url, "a", _counting(counts, "a"), Tick("rare", 3600, _counting(counts, "rare").sweep)):
        wait_for(lambda: counts.get("a", 0) > 5)
    assert counts["rare"] == 1


def test_only_one_of_two_leads_and_the_other_takes_over(database_url: str) -> None:
    counts: dict[str, int] = {}
    with ticking(database_url, "a", _counting(counts, "a")) as stop_first:
        wait_for(lambda: counts.get("a"))
        with ticking(database_url, "b", _counting(counts, "b")):
            before = counts["a"]
            time.sleep(2.5)  # the other has asked for the lock meanwhile
            assert counts["a"] > before
            assert "b" not in counts
            stop_first.set()
            wait_for(lambda: counts.get("b", 0) > 2)


def test_a_leader_whose_connection_dies_leads_no_more(database_url: str, owner_url: str, server: object) -> None:
    counts: dict[str, int] = {}
    with ticking(database_url, "first", _counting(counts, "a")):
        wait_for(lambda: counts.get("a"))
        with ticking(database_url, "second", _counting(counts, "b")), capture_logs() as logged:
            killer = create_engine(database_url)
            with killer.connect() as connection:  # as the same role, which may end its own backends
                sql = (
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                    "where application_name = 'first' and datname = current_database()"
                )
                assert connection.scalar(text(sql)) == 1
            killer.dispose()
            wait_for(lambda: counts.get("b", 0) > 2)
            wait_for(lambda: any(line["event"] == "ticks interrupted" for line in logged))
            time.sleep(0.2)
            settled = counts["a"]
            time.sleep(0.5)
            assert counts["a"] == settled, "two lead"


def test_a_sweep_that_fails_stops_no_other(database_url: str) -> None:
    counts: dict[str, int] = {}
    secret = "NORDMANN OLA"

    def broken() -> None:
        counts["broken"] = counts.get("broken", 0) + 1
        raise ValueError(secret)

    with ticking(database_url, "a", Tick("broken", 0.05, broken), _counting(counts, "whole")):
        wait_for(lambda: counts.get("whole", 0) > 3 and counts.get("broken", 0) > 3)


def test_the_platforms_own_sweeps_all_run(context: Context, cast: Cast) -> None:
    """Each of them once, on a database with people but no studies: none fails."""
    with context.works.begin(system("test")) as work:
        add_user(work, username="liv", display_name="Liv", password="a long password")
    names = set()
    for tick in sweeps(context):
        tick.sweep()
        assert tick.name not in names
        names.add(tick.name)
    with context.works.read(system("test")) as work:
        assert work.session.scalar(text("select count(*) from audit.pending")) == 0, "the record is sealed"
        assert work.session.scalar(text("select max(size) from audit.tree_heads")) >= 1


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A job of the tests, beside those of the rooms."""
    seen: list[dict[str, str]] = []
    real = tasks._jobs

    def more(context: Context, stop: threading.Event) -> dict[str, Callable[..., object]]:
        def note(case_id: str) -> None:
            seen.append({"case_id": case_id})

        def fail(case_id: str) -> None:
            raise RuntimeError(case_id)

        return {**real(context, stop), "test.note": note, "test.fail": fail}

    monkeypatch.setattr(tasks, "_jobs", more)
    return seen


@contextmanager
def working(context: Context) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(context, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the worker did not stop"


def _enqueue(context: Context, task: str, case_id: str, lock: str | None = None, *, at: datetime | None = None) -> None:
    with context.works.begin(system("test")) as work:
        work.enqueue(task, case_id=case_id, lock=lock, at=at)


def test_jobs_run_when_their_transaction_is_committed(context: Context, ran: list[dict[str, str]]) -> None:
    with working(context):
        with context.works.begin(system("test")) as work:
            work.enqueue("test.note", case_id="committed")
            time.sleep(0.5)
            assert ran == []
        with pytest.raises(ZeroDivisionError), context.works.begin(system("test")) as work:
            work.enqueue("test.note", case_id="rolled back")
            raise ZeroDivisionError
        wait_for(lambda: ran)
        _enqueue(context, "test.note", "later", at=datetime.now(UTC) + timedelta(hours=1))
        _enqueue(context, "test.fail", "fails")
        _enqueue(context, "test.note", "after the failure")
        wait_for(lambda: len(ran) == 2)
    assert [r["case_id"] for r in ran] == ["committed", "after the failure"]


def test_a_job_of_a_dead_worker_is_put_back(context: Context, ran: list[dict[str, str]], owner_url: str) -> None:
    """It stays `doing` for ever otherwise, and holds its lock."""
    _enqueue(context, "test.note", "stalled", lock="report")
    _enqueue(context, "test.note", "behind it", lock="report")
    owner = create_engine(owner_url)
    with owner.begin() as connection:
        connection.execute(text("set local search_path = jobs"))
        connection.execute(
            text(
                "with dead as (insert into jobs.procrastinate_workers (last_heartbeat) values (now() - interval '5 minutes') returning id) "
                "update jobs.procrastinate_jobs set status = 'doing', worker_id = (select id from dead) "
                "where id = (select min(id) from jobs.procrastinate_jobs)"
            )
        )
    owner.dispose()
    with working(context):
        wait_for(lambda: len(ran) == 2, 40)
    assert [r["case_id"] for r in ran] == ["stalled", "behind it"]
