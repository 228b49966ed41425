"""STOW-RS bodies of every shape: each is answered in words, never with a fault of ours, and nothing half stays anywhere."""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import time
from typing import Any

import httpx
import pydicom
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom import dicom_json, read_header
from heliograph.records.archive import spool
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files

WHERE = "/dicomweb/norfjord/studies"
WORDS = {200, 202, 400, 409, 413, 415}
"""What a body may be answered with: stored, some stored, and every kind of refusal (PS3.18 Table 10.5.3-1)."""
GOOD = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")
PIXELS = bytes(pydicom.dcmread(io.BytesIO(GOOD)).PixelData)
DOCUMENT = dicom_json(GOOD, bulk_uri=lambda path: f"bulk/{path}")
KINDS = [
    'multipart/related; type="application/dicom"; boundary=b0',
    'multipart/related; type="application/dicom+json"; boundary=b0',
    "multipart/related; boundary=b0",
]

# ------------------------------------------------------------------ bodies

CONTENTS = st.one_of(
    st.just(GOOD),
    st.integers(0, len(GOOD)).map(lambda at: GOOD[:at]),
    st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=4)).map(
        lambda edit: GOOD[: edit[0]] + edit[1] + GOOD[edit[0] + len(edit[1]) :]
    ),
    st.binary(max_size=300),
    st.sampled_from([b"", b"--b0", b"\r\n--b0\r\n", b"\r\n--b0--\r\n", b"\n--b0", b"\r\n--b0-", PIXELS]),
)
HEADERS = st.one_of(
    st.sampled_from(
        [
            b"Content-Type: application/dicom",
            b"content-type:application/dicom+json",
            b"Content-Type: application/octet-stream\r\nContent-Location: bulk/7FE00010",
            b"Content-Type: image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91\r\nContent-ID: <bulk/7FE00010>",
            b'Content-Type: image/jpeg; transfer-syntax="; drop"',
            b"Content-Length: 99999999999",
            b"Content-Length: -1\r\nContent-Type: application/dicom",
            b"Content-Encoding: gzip\r\nContent-Transfer-Encoding: base64\r\nContent-Type: application/dicom",
            b"Content-Type: \xff\xfe\xf0\r\n: \r\nno colon",
            b"X: " + b"y" * 20_000,
            b"",
        ]
    ),
    st.binary(max_size=40),
)
SEPARATORS = st.sampled_from([b"--b0", b"--b0 \t ", b"--b0x", b"--", b"--b0--", b"--B0"])
BREAKS = st.sampled_from([b"\r\n", b"\n", b"\r", b""])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Parts of any headers and contents between boundaries that are right more often than not; then cut anywhere."""
    br = draw(st.one_of(st.just(b"\r\n"), BREAKS))
    made = draw(st.sampled_from([b"", b"preamble\r\n", b"\r\n"]))
    for _ in range(draw(st.integers(0, 4))):
        separator = draw(st.one_of(st.just(b"--b0"), SEPARATORS))
        made += separator + br + draw(HEADERS) + br * 2 + draw(CONTENTS) + br
    made += draw(st.sampled_from([b"--b0--", b"--b0--\r\n", b"", b"--b0"]))
    if draw(st.integers(0, 3)) == 0:
        made = made[: draw(st.integers(0, len(made)))]
    return made


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.just("\ud800"), st.just(10**40),
    st.sampled_from(["1.2.3", "bulk/7FE00010", "CT", "../../etc", "1.2." + "9" * 70]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)
ENTRIES = st.one_of(
    st.fixed_dictionaries(
        {"vr": st.sampled_from(["PN", "SQ", "UI", "DS", "OB", "OW", "US", "??", ""])},
        optional={
            "Value": st.one_of(st.lists(VALUES, max_size=3), VALUES),
            "BulkDataURI": st.one_of(st.sampled_from(["bulk/7FE00010", "cid:x"]), VALUES),
            "InlineBinary": st.one_of(st.just(base64.b64encode(PIXELS).decode()), VALUES),
        },
    ),
    VALUES,
)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A good document with some of its elements changed, left out or added; or anything."""
    if draw(st.integers(0, 7)) == 0:
        return draw(VALUES)
    document = dict(DOCUMENT)
    for _ in range(draw(st.integers(0, 3))):
        tag = draw(
            st.one_of(st.sampled_from(sorted(DOCUMENT)), st.sampled_from(["00081140", "00020010", "FFFEE000", "x"]))
        )
        if draw(st.booleans()):
            document[tag] = draw(ENTRIES)
        else:
            document.pop(tag, None)
    return document


@st.composite
def metadata_bodies(draw: st.DrawFn) -> bytes:
    """Metadata with bulk data, one of them perhaps missing, twice, elsewhere or under another name."""
    content = json.dumps(draw(st.one_of(documents(), st.lists(documents(), max_size=3)))).encode()
    if draw(st.integers(0, 5)) == 0:
        content = draw(
            st.sampled_from([content[:-3], b"[" * 3000, b'{"a":' * 900, b"\xff\xfe", b"NaN", b"[]", b"1" * 5000])
        )
    metadata = b"--b0\r\nContent-Type: application/dicom+json\r\n\r\n" + content + b"\r\n"
    bulk = (
        b"--b0\r\nContent-Type: application/octet-stream\r\nContent-Location: bulk/7FE00010\r\n\r\n" + PIXELS + b"\r\n"
    )
    parts = draw(
        st.sampled_from(
            [[metadata, bulk], [bulk, metadata], [metadata], [metadata, metadata, bulk], [metadata, bulk, bulk]]
        )
    )
    return b"".join(parts) + draw(st.sampled_from([b"--b0--\r\n", b""]))


# ------------------------------------------------------------------ what must hold


def look_at(context: Context, answer: httpx.Response) -> None:
    """The answer is in words, what it says is stored is whole, and nothing else is left behind."""
    assert answer.status_code in WORDS, answer.text
    kept = spool.waiting(context.settings.spool_dir)
    if answer.status_code in (200, 202, 409):
        told = [item["00081155"]["Value"][0] for item in answer.json().get("00081199", {}).get("Value", [])]
        whole = [read_header(one.path).sop_instance_uid for one in kept if not one.is_refused]
        assert sorted(told) == sorted(whole)
    else:
        for one in kept:
            assert one.is_refused or read_header(one.path).sop_instance_uid
    nothing_half(context)


def nothing_half(context: Context) -> None:
    """Only whole files are in the spool, and they are taken away for the next example."""
    left = [
        p for p in context.settings.spool_dir.rglob("*") if p.is_file() and p.suffix != ".dcm" and ".lock" not in p.name
    ]
    assert left == []
    for folder in context.settings.spool_dir.glob("*"):
        if folder.is_dir():
            shutil.rmtree(folder)


def examples(number: int) -> Any:
    return settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))


def try_bodies(context: Context, cast: Cast, served: Served, number: int) -> None:
    eirik = served.client(cast.eirik)

    @examples(number)
    @given(bodies(), st.sampled_from(KINDS))
    def one(body: bytes, kind: str) -> None:
        look_at(context, eirik.post(WHERE, content=body, headers={"Content-Type": kind}))

    one()


def try_metadata(context: Context, cast: Cast, served: Served, number: int) -> None:
    eirik = served.client(cast.eirik)

    @examples(number)
    @given(metadata_bodies())
    def one(body: bytes) -> None:
        look_at(context, eirik.post(WHERE, content=body, headers={"Content-Type": KINDS[1]}))

    one()


def try_types(context: Context, cast: Cast, served: Served, number: int) -> None:
    """The Content-Type of the request itself, as far as HTTP lets it through."""
    eirik = served.client(cast.eirik)
    body = b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + GOOD + b"\r\n--b0--\r\n"
    words = st.sampled_from(
        [
            "multipart/related",
            "; ",
            "boundary=",
            "b0",
            '"',
            "type=",
            "application/dicom",
            "*=utf-8''b0",
            "=?utf-8?q?b0?=",
            "\\",
            ",",
        ]
    )
    visible = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)

    @examples(number)
    @given(
        st.one_of(
            st.lists(words, max_size=8).map("".join), visible, st.binary(max_size=9).map(lambda b: b.decode("latin-1"))
        )
    )
    def one(kind: str) -> None:
        raw = ("multipart/related; " + kind).encode("latin-1").translate(None, bytes(range(32)) + b"\x7f").strip()
        answer = eirik.post(WHERE, content=body, headers=[(b"Content-Type", raw)])  # type: ignore[list-item]
        if answer.status_code != 400 or answer.headers.get("content-type", "").startswith("application/"):
            look_at(context, answer)

    one()


def try_cuts(context: Context, served: Served, number: int) -> None:
    """The connection breaks anywhere, or the lengths lie: what came whole may stay, and nothing half does."""
    host, port = served.url.removeprefix("http://").split(":")
    token = served.key()
    large = files.ct(
        "1.2.3", "1.2.3.1", size=512
    )  # what is below a mebibyte is looked at in one piece, when it is whole
    body = (
        b"".join(b"--b0\r\nContent-Type: application/dicom\r\n\r\n" + large + b"\r\n" for _ in range(5)) + b"--b0--\r\n"
    )

    @examples(number)
    @given(st.integers(0, len(body)), st.sampled_from([0, 1, 5000]), st.booleans())
    @example(len(body), 0, False)  # whole, so that something is kept: of a cut request nothing need be
    def one(at: int, more: int, chunked: bool) -> None:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body) + more}"
        head = f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{length}\r\nContent-Type: {KINDS[0]}\r\n\r\n"
        sent = f"{len(body):x}\r\n".encode() + body[:at] if chunked else body[:at]
        asked = len(served.routed)
        with socket.create_connection((host, int(port)), timeout=10) as s:
            s.sendall(head.encode() + sent)
            time.sleep(0.05)  # else the break is seen before the body is read
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
        assert len(served.routed) == asked + 1
        for kept in spool.waiting(context.settings.spool_dir):
            assert kept.is_refused or kept.path.read_bytes() == large

    one()
    deadline = time.monotonic() + 20
    while list(context.settings.spool_dir.rglob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert spool.waiting(context.settings.spool_dir) != []
    nothing_half(context)


def test_bodies(context: Context, cast: Cast, served: Served) -> None:
    try_bodies(context, cast, served, 80)


def test_metadata(context: Context, cast: Cast, served: Served) -> None:
    try_metadata(context, cast, served, 80)


def test_types(context: Context, cast: Cast, served: Served) -> None:
    try_types(context, cast, served, 60)


def test_cuts(context: Context, served: Served) -> None:
    try_cuts(context, served, 30)


@pytest.mark.soak
def test_everything_for_long(context: Context, cast: Cast, served: Served) -> None:
    try_bodies(context, cast, served, 3000)
    try_metadata(context, cast, served, 3000)
    try_types(context, cast, served, 2000)
    try_cuts(context, served, 600)
