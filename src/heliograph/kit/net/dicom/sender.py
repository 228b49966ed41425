"""A storage SCU: sends files as they are, without decoding them (PS3.4 B)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from heliograph.kit.codecs.dicom import BadIdentity, DicomError, FileMeta, opened, read_file_meta, valid_uid
from heliograph.kit.net.dicom import command as dimse
from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.contexts import VERIFICATION
from heliograph.kit.net.dicom.errors import AssociationError, PeerGone, ProtocolError, Rejected
from heliograph.kit.net.dicom.wire import Receiver, Released, Wire

_MAX_CONTEXTS = 128
_OWN_MAX_PDU = 64 << 10
_LARGEST_PDU = 1 << 20


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one file: the peer's status, or None and why nothing came of it."""

    path: Path
    sop_instance_uid: str
    status: int | None
    error: str = ""

    @property
    def stored(self) -> bool:
        """Success, or a warning, which also means stored (PS3.4 B.2.3)."""
        return self.status is not None and (self.status == 0 or self.status & 0xF000 == 0xB000)


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
) -> list[SendResult]:
    """Send DICOM files in their order, over one association (more if they need over 128 contexts).

    Each file goes out in its own transfer syntax; a peer that does not accept it gets no other: the
    result then says so. When the association breaks, the files that are left say so, too.

    Raises:
        Rejected: the peer rejects the association.
        PeerGone, TimedOut: there is no association at all.
    """
    results: list[SendResult] = []

    def done(result: SendResult) -> None:
        results.append(result)
        if on_progress is not None:
            on_progress(result)

    readable: list[tuple[Path, FileMeta]] = []
    for path in files:
        try:
            readable.append((path, _meta(path)))
        except (DicomError, OSError) as error:
            done(SendResult(path, "", None, f"not sent: {error}"))
    for batch in _batches(readable):
        pairs = list(dict.fromkeys((m.sop_class_uid, m.transfer_syntax_uid) for _, m in batch))
        with associate(host, port, called=called, calling=calling, pairs=pairs, timeout=timeout, tls=tls) as peer:
            broken = ""
            for path, meta in batch:
                try:
                    done(SendResult(path, meta.sop_instance_uid, None, broken) if broken else peer.store(path, meta))
                except AssociationError as error:
                    broken = f"not sent: {error}"
                    done(SendResult(path, meta.sop_instance_uid, None, broken))
    return results


def verify(
    host: str,
    port: int,
    *,
    called: str,
    calling: str,
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> float:
    """Send a C-ECHO; the seconds until its answer.

    Raises:
        AssociationError: there was none, or not success.
    """
    pairs = [(VERIFICATION, "1.2.840.10008.1.2")]
    started = time.monotonic()
    with associate(host, port, called=called, calling=calling, pairs=pairs, timeout=timeout, tls=tls) as peer:
        peer.echo()
    return time.monotonic() - started


@contextlib.contextmanager
def associate(
    host: str,
    port: int,
    *,
    called: str,
    calling: str,
    pairs: list[tuple[str, str]],
    timeout: float = 60.0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Peer]:
    """An association with one context for each (SOP class, transfer syntax) of `pairs`; at most 128.

    Raises:
        Rejected, PeerGone, TimedOut, ProtocolError
    """
    try:
        sock = socket.create_connection((host, port), timeout=min(timeout, 15.0))
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=host)
    except OSError as error:
        raise PeerGone(f"no connection: {error.strerror or type(error).__name__}") from None
    wire = Wire(sock, timeout)
    try:
        contexts = [pdu.ProposedContext(2 * k + 1, a, (t,)) for k, (a, t) in enumerate(pairs)]
        wire.write(pdu.encode_associate_request(called, calling, contexts, _OWN_MAX_PDU))
        kind, body = wire.read_associate(timeout)
        if kind == pdu.ASSOCIATE_RJ and len(body) == 4:
            raise Rejected(*body[1:4])
        if kind == pdu.ABORT:
            raise PeerGone("the peer aborted the association")
        if kind != pdu.ASSOCIATE_AC:
            raise ProtocolError
        answer = pdu.decode_associate_accept(body)
        usable = {pairs[(i - 1) // 2]: i for i in answer.accepted if i % 2 and i // 2 < len(pairs)}
        peer = Peer(wire, usable, answer.max_pdu, timeout)
        yield peer
        peer.release()
    finally:
        wire.close()


class Peer:
    """The other end of an association that we opened. Not for several threads."""

    def __init__(self, wire: Wire, contexts: dict[tuple[str, str], int], max_pdu: int, timeout: float) -> None:
        self._wire, self._contexts = wire, contexts
        # The peer's declared maximum binds us; 0 means that it has none (PS3.8 D.1).
        self._fragment = min(max_pdu or _LARGEST_PDU, _LARGEST_PDU) - 6
        self._receiver = Receiver(
            wire, memory_limit=1 << 20, max_bytes=1 << 20, folder=None, within=timeout, idle=timeout
        )
        self._message_id = 0
        if self._fragment < 1:
            raise ProtocolError("the peer takes no data")

    def store(self, path: Path, meta: FileMeta) -> SendResult:
        """Send one file and wait for the answer."""
        context = self._contexts.get((meta.sop_class_uid, meta.transfer_syntax_uid))
        if context is None:
            return SendResult(path, meta.sop_instance_uid, None, "not sent: the peer did not accept its syntax")
        self._message_id = self._message_id % 0xFFFF + 1
        request = dimse.encode_store_request(self._message_id, meta.sop_class_uid, meta.sop_instance_uid)
        with opened(path) as content:
            data = content[meta.data_set_offset :]
            self._wire.write_parts([pdu.encode_message(context, request), *self._fragments(context, data)])
            data.release()
        answer = self._response(dimse.C_STORE_RSP)
        return SendResult(path, meta.sop_instance_uid, answer.status, answer.comment)

    def echo(self) -> None:
        """C-ECHO; raises ProtocolError unless it succeeds."""
        context = next(iter(self._contexts.values()), None)
        if context is None:
            raise ProtocolError("the peer does not accept Verification")
        self._message_id = self._message_id % 0xFFFF + 1
        self._wire.write(pdu.encode_message(context, dimse.encode_echo_request(self._message_id)))
        answer = self._response(dimse.C_ECHO_RSP)
        if answer.status != dimse.SUCCESS:
            raise ProtocolError(f"the peer answered status {answer.status:04X}")

    def release(self) -> None:
        """End the association in order; a peer that is gone already is no matter."""
        with contextlib.suppress(AssociationError, Released):
            self._wire.set_timeout(5.0)
            self._wire.write(pdu.RELEASE_REQUEST)
            self._wire.read(10)

    def _response(self, field: int) -> dimse.Command:
        try:
            self._receiver.receive()
        except Released:
            raise PeerGone("the peer wants to release the association") from None
        answer = self._receiver.command
        if answer.field != field or answer.responded_to != self._message_id:
            raise ProtocolError("the peer answered another message")
        return answer

    def _fragments(self, context: int, data: memoryview) -> Iterator[bytes | memoryview]:
        for at in range(0, len(data), self._fragment):
            piece = data[at : at + self._fragment]
            last = 0x02 if at + self._fragment >= len(data) else 0x00
            yield struct.pack(">BxIIBB", pdu.P_DATA, len(piece) + 6, len(piece) + 2, context, last)
            yield piece


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


def _batches(files: list[tuple[Path, FileMeta]]) -> Iterator[list[tuple[Path, FileMeta]]]:
    """Consecutive files that together need at most 128 presentation contexts."""
    rest = iter(files)
    while batch := list(islice(rest, 1)):
        pairs = {(m.sop_class_uid, m.transfer_syntax_uid) for _, m in batch}
        for item in rest:
            pair = (item[1].sop_class_uid, item[1].transfer_syntax_uid)
            if pair not in pairs and len(pairs) == _MAX_CONTEXTS:
                rest = iter([item, *rest])
                break
            pairs.add(pair)
            batch.append(item)
        yield batch
