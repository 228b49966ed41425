"""The supervisor: parts come back, go together, and never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heliograph.app import supervise
from heliograph.app.supervise import GIVE_UP, INTERRUPTED, KILLED, Supervisor, run
from heliograph.kit.db.postgres_host import is_running
from heliograph.kit.errors import Unavailable

POLITE = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
# A part as the product's own: it ends with its supervisor.
LOYAL = "from heliograph.app.supervise import die_with_parent; die_with_parent(grace=0.5); "


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def writes_pid(path: Path, code: str) -> list[str]:
    """A part that writes its process id, one a start and line, and then runs `code`."""
    return python(f"import os; open({str(path)!r}, 'a').write(f'{{os.getpid()}}\\n'); {code}")


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_for(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "BACKOFF", (0.1, 0.2, 0.4))


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a supervisor in a process of its own, as `heliograph serve` is."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(parts: dict[str, list[str]], *, grace: float = 8.0) -> subprocess.Popen[bytes]:
        code = f"import sys; from heliograph.app.supervise import run; sys.exit(run({parts!r}, grace={grace}))"
        started.append(subprocess.Popen(python(code), stdout=subprocess.DEVNULL))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_it_works_and_leaves_nothing() -> None:
    with Supervisor({"web": python(POLITE), "worker": python(POLITE)}) as supervisor:
        assert supervisor.wait_ready(lambda: len(supervisor.pids()) == 2, 10)
        running = supervisor.pids()
        assert set(running) == {"web", "worker"}
        assert all(is_running(pid) for pid in running.values())
        assert supervisor.wait_ready(lambda: True, 1)
        time.sleep(0.5)  # until their handlers stand
    assert supervisor.status == 0
    assert not any(is_running(pid) for pid in running.values())


@pytest.mark.usefixtures("fast")
def test_a_part_that_ends_comes_back_whatever_its_status(tmp_path: Path) -> None:
    parts = {
        "killed": writes_pid(tmp_path / "killed", POLITE),
        "done": writes_pid(tmp_path / "done", "pass"),  # as the job worker, which ends with 0
    }
    with Supervisor(parts) as supervisor:
        wait_for(lambda: pids(tmp_path / "killed"))
        os.kill(pids(tmp_path / "killed")[0], signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path / "killed")) == 2 and len(pids(tmp_path / "done")) >= 2)
        assert supervisor.starts()["killed"] == 2


def test_the_wait_grows_and_a_long_life_resets_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(supervise, "BACKOFF", (0.0, 0.5, 1.0))
    code = "import time; open({!r}, 'a').write(f'{{time.time_ns()}}\\n'); time.sleep({})"
    with Supervisor({"part": python(code.format(str(tmp_path / "short"), 0))}):
        wait_for(lambda: len(pids(tmp_path / "short")) >= 4)
    first, second, third, fourth = pids(tmp_path / "short")[:4]
    assert third - second > 0.4e9
    assert fourth - third > 0.9e9
    assert second - first < third - second < fourth - third

    monkeypatch.setattr(supervise, "HEALTHY_AFTER", 0.2)
    monkeypatch.setattr(supervise, "BACKOFF", (0.0, 60.0))
    with Supervisor({"part": python(code.format(str(tmp_path / "long"), 0.3))}):
        wait_for(lambda: len(pids(tmp_path / "long")) >= 4)


@pytest.mark.usefixtures("fast")
def test_a_program_that_can_not_start_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "program"
    with Supervisor({"late": [str(program)]}) as supervisor:
        wait_for(lambda: supervisor.starts()["late"] >= 2)
        program.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\n")
        program.chmod(0o755)
        wait_for(lambda: pids(tmp_path / "pid"))


@pytest.mark.usefixtures("fast")
def test_a_part_that_gives_up_stops_everything(tmp_path: Path) -> None:
    parts = {
        "web": writes_pid(tmp_path / "web", "import time; time.sleep(600)"),
        "dimse": python(f"import time; time.sleep(0.5); raise SystemExit({GIVE_UP})"),
    }
    assert run(parts) == GIVE_UP
    assert len(pids(tmp_path / "web")) == 1
    assert not is_running(pids(tmp_path / "web")[0])


def test_wait_ready_tells_when_it_is_in_vain() -> None:
    with Supervisor({"part": python(POLITE)}) as supervisor:
        assert not supervisor.wait_ready(lambda: False, 0.3)
    with Supervisor({"part": python(f"raise SystemExit({GIVE_UP})")}) as supervisor:
        began = time.monotonic()
        assert not supervisor.wait_ready(lambda: False, 60)
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_stops_all_gracefully(
    number: signal.Signals, tmp_path: Path, outside: Callable[..., subprocess.Popen[bytes]]
) -> None:
    say = "signal.signal(15, lambda *_: (open({!r}, 'a').write('1\\n'), sys.exit(0)))"
    code = "import signal, sys, time; " + say.format(str(tmp_path / "farewell")) + "; "
    ready = f"open({str(tmp_path / 'ready')!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    process = outside({name: python("import os; " + code + ready) for name in ("web", "hl7")})
    wait_for(lambda: len(pids(tmp_path / "ready")) == 2)
    process.send_signal(number)
    assert process.wait(20) == 0
    assert pids(tmp_path / "farewell") == [1, 1]
    assert not any(is_running(pid) for pid in pids(tmp_path / "ready"))


def test_who_ignores_sigterm_is_killed_after_the_grace(
    tmp_path: Path, outside: Callable[..., subprocess.Popen[bytes]]
) -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); "
    child = f"import subprocess, sys; subprocess.Popen({writes_pid(tmp_path / 'pid', STUBBORN)!r}); "
    process = outside({"part": python(stubborn + child + "import time; time.sleep(600)")}, grace=1.0)
    wait_for(lambda: pids(tmp_path / "pid"))
    began = time.monotonic()
    process.terminate()
    assert process.wait(20) == KILLED
    assert 0.9 < time.monotonic() - began < 10
    wait_for(lambda: not is_running(pids(tmp_path / "pid")[0]), 5)  # its own child went with it


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path, outside: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = outside({"part": writes_pid(tmp_path / "pid", STUBBORN)}, grace=60.0)
    wait_for(lambda: pids(tmp_path / "pid"))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the first one waits for the grace"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == INTERRUPTED
    assert not is_running(pids(tmp_path / "pid")[0])


@pytest.mark.parametrize("code", [POLITE, STUBBORN])
def test_parts_end_with_a_supervisor_that_is_killed(
    code: str, tmp_path: Path, outside: Callable[..., subprocess.Popen[bytes]]
) -> None:
    parts = {name: python(LOYAL + writes_pid(tmp_path / name, code)[2]) for name in ("web", "worker")}
    process = outside(parts)
    wait_for(lambda: pids(tmp_path / "web") and pids(tmp_path / "worker"))
    process.kill()
    process.wait()
    for name in parts:
        wait_for(lambda name=name: not is_running(pids(tmp_path / name)[0]))  # type: ignore[misc]


def test_a_part_whose_supervisor_is_dead_already_does_not_begin(tmp_path: Path) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    environment = {**os.environ, "HELIOGRAPH_SUPERVISOR_PID": str(gone.pid)}
    done = subprocess.run(python(LOYAL + "print('began')"), env=environment, capture_output=True, check=True)
    assert done.stdout == b""


def test_without_a_supervisor_a_part_runs_alone() -> None:
    done = subprocess.run(python(LOYAL + "print('began')"), capture_output=True, check=True)
    assert done.stdout == b"began\n"


@pytest.mark.usefixtures("fast")
def test_run_tells_readiness_once_and_survives_a_failing_watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(supervise, "_WATCH_EVERY", 0.2)
    calls: list[str] = []

    def watch() -> None:
        calls.append("watch")
        if calls.count("watch") >= 3:
            os.kill(os.getpid(), signal.SIGTERM)
        raise Unavailable

    handler = signal.getsignal(signal.SIGTERM)
    part = writes_pid(tmp_path / "pid", POLITE)
    code = run(
        {"part": part}, check=lambda: bool(pids(tmp_path / "pid")), on_ready=lambda: calls.append("ready"), watch=watch
    )
    assert code == 0
    assert calls.count("ready") == 1
    assert calls.count("watch") == 3
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_signal_sets_the_event_whatever_the_main_thread_holds() -> None:
    """The handler runs between two bytecodes of the main thread, which may be about to wait for the very event."""
    code = (
        "import os, signal, sys, threading; from heliograph.app.supervise import stop_on_signals; "
        "stop = threading.Event(); stop_on_signals(stop); held = stop._cond; held.acquire(); "
        "os.kill(os.getpid(), signal.SIGTERM); sum(range(1000)); held.release(); sys.exit(0 if stop.wait(10) else 1)"
    )
    assert subprocess.run(python(code), timeout=30, check=False).returncode == 0
