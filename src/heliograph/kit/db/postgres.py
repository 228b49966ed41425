"""The embedded PostgreSQL: one server in the data folder, shared by all our processes, stopped by the last.

`start(data_dir)` starts the server or joins the running one, whoever started it. Two locks in
`data_dir/postgres` keep order:

* `gate.lock`, held while a server is being started or stopped, so that this happens once;
* `users.lock`, held shared by each process that uses the server. Who can make it exclusive on leaving is the
  last, and stops the server.

The kernel drops both when a process dies, even by SIGKILL. A server left behind so is adopted by the next
start. A server counts as alive only if it answers on our socket and names our data directory: a process id in
a file proves nothing.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from heliograph.kit.db.postgres_config import ADMIN, APP, DATABASE, OWNER, PORT, write_configuration
from heliograph.kit.db.postgres_host import (
    PostgresFailed,
    PostgresNotPossible,
    account_for,
    current_name,
    drop_old_programs,
    is_postmaster,
    is_running,
    let_through,
    programs_for,
    shared_memory_in_use,
)

__all__ = ["EmbeddedPostgres", "PostgresFailed", "PostgresNotPossible", "Running", "start"]

log = logging.getLogger(__name__)

MAJOR = "18"
_POLL = 0.02  # seconds
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel's sun_path holds 108 with its end
# Seconds that a server which calls itself ready may refuse us, or that orphans may hold its memory.
_ODD_LIMIT = 30.0
_STOP_LIMIT = 600  # seconds for the shutdown checkpoint
_CREATE_ROLE = sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls")
_CREATE_DATABASE = sql.SQL("create database {} owner {} template template0")


class EmbeddedPostgres:
    """The server of one data folder. Make it, then `start()`; most callers use the function `start`."""

    def __init__(self, data_dir: Path, *, quick: bool = False) -> None:
        """`quick` turns durability off, for tests; it counts for starting the server, not for joining."""
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir.resolve()
        self.quick = quick
        self.home = self.data_dir / "postgres"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.cluster = self.home / "cluster"
        self._near = self.home / "run"
        self._note = self.home / "socket-folder"
        # libpq and psycopg read a comma in a host as two hosts.
        path = os.fsencode(self._near / f".s.PGSQL.{PORT}")
        self._fits = len(path) <= _SOCKET_PATH_LIMIT and b"," not in path

    # ---------------------------------------------------------------- using it

    def start(self) -> Running:
        """Start or join the server, and hold it. Waits as long as crash recovery takes.

        Raises
        ------
        PostgresNotPossible
            This account or folder can't run a server, or the cluster is of another major version.
        PostgresFailed
            The server ended while starting; the detail holds the end of its log.
        """
        with self._gate():
            users = os.open(self.home / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                self._bring_up()
            except BaseException:  # Ctrl-C too: a server that nobody uses must not stay behind
                self._let_go(users)
                raise
        return Running(self, users)

    def ensure(self) -> None:
        """Start the server again if it died. Cheap while it is alive."""
        if not self.alive():
            with self._gate():
                self._bring_up()

    def leave(self, users: int) -> bool:
        """Drop a hold on the server; the last one stops it. True if it was stopped."""
        with self._gate():
            return self._let_go(users)

    def alive(self) -> bool:
        """True if a server answers on our socket and its data directory is ours."""
        return self._refusal() is None

    @property
    def socket_dir(self) -> Path:
        """The private folder of the socket: in the data folder if that is short, else below /tmp."""
        if not self._fits and self._note.exists():
            return Path(self._note.read_text("utf-8"))
        return self._near

    def url(self, role: str, database: str = DATABASE) -> str:
        """The SQLAlchemy URL of `role` in `database`, by the socket."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql+psycopg://{role}@/{database}?host={host}&port={PORT}"

    # ---------------------------------------------------------------- starting

    @contextmanager
    def _gate(self) -> Iterator[None]:
        gate = os.open(self.home / "gate.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    def _bring_up(self) -> None:
        """With the gate held: join, wait for a server on its way up or down, or start one."""
        odd_since: float | None = None
        while (refusal := self._refusal()) is not None:
            pid, status, _ = self._pid_file()
            if not is_postmaster(pid, self.cluster):
                self._set_up()
                self._launch()
                break
            if status != "ready":  # starting, recovering or stopping: as long as it lives, it gets its time
                odd_since = None
            elif time.monotonic() - (odd_since := odd_since or time.monotonic()) > _ODD_LIMIT:
                if (self.socket_dir / f".s.PGSQL.{PORT}").exists():
                    raise PostgresFailed(f"The PostgreSQL in {self.cluster} runs but refuses us: {refusal}")
                self._stop()  # its socket was deleted, so that nobody can ever reach it again
            time.sleep(_POLL)
        self._prepare()

    def _set_up(self) -> None:
        """Everything that must be right before a server may start; on the first time, the cluster itself."""
        account = account_for(self.cluster)
        drop_old_programs(account, self.home)
        let_through(account, self.data_dir, self.home)
        programs = programs_for(account, self.home)
        if not self.cluster.exists():
            fresh = Path(tempfile.mkdtemp(prefix="cluster.", dir=self.home))
            if account.switch:
                os.chown(fresh, account.uid, account.gid)
            options = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums"]
            options += ["--auth=peer", f"--username={ADMIN}", *(["--no-sync"] if self.quick else [])]
            account.run([programs / "initdb", *options, "-D", fresh])
            fresh.rename(self.cluster)  # whole or not at all
            folder = os.open(self.home, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        found = (self.cluster / "PG_VERSION").read_text("ascii").strip()
        if found != MAJOR:
            raise PostgresNotPossible(
                f"{self.cluster} was made by PostgreSQL {found}; this is {MAJOR}. Dump there, load here."
            )
        self._make_socket_dir(account.uid, account.gid)
        accounts = sorted({current_name(), account.name, *(["root"] if account.switch else [])})
        write_configuration(self.home, self.cluster, self.socket_dir, accounts, quick=self.quick)

    def _make_socket_dir(self, uid: int, gid: int) -> None:
        folder = self._near
        if self._fits:
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            self._drop_far_socket_dir()
            folder = Path(tempfile.mkdtemp(prefix="heliograph-", dir="/tmp"))  # private and unguessable
            self._note.write_text(str(folder), "utf-8")
        if os.geteuid() == 0:
            os.chown(folder, uid, gid)
        folder.chmod(0o700)

    def _drop_far_socket_dir(self) -> None:
        if self._note.exists():
            shutil.rmtree(self._note.read_text("utf-8"), ignore_errors=True)
            self._note.unlink()

    def _launch(self) -> None:
        """Start the server detached from us, and wait until it answers or ends."""
        account = account_for(self.cluster)
        postgres = programs_for(account, self.home) / "postgres"
        first_try = time.monotonic()
        while True:
            self._clear_leftovers()
            with (self.home / "start.log").open("wb") as output:
                # The shell ends at once, so the server is not our child: it survives us, and is no zombie.
                shell = ["/bin/sh", "-c", '"$@" >&2 </dev/null & echo $!', "sh"]
                config = f"config_file={self.home / 'postgresql.conf'}"
                argv: list[str | Path] = [*shell, postgres, "-D", self.cluster, "-c", config]
                pid = int(account.run(argv, stderr=output.fileno()))
            try:
                while is_running(pid):
                    if self.alive():
                        log.info("PostgreSQL started (process %d, %s)", pid, self.cluster)
                        return
                    time.sleep(_POLL)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                raise
            said = self._last_words()
            # Orphans of a killed server end within moments; until then their memory guards the files.
            if "shared memory block" not in said or time.monotonic() - first_try > _ODD_LIMIT:
                raise PostgresFailed(f"PostgreSQL ended while starting: {said} (logs in {self.cluster / 'log'})")
            time.sleep(0.2)

    def _last_words(self) -> str:
        """What the server said last: before its log collector runs in one file, then in another."""
        logs = [self.home / "start.log", *(self.cluster / "log").glob("*.log")]
        newest = max(logs, key=lambda path: path.stat().st_mtime_ns)
        return newest.read_text("utf-8", "replace")[-1000:].strip()

    def _prepare(self) -> None:
        """Roles and database, once. The database comes last, so that its presence tells that all is there."""
        with self._admin() as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                return
            for role in (OWNER, APP):
                if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
                    connection.execute(_CREATE_ROLE.format(sql.Identifier(role)))
            connection.execute(_CREATE_DATABASE.format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))

    # ---------------------------------------------------------------- looking

    def _admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        host = str(self.socket_dir)
        return psycopg.connect(host=host, port=PORT, user=ADMIN, dbname="postgres", connect_timeout=10, autocommit=True)

    def _refusal(self) -> str | None:
        """Why our server does not answer; None if it does."""
        if not (self.socket_dir / f".s.PGSQL.{PORT}").exists():
            return "it has no socket"
        try:
            with self._admin() as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError as error:
            return str(error)
        ours = row is not None and Path(row[0]) == self.cluster
        return None if ours else "another server answers on our socket"

    def _pid_file(self) -> tuple[int, str, int]:
        """Process id, status and shared-memory id in `postmaster.pid`; (-1, "", -1) if missing or cut off."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return -1, "", -1
        try:
            segment = int(lines[6].split()[1]) if len(lines) > 6 and lines[6].split() else -1
            return int(lines[0]), lines[7].strip() if len(lines) > 7 else "", segment
        except (IndexError, ValueError):
            return -1, "", -1

    def _clear_leftovers(self) -> None:
        """Remove a pid file that names a foreign process or a zombie, at which PostgreSQL would refuse.

        A process that is gone is left to PostgreSQL, whose own check is the better one. Nobody is signalled.
        A killed server stays a zombie where the container's first process does not reap.
        """
        pid, _, segment = self._pid_file()
        if pid > 0 and Path(f"/proc/{pid}").exists() and not is_postmaster(pid, self.cluster):
            until = time.monotonic() + _ODD_LIMIT
            while segment >= 0 and shared_memory_in_use(segment):
                if time.monotonic() > until:
                    raise PostgresFailed(f"Processes of a dead PostgreSQL server still use {self.cluster}.")
                time.sleep(0.1)
            log.warning("removed a stale postmaster.pid: process %d is not our PostgreSQL", pid)
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for left in self.socket_dir.glob(".s.PGSQL.*"):  # the folder is this cluster's alone, and no server runs
            left.unlink(missing_ok=True)

    # ---------------------------------------------------------------- stopping

    def _let_go(self, users: int) -> bool:
        """With the gate held: close our hold; if no other process has one, stop the server."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            self._stop()
            return True
        finally:
            os.close(users)

    def _stop(self) -> None:
        """With the gate held: stop the server, if the process in its pid file really is it."""
        pid, _, _ = self._pid_file()
        if is_postmaster(pid, self.cluster):
            account = account_for(self.cluster)
            pg_ctl = programs_for(account, self.home) / "pg_ctl"
            try:
                account.run([pg_ctl, "stop", "-m", "fast", "-w", "-t", str(_STOP_LIMIT), "-D", self.cluster])
            except PostgresFailed:  # it may have ended by itself between our look and pg_ctl's
                until = time.monotonic() + _ODD_LIMIT
                while is_postmaster(pid, self.cluster):
                    if time.monotonic() > until:
                        raise
                    time.sleep(_POLL)
            log.info("PostgreSQL stopped (%s)", self.cluster)
        self._drop_far_socket_dir()


class Running:
    """A hold on the running server. Ends by `release()`, as a context manager, or with the interpreter."""

    def __init__(self, server: EmbeddedPostgres, users: int) -> None:
        self.server = server
        self._users: int | None = users
        self._process = os.getpid()
        atexit.register(self.release)

    @property
    def app_url(self) -> str:
        """SQLAlchemy URL of the application role: row-level security applies to it."""
        return self.server.url(APP)

    @property
    def owner_url(self) -> str:
        """SQLAlchemy URL of the role that owns the database and migrates."""
        return self.server.url(OWNER)

    @property
    def admin_url(self) -> str:
        """SQLAlchemy URL of the superuser in database `postgres`. For tests only."""
        return self.server.url(ADMIN, "postgres")

    def ensure(self) -> None:
        """Start the server again if it died."""
        self.server.ensure()

    def release(self) -> bool:
        """Let go; the last holder stops the server and gets True. Nothing happens twice, or in a fork."""
        users, self._users = self._users, None
        atexit.unregister(self.release)
        if users is None or os.getpid() != self._process:
            return False
        return self.server.leave(users)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def start(data_dir: Path, *, quick: bool = False) -> Running:
    """Start the embedded server of `data_dir`, or join it. See `EmbeddedPostgres.start`."""
    return EmbeddedPostgres(data_dir, quick=quick).start()
