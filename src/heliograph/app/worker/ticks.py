"""Sweeps on the clock: what must happen because time passed, not because something was enqueued.

One worker of a region ticks at a time, by a lock that PostgreSQL frees when that worker dies; the others wait to take over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from heliograph.kit.log import log

_log = log(__name__)
_TRY_LOCK = text("select pg_try_advisory_lock(1952541555)")
_STILL = text("select 1")


@dataclass(frozen=True, slots=True)
class Tick:
    """Run `sweep` every `seconds`."""

    name: str
    seconds: float
    sweep: Callable[[], object]


def run_ticks(engine: Engine, ticks: Sequence[Tick], stop: threading.Event) -> None:
    """Ticks until `stop`. A sweep that fails is logged and tried again at its next time; the others go on."""
    while not stop.is_set():
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if connection.scalar(_TRY_LOCK):
                    try:
                        _tick_while_leading(lambda: connection.scalar(_STILL), ticks, stop)
                    finally:
                        connection.invalidate()  # closed, not pooled: the lock goes with it
        except SQLAlchemyError as error:
            _log.warning("ticks interrupted", error=type(error).__name__)
        stop.wait(2.0)


def _tick_while_leading(still_leading: Callable[[], object], ticks: Sequence[Tick], stop: threading.Event) -> None:
    due = {tick.name: 0.0 for tick in ticks}
    checked = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        if now - checked > 5:
            still_leading()  # raises when the connection, and with it the lock, is gone
            checked = now
        for tick in ticks:
            if now < due[tick.name] or stop.is_set():
                continue
            try:
                tick.sweep()
            except Exception as error:  # noqa: BLE001 (one sweep's fault must not stop the others)
                _log.exception("sweep failed", sweep=tick.name, error=type(error).__name__)
            due[tick.name] = time.monotonic() + tick.seconds
        stop.wait(max(0.05, min(due.values()) - time.monotonic()))
