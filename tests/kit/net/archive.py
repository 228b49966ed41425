"""Other archives on loopback: DCMTK's dcmqrscp, and pynetdicom peers that misbehave."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from heliograph.app.demo.run import free_port
from heliograph.kit.net.dicom import AssociationError, send_files, verify

_WHERE = "/usr/bin:/usr/local/bin:/opt/homebrew/bin"
DCMQRSCP = shutil.which("dcmqrscp", path=_WHERE)
STORESCP = shutil.which("storescp", path=_WHERE)


@contextmanager
def dcmqrscp(
    files: Sequence[Path] = (),
    destinations: Mapping[str, int] | None = None,
    options: Sequence[str] = (),
    title: str = "ARCHIVE",
) -> Iterator[int]:
    """DCMTK's archive `title`, holding `files`; it may C-MOVE to `destinations` (AE title -> port). Its port."""
    assert DCMQRSCP is not None
    folder = Path(tempfile.mkdtemp(prefix="dcmqrscp-"))
    port = free_port()
    store = folder / "store"
    store.mkdir()
    hosts = "\n".join(f"{title.lower()} = ({title}, 127.0.0.1, {p})" for title, p in (destinations or {}).items())
    (folder / "cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{title} {store} RW (500, 1024mb) ANY\nAETable END\n"
    )
    with _running([DCMQRSCP, "-c", str(folder / "cfg"), *options, str(port)], port, folder, title):
        if files:
            sent = send_files("127.0.0.1", port, called=title, calling="US", files=files)
            assert all(r.stored for r in sent), sent
        yield port


@contextmanager
def storescp(options: Sequence[str] = ()) -> Iterator[tuple[int, Path]]:
    """DCMTK's receiver SCP: its port and the folder that it writes to."""
    assert STORESCP is not None
    folder = Path(tempfile.mkdtemp(prefix="storescp-"))
    port = free_port()
    with _running([STORESCP, "-od", str(folder), *options, str(port)], port, folder):
        yield port, folder


@contextmanager
def _running(command: list[str], port: int, folder: Path, title: str = "ARCHIVE") -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                verify("127.0.0.1", port, called=title, calling="US", timeout=2)
                break
            except AssociationError:
                assert process.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it does not answer"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)
