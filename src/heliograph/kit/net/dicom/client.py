"""A query and retrieve SCU: C-FIND, C-MOVE and C-GET (PS3.4 C), each answer as it comes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from heliograph.kit.codecs.dicom import valid_uid
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import Peer, Proposal
from heliograph.kit.net.dicom.calls import Answer, StoreRequest
from heliograph.kit.net.dicom.errors import AssociationError, Failed, PeerGone, ProtocolError
from heliograph.kit.net.dicom.identifiers import decode_identifier, encode_identifier

_ROOT = "1.2.840.10008.5.1.4.1.2."
PATIENT_FIND: Final = _ROOT + "1.1"
STUDY_FIND: Final = _ROOT + "2.1"
STUDY_MOVE: Final = _ROOT + "2.2"
STUDY_GET: Final = _ROOT + "2.3"

PLAIN = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""The syntaxes in which we ask."""
_PENDING = frozenset({0xFF00, 0xFF01})
_CANCELLED = 0xFE00
_DRAINED = 10_000  # answers that may still come after we cancelled

# Best first: what loses nothing, then what else an archive may hold. One context takes all: the peer picks what it has.
STORED_SYNTAXES = (
    EXPLICIT_LITTLE, IMPLICIT_LITTLE, "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103",
)  # fmt: skip
_FIRST_CHOICES = 6
"""So many syntaxes get a context of their own where there is room, so that an object comes as it is kept."""

_IMAGES = "1.2.840.10008.5.1.4.1.1."
COMMON_CLASSES = tuple(
    _IMAGES + tail
    for tail in (
        "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "2", "2.1", "2.2", "3.1", "4", "4.1", "4.2", "4.3", "6.1", "6.2", "7", "7.1", "7.2",
        "7.3", "7.4", "11.1", "11.2", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.3", "20", "30", "66", "66.1", "66.2", "66.4",
        "66.5", "77.1.1", "77.1.2", "77.1.4", "77.1.5.1", "77.1.6", "88.11", "88.22", "88.33", "88.34", "88.50", "88.59", "88.65",
        "88.67", "88.68", "88.71", "104.1", "104.2", "128", "128.1", "130", "481.1", "481.2", "481.3", "481.5",
    )
)  # fmt: skip
"""What to propose for C-GET where the peer does not tell which classes a study has."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a C-MOVE or C-GET stands, as the peer says; None: it does not say (it need not). A claim, not a proof."""

    status: int
    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None
    failed_uids: tuple[str, ...] = ()
    comment: str = ""

    @property
    def is_pending(self) -> bool:
        return self.status in _PENDING


def get_proposals(classes: Iterable[str], kept_in: Iterable[str] = ()) -> list[Proposal]:
    """Contexts for a C-GET of objects of these SOP classes: at most 128 with the query's own.

    `kept_in`: transfer syntaxes that the peer said it has them in (0008,3002); they are proposed first.
    """
    syntaxes = tuple(dict.fromkeys((*(uid for uid in kept_in if valid_uid(uid)), *STORED_SYNTAXES)))
    wanted = list(dict.fromkeys(uid for uid in classes if valid_uid(uid)))[:120]
    room = 126 - len(wanted)
    single: list[Proposal] = []
    for syntax in syntaxes[:_FIRST_CHOICES]:
        if len(single) + len(wanted) > room:
            break
        single += [(uid, (syntax,)) for uid in wanted]
    rest = syntaxes if not single else syntaxes[len(single) // max(len(wanted), 1) :]
    return [(STUDY_GET, PLAIN), *single, *((uid, rest) for uid in wanted)]


def find(
    peer: Peer,
    model: str,
    query: Dataset,
    *,
    limit: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[Dataset, None, None]:
    """C-FIND: each match as it comes. After `limit` matches, or when the caller takes no more, it is cancelled.

    Raises:
        Failed: the peer's last status is none of success. PeerGone, TimedOut, ProtocolError
    """
    context, message_id = _ask(peer, dimse.C_FIND_RQ, model, query)
    count = 0
    finished = False
    try:
        while True:
            answer = peer.response(dimse.C_FIND_RSP, message_id)
            if answer.status not in _PENDING:
                finished = True
                if answer.status != dimse.SUCCESS:
                    raise Failed(answer.status, answer.comment)
                return
            if not answer.has_data_set:
                raise ProtocolError("a match without an identifier")
            yield decode_identifier(_data(peer), peer.contexts[context][1])
            count += 1
            if count == limit or should_stop():
                return
    except AssociationError:
        finished = True
        raise
    finally:
        if not finished:
            _cancel(peer, context, dimse.C_FIND_RSP, message_id)


def move(
    peer: Peer,
    model: str,
    query: Dataset,
    destination: str,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """C-MOVE: has the peer send what `query` names to the AE title `destination`; how it ended, whatever the status.

    Raises:
        PeerGone, TimedOut, ProtocolError
    """
    context, message_id = _ask(peer, dimse.C_MOVE_RQ, model, query, destination=destination)
    stopping = False
    while True:
        progress = _progress(peer, peer.response(dimse.C_MOVE_RSP, message_id), context)
        on_progress(progress)
        if not progress.is_pending:
            return progress
        if not stopping and should_stop():
            stopping = True
            peer.send(context, dimse.encode_cancel_request(message_id))


def get(
    peer: Peer,
    model: str,
    query: Dataset,
    store: Callable[[StoreRequest], int | Answer],
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """C-GET: `store` gets each object as on the wire and answers a status after it is durable; how it ended, whatever the status.

    Raises:
        PeerGone, TimedOut, ProtocolError, and what `store` raises: the association is then aborted
    """
    context, message_id = _ask(peer, dimse.C_GET_RQ, model, query)
    stopping = False
    while True:
        message = peer.receive()
        if message.field == dimse.C_STORE_RQ:
            at = peer.receiver.context_id
            answer = _stored(peer, message, store)
            peer.send(at, dimse.encode_response(message, answer.status, answer.comment))
        elif message.field == dimse.C_GET_RSP and message.responded_to == message_id:
            progress = _progress(peer, message, context)
            on_progress(progress)
            if not progress.is_pending:
                return progress
        else:
            raise ProtocolError("the peer answered another message")
        if not stopping and should_stop():
            stopping = True
            peer.send(context, dimse.encode_cancel_request(message_id))


def _ask(peer: Peer, field: int, model: str, query: Dataset, *, destination: str = "") -> tuple[int, int]:
    context = peer.context_for(model)
    if context is None:
        raise ProtocolError("the peer does not do this kind of query or retrieve")
    message_id = peer.next_message_id()
    request = dimse.encode_query_request(field, message_id, model, destination=destination)
    peer.send(context, request, [encode_identifier(query, peer.contexts[context][1])])
    return context, message_id


def _cancel(peer: Peer, context: int, field: int, message_id: int) -> None:
    """Cancels and waits for the last answer, so that the association can be used again."""
    peer.send(context, dimse.encode_cancel_request(message_id))
    for _ in range(_DRAINED):
        if peer.response(field, message_id).status not in _PENDING:
            return
    peer.abort()
    raise PeerGone("the peer goes on with what was cancelled")


def _stored(peer: Peer, message: dimse.Command, store: Callable[[StoreRequest], int | Answer]) -> Answer:
    receiver = peer.receiver
    abstract, syntax = peer.contexts.get(receiver.context_id, ("", ""))
    if not abstract:
        raise ProtocolError("a message on a presentation context that was not accepted")
    if receiver.too_large:
        return Answer(dimse.OUT_OF_RESOURCES, "Object exceeds the size limit, or the disk is full")
    if not message.has_data_set or not valid_uid(message.sop_instance_uid):
        return Answer(dimse.CANNOT_UNDERSTAND, "No data set or no valid SOP Instance UID")
    if message.sop_class_uid != abstract:
        return Answer(dimse.SOP_CLASS_NOT_SUPPORTED, "SOP Class differs from the context")
    with receiver.data as view:
        answer = store(StoreRequest(abstract, message.sop_instance_uid, syntax, receiver.size, view, receiver.spilled))
    return answer if isinstance(answer, Answer) else Answer(answer)


def _progress(peer: Peer, message: dimse.Command, context: int) -> Progress:
    failed: tuple[str, ...] = ()
    if message.has_data_set:
        uids = decode_identifier(_data(peer), peer.contexts[context][1]).get("FailedSOPInstanceUIDList") or ()
        failed = (str(uids),) if isinstance(uids, str) else tuple(str(uid) for uid in uids)

    def count(element: int) -> int | None:
        return message.number(element) if element in message.fields else None

    return Progress(
        status=message.status,
        remaining=count(dimse.REMAINING),
        completed=count(dimse.COMPLETED),
        failed=count(dimse.FAILED),
        warning=count(dimse.WARNING),
        failed_uids=failed,
        comment=message.comment,
    )


def _data(peer: Peer) -> bytes:
    receiver = peer.receiver
    if receiver.too_large or receiver.spilled is not None:
        raise ProtocolError("an identifier is too long")
    with receiver.data as view:
        return bytes(view)


__all__: Sequence[str] = (
    "COMMON_CLASSES", "PATIENT_FIND", "PLAIN", "STORED_SYNTAXES", "STUDY_FIND", "STUDY_GET", "STUDY_MOVE", "Progress", "find", "get",
    "get_proposals", "move",
)  # fmt: skip
