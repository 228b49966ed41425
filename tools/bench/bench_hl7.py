"""HL7 in: new orders of new patients from one and from four stop-and-wait senders, AA only after their effects are committed, beside a bare
python-hl7 listener in the same run, which parses each message and writes nothing.

    python tools/bench/bench_hl7.py [--messages 1500]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from heliograph.app.demo.network import SITES
from heliograph.kit.net.mllp_framing import FrameReader, frame
from tools.bench.doors import p95
from tools.bench.figures import Figure, figure
from tools.running import Platform, running

MESSAGES = 1500
GOALS = {1: 100.0, 4: 250.0}


def order(sender: str, facility: str, number: int) -> bytes:
    """An ORM^O01 as an IHE order placer writes it: a new order of a new patient."""
    at = "20261125023000+0000"
    segments = [
        f"MSH|^~\\&|{sender}|{facility}|HELIO|HUB|{at}||ORM^O01|{sender}{number}|P|2.3.1||||||UNICODE UTF-8",
        f"PID|1||B{number}^^^{facility}^MR~N{number}^^^NATID^NI||Bench{number}^Person^M^^^^L||19771115|F|||18 Larch Row^^Fenwick",
        f"PV1|1|E|ED^12^A^{facility}||||4471^Haugen^Nils^^^Dr|||||||||||V-{number}",
        f"ORC|NW|P{number}^CPOE|F{number}^RIS||SC||1^^^{at}^^S||{at}|||4471^Haugen^Nils^^^Dr||+47 00 55 90 11",
        f"OBR|1|P{number}^CPOE|F{number}^RIS|CTHEAD^CT Head without contrast^L|||||||||Fall, on anticoagulant||^^^Head"
        f"|4471^Haugen^Nils^^^Dr|+47 00 55 90 12|A{number}|RP-{number}|S-{number}||||CT|||1^^^{at}^^S||||^Head injury",
        f"ZDS|2.999.7.{number}^RIS^Application^DICOM",
    ]
    return "".join(f"{s}\r" for s in segments).encode()


def send(port: int, payloads: list[bytes]) -> list[float]:
    """One sender: the next message when the one before is acknowledged. Seconds of each.

    Raises:
        RuntimeError: a message was not taken.
    """
    times = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for payload in payloads:
            control_id = payload.split(b"|", 10)[9]
            reader, answers = FrameReader(1 << 20), list[bytes]()
            begun = time.perf_counter()
            connection.sendall(frame(payload))
            while not answers:
                data = connection.recv(65536)
                if not data:
                    raise RuntimeError("the connection was closed without an answer")
                answers = reader.feed(data)
            times.append(time.perf_counter() - begun)
            if b"MSA|AA|" + control_id not in answers[0]:
                raise RuntimeError(f"a message was not taken: {answers[0][:300]!r}")
    return times


def rate(port: int, senders: list[list[bytes]]) -> tuple[float, list[float]]:
    """Messages a second of all senders together, and the seconds of each message."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(len(senders)) as pool:
        times = [t for each in pool.map(lambda payloads: send(port, payloads), senders) for t in each]
    return len(times) / (time.perf_counter() - begun), times


def measure(messages: int = MESSAGES) -> list[Figure]:
    """Messages a second and the 95th percentile of the time to AA, for one and four senders."""
    ours: dict[int, tuple[float, list[float]]] = {}
    bare: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder, running(Path(folder)) as platform:
        for number, senders in _loads(platform, messages):
            ours[number] = rate(platform.ports["hl7"], senders)
    with python_hl7() as port:
        for number in ours:
            sites = [(f"S{i}", "SITE") for i in range(number)]
            loads = [[order(*site, n) for n in range(messages // number)] for site in sites]
            bare[number] = rate(port, loads)[0]
    figures = []
    for number, (found, times) in ours.items():
        name = f"HL7 orders in, {number} stop-and-wait sender{'s' if number > 1 else ''}"
        peers = {"python-hl7 (parses, keeps nothing)": round(bare[number], 1)}
        figures += [
            figure(name, found, "messages/s", "higher", GOALS[number], peers),
            figure(f"{name}, to AA, p50", statistics.median(times) * 1000, "ms", "lower"),
            figure(f"{name}, to AA, p95", p95(times) * 1000, "ms", "lower"),
        ]
    return figures


def _loads(platform: Platform, messages: int) -> Iterator[tuple[int, list[list[bytes]]]]:
    """What one and four senders send; the fourth is a second connection of the first."""
    sites = [(site.application, site.code) for site in SITES]
    base = time.time_ns() % 10**9 * 100_000
    for number in (1, 4):
        loads = []
        for i in range(number):
            base += messages
            loads.append([order(*sites[i % len(sites)], base + n) for n in range(messages // number)])
        rate(platform.ports["hl7"], [[order(*sites[0], base + messages + n) for n in range(20)]])  # as after some use
        base += messages + 20
        yield number, loads


@contextmanager
def python_hl7() -> Iterator[int]:
    """A bare listener made of python-hl7 in a process of its own; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, __file__, "--receive", str(port)])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def receive(port: int) -> None:
    """The listener of python-hl7's own documentation: reads a message, and answers it."""
    from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server  # type: ignore[import-untyped]

    async def process(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def serve() -> None:
        async with await start_hl7_server(process, host="127.0.0.1", port=port, encoding="utf-8") as server:
            await server.serve_forever()

    asyncio.run(serve())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        receive(options.receive)
        return
    for row in measure(options.messages):
        peers = ", ".join(f"{name} {value}" for name, value in row["peers"].items())
        goal = f" (goal {row['goal']:g})" if row["goal"] else ""
        print(f"{row['name']}: {row['value']} {row['unit']}{goal}  {peers}")


if __name__ == "__main__":
    main()
