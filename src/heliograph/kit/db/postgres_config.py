"""The embedded server's configuration: who may log in as what, and settings for a small machine.

A server for one installation on two cores: about 64 MiB of shared buffers and 3 to 8 MiB a connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PORT = 5432  # only part of the socket's name: nothing listens on TCP
DATABASE = "heliograph"
ADMIN = "heliograph_admin"
OWNER = "heliograph_owner"
APP = "heliograph_app"

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "48MB",
    "effective_cache_size": "512MB",
    "huge_pages": "off",
    "max_wal_size": "512MB",
    "wal_compression": "on",
    "max_wal_senders": "2",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "max_worker_processes": "4",
    "io_method": "sync",
    "jit": "off",
    "autovacuum": "on",
    "autovacuum_max_workers": "2",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "client_connection_check_interval": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
    "lc_messages": "C.UTF-8",
    "default_text_search_config": "pg_catalog.simple",
    # One log file for each weekday, then over again.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    # A statement's error, its DETAIL and its text may hold patient data. The client gets them, no log does.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}
# For tests only: a crash of the machine may lose or break the cluster.
_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}


def write_configuration(home: Path, cluster: Path, socket_dir: Path, accounts: Sequence[str], *, quick: bool) -> None:
    """Write the server's three configuration files into `home`.

    They lie outside the cluster, so that an administrator's `ALTER SYSTEM` (in the cluster's own file) still
    wins over them. `accounts` are the operating-system accounts that peer authentication lets in, as any of
    our three roles.
    """
    hba, ident, main = home / "pg_hba.conf", home / "pg_ident.conf", home / "postgresql.conf"
    settings = {
        **_SETTINGS,
        **(_QUICK if quick else {}),
        "data_directory": str(cluster),
        "unix_socket_directories": f'"{socket_dir}"',  # a list: quoted once more, for commas
        "hba_file": str(hba),
        "ident_file": str(ident),
    }
    _write(main, [f"{name} = {_quoted(value)}" for name, value in settings.items()])
    _write(hba, ["local all all peer map=heliograph", "local replication all peer map=heliograph"])
    _write(ident, [f'heliograph "{account}" {role}' for account in accounts for role in (ADMIN, OWNER, APP)])


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _write(path: Path, lines: Sequence[str]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join(lines) + "\n", "utf-8")
    fresh.chmod(0o644)
    fresh.replace(path)
