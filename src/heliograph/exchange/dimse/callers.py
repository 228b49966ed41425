"""Who calls. The database knows; while it is away, callers that were known stay known, so that their images reach the spool."""

from __future__ import annotations

import threading
import time

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.kit.actor import machine, system
from heliograph.kit.log import log
from heliograph.kit.net.dicom import Acceptance, Caller, Refusal
from heliograph.kit.work import WorkFactory
from heliograph.records.sites.queries import KnownCaller, caller_for

_log = log(__name__)

BELIEVED_SECONDS = 3.0
RECORD_EVERY_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
_AWAY = (OperationalError, InterfaceError, PoolTimeout)
_Key = tuple[str, str, str]


class Callers:
    """Answers association requests. Safe for several threads."""

    def __init__(self, works: WorkFactory) -> None:
        self._works = works
        self._lock = threading.Lock()
        self._known: dict[_Key, tuple[float, KnownCaller]] = {}
        self._recorded: dict[_Key, float] = {}

    def accept(self, caller: Caller) -> Acceptance | Refusal:
        """The known caller as the acceptance's source, or that nobody here knows it.

        Raises an SQLAlchemy error when the database is away and the caller was not known before: the listener answers with a
        transient rejection, and the caller tries again.
        """
        key = (caller.called_ae_title, caller.calling_ae_title, caller.address)
        now = time.monotonic()
        with self._lock:
            believed = self._known.get(key)
        if believed is not None and believed[0] > now:
            return Acceptance(caller, believed[1])
        try:
            with self._works.read(system("dimse")) as work:
                known = caller_for(work.session, *key)
        except _AWAY:
            if believed is None:
                raise
            _log.warning("the database does not answer; a caller is believed as it was last known")
            return Acceptance(caller, believed[1])
        with self._lock:
            if known is None:
                self._known.pop(key, None)
            else:
                self._known[key] = (now + BELIEVED_SECONDS, known)
        return Acceptance(caller, known) if known is not None else Refusal.CALLING_NOT_RECOGNISED

    def record_refusal(self, caller: Caller, refusal: Refusal) -> None:
        """Puts a rejected call on record, at most once a minute for the same caller: it may try for ever."""
        key = (caller.called_ae_title, caller.calling_ae_title, caller.address)
        _log.warning(
            "a DICOM caller was rejected",
            called=key[0],
            calling=key[1],
            address=key[2],
            refusal=refusal.name,
        )
        now = time.monotonic()
        with self._lock:
            if now < self._recorded.get(key, 0.0):
                return
            if len(self._recorded) >= _MOST_REMEMBERED:
                self._recorded.clear()
            self._recorded[key] = now + RECORD_EVERY_SECONDS
        try:
            with self._works.begin(machine(key[1] or "unnamed", None, address=key[2])) as work:
                work.record(
                    "caller.refused",
                    outcome="refused",
                    reason=refusal.name.lower(),
                    detail={"called_ae": key[0], "calling_ae": key[1], "address": key[2]},
                )
        except _AWAY:
            _log.warning("a rejected caller could not be recorded: the database does not answer")
