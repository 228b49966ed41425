"""`heliograph serve`: every part as a supervised process, on a migrated database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import heliograph
from heliograph.app import migrate, supervise
from heliograph.app.context import open_database
from heliograph.app.parts import command
from heliograph.exchange.dimse.doors import plain_port
from heliograph.kit.log import set_up_logging
from heliograph.kit.settings import Settings


def serve(settings: Settings, parts: Sequence[str], *, reload: bool = False) -> int:
    """Runs `parts` until SIGTERM or SIGINT; returns the exit code. The last process to leave stops the embedded database.

    Raises:
        NoDoor: both ports of the DICOM listener are off.
    """
    set_up_logging("supervisor", level=settings.log_level, form=settings.log_format)
    if "dimse" in parts:
        plain_port(settings)  # a wrong setting is told before anything starts
    with open_database(settings) as database:
        if database.owner_url and not migrate.is_current(database.app_url):
            migrate.upgrade(database.owner_url, database.app_url)
        watch = database.embedded.ensure if database.embedded else None
        commands = {part: command(part) for part in parts}
        return _reloading(commands) if reload else supervise.run(commands, watch=watch)


def _reloading(commands: dict[str, list[str]]) -> int:
    """Starts everything anew when a source file changes, until interrupted."""
    changed = threading.Event()
    threading.Thread(target=_watch_sources, args=(changed.set,), daemon=True).start()
    try:
        while True:
            changed.clear()
            with supervise.Supervisor(commands) as running:
                while running.running and not changed.wait(0.3):
                    pass
    except KeyboardInterrupt:
        return 0


def _watch_sources(tell: Callable[[], None]) -> None:
    folder = Path(heliograph.__file__).parent

    def newest() -> float:
        return max((p.stat().st_mtime for p in folder.rglob("*.py")), default=0.0)

    seen = newest()
    while True:
        time.sleep(0.7)
        if (now := newest()) != seen:
            seen = now
            tell()
