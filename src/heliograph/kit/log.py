"""Structured logs without patient data: ids, codes, counts and times only."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def set_up_logging(part: str, *, level: str = "INFO", form: str = "auto") -> None:
    """JSON lines, or coloured lines on a terminal, to standard error; every line names its `part` (web, dimse, hl7, worker)."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    ending: list[Any] = [renderer] if console else [structlog.processors.format_exc_info, renderer]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These libraries log what passes through them (identifiers, job arguments, addresses with queries) at INFO.
    for name in ("procrastinate", "pynetdicom", "pydicom", "uvicorn.access", "httpx", "alembic", "hl7"):
        logging.getLogger(name).setLevel(logging.WARNING)


def log(name: str) -> Any:
    """A logger for the module `name`."""
    return structlog.get_logger(name)
