"""C-GET and C-MOVE (PS3.4 C.4.2, C.4.3): an identifier names objects, which go out to who asked or to a node that we know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast
from uuid import UUID

from pydicom import Dataset

from heliograph.exchange.dimse.callers import acting
from heliograph.exchange.dimse.outgoing import converter, outgoing
from heliograph.exchange.dimse.scratch import RETRIEVE, scratch
from heliograph.kit.actor import Actor
from heliograph.kit.codecs.dicom import valid_uid
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom import AssociationError, ProtocolError, SendResult, ToSend, send_objects
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.identifiers import decode_identifier, encode_identifier, text_of
from heliograph.kit.net.dicom.sender import Converter, send_object
from heliograph.kit.net.dicom.services import CANCELLED, PENDING, Conversation, Operation, Reply, Service
from heliograph.kit.objects import Objects
from heliograph.kit.settings import Settings
from heliograph.kit.work import WorkFactory
from heliograph.records.archive.present import Named, Sought, objects_named
from heliograph.records.archive.views import record_view
from heliograph.records.sites.calling import remote_of
from heliograph.records.sites.nodes import NodeFacts, node_for
from heliograph.records.sites.queries import KnownCaller

PATIENT_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"

SUCCESS: Final = 0x0000
SOME_FAILED: Final = 0xB000
CANNOT_PERFORM: Final = 0xA702
UNKNOWN_DESTINATION: Final = 0xA801
MISMATCH: Final = 0xA900
_T = TypeVar("_T")
_LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_KEYS = (("PATIENT", "PatientID"), ("STUDY", "StudyInstanceUID"), ("SERIES", "SeriesInstanceUID"), ("IMAGE", "SOPInstanceUID"))  # fmt: skip


class RetrieveRefused(HeliographError):
    """The request can't be done as it is; `reply` says why."""

    def __init__(self, status: int, comment: str, *offending: int, why: str = "bad_request") -> None:
        super().__init__(comment)
        self.reply, self.why = Reply(status, comment, offending=offending), why


@dataclass
class Count:
    """Sub-operations: how they went so far. What failed is told by its UID, and why the first one did."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)
    why: str = ""

    def add(self, result: SendResult) -> None:
        self.remaining -= 1
        if result.status == 0:
            self.completed += 1
        elif result.stored:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(result.sop_instance_uid)
            self.why = self.why or result.reason

    def pending(self) -> Reply:
        return Reply(PENDING, counts=self._counts() | {dimse.REMAINING: self.remaining})

    def final(self, transfer_syntax: str, *, cancelled: bool) -> Reply:
        """The last response: success, a warning if some failed, a failure if all did, or that it was cancelled."""
        if cancelled:
            status = CANCELLED
        elif not self.failed:
            status = SUCCESS
        else:
            status = SOME_FAILED if self.completed or self.warning else CANNOT_PERFORM
        counts = self._counts() | ({dimse.REMAINING: self.remaining} if cancelled else {})
        if not self.failed_uids:
            return Reply(status, counts=counts)
        failed = Dataset()
        failed.FailedSOPInstanceUIDList = self.failed_uids
        return Reply(status, self.why[:64], encode_identifier(failed, transfer_syntax), counts)

    def _counts(self) -> dict[int, int]:
        found = {dimse.COMPLETED: self.completed, dimse.FAILED: self.failed, dimse.WARNING: self.warning}
        return {element: min(number, 0xFFFF) for element, number in found.items()}


def getting(works: WorkFactory, settings: Settings, objects: Objects) -> Service:
    """C-GET: the objects go out on the association itself, to who takes the role of storage SCP."""

    def serve(asked: Operation, talk: Conversation) -> Reply:
        try:
            found = _found(works, asked)
        except RetrieveRefused as error:
            return _refused(works, asked, error)
        _record(works, asked, found, "asked for")
        count = Count(len(found))
        cancelled = False
        try:
            with scratch(settings.spool_dir, RETRIEVE) as folder:
                convert = converter(folder)
                for one in found:
                    if cancelled := talk.cancelled:
                        break
                    count.add(_sub_operation(talk, outgoing(objects, one.stored), convert))
                    if count.remaining:
                        talk.tell(count.pending())
        finally:  # also when the association breaks: what has gone out has gone out
            _record_end(works, asked, count)
        return count.final(asked.transfer_syntax_uid, cancelled=cancelled)

    return serve


def moving(works: WorkFactory, settings: Settings, objects: Objects) -> Service:
    """C-MOVE: the objects go out on a new association to a node that the organisation knows as a destination."""

    def serve(asked: Operation, talk: Conversation) -> Reply:
        try:
            to = _destination(works, asked)
            found = _found(works, asked)
        except RetrieveRefused as error:
            return _refused(works, asked, error)
        _record(works, asked, found, to.ae_title)
        count = Count(len(found))
        told: set[str] = set()
        asking = _Asking(talk)

        def note(result: SendResult) -> None:
            told.add(result.sop_instance_uid)
            if asking.stopped and result.status is None:
                return  # it was not tried, and counts as remaining
            count.add(result)
            if count.remaining:
                asking.tell(count.pending())

        caller = cast(KnownCaller, asked.acceptance.source)
        try:
            with scratch(settings.spool_dir, RETRIEVE) as folder:
                send_objects(
                    remote_of(settings, to),
                    [outgoing(objects, one.stored) for one in found],
                    on_result=note,
                    convert=converter(folder),
                    originator=(caller.calling_ae, asked.command.message_id),
                    should_stop=asking.should_stop,
                )
        except AssociationError as error:
            if asking.is_gone:
                raise
            for one in found:  # the destination went away: what it has not answered, it has not got
                if one.stored.sop_instance_uid not in told:
                    count.add(SendResult(None, one.stored.sop_instance_uid, None, error.detail))
        finally:
            _record_end(works, asked, count)
        return count.final(asked.transfer_syntax_uid, cancelled=asking.stopped)

    return serve


class _Asking:
    """Who asked for a C-MOVE, on one association, while the objects go out on another: which of the two broke must be told apart."""

    def __init__(self, talk: Conversation) -> None:
        self._talk, self.stopped, self.is_gone = talk, False, False

    def should_stop(self) -> bool:
        self.stopped = self.stopped or self._try(lambda: self._talk.cancelled)
        return self.stopped

    def tell(self, reply: Reply) -> None:
        self._try(lambda: self._talk.tell(reply))

    def _try(self, what: Callable[[], _T]) -> _T:
        try:
            return what()
        except AssociationError:
            self.is_gone = True
            raise


def _sub_operation(talk: Conversation, item: ToSend, convert: Converter) -> SendResult:
    if item.sop_class_uid not in talk.storage_roles:
        return SendResult(None, item.sop_instance_uid, None, "the caller does not take its SOP class", is_final=True)
    return send_object(talk, item, convert=convert)


def _found(works: WorkFactory, asked: Operation) -> list[Named]:
    caller = cast(KnownCaller, asked.acceptance.source)
    sought = _sought(asked)
    with works.read(_actor(asked)) as work:
        return objects_named(work.session, caller.organization_id, sought)


def _sought(asked: Operation) -> Sought:
    """The unique keys of the identifier (PS3.4 C.4.2.1.4, C.4.3.1.3): one value above the level, one or more at it."""
    try:
        identifier = decode_identifier(asked.data, asked.transfer_syntax_uid)
    except ProtocolError as error:
        raise RetrieveRefused(MISMATCH, "The identifier can not be read") from error
    level = text_of(identifier, "QueryRetrieveLevel")
    has_patients = asked.sop_class_uid in (PATIENT_ROOT_MOVE, PATIENT_ROOT_GET)
    if level not in _LEVELS or (level == "PATIENT" and not has_patients):
        raise RetrieveRefused(MISMATCH, "Query/Retrieve Level is missing or not of the model", 0x00080052)
    values = {keyword: tuple(filter(None, text_of(identifier, keyword).split("\\"))) for _, keyword in _KEYS}
    for at, keyword in _KEYS[: _LEVELS.index(level) + 1]:
        given = values[keyword]
        if at == level and not given:
            raise RetrieveRefused(MISMATCH, f"{keyword} is missing")
        if at not in (level, "PATIENT") and len(given) > 1:
            raise RetrieveRefused(MISMATCH, f"{keyword} needs one value")
        if at != "PATIENT" and not all(valid_uid(uid) for uid in given):
            raise RetrieveRefused(MISMATCH, f"{keyword} is not a UID")
    if len(values["PatientID"]) > 1:
        raise RetrieveRefused(MISMATCH, "PatientID needs one value")
    return Sought(
        next(iter(values["PatientID"]), None),
        values["StudyInstanceUID"],
        values["SeriesInstanceUID"] if level in ("SERIES", "IMAGE") else (),
        values["SOPInstanceUID"] if level == "IMAGE" else (),
    )


def _destination(works: WorkFactory, asked: Operation) -> NodeFacts:
    caller = cast(KnownCaller, asked.acceptance.source)
    with works.read(_actor(asked)) as work:
        found = node_for(work.session, caller.organization_id, asked.command.destination)
    if found is not None and found.is_destination:
        return found
    raise RetrieveRefused(UNKNOWN_DESTINATION, "The move destination is not known here", why="unknown_destination")


def _refused(works: WorkFactory, asked: Operation, error: RetrieveRefused) -> Reply:
    """The refusal, which is on record."""
    _record_refusal(works, asked, error.why)
    return error.reply


def _record_refusal(works: WorkFactory, asked: Operation, why: str) -> None:
    caller = cast(KnownCaller, asked.acceptance.source)
    with works.begin(_actor(asked)) as work:
        work.record(
            "images.sent",
            organization_id=caller.organization_id,
            outcome="refused",
            subject_kind="caller",
            subject_id=caller.id,
            reason=why,
            detail={"destination": asked.command.destination[:16]} if asked.command.destination else {},
        )


def _record_end(works: WorkFactory, asked: Operation, count: Count) -> None:
    """How many objects went out, and how many did not, is on record."""
    caller = cast(KnownCaller, asked.acceptance.source)
    sent, unsent = count.completed + count.warning, count.failed + count.remaining
    if sent or unsent:
        with works.begin(_actor(asked)) as work:
            work.record(
                "images.sending_ended",
                organization_id=caller.organization_id,
                outcome="failed" if unsent else "done",
                subject_kind="caller",
                subject_id=caller.id,
                detail={"sent": sent, "unsent": unsent},
            )


def _record(works: WorkFactory, asked: Operation, found: Sequence[Named], destination: str) -> None:
    """Each study that goes out is seen, and on record, before its first object leaves; or that there is nothing for this caller."""
    if not found:  # absent, held or somebody else's: the caller is not told which
        _record_refusal(works, asked, "not_found")
        return
    caller = cast(KnownCaller, asked.acceptance.source)
    counts: dict[UUID, int] = {}
    for one in found:
        counts[one.study_id] = counts.get(one.study_id, 0) + 1
    with works.begin(_actor(asked)) as work:
        for study_id, number in counts.items():
            record_view(work, study_id)
            work.record(
                "images.sent",
                organization_id=caller.organization_id,
                study_id=study_id,
                subject_kind="caller",
                subject_id=caller.id,
                detail={"destination": destination, "instances": number},
            )


def _actor(asked: Operation) -> Actor:
    caller = cast(KnownCaller, asked.acceptance.source)
    return acting(caller, asked.acceptance.caller.address)
