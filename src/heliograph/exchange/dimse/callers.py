"""Who calls. The database knows; while it is away, callers that were known stay known, so that their images reach the spool."""

from __future__ import annotations

import threading
import time

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from heliograph.kit.actor import Actor, machine, system
from heliograph.kit.log import log
from heliograph.kit.net.dicom import Acceptance, Caller, Refusal
from heliograph.kit.net.dicom.tls import fingerprint
from heliograph.kit.work import WorkFactory
from heliograph.records.sites.queries import KnownCaller, caller_for

_log = log(__name__)

BELIEVED_SECONDS = 3.0
RECORD_EVERY_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
_AWAY = (OperationalError, InterfaceError, PoolTimeout)
_Key = tuple[str, str, str]


def acting(caller: KnownCaller, address: str | None) -> Actor:
    """Who acts in what a caller asks for: it, for its organisation."""
    return machine(caller.calling_ae, caller.id, caller.organization_id, address=address)


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
            return _if_it_is_itself(caller, believed[1])
        try:
            with self._works.read(system("dimse")) as work:
                known = caller_for(work.session, *key)
        except _AWAY:
            if believed is None:
                raise
            _log.warning("the database does not answer; a caller is believed as it was last known")
            return _if_it_is_itself(caller, believed[1])
        with self._lock:
            if known is None:
                self._known.pop(key, None)
            else:
                self._known[key] = (now + BELIEVED_SECONDS, known)
        return _if_it_is_itself(caller, known) if known is not None else Refusal.CALLING_NOT_RECOGNISED

    def record_refusal(self, caller: Caller, refusal: Refusal) -> None:
        """Puts a rejected call on record, at most once a minute for the same caller: it may try for ever.

        An address that has too many is one entry, whatever titles it tries.
        """
        key = caller.key if refusal is not Refusal.TOO_OFTEN else ("", "", caller.address)
        now = time.monotonic()
        with self._lock:
            is_known = now < self._recorded.get(key, 0.0)
            if not is_known:
                if len(self._recorded) >= _MOST_REMEMBERED:
                    self._recorded.clear()
                self._recorded[key] = now + RECORD_EVERY_SECONDS
        if is_known and refusal is Refusal.TOO_OFTEN:
            return
        _log.warning(
            "a DICOM caller was rejected",
            called=_escaped(caller.called_raw or caller.called_ae_title.encode()),
            calling=_escaped(caller.calling_raw or caller.calling_ae_title.encode()),
            address=caller.address,
            tls=caller.tls,
            certificate=fingerprint(caller.certificate) if caller.certificate else None,
            refusal=refusal.name,
        )
        if is_known:
            return
        try:
            with self._works.begin(machine(key[1] or "unnamed", None, address=key[2])) as work:
                work.record(
                    "caller.refused",
                    outcome="refused",
                    reason=refusal.name.lower(),
                    detail={"called_ae": key[0], "calling_ae": key[1], "address": key[2], **_shown(caller)},
                )
        except _AWAY:
            _log.warning("a rejected caller could not be recorded: the database does not answer")


def _if_it_is_itself(caller: Caller, known: KnownCaller) -> Acceptance | Refusal:
    """A title is easily claimed: what its facility asks for besides, TLS or one certificate, is asked for each time."""
    if not caller.tls and (known.tls_required or known.certificate_sha256):
        return Refusal.TLS_REQUIRED
    if known.certificate_sha256 is None:
        return Acceptance(caller, known)
    if caller.certificate is None or fingerprint(caller.certificate) != known.certificate_sha256:
        return Refusal.CERTIFICATE
    return Acceptance(caller, known)


def _shown(caller: Caller) -> dict[str, str]:
    """The certificate that it showed: who keeps the callers compares it with the one that is registered."""
    return {"certificate_sha256": fingerprint(caller.certificate)} if caller.certificate else {}


def _escaped(raw: bytes) -> str:
    """Bytes as they came, padding and all, in printable ASCII: `CT1\\x00\\x00`."""
    return repr(raw)[2:-1]
