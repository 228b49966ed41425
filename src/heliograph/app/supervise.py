"""One process for each part of the product: started, restarted when it ends, and stopped together.

A part that ends is started again after 1, 2, 5 and then 10 seconds; a minute of life resets that. Some parts end
on purpose, as the job worker after a database outage. A part that ends with `GIVE_UP` says that trying again is
useless (a port is taken, a setting is wrong): then everything stops, and the supervisor ends with that status.

Parts run in sessions of their own, so that a terminal's Ctrl-C reaches only the supervisor, which sends SIGTERM.
If the supervisor itself is killed, the kernel sends SIGTERM to each part that called `die_with_parent`.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, Literal

import structlog

from heliograph.kit.errors import HeliographError

log = structlog.get_logger(__name__)

BACKOFF: Final = (1.0, 2.0, 5.0, 10.0)  # seconds before the first, second, ... start after a failure
HEALTHY_AFTER: Final = 60.0  # seconds of life after which earlier failures are forgotten
GIVE_UP: Final = 78  # EX_CONFIG of sysexits.h: a part says that starting it again can't help
KILLED: Final = 1  # our own status if a part had to be killed
INTERRUPTED: Final = 130  # our own status after a second Ctrl-C

_SUPERVISOR = "HELIOGRAPH_SUPERVISOR_PID"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TICK = 0.1  # seconds between looks at the parts
_WATCH_EVERY = 5.0  # seconds

_Order = Literal["stop", "kill"]


def die_with_parent(*, grace: float = 10.0) -> None:
    """Called by a part at its very start: end when the supervisor ends, however that is.

    The kernel sends SIGTERM on the supervisor's death; a part that has not ended `grace` seconds later is killed.
    Does nothing in a process that no supervisor started. Raises SystemExit if the supervisor is dead already.
    """
    parent = int(os.environ.pop(_SUPERVISOR, "0"))  # taken out: it must not reach our own children
    if not parent or sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    try:
        handle = os.pidfd_open(parent)
    except OSError:
        handle = -1  # dead already, or a kernel without pidfd; the next line tells which
    if os.getppid() != parent:
        raise SystemExit(0)
    if handle >= 0:
        threading.Thread(target=_outlive, args=(handle, grace), name="die-with-parent", daemon=True).start()


def stop_on_signals(stop: threading.Event, *, exit_on_second: bool = False) -> None:
    """From now on SIGTERM and SIGINT set `stop`; with `exit_on_second`, another one exits with status 1.

    The handler does not set it itself: it runs between two bytecodes of the main thread, which may hold the lock of the very
    `stop` that it waits for, and would then wait for itself. `SimpleQueue.put` has no such lock.
    """
    signals: SimpleQueue[int] = SimpleQueue()
    seen = 0

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1 and exit_on_second:
            raise SystemExit(1)
        signals.put(number)

    def pass_on() -> None:
        signals.get()
        stop.set()

    threading.Thread(target=pass_on, name="stop-on-signals", daemon=True).start()
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _outlive(handle: int, grace: float) -> None:
    select.select([handle], [], [])  # readable once the process has ended
    time.sleep(grace)
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class _Part:
    name: str
    argv: Sequence[str]
    child: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0
    starts: int = field(default=0)


class Supervisor:
    """Parts under supervision, without blocking the caller: `start()`, `wait_ready()`, `stop()`."""

    def __init__(self, parts: Mapping[str, Sequence[str]], *, grace: float = 8.0) -> None:
        """`parts` maps names to argument lists; `grace` is the time in seconds between SIGTERM and SIGKILL."""
        self._parts = [_Part(name, list(argv)) for name, argv in parts.items()]
        self._grace = grace
        # SimpleQueue.put may be called from a signal handler; Event.set and Queue.put may not.
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        # The kernel's parent-death signal is bound to the thread that starts a child, so one thread starts all
        # of them, and it lives as long as they do.
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self.status = 0

    # ---------------------------------------------------------------- for the caller

    def start(self) -> None:
        """Start all parts."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """True until all parts have been stopped."""
        return self._thread.is_alive()

    def pids(self) -> dict[str, int]:
        """Process ids of the parts that live now."""
        return {part.name: child.pid for part in self._parts if (child := part.child) is not None}

    def starts(self) -> dict[str, int]:
        """How often each part was started."""
        return {part.name: part.starts for part in self._parts}

    def wait_ready(self, check: Callable[[], bool], timeout: float) -> bool:
        """Call `check` until it is true; False after `timeout` seconds, or when a part gave up."""
        end = time.monotonic() + timeout
        while self.running and time.monotonic() < end:
            if check():
                return True
            time.sleep(_TICK)
        return False

    def ask_to_stop(self, order: _Order = "stop") -> None:
        """Begin to stop, and return at once; `kill` gives no grace. Safe in a signal handler."""
        self._orders.put(order)

    def stop(self) -> int:
        """Stop all parts, wait for their end, and give the status. A Ctrl-C meanwhile kills them at once."""
        self.ask_to_stop()
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self.ask_to_stop("kill")
            self._thread.join()
            raise
        return self.status

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---------------------------------------------------------------- in the supervising thread

    def _loop(self) -> None:
        kill_at: float | None = None  # set once we are stopping
        while True:
            for part in self._parts:
                if part.child is not None and (code := _ended(part.child)) is not None:
                    self._note_end(part, code, stopping=kill_at is not None)
                    if code == GIVE_UP and kill_at is None:
                        self.status = GIVE_UP
                        self._orders.put("stop")
                if part.child is None and kill_at is None and time.monotonic() >= part.start_at:
                    self._start_part(part)
            if kill_at is not None and not self.pids():
                return
            try:
                order = self._orders.get(timeout=_TICK)
            except Empty:
                order = None
            if order == "stop" and kill_at is None:
                kill_at = time.monotonic() + self._grace
                self._signal_all(signal.SIGTERM)
            if order == "kill" or (kill_at is not None and time.monotonic() >= kill_at):
                kill_at = time.monotonic() + self._grace
                self.status = self.status or KILLED
                log.warning("parts killed", parts=sorted(self.pids()))
                self._signal_all(signal.SIGKILL)

    def _start_part(self, part: _Part) -> None:
        part.started = time.monotonic()
        part.starts += 1
        try:
            part.child = subprocess.Popen(  # noqa: S603 - argument lists come from our own command line
                part.argv,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, _SUPERVISOR: str(os.getpid())},
            )
        except OSError as error:
            self._plan_restart(part)
            log.error("part not started", part=part.name, error=error.strerror, again_in=part.start_at - part.started)
        else:
            log.info("part started", part=part.name, pid=part.child.pid, start=part.starts)

    def _note_end(self, part: _Part, code: int, *, stopping: bool) -> None:
        child, part.child = part.child, None
        lived = round(time.monotonic() - part.started, 1)
        how: dict[str, object] = {"signal": signal.Signals(-code).name} if code < 0 else {"exit_status": code}
        pid = child.pid if child else None
        if stopping:
            log.info("part stopped", part=part.name, pid=pid, lived=lived, **how)
        elif code == GIVE_UP:
            log.error("part gave up", part=part.name, pid=pid, lived=lived, **how)
        else:
            if lived >= HEALTHY_AFTER:
                part.failures = 0
            again_in = self._plan_restart(part)
            log.warning("part ended", part=part.name, pid=pid, lived=lived, again_in=again_in, **how)

    @staticmethod
    def _plan_restart(part: _Part) -> float:
        wait = BACKOFF[min(part.failures, len(BACKOFF) - 1)]
        part.failures += 1
        part.start_at = time.monotonic() + wait
        return wait

    def _signal_all(self, number: signal.Signals) -> None:
        """SIGTERM goes to the parts, which see to their own children; SIGKILL to these as well."""
        for pid in self.pids().values():
            with suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(pid, number)
                else:
                    os.kill(pid, number)


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    """The status of a part that has ended, with what it left in its process group killed; None while it lives."""
    # Looked at without reaping, so that the group's id can't belong to somebody else when we signal it.
    if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def run(
    parts: Mapping[str, Sequence[str]],
    *,
    grace: float = 8.0,
    check: Callable[[], bool] | None = None,
    on_ready: Callable[[], None] | None = None,
    watch: Callable[[], None] | None = None,
) -> int:
    """Supervise until SIGTERM, SIGINT or SIGHUP, from the main thread; a second one kills at once.

    Parameters
    ----------
    parts
        Names and argument lists.
    grace
        Seconds between SIGTERM and SIGKILL.
    check, on_ready
        `on_ready` is called once, when `check` is true for the first time; without `check`, after the start.
    watch
        Called every five seconds, as to start a dead database again. What it refuses is logged, not raised.

    Returns
    -------
    int
        0; `KILLED` if a part had to be killed; `GIVE_UP` if a part gave up; `INTERRUPTED` after a second signal.
    """
    supervisor = Supervisor(parts, grace=grace)
    signals = 0

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        supervisor.ask_to_stop("stop" if signals == 1 else "kill")

    kinds = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [(kind, signal.signal(kind, on_signal)) for kind in kinds]
    try:
        supervisor.start()
        next_watch = time.monotonic() + _WATCH_EVERY
        while supervisor.running:
            if on_ready is not None and not signals and (check is None or check()):
                on_ready()
                on_ready = None
            if watch is not None and not signals and time.monotonic() >= next_watch:
                _look(watch)
                next_watch = time.monotonic() + _WATCH_EVERY
            time.sleep(_TICK)
    finally:
        supervisor.stop()
        for kind, handler in before:
            signal.signal(kind, handler)
    return INTERRUPTED if signals > 1 else supervisor.status


def _look(watch: Callable[[], None]) -> None:
    try:
        watch()
    except (HeliographError, OSError) as error:
        log.error("watch failed", error=str(error))
