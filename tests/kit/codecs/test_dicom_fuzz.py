"""Whatever bytes come in, the codec refuses them by name or reads them: never another error, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from heliograph.kit.codecs.dicom import (
    Bulk,
    Correction,
    DicomError,
    FrameTable,
    dicom_json,
    frame_table,
    from_json,
    opened,
    read_frame,
    read_header,
    rewritten,
)
from heliograph.kit.codecs.dicom.bare import BEGINNING, missing_header
from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_BIG, IMPLICIT_LITTLE
from heliograph.kit.codecs.dicom.transcode import transcoded
from tests.kit.codecs import dicom_bytes as made

MOST_INFLATED = 8 << 20
MOST_MEMORY = 1 << 30
"""Bytes that the process may ask for beyond what it has; a value that is believed asks for more at once."""
NAME = 0x00100010
NATIVE = (made.EXPLICIT, IMPLICIT_LITTLE, EXPLICIT_BIG)

# ------------------------------------------------------------------ what is mutated


def _nested(depth: int) -> bytes:
    inner = made.text(0x00080100, "SH", "code")
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
        inner = made.element(0x00081140, "SQ", item)
    return inner


def _samples() -> list[bytes]:
    pixels = made.element(0x7FE00010, "OW", bytes(32))
    texts = [
        made.text(0x00080005, "CS", "ISO 2022 IR 6\\ISO 2022 IR 87"),
        made.text(NAME, "PN", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        made.text(0x00280030, "DS", "0.5\\1e3"),
        made.element(0x00280009, "AT", bytes(4)),
        made.element(0x00189073, "FD", struct.pack("<d", 1.5)),
    ]
    plain = made.data_set(*texts, *made.image(4, 4), pixels, _nested(3))
    framed = made.data_set(*made.image(4, 4, 3), made.encapsulated([b"\xff\xd8\xffa", b"bb", b"cc"], [0, 12, 22]))
    bits = made.data_set(*made.image(3, 3, 5, bits=1), made.element(0x7FE00010, "OB", bytes(6)))
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(plain) + deflater.flush()
    own = [
        made.file(plain),
        made.file(framed, "1.2.840.10008.1.2.4.50"),
        made.file(bits),
        made.file(deflated, next(iter(DEFLATED))),
        plain,
    ]
    names = ("CT_small.dcm", "rtplan.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "reportsi.dcm",
             "rtdose_rle.dcm", "SC_ybr_full_422_uncompressed.dcm", "chrH31.dcm")  # fmt: skip
    found = [path for name in names if (path := get_testdata_file(name, download=False))]
    return own + [_short(Path(path).read_bytes()) for path in map(str, found)]


def _short(content: bytes) -> bytes:
    """The whole header and some of the pixels: every mutation then meets something."""
    return content[:6000]


SAMPLES = _samples()
WORDS = [
    bytes(4), b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff\xff", b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0",
    b"\xfe\xff\xdd\xe0", b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", b"\x28\0\x08\0IS\x0a\x001999999999", b"\x28\0\x10\0US\x02\0\xff\xff",
    b"\x28\0\x00\x01US\x02\0\x40\0", b"SQ\0\0\xff\xff\xff\xff", b"UN\0\0\xff\xff\xff\xff", b"\x08\0\x05\0CS\x0c\0\\ISO 2022 IR",
    b"\x1b$B", b"\x1b(", b"9" * 64, b"1e9999", b"-" * 3, b"\\" * 9, b"=^" * 9, b"\xed\xa0\x80", b"\0\0", b"DICM",
]  # fmt: skip
Edit = Callable[[bytearray], None]


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, float, float, bytes]:
    """One change: what, where and how far (as parts of the length), and with what."""
    what = draw(st.sampled_from(["over", "in", "cut", "end", "twice", "flip"]))
    where, far = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    return what, where, far, draw(st.one_of(st.sampled_from(WORDS), st.binary(min_size=1, max_size=8)))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(SAMPLES)))
    if draw(st.integers(0, 9)) == 0:  # the beginning of one, the end of another
        other = draw(st.sampled_from(SAMPLES))
        content = (
            content[: int(draw(st.floats(0, 1)) * len(content))] + other[int(draw(st.floats(0, 1)) * len(other)) :]
        )
    for what, where, far, word in draw(st.lists(edits(), max_size=6)):
        at = int(where * max(len(content) - 1, 0))
        stretch = int(far * far * far * 512)
        match what:
            case "over":
                content[at : at + len(word)] = word
            case "in":
                content[at:at] = word
            case "cut":
                del content[at : at + stretch]
            case "end":
                del content[at:]
            case "twice":
                content[at:at] = content[at : at + stretch]
            case "flip":
                if content:
                    content[at] ^= 1 << int(far * 7)
    return bytes(content)


# ------------------------------------------------------------------ what must hold


@contextmanager
def little_memory() -> Iterator[None]:
    """What asks for very much memory gets a MemoryError, which no refusal is, and the machine lives on."""
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def everything(content: bytes) -> None:
    """All that is done with a file that came: each may refuse by a DicomError, and by nothing else."""
    missing_header(content[:BEGINNING])
    header = None
    with suppress(DicomError):
        header = read_header(content, max_inflated=MOST_INFLATED)
    with suppress(DicomError):
        document = dicom_json(content, max_inflated=MOST_INFLATED)
        json.dumps(document, allow_nan=False)
        back(document)
    with suppress(DicomError):
        frames(content, frame_table(content, max_inflated=MOST_INFLATED))
    correction = Correction(datetime(2026, 11, 25, tzinfo=UTC))
    for part in (content, memoryview(content)):
        with suppress(DicomError):
            again = b"".join(rewritten(part, {NAME: "Corrected^Name"}, correction))
            if header is not None:
                assert read_header(again, max_inflated=MOST_INFLATED).patient_name.alphabetic == "Corrected^Name"
    if header is not None and header.transfer_syntax_uid in NATIVE:
        with suppress(DicomError):
            for _piece in transcoded(content, made.EXPLICIT):
                pass


def back(document: dict[str, Any]) -> None:
    """The JSON that we made is one that we take, or refuse by name."""
    with suppress(DicomError):
        for _piece in from_json(document, lambda _uri: [Bulk(4, lambda: [b"bulk"])]):
            pass


def frames(content: bytes, table: FrameTable | None) -> None:
    if table is None:
        return
    assert FrameTable.from_bytes(table.to_bytes()) == table
    with opened(content) as data:
        for number in {0, 1, 2, 3, table.frames, table.frames + 1}:
            with suppress(DicomError):
                frame = read_frame(table, number, lambda offset, length: bytes(data[offset : offset + length]))
                assert table.deflated or len(frame) <= len(content)


QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=60_000, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(mutated())
def test_damaged_files(content: bytes) -> None:
    with little_memory():
        everything(content)


@QUICK
@given(st.binary(max_size=600))
@example(b"\x08\x00\x16\x00UI")
def test_any_bytes(content: bytes) -> None:
    with little_memory():
        everything(content)
        everything(bytes(128) + b"DICM" + content)
        everything(made.file(content))


@pytest.mark.soak
@LONG
@given(mutated())
def test_damaged_files_for_long(content: bytes) -> None:
    with little_memory():
        everything(content)


# ------------------------------------------------------------------ JSON

VRS = st.sampled_from(
    ["PN", "SQ", "DS", "IS", "US", "FD", "OB", "AT", "UI", "LO", "UN", "UV", "UT", "CS", "XX", "", "US or SS"]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(10**400), st.just("\ud800"),
    st.just({"Alphabetic": "A^B"}), st.just({"Alphabetic": 7}),
)  # fmt: skip
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
TAGS = st.one_of(
    st.sampled_from(["00100010", "00081140", "7FE00010", "00280008", "FFFEE000", "0010001"]), st.text(max_size=9)
)
ENTRIES = st.dictionaries(
    st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "Other"]), st.one_of(VRS, ANY), max_size=3
)
NEAR = st.recursive(
    st.dictionaries(TAGS, ENTRIES, max_size=4),
    lambda inner: st.dictionaries(
        TAGS, st.fixed_dictionaries({"vr": st.just("SQ"), "Value": st.lists(inner, max_size=2)}), max_size=2
    ),
    max_leaves=12,
)


def deep(levels: int) -> dict[str, Any]:
    """Sequences in sequences."""
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"00081140": {"vr": "SQ", "Value": [document]}}
    return document


def lists(levels: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"00100010": {"vr": "PN", "Value": [7]}}, id="a name that is a number"),
        pytest.param({"00100010": {"vr": [], "Value": ["x"]}}, id="a representation that is a list"),
        pytest.param({"00100010": {"vr": "PN", "Value": lists(900)}}, id="lists in lists"),
        pytest.param(deep(33), id="a sequence too deep"),
        pytest.param(deep(400), id="far too deep"),
    ],
)
def test_json_that_is_no_data_set(document: Any) -> None:
    with pytest.raises(DicomError):
        b"".join(from_json(document))


@QUICK
@given(st.one_of(NEAR, ANY), st.booleans())
def test_any_json(document: Any, is_encapsulated: bool) -> None:
    with suppress(DicomError):
        made_ = b"".join(from_json(document, lambda _uri: [Bulk(3, lambda: [b"abc"])], is_encapsulated=is_encapsulated))
        with suppress(DicomError):
            dicom_json(made_, transfer_syntax_uid=made.EXPLICIT)


@pytest.mark.soak
@LONG
@given(st.one_of(NEAR, ANY), st.booleans())
def test_any_json_for_long(document: Any, is_encapsulated: bool) -> None:
    with suppress(DicomError):
        b"".join(from_json(document, lambda _uri: [Bulk(3, lambda: [b"abc"])], is_encapsulated=is_encapsulated))


# ------------------------------------------------------------------ values that are believed


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, 10**15, -5])
def test_a_number_of_frames_costs_no_memory(number: int) -> None:
    """Frames that an object says it has, and does not have, are not counted out one by one."""
    parts = made.image(4, 4)
    parts.append(made.text(0x00280008, "IS", str(number)))
    content = made.file(
        made.data_set(*parts, made.encapsulated([b"\xff\xd8\xffa", b"\xff\xd8\xffb"])), "1.2.840.10008.1.2.4.50"
    )
    with little_memory():
        everything(content)
        table = frame_table(content)
        assert table is not None
        assert len(table.to_bytes()) < 1000


def test_a_tiny_object_does_not_inflate_without_end() -> None:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(made.data_set(made.element(0x7FE00010, "OB", bytes(MOST_INFLATED))) * 4) + deflater.flush()
    with little_memory():
        everything(made.file(bomb, next(iter(DEFLATED))))
