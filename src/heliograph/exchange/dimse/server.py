"""The DICOM listener: parse is the kit's, this calls the one use-case and answers."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol, cast

from heliograph.exchange.dimse.callers import Callers
from heliograph.exchange.dimse.doors import figures_file, limits_of, plain_port, tls_of
from heliograph.exchange.dimse.figures import written
from heliograph.exchange.dimse.scratch import overflow, sweep
from heliograph.exchange.dimse.services import services
from heliograph.kit.codecs.dicom import DicomError, part10_header
from heliograph.kit.log import log
from heliograph.kit.net.dicom import Acceptance, Answer, Closed, StorageListener, StoreRequest
from heliograph.kit.net.dicom.tls import TlsNotReady
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive import spool
from heliograph.records.archive.errors import OutOfSpace
from heliograph.records.sites.queries import KnownCaller

_log = log(__name__)

SUCCESS: Final = Answer(0x0000)
# PS3.4 Table B.2-1: A7xx out of resources, A9xx data set does not match SOP class, Cxxx cannot understand, B000/B006/B007
# warnings. We never coerce or discard elements, so we never warn; what does not match is held and shown to a person.
ANSWERS: Final[dict[type[Exception], Answer]] = {
    OutOfSpace: Answer(0xA700, "Out of disk space"),
    DicomError: Answer(0xC000, "Cannot understand"),
}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM})


class Part(Protocol):
    """What this door needs of a running part's context."""

    @property
    def works(self) -> WorkFactory: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def objects(self) -> Objects: ...


def storing(settings: Settings) -> Callable[[Acceptance, StoreRequest], Answer]:
    """The store function: success only when the object is durable in the spool."""

    def store(acceptance: Acceptance, request: StoreRequest) -> Answer:
        known = cast(KnownCaller, acceptance.source)
        try:
            header = part10_header(
                request.sop_class_uid,
                request.sop_instance_uid,
                request.transfer_syntax_uid,
                source_ae_title=acceptance.caller.calling_ae_title,
                sending_ae_title=acceptance.caller.calling_ae_title,
                receiving_ae_title=acceptance.caller.called_ae_title,
            )
            with spool.incoming(
                settings.spool_dir,
                known.organization_id,
                known.facility_id,
                known.id,
                min_free_mb=settings.min_free_mb,
            ) as entry:
                request.write_to(entry.descriptor, header)
                entry.commit()
        except (OutOfSpace, DicomError) as error:
            _log.error("an object was not taken", why=error.code, caller_id=str(known.id))
            return next(answer for kind, answer in ANSWERS.items() if isinstance(error, kind))
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _log.error("an object was not taken: the disk is full", caller_id=str(known.id))
            return ANSWERS[OutOfSpace]
        return SUCCESS

    return store


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
    tls_port, tls = tls_of(settings)
    listener = StorageListener(
        settings.dimse_host,
        plain_port(settings),
        accept=callers.accept,
        store=storing(settings),
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
    with written(listener.gate, figures_file(settings), certificate), listener:
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
