"""C-STORE: our listener (each object fsynced before its answer), a bare pynetdicom handler and DCMTK's storescp.

The two peers write each object without fsync, which is what they do by default. The receiver runs in a
process of its own; the sender is DCMTK's storescu where it is installed, else our own sender. Both share
the machine with the receiver.

    python tools/bench/bench_cstore.py [--slices 600]
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heliograph.app.demo.studies import make_slices
from heliograph.kit.codecs.dicom import part10_header
from heliograph.kit.net.dicom import Acceptance, AssociationError, StorageListener, StoreRequest, send_files, verify

GOAL = 200.0
# By path: with a virtual environment active, `storescu` on PATH is pynetdicom's.
STORESCU, STORESCP = Path("/usr/bin/storescu"), Path("/usr/bin/storescp")

Measure = dict[str, Any]


def receive_ours(port: int, folder: Path) -> None:
    """Our listener; each object is a file, fsynced before success is answered."""
    numbers = iter(range(1 << 30))
    lock = threading.Lock()

    def store(_acceptance: Acceptance, request: StoreRequest) -> int:
        with lock:
            name = folder / f"{next(numbers)}.dcm"
        header = part10_header(request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            request.write_to(descriptor, header)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return 0

    StorageListener("127.0.0.1", port, accept=Acceptance, store=store).start()
    signal.pause()


def receive_pynetdicom(port: int, folder: Path) -> None:
    """The shortest pynetdicom handler that keeps the bytes: one file an object, no fsync."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    numbers = iter(range(1 << 30))

    def store(event: evt.Event) -> int:
        (folder / f"{next(numbers)}.dcm").write_bytes(event.encoded_dataset())
        return 0

    ae = AE("BENCH")
    ae.maximum_pdu_size = 256 << 10
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context("1.2.840.10008.1.1")
    ae.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store)])


RECEIVERS: dict[str, Callable[[int, Path], None]] = {"ours": receive_ours, "pynetdicom": receive_pynetdicom}


@contextmanager
def receiver(name: str, folder: Path) -> Iterator[int]:
    """A receiver in its own process, ready; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, __file__, "--receive", name, "--port", str(port), "--folder", str(folder)]
    if name == "storescp":
        command = [str(STORESCP), "--fork", "--max-pdu", "131072", "-od", str(folder), str(port)]
    # By default DCMTK keeps Nagle's algorithm, which stalls each of its answers by 40 ms; peers are measured at their best.
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                verify("127.0.0.1", port, called="BENCH", calling="BENCH")
                break
            except AssociationError:  # not up yet
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def send(port: int, files: tuple[Path, ...], associations: int, *, dcmtk: bool) -> float:
    """Send all files over so many associations at once; the seconds it took.

    Raises:
        RuntimeError: an object was not stored.
    """
    os.sync()  # else our fsync waits for what an earlier receiver left unwritten
    parts = [files[k::associations] for k in range(associations)]

    def one(part: tuple[Path, ...]) -> bool:
        if dcmtk:
            command = [str(STORESCU), "-R", "-aec", "BENCH", "127.0.0.1", str(port), *map(str, part)]
            return subprocess.run(command, check=False, capture_output=True).returncode == 0
        return all(r.stored for r in send_files("127.0.0.1", port, called="BENCH", calling="B", files=part))

    started = time.perf_counter()
    with ThreadPoolExecutor(associations) as pool:
        good = list(pool.map(one, parts))
    if not all(good):
        raise RuntimeError("an object was not stored")
    return time.perf_counter() - started


def measure(slices: int = 600) -> list[Measure]:
    """Objects and megabytes a second for one and four associations, beside the peers."""
    dcmtk = STORESCU.exists()
    names = ["ours", "pynetdicom", *(["storescp"] if STORESCP.exists() else [])]
    figures: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as work:
        files = make_slices(Path(work) / "slices", slices)
        size = sum(path.stat().st_size for path in files) / 1e6
        for name in names:
            for associations in (1, 4):
                folder = Path(work) / f"{name}-{associations}"
                folder.mkdir()
                with receiver(name, folder) as port:
                    figures[name, associations] = send(port, files, associations, dcmtk=dcmtk)
                shutil.rmtree(folder)
        # What the listener can take when the sender is not the limit.
        folder = Path(work) / "fast"
        folder.mkdir()
        with receiver("ours", folder) as port:
            fast = slices / send(port, files, 1, dcmtk=False)
    sender = "storescu" if dcmtk else "our sender"
    made: list[Measure] = []
    for associations in (1, 4):
        many = f"{associations} association{'s' if associations > 1 else ''}, {sender}"
        peers = {n: slices / figures[n, associations] for n in names[1:]}
        goal = GOAL if associations == 1 else None
        rate = slices / figures["ours", associations]
        made.append(_row(f"C-STORE durable, {many}", rate, "objects/s", goal, peers))
        peers_mb = {n: size / figures[n, associations] for n in names[1:]}
        speed = size / figures["ours", associations]
        made.append(_row(f"C-STORE durable, {many}, volume", speed, "MB/s", None, peers_mb))
    made.append(_row("C-STORE durable, 1 association, our sender", fast, "objects/s", GOAL, {}))
    return made


def _row(name: str, value: float, unit: str, goal: float | None, peers: dict[str, float]) -> Measure:
    rounded = {f"{peer} (no fsync)": round(figure, 1) for peer, figure in peers.items()}
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "better": "higher",
        "goal": goal,
        "peers": rounded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--receive", choices=sorted(RECEIVERS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        RECEIVERS[options.receive](options.port, options.folder)
        return
    for row in measure(options.slices):
        peers = ", ".join(f"{name} {value}" for name, value in row["peers"].items())
        goal = f" (goal {row['goal']:g})" if row["goal"] else ""
        print(f"{row['name']}: {row['value']} {row['unit']}{goal}  {peers}")


if __name__ == "__main__":
    main()
