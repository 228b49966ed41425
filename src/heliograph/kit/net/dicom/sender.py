"""A storage SCU: sends objects as they are, without decoding them (PS3.4 B)."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from heliograph.kit.codecs.dicom import BadIdentity, DicomError, FileMeta, opened, read_file_meta, valid_uid
from heliograph.kit.codecs.dicom.part10 import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom.association import MAX_CONTEXTS, Peer, Remote, associate
from heliograph.kit.net.dicom.contexts import VERIFICATION
from heliograph.kit.net.dicom.errors import AssociationError, Failed, PeerGone, ProtocolError, status_words

UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""What nearly every peer takes (PS3.5 10.1), best first: what an object may be decompressed into."""

_CANCELLED = "not sent: cancelled"


@dataclass(frozen=True, slots=True)
class ToSend:
    """An object to send: its identity, and its data set's bytes, opened when its turn comes.

    `content` gives the bytes in chunks of even length; it may be called again.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    content: Callable[[], contextlib.AbstractContextManager[Iterable[bytes | memoryview]]]
    path: Path | None = None


Converter = Callable[[ToSend, str], ToSend]
"""Gives the object in that uncompressed transfer syntax, or raises a DicomError that says why it can't."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one object: the peer's status, or None and why nothing came of it.

    `error` is the peer's own comment where there is a status: it may name a patient.
    """

    path: Path | None
    sop_instance_uid: str
    status: int | None
    error: str = ""
    is_final: bool = False
    """No further try would do better: the peer takes it in no form that we have."""

    @property
    def stored(self) -> bool:
        """Success, or a warning, which also means stored (PS3.4 B.2.3)."""
        return self.status is not None and (self.status == 0 or self.status & 0xF000 == 0xB000)

    @property
    def reason(self) -> str:
        """Why it was not stored, in our words, without the peer's comment."""
        if self.stored:
            return ""
        return (
            self.error if self.status is None else f"refused with status {self.status:04X}: {status_words(self.status)}"
        )


def file_to_send(path: Path) -> ToSend:
    """A DICOM file as an object to send.

    Raises:
        DicomError, OSError
    """
    meta = _meta(path)

    @contextlib.contextmanager
    def content() -> Iterator[Iterable[bytes | memoryview]]:
        with opened(path) as view:
            data = view[meta.data_set_offset :]
            try:
                yield (data,)
            finally:
                data.release()

    return ToSend(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, content, path)


def send_files(
    host: str,
    port: int,
    *,
    called: str,
    calling: str,
    files: Iterable[Path],
    on_progress: Callable[[SendResult], None] | None = None,
    timeout: float = 60.0,
    tls: ssl.SSLContext | None = None,
    convert: Converter | None = None,
) -> list[SendResult]:
    """Send DICOM files in their order, over one association (more if they need over 128 contexts).

    See `send_objects`, which raises what this raises.
    """
    results: list[SendResult] = []

    def done(result: SendResult) -> None:
        results.append(result)
        if on_progress is not None:
            on_progress(result)

    readable: list[ToSend] = []
    for path in files:
        try:
            readable.append(file_to_send(path))
        except (DicomError, OSError) as error:
            done(SendResult(path, "", None, f"not sent: {error}"))
    remote = Remote(host, port, called, calling, tls, min(timeout, 15.0), timeout)
    send_objects(remote, readable, on_result=done, convert=convert)
    return results


def send_objects(
    remote: Remote,
    objects: Sequence[ToSend],
    *,
    on_result: Callable[[SendResult], None],
    convert: Converter | None = None,
    originator: tuple[str, int] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Send objects in their order and tell what became of each, once.

    Each goes out in its own transfer syntax. If the peer does not take that one, it is converted by `convert` into an uncompressed one
    that the peer took; else it is not sent, and its result says why: never are its bytes sent under another syntax. When
    the association breaks, or `should_stop` says so, what is left says so, too.
    `originator`: AE title and message id of the C-MOVE that asks for it (PS3.7 9.3.1.1.8).

    Raises:
        NotConnected, Rejected, PeerGone, TimedOut, ProtocolError: there is no (or no further) association at all.
    """
    for batch, pairs in _batches(objects, convert is not None):
        broken = ""
        if should_stop():  # no association for what is not to be sent any more
            for item in batch:
                on_result(SendResult(item.path, item.sop_instance_uid, None, _CANCELLED))
            continue
        with contextlib.ExitStack() as stack:
            peer = stack.enter_context(associate(remote, [(a, (t,)) for a, t in pairs]))
            for item in batch:
                if not broken and should_stop():
                    broken = _CANCELLED
                if broken:
                    on_result(SendResult(item.path, item.sop_instance_uid, None, broken))
                    continue
                try:
                    result = send_object(peer, item, convert=convert, originator=originator)
                except AssociationError as error:
                    broken = f"not sent: {error}"
                    result = SendResult(item.path, item.sop_instance_uid, None, broken)
                on_result(result)


def send_object(
    peer: Peer, item: ToSend, *, convert: Converter | None = None, originator: tuple[str, int] | None = None
) -> SendResult:
    """Send one object on an open association and wait for the answer.

    Raises:
        AssociationError: the association is at its end.
    """

    def unsent(why: str, *, is_final: bool = True) -> SendResult:
        return SendResult(item.path, item.sop_instance_uid, None, f"not sent: {why}", is_final)

    context = peer.context_for(item.sop_class_uid, item.transfer_syntax_uid)
    if context is None:
        found = ((peer.context_for(item.sop_class_uid, t), t) for t in UNCOMPRESSED)
        context, target = next(((c, t) for c, t in found if c is not None), (None, ""))
        if context is None or convert is None:
            return unsent(
                "the peer did not accept its syntax" if _knows(peer, item) else "the peer did not accept its SOP class"
            )
        try:
            item = convert(item, target)
        except (HeliographError, OSError) as error:
            return unsent(f"the peer takes it only uncompressed, and it can't be decompressed: {error}")
    message_id = peer.next_message_id()
    request = dimse.encode_store_request(message_id, item.sop_class_uid, item.sop_instance_uid, originator=originator)
    with contextlib.ExitStack() as stack:
        try:
            data = stack.enter_context(item.content())
        except (HeliographError, OSError) as error:
            return unsent(f"it can't be read: {type(error).__name__}", is_final=False)
        try:
            peer.send(context, request, data)
        except AssociationError:
            raise
        except (
            HeliographError,
            OSError,
        ) as error:  # half a message is on its way: only the end of the association mends that
            peer.abort()
            raise PeerGone("an object could not be read to its end") from error
    answer = peer.response(dimse.C_STORE_RSP, message_id)
    return SendResult(item.path, item.sop_instance_uid, answer.status, answer.comment)


def verify(
    host: str,
    port: int,
    *,
    called: str,
    calling: str,
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> float:
    """Send a C-ECHO; the seconds from the call to its answer.

    Raises:
        AssociationError: there was none, or not success.
    """
    remote = Remote(host, port, called, calling, tls, timeout, timeout, longest=2 * timeout)
    started = time.monotonic()
    with associate(remote, [(VERIFICATION, (IMPLICIT_LITTLE, EXPLICIT_LITTLE))]) as peer:
        context = peer.context_for(VERIFICATION)
        if context is None:
            raise ProtocolError("the peer does not accept Verification")
        message_id = peer.next_message_id()
        peer.send(context, dimse.encode_echo_request(message_id))
        answer = peer.response(dimse.C_ECHO_RSP, message_id)
        if answer.status != dimse.SUCCESS:
            raise Failed(answer.status, answer.comment)
        return time.monotonic() - started


def _knows(peer: Peer, item: ToSend) -> bool:
    return peer.context_for(item.sop_class_uid) is not None


def _meta(path: Path) -> FileMeta:
    with path.open("rb") as file:
        meta = read_file_meta(memoryview(file.read(8192)))
    for keyword, uid in (
        ("MediaStorageSOPClassUID", meta.sop_class_uid),
        ("MediaStorageSOPInstanceUID", meta.sop_instance_uid),
    ):
        if not valid_uid(uid):
            raise BadIdentity(keyword, "is missing or is not a valid UID")
    return meta


def _pairs(item: ToSend, may_convert: bool) -> tuple[tuple[str, str], ...]:
    syntaxes = (item.transfer_syntax_uid, *UNCOMPRESSED) if may_convert else (item.transfer_syntax_uid,)
    return tuple((item.sop_class_uid, syntax) for syntax in dict.fromkeys(syntaxes))


def _batches(objects: Sequence[ToSend], may_convert: bool) -> Iterator[tuple[list[ToSend], list[tuple[str, str]]]]:
    """Consecutive objects that together need at most 128 presentation contexts, and those."""
    rest = iter(objects)
    while batch := list(islice(rest, 1)):
        pairs = dict.fromkeys(_pairs(batch[0], may_convert))
        for item in rest:
            more = dict.fromkeys((*pairs, *_pairs(item, may_convert)))
            if len(more) > MAX_CONTEXTS:
                rest = _again(item, rest)
                break
            pairs = more
            batch.append(item)
        yield batch, list(pairs)


def _again(item: ToSend, rest: Iterator[ToSend]) -> Iterator[ToSend]:
    yield item
    yield from rest
