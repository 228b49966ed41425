"""Whatever comes on an association, from its request to its data sets: the listener goes on to serve, its memory is bounded, and its spool
holds whole objects or none. Random, but each failure is one that hypothesis shrinks and shows again."""

from __future__ import annotations

import contextlib
import io
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from heliograph.app.context import Context
from heliograph.exchange.dimse.server import listening
from heliograph.kit.codecs.dicom import read_file_meta
from heliograph.kit.net.dicom import StorageListener, pdu
from heliograph.kit.net.dicom import command as dimse
from tests.cast import Cast
from tests.kit.net.dicom.peers import CT, EXPLICIT, IMPLICIT, VERIFICATION, connect, eventually, item, request, value
from tests.records.archive import files

CALLED, CALLING = b"HELIO_NF".ljust(16), b"NF_CT1".ljust(16)
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{n}" for n in (1, 2, 3))
COMMIT, COMMIT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CONTEXTS = (
    (1, CT, (EXPLICIT,)), (3, VERIFICATION, (IMPLICIT,)), (5, FIND, (EXPLICIT,)), (7, GET, (EXPLICIT,)), (9, MOVE, (EXPLICIT,)),
    (11, COMMIT, (EXPLICIT,)),
)  # fmt: skip
ROLES = item(0x54, struct.pack(">H", len(CT)) + CT.encode() + b"\0\1") + item(0x53, b"\0\x08\0\1")
LENGTHS = (0, 1, 2, 3, 5, 6, 7, 255, 0x3FFF_FFFF, 0x7FFF_FFFF, 0xFFFF_FFF0, 0xFFFF_FFFF)
MOST_MEMORY = 256 << 20  # bytes that the whole process may grow by, hypothesis and its examples included
SHORT = {"dimse_network_seconds": 1.5, "dimse_request_seconds": 1.5, "dimse_idle_seconds": 1.5}


def profile(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def listener(context: Context, cast: Cast) -> Iterator[StorageListener]:
    """The listener as it is served, with short times, and a study to be asked for."""
    short = context.settings.model_copy(update={**SHORT, "dimse_refused_per_minute": 100_000})
    data = files.ct("2.999.1", "2.999.1.1", sop="2.999.1.1.1")
    files.index(context.works, context.objects, [files.drop(context.settings.spool_dir, cast, data)])

    class Part:
        works, settings, objects = context.works, short, context.objects

    with listening(Part()) as running:
        yield running


# ------------------------------------------------------------------ what a session is made of


def instance(uid: str) -> bytes:
    """The data set of a small slice."""
    return files.body(files.ct("2.999.2", "2.999.2.1", sop=uid, size=8))


def identifier(**keys: str) -> bytes:
    asked = pydicom.Dataset()
    for keyword, of_key in keys.items():
        setattr(asked, keyword, of_key)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, asked, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def action(message_id: int) -> bytes:
    """An N-ACTION-RQ command set (PS3.7 10.3.4.1)."""
    elements = (
        (0x0003, COMMIT.encode() + b"\0" * (len(COMMIT) % 2)), (0x0100, struct.pack("<H", dimse.N_ACTION_RQ)),
        (0x0110, struct.pack("<H", message_id)), (0x0800, b"\1\0"),
        (0x1001, COMMIT_INSTANCE.encode() + b"\0" * (len(COMMIT_INSTANCE) % 2)), (0x1008, b"\1\0"),
    )  # fmt: skip
    return b"".join(struct.pack("<HHI", 0, element, len(data)) + data for element, data in elements)


STUDY = identifier(
    QueryRetrieveLevel="STUDY", StudyInstanceUID="2.999.1", PatientName="*", NumberOfStudyRelatedInstances=""
)


def commitment() -> bytes:
    one = pydicom.Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, "2.999.1.1.1"
    asked = pydicom.Dataset()
    asked.TransactionUID, asked.ReferencedSOPSequence = generate_uid(entropy_srcs=["fuzz"]), [one]
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, asked, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


COMMITMENT = commitment()


def spoilt(data: bytes) -> st.SearchStrategy[bytes]:
    """The data, sometimes with a few bytes changed, its end gone, or something else altogether."""

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        made = bytearray(data)
        for at in draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=6)):
            made[at] = draw(st.sampled_from([0, 1, 0x2A, 0x3F, 0x5C, 0x7F, 0xFE, 0xFF]) | st.integers(0, 255))
        return bytes(made)

    cut = st.integers(0, len(data)).map(lambda end: data[:end])
    return st.just(data) | changed() | cut | st.binary(max_size=120)


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """A message in its P-DATA-TF PDUs: of any kind, in fragments of any size, its data set right or spoilt."""
    number = draw(st.integers(0, 0xFFFF))
    uid = f"2.999.7.{draw(st.integers(1, 6))}"
    kinds = {
        "store": (1, dimse.encode_store_request(number, CT, uid), instance(uid)),
        "echo": (3, dimse.encode_echo_request(number), b""),
        "find": (5, dimse.encode_query_request(dimse.C_FIND_RQ, number, FIND), STUDY),
        "get": (7, dimse.encode_query_request(dimse.C_GET_RQ, number, GET), STUDY),
        "move": (9, dimse.encode_query_request(dimse.C_MOVE_RQ, number, MOVE, destination="NOWHERE"), STUDY),
        "commit": (11, action(number), COMMITMENT),
        "cancel": (5, dimse.encode_cancel_request(number), b""),
    }
    context, command, data = kinds[draw(st.sampled_from(sorted(kinds)))]
    pdus = [value(context, 3, command)]
    if data:
        data = draw(spoilt(data))
        size = draw(st.sampled_from([7, 64, 1 << 14]))
        pieces = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        pdus += [value(context, 2 if n == len(pieces) else 0, piece) for n, piece in enumerate(pieces, 1)]
    return pdus


@st.composite
def sessions(draw: st.DrawFn) -> bytes:
    """All that a peer says from its request to its release, if it comes to that, with up to five faults in it."""
    pdus = [request(CALLED, CALLING, CONTEXTS, more=ROLES)]
    for message in draw(st.lists(messages(), max_size=5)):
        pdus += message
    if draw(st.booleans()):
        pdus.append(pdu.RELEASE_REQUEST)
    for how in draw(
        st.lists(
            st.sampled_from(["bytes", "pdu length", "value length", "cut", "double", "drop", "swap", "put in"]),
            max_size=5,
        )
    ):
        at = draw(st.integers(0, len(pdus) - 1))
        one = bytearray(pdus[at])
        if how == "bytes" and one:
            for where in draw(st.lists(st.integers(0, len(one) - 1), min_size=1, max_size=4)):
                one[where] = draw(st.integers(0, 255))
        elif how in ("pdu length", "value length"):
            start = 2 if how == "pdu length" else 6
            true = int.from_bytes(one[start : start + 4], "big")
            lie = draw(st.sampled_from(LENGTHS) | st.integers(max(0, true - 9), true + 9) | st.integers(0, 0xFFFF_FFFF))
            one[start : start + 4] = struct.pack(">I", lie & 0xFFFF_FFFF)
        elif how == "cut":
            del one[draw(st.integers(0, len(one))) :]
        elif how == "double":
            pdus.insert(at, bytes(one))
        elif how == "drop":
            one = bytearray()
        elif how == "swap":
            other = draw(st.integers(0, len(pdus) - 1))
            one, pdus[other] = bytearray(pdus[other]), bytes(one)
        else:
            one += draw(st.binary(min_size=1, max_size=40))
        pdus[at] = bytes(one)
    said = b"".join(pdus)
    if draw(st.booleans()):
        return said
    return said[: draw(st.integers(0, len(said)))]


# ------------------------------------------------------------------ what must hold


def say(port: int, data: bytes, *, hangs: bool = False) -> bytes:
    """Says it all, listens for a moment, and says that this is all, unless it `hangs`; what is answered until the end.

    Who ends at once is not answered: an operation looks whether its caller is still there.
    """
    heard = b""
    with connect(port) as sock, contextlib.suppress(OSError):  # it may be closed on the other side before we are done
        sock.sendall(data)
        sock.settimeout(0.04)
        with contextlib.suppress(TimeoutError):
            while piece := sock.recv(1 << 16):
                heard += piece
        sock.settimeout(10)
        if not hangs:
            sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(1 << 16):
            heard += piece
    return heard


def answers(heard: bytes) -> list[dimse.Command]:
    """The command sets of the answers that came whole."""
    found = []
    at = 0
    while at + 12 <= len(heard):
        kind, length = struct.unpack_from(">BxI", heard, at)
        if kind == pdu.P_DATA and heard[at + 11] & 1 and at + 6 + length <= len(heard):
            found.append(dimse.decode_command(heard[at + 12 : at + 6 + length]))
        at += 6 + length
    return found


def stored(heard: bytes) -> set[str]:
    """SOP Instance UIDs that were answered with success or a warning, which both mean stored (PS3.4 B.2.3)."""
    return {
        answer.sop_instance_uid
        for answer in answers(heard)
        if answer.field == dimse.C_STORE_RSP and (answer.status == 0 or answer.status & 0xF000 == 0xB000)
    }


def kept(spool_dir: Path) -> dict[str, Path]:
    """Whole objects of the spool by SOP Instance UID; fails for anything else that lies there."""
    found: dict[str, Path] = {}
    for path in (spool_dir / "incoming").rglob("*"):
        if path.is_dir():
            continue
        assert path.suffix == ".dcm", f"{path.name} is left"
        assert not path.name.startswith(".")
        found[read_file_meta(memoryview(path.read_bytes())).sop_instance_uid] = path
    return found


def holds_after(listener: StorageListener, spool_dir: Path, data: bytes, *, hangs: bool = False) -> None:
    """Says it, and looks: what was answered with success is here, nothing is here by half, and the next peer is served."""
    heard = say(listener.port, data, hangs=hangs)
    eventually(lambda: (listener.associations, listener.gate.figures().silent) == (0, 0))
    found = kept(spool_dir)
    assert stored(heard) <= found.keys()
    assert [p.name for p in (spool_dir / "overflow").iterdir()] == []
    uid, body = "2.999.8.1", instance("2.999.8.1")
    good = (
        value(3, 3, dimse.encode_echo_request(1))
        + value(1, 3, dimse.encode_store_request(2, CT, uid)) + value(1, 2, body) + pdu.RELEASE_REQUEST
    )  # fmt: skip
    answer = say(listener.port, request(CALLED, CALLING, CONTEXTS, more=ROLES) + good)
    assert answer[:1] == bytes([pdu.ASSOCIATE_AC])
    assert answer.endswith(pdu.RELEASE_RESPONSE)
    assert stored(answer) == {uid}
    found = kept(spool_dir)
    assert files.body(found[uid].read_bytes()) == body
    for path in found.values():
        path.unlink()


def grown_by() -> int:
    """The most memory that this process ever had, in bytes (Linux: in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_a_session_without_a_fault_is_served_whole(context: Context, listener: StorageListener) -> None:
    """Else the rest would try nothing."""
    said = request(CALLED, CALLING, CONTEXTS, more=ROLES)
    for context_id, command, data in (
        (1, dimse.encode_store_request(1, CT, "2.999.7.1"), instance("2.999.7.1")),
        (5, dimse.encode_query_request(dimse.C_FIND_RQ, 2, FIND), STUDY),
        (11, action(3), COMMITMENT),
        (9, dimse.encode_query_request(dimse.C_MOVE_RQ, 4, MOVE, destination="NOWHERE"), STUDY),
    ):
        said += value(context_id, 3, command) + value(context_id, 2, data)
    heard = b""
    with connect(listener.port) as sock:
        sock.sendall(said)
        while len(answers(heard)) < 5:
            piece = sock.recv(1 << 16)
            assert piece, [(a.responded_to, a.status) for a in answers(heard)]
            heard += piece
        sock.sendall(pdu.RELEASE_REQUEST)
        while piece := sock.recv(1 << 16):
            heard += piece
    told = [(answer.responded_to, answer.status) for answer in answers(heard)]
    assert told == [(1, 0), (2, 0xFF00), (2, 0), (3, 0), (4, 0xA801)]
    assert heard.endswith(pdu.RELEASE_RESPONSE)
    assert kept(context.settings.spool_dir).keys() == {"2.999.7.1"}


@profile(60)
@given(sessions())
def test_sessions_with_faults(context: Context, listener: StorageListener, data: bytes) -> None:
    holds_after(listener, context.settings.spool_dir, data)


@profile(5)
@given(sessions())
def test_peers_that_say_no_more_and_stay(context: Context, listener: StorageListener, data: bytes) -> None:
    """They are let go when their time is over."""
    holds_after(listener, context.settings.spool_dir, data, hangs=True)


@pytest.mark.parametrize("length", [0x0010_0000, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_length_alone_takes_no_memory(context: Context, listener: StorageListener, length: int) -> None:
    before = grown_by()
    head = request(CALLED, CALLING, CONTEXTS) + value(1, 3, dimse.encode_store_request(1, CT, "2.999.7.1"))
    lies = (struct.pack(">BxIIBB", 4, length, length - 4, 1, 0), struct.pack(">BxIIBB", 4, 100, length, 1, 0))
    for lie in (*(head + one for one in lies), struct.pack(">BxI", 1, length)):
        holds_after(listener, context.settings.spool_dir, lie + bytes(1000))
    assert grown_by() - before < 32 << 20


@pytest.mark.soak
def test_sessions_with_faults_for_long(context: Context, listener: StorageListener) -> None:
    spool_dir = context.settings.spool_dir
    before = grown_by()

    @profile(4000)
    @given(sessions())
    def many(data: bytes) -> None:
        holds_after(listener, spool_dir, data)

    @profile(200)
    @given(sessions())
    def that_stay(data: bytes) -> None:
        holds_after(listener, spool_dir, data, hangs=True)

    many()
    that_stay()
    assert grown_by() - before < MOST_MEMORY
