"""The parts of a running Heliograph: web, dimse, hl7, worker. Each is one process and can run alone on any host."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from heliograph.app.context import Context, open_context
from heliograph.app.supervise import die_with_parent, stop_on_signals
from heliograph.kit.log import log, set_up_logging
from heliograph.kit.settings import Settings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_log = log(__name__)


def command(part: str) -> list[str]:
    """The command line that runs one part."""
    return [sys.executable, "-m", "heliograph.app.cli", "serve", "--only", part]


def run_part(part: str, settings: Settings) -> int:
    """Runs one part until SIGTERM or SIGINT; returns its exit code."""
    die_with_parent()
    set_up_logging(part, level=settings.log_level, form=settings.log_format)
    stop = threading.Event()
    if part != "web":  # uvicorn sees to its own signals
        stop_on_signals(stop)
    with open_context(settings, part=part) as context:
        _log.info("started", pid=os.getpid())
        _RUN[part](context, stop)
        _log.info("stopped")
    return 0


def _settle() -> None:
    """Keeps the garbage collector from what is loaded for good, through which it would else go, for a tenth of a second, while a
    client waits; and lets it look only after more than one answer's objects have come and stayed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _put_together(app: FastAPI) -> None:
    """Lets the framework make all routes ready now, which it else does when a first request passes by: that would cost its client
    a fifth of a second."""
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []})


def web_config(context: Context) -> uvicorn.Config:
    """How the web server runs."""
    import uvicorn

    from heliograph.app.web.main import create_app

    return uvicorn.Config(
        create_app(context),
        host=context.settings.http_host,
        port=context.settings.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,  # an open event stream would hold the server for ever
        server_header=False,
        forwarded_allow_ips=context.settings.trusted_proxies,
    )


def _web(context: Context, _stop: threading.Event) -> None:
    import uvicorn

    config = web_config(context)
    _put_together(cast("FastAPI", config.app))
    _settle()
    uvicorn.Server(config).run()


def _dimse(context: Context, stop: threading.Event) -> None:
    from heliograph.exchange.dimse import server

    _settle()
    server.run(context, stop)


def _hl7(context: Context, stop: threading.Event) -> None:
    from heliograph.exchange.hl7 import server

    _settle()
    server.run(context, stop)


def _worker(context: Context, stop: threading.Event) -> None:
    from heliograph.app.worker.main import run

    _settle()
    run(context, stop)


_RUN: dict[str, Callable[[Context, threading.Event], None]] = {
    "web": _web,
    "dimse": _dimse,
    "hl7": _hl7,
    "worker": _worker,
}
