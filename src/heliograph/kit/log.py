"""Structured logs without patient data: ids, codes, counts and times only."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import MutableMapping
from typing import Any

import structlog

from heliograph.kit.errors import HeliographError


def _where_it_failed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Renders an exception as its types and places, without its text: PostgreSQL and parsers quote the offending value there, which may
    be a patient's. Our own refusals hold none, and keep theirs."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if not isinstance(error, BaseException):
        return event
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = f": {error.detail}" if isinstance(error, HeliographError) else ""
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}{text}")
        lines += [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    event["exception"] = "\n".join(lines)
    return event


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
    ending: list[Any] = [_where_it_failed, renderer]
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
    for name in ("procrastinate", "pynetdicom", "uvicorn.access", "httpx", "alembic", "hl7"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # pydicom quotes a value that it doubts, as a birth date, in a line of its log and in a warning.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    # paramiko tells who signs in where, and each fault with its trace, which its caller tells in its own words.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


def log(name: str) -> Any:
    """A logger for the module `name`."""
    return structlog.get_logger(name)
