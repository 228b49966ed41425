"""The DICOM listener: parse is the kit's, this calls the one use-case and answers."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final, Protocol, cast

from heliograph.exchange.dimse.callers import Callers
from heliograph.exchange.dimse.doors import figures_file, limits_of, plain_port, tls_of
from heliograph.exchange.dimse.figures import written
from heliograph.exchange.dimse.scratch import overflow, sweep
from heliograph.exchange.dimse.services import services
from heliograph.kit.codecs.dicom import DicomError, NotDicom, part10_header
from heliograph.kit.codecs.dicom.part10 import nameless_header
from heliograph.kit.log import log
from heliograph.kit.net.dicom import Acceptance, Answer, Closed, StorageListener, StoreRequest
from heliograph.kit.net.dicom.tls import TlsNotReady
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import spool, statuses
from heliograph.records.archive.arrivals import Arrivals
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.archive.look import look
from heliograph.records.archive.quarantine import Quarantine
from heliograph.records.sites.queries import KnownCaller

_log = log(__name__)

SUCCESS: Final = Answer(statuses.SUCCESS)
COMMENTS: Final = {
    statuses.OUT_OF_RESOURCES: "Out of disk space",
    statuses.HELD: "Held: other content is here under this UID",
    statuses.ELEMENTS_DISCARDED: "Stored without elements of groups 0000 and 0002",
    statuses.NOT_OF_ITS_CLASS: "Stored; other UIDs or fewer pixels than it says",
    statuses.TAKEN: "Held, not filed: other content is here under this UID",
    statuses.NOT_KEPT: "Cannot understand, and not kept: the quarantine is full",
}
"""The Error Comment (0000,0902) of each status; of what can't be understood it is the reason, without values of the data set."""
_LONGEST = 64  # of an LO (PS3.5 6.2)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})


class Part(Protocol):
    """What this door needs of a running part's context."""

    @property
    def works(self) -> WorkFactory: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def objects(self) -> Objects: ...


class Storing:
    """Stores what callers send: success only when the object is durable in the spool. Safe for several threads."""

    def __init__(self, settings: Settings, works: WorkFactory) -> None:
        self._settings = settings
        self._arrivals, self._quarantine = Arrivals(works), Quarantine(works, settings)

    def close(self) -> None:
        """Nothing more comes."""
        self._arrivals.close()

    def __call__(self, acceptance: Acceptance, request: StoreRequest) -> Answer:
        """Takes one object. What can't be read is refused, and kept in quarantine."""
        known = cast(KnownCaller, acceptance.source)
        try:
            return self._take(acceptance, request, known)
        except OutOfSpace:
            pass
        except OSError as error:
            if error.errno not in _FULL:
                raise
        _log.error("an object was not taken: the disk is full", caller_id=str(known.id))
        return _answer(statuses.OUT_OF_RESOURCES)

    def _take(self, acceptance: Acceptance, request: StoreRequest, known: KnownCaller) -> Answer:
        settings = self._settings
        with spool.incoming(
            settings.spool_dir, known.organization_id, known.facility_id, known.id, min_free_mb=settings.min_free_mb
        ) as entry:
            wrong: DicomError | None = None
            try:
                header = _file_meta(acceptance, request)
            except DicomError as error:
                wrong, header = error, nameless_header(request.transfer_syntax_uid)
            request.write_to(entry.descriptor, header)
            looked = look(entry)
            wrong = wrong or looked.error
            if wrong is not None or looked.header is None:
                return self._refuse(entry, wrong or NotDicom(), known)
            told = self._arrivals.commit(entry, looked.header)
            if told is not None and (status := statuses.ANSWERS[told]):
                return _answer(status)
        return _answer(looked.warning) if looked.warning else SUCCESS

    def _refuse(self, entry: spool.Incoming, wrong: DicomError, known: KnownCaller) -> Answer:
        _log.error("an object was refused", why=wrong.code, caller_id=str(known.id))
        if self._quarantine.keep(entry):
            return Answer(statuses.status_of(wrong), wrong.detail[:_LONGEST])
        return _answer(statuses.NOT_KEPT)


def _answer(status: int) -> Answer:
    return Answer(status, COMMENTS[status])


def _file_meta(acceptance: Acceptance, request: StoreRequest) -> bytes:
    caller = acceptance.caller
    return part10_header(
        request.sop_class_uid,
        request.sop_instance_uid,
        request.transfer_syntax_uid,
        source_ae_title=caller.calling_ae_title,
        sending_ae_title=caller.calling_ae_title,
        receiving_ae_title=caller.called_ae_title,
    )


@contextmanager
def listening(part: Part) -> Iterator[StorageListener]:
    """The listener on the configured address; port 0 takes a free one (`listener.port`, `listener.tls_port`).

    Raises:
        NoDoor: both ports are off.
    """
    settings = part.settings
    if swept := sweep(settings.spool_dir):
        _log.info("what a killed process had decompressed is deleted", folders=swept)
    callers = Callers(part.works)
    store = Storing(settings, part.works)
    tls_port, tls = tls_of(settings)
    listener = StorageListener(
        settings.dimse_host,
        plain_port(settings),
        accept=callers.accept,
        store=store,
        on_refused=callers.record_refusal,
        on_closed=_closed,
        overflow_folder=overflow(settings.spool_dir),
        limits=limits_of(settings),
        tls_port=tls_port,
        tls=tls.context if tls else None,
        services=services(part.works, settings, part.objects),
    )
    if tls is not None:
        with suppress(TlsNotReady):  # it is logged, and may be mended while we run
            tls.context()
    certificate = settings.dimse_tls_certificate_file
    with closing(store), written(listener.gate, figures_file(settings), certificate), listener:
        _log.info("the DICOM listener is ready", port=listener.port, tls_port=listener.tls_port)
        yield listener


def run(part: Part, stop: threading.Event) -> None:
    """Listens until `stop` is set; running C-STOREs are finished."""
    with listening(part):
        stop.wait()


def _closed(acceptance: Acceptance, closed: Closed) -> None:
    known = cast(KnownCaller, acceptance.source)
    _log.info(
        "an association ended",
        caller_id=str(known.id),
        how=closed.how,
        stored=closed.stored,
        failed=closed.failed,
        bytes=closed.size,
        seconds=round(closed.seconds, 3),
    )
