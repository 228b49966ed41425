"""A lean HTTP client for measurements, in a process of its own: keep-alive, raw sockets, answers read and not looked into.

The load generator shares the machine with what it measures, so it should cost as little as it can. It imports the standard library only.

    python tools/bench/lean.py PORT EACH < {"headers": {...}, "paths": [...]}

It connects, asks once for the first path (so that the view is on record), says `ready`, waits for a line, asks EACH times, and writes a
JSON list of seconds.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


class Line:
    """One connection. `ask` gives the length of the body."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = bytearray(4 << 20)

    def ask(self, request: bytes) -> int:
        """Sends a request and reads its answer, which must be 200 with a length. Raises RuntimeError."""
        self._socket.sendall(request)
        view, got = memoryview(self._room), 0
        while (end := self._room.find(b"\r\n\r\n", 0, got)) < 0:
            count = self._socket.recv_into(view[got:])
            if not count:
                raise RuntimeError("the server hung up")
            got += count
        head = bytes(self._room[:end]).lower()
        if b" 200" not in head[:15]:
            raise RuntimeError(head.partition(b"\r\n")[0].decode("latin-1"))
        if b"transfer-encoding: chunked" in head:
            return self._chunked(got - end - 4, bytes(self._room[max(0, got - 7) : got]))
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        left = length - (got - end - 4)
        while left > 0:
            count = self._socket.recv_into(view, min(left, len(view)))
            if not count:
                raise RuntimeError("the server hung up")
            left -= count
        return length

    def _chunked(self, got: int, tail: bytes) -> int:
        """Reads on to the last chunk; the length with the frames of the chunks."""
        view = memoryview(self._room)
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            count = self._socket.recv_into(view)
            if not count:
                raise RuntimeError("the server hung up")
            got += count
            tail = (tail + bytes(view[max(0, count - 7) : count]))[-7:]
        return got


def rate(
    port: int, headers: Mapping[str, str], paths: Sequence[str], each: int, clients: int
) -> tuple[float, list[float]]:
    """Requests a second over `clients` processes, `each` times of `paths` in turn; the seconds of each request.

    Raises:
        RuntimeError: a client failed.
    """
    command = [sys.executable, __file__, str(port), str(each)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(clients)]
    for number, process in enumerate(started):
        at = number * len(paths) // clients  # each begins elsewhere
        _tell(process, json.dumps({"headers": dict(headers), "paths": [*paths[at:], *paths[:at]]}))
    for process in started:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError("a client is not ready")
    begun = time.perf_counter()
    for process in started:
        _tell(process, "go")
    answers = [process.communicate(timeout=300)[0] for process in started]
    seconds = time.perf_counter() - begun
    if any(process.returncode for process in started):
        raise RuntimeError("a client failed")
    times = [t for answer in answers for t in json.loads(answer)]
    return len(times) / seconds, times


def _tell(process: subprocess.Popen[str], line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line + "\n")
        process.stdin.flush()


def main() -> None:
    port, each = int(sys.argv[1]), int(sys.argv[2])
    told = json.loads(sys.stdin.readline())
    lines = "".join(f"{name}: {value}\r\n" for name, value in told["headers"].items())
    requests = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode() for path in told["paths"]]
    line = Line(port)
    line.ask(requests[0])
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for number in range(each):
        begun = time.perf_counter()
        line.ask(requests[number % len(requests)])
        times.append(time.perf_counter() - begun)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
