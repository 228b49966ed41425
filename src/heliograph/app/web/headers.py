"""Security headers and request logging, as plain ASGI so that streams are not buffered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph.app.web import metrics
from heliograph.kit.http import unexpected
from heliograph.kit.log import log

_log = log(__name__)

APP_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def viewer_policies(folder: Path) -> tuple[str, str, frozenset[str]]:
    """(policy of the viewer's pages, policy of its decoding workers, names of those workers' scripts).

    OHIF compiles WebAssembly, has two inline scripts (allowed by hash) and one worker that evaluates code; only that worker's own
    response allows it.
    """
    prepared = json.loads((folder / "csp.json").read_text("utf-8")) if (folder / "csp.json").exists() else {}
    hashes = " ".join(prepared.get("script-src", []))
    rest = (
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
        "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"
    )
    page = f"default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {hashes}; {rest}"
    worker = f"default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; {rest}"
    return page, worker, frozenset(prepared.get("evaluating-workers", []))


class Headers:
    """Adds the content policy of each part of the site and logs each request: route and status, never the address with its ids."""

    def __init__(self, app: ASGIApp, viewer: Path, *, https: bool) -> None:
        self.app = app
        self.https = https
        self.viewer_page, self.viewer_worker, self.evaluating = viewer_policies(viewer)

    def policy(self, path: str) -> str:
        if path.startswith("/viewer"):
            return self.viewer_worker if path.rsplit("/", 1)[-1] in self.evaluating else self.viewer_page
        if path.startswith("/app") or path == "/":
            return APP_POLICY
        return DOCS_POLICY if path.startswith("/api/docs") else API_POLICY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, path = time.perf_counter(), scope["path"]
        status: int | None = None
        structlog.contextvars.bind_contextvars(request=uuid4().hex[:12])

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self.policy(path)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Frame-Options"] = "SAMEORIGIN" if path.startswith("/viewer") else "DENY"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(self)"
                if self.https:
                    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
                if path.startswith("/api") and "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 (whatever it was, the caller gets an answer)
            # Not raised on: the server would log the error's text, and PostgreSQL puts the offending values into it.
            _log.exception("unexpected fault", error=type(error).__name__)
            if status is not None:
                raise ConnectionAbortedError("the answer broke off") from None
            await unexpected()(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "static")
            metrics.REQUESTS.labels(route, scope["method"], str(status or 499)).observe(seconds)
            if status and status >= 500:
                _log.error(
                    "request failed", route=route, method=scope["method"], status=status, seconds=round(seconds, 4)
                )
            elif route != "static":
                _log.debug("request", route=route, method=scope["method"], status=status, seconds=round(seconds, 4))
