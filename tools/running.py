"""The whole platform as an operator runs it: `heliograph serve` with its real processes, on free ports, in a folder of its own.

For measurements (`tools/bench`) and crash tests (`tests/crash`). Only processes of this folder are ever signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
from sqlalchemy import update

from heliograph.app import PARTS
from heliograph.app.context import Context, open_context
from heliograph.app.demo.network import ACTOR, PASSWORD, keep_shifts, make_network
from heliograph.app.demo.run import free_port, is_ready, point_results_at
from heliograph.governance.tenancy.queries import active_organizations
from heliograph.kit.actor import system
from heliograph.kit.settings import PREFIX, Settings
from heliograph.records.sites.model import Facility

Victim = Literal["web", "dimse", "hl7", "worker", "supervisor", "postgres", "everything but postgres"]
READY_SECONDS = 90.0


class Platform:
    """One installation in `folder`: `prepare()` once, then `start()`, `kill()` and `stop()` as often as wanted."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are further HELIOGRAPH_ settings by their names in lower case."""
        self.folder = folder.resolve()
        self.ports = {name: free_port() for name in ("http", "dimse", "hl7")}
        wanted = {
            "data_dir": str(self.folder),
            **{f"{name}_port": str(port) for name, port in self.ports.items()},
            "public_url": f"http://127.0.0.1:{self.ports['http']}",
            "demonstration": "true",
            "log_level": "WARNING",
            **settings,
        }
        own = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self.environment = {**own, **{f"{PREFIX}{name.upper()}": value for name, value in wanted.items()}}
        self.settings = Settings(**wanted)  # type: ignore[arg-type]  # words, as from the environment
        self.log = self.folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return self.settings.public_url

    # ---------------------------------------------------------------- setting up

    def prepare(self, *, results_port: int = 9, quiet_seconds: int | None = None) -> None:
        """Makes the demonstration network. Its clients take results at `results_port`; studies are complete after `quiet_seconds`."""
        with self.context() as context:
            make_network(context, result_host="127.0.0.1", result_port=results_port)
            point_results_at(context, results_port)
            keep_shifts(context)
            if quiet_seconds is None:
                return
            with context.works.read(system(ACTOR)) as work:
                organizations = [o.id for o in active_organizations(work.session)]
            with context.works.begin(system(ACTOR, *organizations)) as work:
                work.session.execute(update(Facility).values(quiet_seconds=quiet_seconds))
                work.record("demonstration.quiet_seconds_set")

    @contextmanager
    def context(self) -> Iterator[Context]:
        """A look into the database and the objects, from this process. Holds the database up, and stops it if it is the last."""
        with open_context(self.settings, part="measurement") as context:
            yield context

    # ---------------------------------------------------------------- running

    def start(self, *command: str) -> None:
        """Starts `heliograph serve`, or another command of ours, and does not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "heliograph.app.cli", *(command or ("serve",))],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = READY_SECONDS) -> float:
        """Waits until every part is up and every door answers; the seconds it took.

        Raises:
            RuntimeError: it did not, with the end of the log.
        """
        begun = time.monotonic()
        try:
            self.until(lambda: is_ready(self.settings), timeout, "ready")
            self.until(lambda: len(self.parts()) == len(PARTS), timeout, "all parts")
        except TimeoutError as error:
            raise RuntimeError(f"the platform is not ready: {self.log.read_text('utf-8')[-3000:]}") from error
        return time.monotonic() - begun

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 30) -> int:
        """Asks the supervisor to end; gives its exit status.

        Raises:
            subprocess.TimeoutExpired: it is still there.
        """
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        self.process = None
        return status

    def clean_up(self) -> None:
        """Ends what is left, hard, whatever happened before."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(10)
            self.process = None

    @staticmethod
    def until(true: Callable[[], object], timeout: float, what: str) -> None:
        """Asks every 50 ms. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {timeout:.0f} s")
            time.sleep(0.05)

    # ---------------------------------------------------------------- its processes

    def parts(self) -> dict[str, int]:
        """Process ids of the parts that live, by part."""
        found: dict[str, int] = {}
        for process in self.processes():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "--only" in words and process.status() != psutil.STATUS_ZOMBIE:
                    found[words[words.index("--only") + 1]] = process.pid
        return found

    def postmaster(self) -> int | None:
        """Process id of the embedded PostgreSQL, if it lives."""
        for process in self.processes():
            with suppress(psutil.Error):
                parent = process.parent()
                if process.name() == "postgres" and not (parent and parent.name() == "postgres"):
                    return process.pid
        return None

    def processes(self) -> list[psutil.Process]:
        """Every living process of this installation: ours by their environment, PostgreSQL's by its working folder."""
        found = []
        data = str(self.settings.data_dir)
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                is_database = process.name() == "postgres" and process.cwd().startswith(data)
                if is_database or process.environ().get(f"{PREFIX}DATA_DIR") == data:
                    found.append(process)
        return found

    def kill(self, victim: Victim) -> None:
        """SIGKILL, at once. The others of the family find out by themselves."""
        match victim:
            case "supervisor":
                if self.process is not None:
                    self.process.kill()
                    self.process.wait(10)
                    self.process = None
            case "postgres":
                if (pid := self.postmaster()) is not None:
                    os.kill(pid, signal.SIGKILL)
            case "everything but postgres":
                parts = self.parts()
                self.kill("supervisor")
                for pid in parts.values():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            case _:
                if (pid := self.parts().get(victim)) is not None:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def memory_mb(self) -> dict[str, float]:
        """Proportional set size (shared pages counted once) in MB, by part; PostgreSQL's processes together."""
        names = {pid: part for part, pid in self.parts().items()}
        sums: dict[str, float] = {}
        for process in self.processes():
            with suppress(psutil.Error):
                name = names.get(process.pid) or ("postgres" if process.name() == "postgres" else "supervisor")
                sums[name] = sums.get(name, 0.0) + process.memory_full_info().pss / 1e6
        return sums


@contextmanager
def running(
    folder: Path, *, results_port: int = 9, quiet_seconds: int | None = None, **settings: str
) -> Iterator[Platform]:
    """A platform with the demonstration network, ready; nothing of it is left afterwards."""
    platform = Platform(folder, **settings)
    try:
        platform.prepare(results_port=results_port, quiet_seconds=quiet_seconds)
        platform.start()
        platform.wait_ready()
        yield platform
        platform.stop()
    finally:
        platform.clean_up()


__all__ = ["PASSWORD", "Platform", "Victim", "running"]
