"""The real web server on loopback, as `heliograph serve --only web` runs it, and a reader of its event stream."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from heliograph.app.context import Context
from heliograph.app.parts import web_config
from heliograph.governance.access.door import CSRF_HEADER
from heliograph.kit.actor import Actor
from tests.cast import PASSWORD
from tests.web import username_of


@dataclass
class Running:
    """A server that answers at `url`."""

    context: Context
    url: str
    server: uvicorn.Server
    thread: threading.Thread

    @contextmanager
    def sign_in(self, who: Actor) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            answer = client.post(
                "/api/sign-in", json={"username": username_of(self.context, who), "password": PASSWORD}
            )
            assert answer.status_code == 200, answer.text
            client.headers[CSRF_HEADER] = answer.json()["csrf_token"]
            yield client


@contextmanager
def serving(context: Context) -> Iterator[Running]:
    """Runs uvicorn in a thread; ended as by Ctrl-C."""
    server = uvicorn.Server(web_config(context))
    thread = threading.Thread(target=server.run)
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(context, f"http://127.0.0.1:{port}", server, thread)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@dataclass
class Stream:
    """What one browser hears."""

    heard: queue.Queue[tuple[str, dict[str, Any]]] = field(default_factory=queue.Queue)
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 0

    def next(self, seconds: float = 15) -> tuple[str, dict[str, Any]]:
        return self.heard.get(timeout=seconds)

    def silent(self) -> bool:
        return self.heard.empty()


@contextmanager
def listening(client: httpx.Client) -> Iterator[Stream]:
    """Opens /api/events and has heard the first `resync`."""
    stream, opened = Stream(), threading.Event()
    stop = threading.Event()

    def read() -> None:
        try:
            with client.stream("GET", "/api/events", timeout=httpx.Timeout(30, read=60)) as answer:
                stream.status = answer.status_code
                opened.set()
                event = ""
                for line in answer.iter_lines():
                    if stop.is_set():
                        return
                    if line.startswith("event: "):
                        event = line[7:]
                    elif line.startswith("data: "):
                        stream.heard.put((event, json.loads(line[6:])))
        except httpx.HTTPError:
            pass
        finally:
            opened.set()
            stream.ended.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert opened.wait(30)
    try:
        yield stream
    finally:
        stop.set()
