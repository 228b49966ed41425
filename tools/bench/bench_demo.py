"""How long `make demo` takes until it says where to sign in: at the first start (with its studies sent) and at the second."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from heliograph.app.demo.run import free_port
from tools.bench.figures import Figure, figure
from tools.running import Platform

ROOT = Path(__file__).resolve().parents[2]
SAID = b"Sign in at"


def measure() -> list[Figure]:
    """Seconds of two starts on one data folder, and of the stop by Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder:
        platform = Platform(Path(folder))
        try:
            first, _ = _start_and_stop(platform)
            second, stop = _start_and_stop(platform)
        finally:
            platform.clean_up()
    return [
        figure("make demo, first start, its studies sent", first, "s", "lower"),
        figure("make demo, second start", second, "s", "lower", 8.0),
        figure("make demo, Ctrl-C to the end", stop, "s", "lower", 10.0),
    ]


def _start_and_stop(platform: Platform, limit: float = 300) -> tuple[float, float]:
    """Seconds until it says where to sign in, and from Ctrl-C to the end.

    Raises:
        RuntimeError: it ended or said nothing in time.
    """
    environment = {**platform.environment, "PYTHONUNBUFFERED": "1", "HELIOGRAPH_HTTP_PORT": str(free_port())}
    environment["HELIOGRAPH_PUBLIC_URL"] = f"http://127.0.0.1:{environment['HELIOGRAPH_HTTP_PORT']}"
    begun = time.monotonic()
    process = subprocess.Popen(
        ["make", "-s", "demo"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    if process.stdout is None:
        raise RuntimeError("make demo has no output to read")
    said = b""
    while SAID not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, begun + limit - time.monotonic()))
        piece = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            raise RuntimeError(f"make demo said only: {said.decode('utf-8', 'replace')[-2000:]}")
        said += piece
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    while os.read(process.stdout.fileno(), 65536):
        pass
    process.wait(60)
    return started - begun, time.monotonic() - started
