"""A small bucket on loopback that speaks as much of S3 as objects need, and can be away in the ways that buckets are."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

State = Literal["well", "failing", "denying", "hanging up"]


class Bucket:
    """Objects by their paths. `state` says how it answers; `stop` and `start` make it refuse connections, or answer again."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.state: State = "well"
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        bucket = self

        class Handler(_Handler):
            of = bucket

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Handler(BaseHTTPRequestHandler):
    of: Bucket
    protocol_version = "HTTP/1.0"  # a connection each, so that a stopped bucket is gone at once

    def log_message(self, *_args: object) -> None:
        pass

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self._is_well():
            self.of.kept[urlsplit(self.path).path] = content
            self._answer(200, b"", etag=content)

    def do_GET(self) -> None:
        if not self._is_well():
            return
        address = urlsplit(self.path)
        if "list-type" in parse_qs(address.query):
            self._answer(200, self._listing(address.path, parse_qs(address.query)["prefix"][0]))
            return
        content = self.of.kept.get(address.path)
        if content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2]), len(content) - 1)
            span = f"bytes {first}-{last}/{len(content)}"
            self._answer(206, content[first : last + 1], span, etag=content)
        else:
            self._answer(200, content, etag=content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        if self._is_well():
            self.of.kept.pop(urlsplit(self.path).path, None)
            self._answer(204, b"")

    def _is_well(self) -> bool:
        match self.of.state:
            case "failing":
                self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
            case "denying":
                self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            case "hanging up":
                self.close_connection = True
            case "well":
                return True
        return False

    def _answer(self, status: int, body: bytes, span: str = "", etag: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"))
        self.send_header("ETag", f'"{md5(etag, usedforsecurity=False).hexdigest()}"')
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _listing(self, path: str, prefix: str) -> bytes:
        root = path.rstrip("/") + "/"
        found = [
            (key.removeprefix(root), content) for key, content in self.of.kept.items() if key.startswith(root + prefix)
        ]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            "<LastModified>2026-11-25T00:00:00.000Z</LastModified></Contents>"
            for key, content in found
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket that answers."""
    made = Bucket()
    made.start()
    try:
        yield made
    finally:
        made.stop()
