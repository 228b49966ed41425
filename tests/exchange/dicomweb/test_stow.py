"""STOW-RS over a real server: every way to write a body, what is told of each object, and nothing half (field reports D01-D03, D14)."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.encaps import generate_frames

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.multipart import parts
from heliograph.kit.codecs.dicom import dicom_json
from heliograph.records.archive import spool
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.records.archive import files

WHERE = "/dicomweb/norfjord/studies"
JPEG = Path(pydicom.__file__).parent / "data" / "test_files" / "JPEG2000.dcm"
DICOM = {"Content-Type": "application/dicom"}


def body_of(boundary: str, *contents: bytes) -> bytes:
    return b"".join(parts(boundary, [(DICOM, (content,)) for content in contents]))


def send(
    client: httpx.Client,
    content: Any,
    kind: str = 'multipart/related; type="application/dicom"; boundary=b0',
    **more: str,
) -> httpx.Response:
    return client.post(WHERE, content=content, headers={"Content-Type": kind, **more})


def kept(context: Context) -> list[bytes]:
    return [one.path.read_bytes() for one in spool.waiting(context.settings.spool_dir) if not one.is_refused]


def leftovers(context: Context) -> list[Path]:
    return [p for p in context.settings.spool_dir.rglob("*") if p.is_file() and p.suffix != ".dcm"]


def failed(answer: httpx.Response) -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.json()["00081198"]["Value"]]


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/related; type=application/dicom; boundary=b0",
        'multipart/related; type="application/dicom"; boundary="b0"',
        'multipart/related; boundary=b0; type="application/dicom"',
        'Multipart/Related; Boundary="b0"; TYPE="Application/DICOM"; charset=utf-8',
        "multipart/related; boundary=b0",
        'multipart/related;type="application/dicom; transfer-syntax=*";boundary=b0;start="<x>"',
    ],
)
def test_parameters_in_every_form(context: Context, cast: Cast, served: Served, kind: str) -> None:
    data = files.ct("1.2.3", "1.2.3.1")
    answer = send(served.client(cast.eirik), body_of("b0", data), kind)
    assert (answer.status_code, kept(context)) == (200, [data])


def test_the_boundary_inside_an_object_is_content(context: Context, cast: Cast, served: Served) -> None:
    study = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1")))
    study.add_new(0x00091001, "OB", b"--b0--\n--b0\r\n\r\n--b0x\r\n--b01\r\n \r\n -b0--b0 ")
    buffer = io.BytesIO()
    study.save_as(buffer)
    answer = send(
        served.client(cast.eirik), b"preamble\r\n" + body_of("b0", buffer.getvalue()) + b"\r\n--b0\r\nepilogue"
    )
    assert (answer.status_code, kept(context)) == (200, [buffer.getvalue()])


def test_line_feeds_alone_are_understood(context: Context, cast: Cast, served: Served) -> None:
    data = files.ct("1.2.3", "1.2.3.1")
    content = b"--b0\nContent-Type: application/dicom\n\n" + data + b"\n--b0--\n"
    assert (send(served.client(cast.eirik), content).status_code, kept(context)) == (200, [data])


def test_a_chunked_body_of_unknown_length(context: Context, cast: Cast, served: Served) -> None:
    _, _, data = files.series_of(3, size=700)
    content = body_of("b0", *data)

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(content), 99_991):
            yield content[at : at + 99_991]

    answer = send(served.client(cast.eirik), pieces())
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert (answer.status_code, len(answer.json()["00081199"]["Value"])) == (200, 3)
    assert sorted(kept(context)) == sorted(data)


@pytest.mark.parametrize("content", [b"", b"--b0--\r\n", b"no boundary"])
def test_a_body_without_objects_is_refused(context: Context, cast: Cast, served: Served, content: bytes) -> None:
    eirik = served.client(cast.eirik)
    assert send(eirik, content).status_code == 400
    assert send(eirik, b"", "application/dicom").status_code == 400
    assert kept(context) == []


def test_a_missing_end_costs_the_last_object_alone(context: Context, cast: Cast, served: Served) -> None:
    _, _, data = files.series_of(2)
    whole = body_of("b0", *data)
    answer = send(served.client(cast.eirik), whole[:-40])
    assert (answer.status_code, failed(answer), kept(context)) == (202, [0xC000], [data[0]])
    # Where only the closing dashes are missing, the last object is whole too.
    answer = send(served.client(cast.eirik), whole.removesuffix(b"--\r\n"))
    assert answer.status_code == 200


def test_each_failure_is_told(context: Context, cast: Cast, served: Served) -> None:
    good, other = files.ct("1.2.3", "1.2.3.1"), files.ct("1.2.9", "1.2.9.1", sop="1.2.9.1.1")
    eirik = served.client(cast.eirik)
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b0'}
    answer = eirik.post(f"{WHERE}/1.2.3", content=body_of("b0", good, other, b"unreadable"), headers=headers)
    assert (answer.status_code, failed(answer), kept(context)) == (202, [0xA900, 0xC000], [good])
    assert answer.json()["00081198"]["Value"][0]["00081155"]["Value"] == ["1.2.9.1.1"]
    (stored,) = answer.json()["00081199"]["Value"]
    assert stored["00081190"]["Value"][0].endswith(f"/instances/{stored['00081155']['Value'][0]}")
    assert answer.json()["00081190"]["Value"][0].endswith("/dicomweb/norfjord/studies/1.2.3")
    assert leftovers(context) == []


def test_what_is_odd_is_stored_with_a_warning(context: Context, cast: Cast, served: Served) -> None:
    ds = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1")))
    ds.PixelData = ds.PixelData[:100]
    buffer = io.BytesIO()
    ds.save_as(buffer)
    answer = send(served.client(cast.eirik), body_of("b0", buffer.getvalue()))
    assert (answer.status_code, kept(context)) == (202, [buffer.getvalue()])
    assert answer.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0xB007]


def test_media_types_of_body_and_answer(context: Context, cast: Cast, served: Served) -> None:
    eirik, data = served.client(cast.eirik), body_of("b0", files.ct("1.2.3", "1.2.3.1"))
    assert send(eirik, data, 'multipart/related; type="application/dicom+xml"; boundary=b0').status_code == 415
    assert send(eirik, data, "application/dicom+json").status_code == 415
    assert send(eirik, data, Accept="application/dicom+xml").status_code == 406
    assert kept(context) == []
    assert send(eirik, data, Accept="application/json").headers["content-type"] == "application/json"


def test_a_full_disk_is_told(context: Context, cast: Cast, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system's answer is what a full disk gives; everything of ours is real."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(spool.os, "fsync", full)
    answer = send(served.client(cast.eirik), body_of("b0", files.ct("1.2.3", "1.2.3.1")))
    assert (answer.status_code, failed(answer)) == (507, [0xA700])
    assert (kept(context), leftovers(context)) == ([], [])


def test_a_client_that_goes_away_leaves_nothing_half(context: Context, cast: Cast, served: Served) -> None:
    _, _, data = files.series_of(2, size=800)
    content = body_of("b0", *data)
    host, port = served.url.removeprefix("http://").split(":")
    head = (
        f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\nContent-Length: {len(content)}\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=b0\r\n\r\n'
    )
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(head.encode() + content[:-1000])
        time.sleep(0.3)
    deadline = time.monotonic() + 20
    while leftovers(context) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leftovers(context) == []
    assert all(one in data for one in kept(context))


# ------------------------------------------------------------------ metadata and bulk data


def metadata_body(documents: Any, bulk: list[tuple[dict[str, str], bytes]]) -> bytes:
    metadata = json.dumps(documents).encode()
    pieces = [({"Content-Type": "application/dicom+json"}, (metadata,)), *((h, (b,)) for h, b in bulk)]
    return b"".join(parts("b0", pieces))


JSON_KIND = 'multipart/related; type="application/dicom+json"; boundary=b0'


def test_metadata_with_bulk_data_makes_the_object(context: Context, cast: Cast, served: Served) -> None:
    data = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", name="Ødegård^Åse")
    document = dicom_json(data, bulk_uri=lambda path: f"bulk/{path}")
    pixels = bytes(pydicom.dcmread(io.BytesIO(data)).PixelData)
    headers = {"Content-Type": "application/octet-stream", "Content-Location": "bulk/7FE00010"}
    answer = send(served.client(cast.eirik), metadata_body([document], [(headers, pixels)]), JSON_KIND)
    assert (answer.status_code, len(answer.json()["00081199"]["Value"])) == (200, 1)
    (made,) = kept(context)
    assert pydicom.dcmread(io.BytesIO(made)) == pydicom.dcmread(io.BytesIO(data))
    assert leftovers(context) == []


def test_compressed_bulk_data_by_content_id(context: Context, cast: Cast, served: Served) -> None:
    original = pydicom.dcmread(JPEG)
    frame = next(generate_frames(original.PixelData, number_of_frames=1))
    document = dicom_json(JPEG, bulk_uri=lambda path: f"cid:{path}@x")
    document = {tag: entry for tag, entry in document.items() if tag == "7FE00010" or "BulkDataURI" not in entry}
    headers = {"Content-Type": "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", "Content-ID": "<7FE00010@x>"}
    answer = send(served.client(cast.eirik), metadata_body(document, [(headers, frame)]), JSON_KIND)
    assert answer.status_code == 200, answer.text
    made = pydicom.dcmread(io.BytesIO(kept(context)[0]))
    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.91"
    assert next(generate_frames(made.PixelData, number_of_frames=1)).rstrip(b"\0") == frame.rstrip(b"\0")


def test_what_metadata_lacks_is_told(context: Context, cast: Cast, served: Served) -> None:
    eirik = served.client(cast.eirik)
    good = dicom_json(files.ct("1.2.3", "1.2.3.1"))
    good["7FE00010"] = {"vr": "OW", "InlineBinary": base64.b64encode(bytes(512)).decode()}
    no_bulk = dicom_json(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.7"))
    no_uid = {tag: entry for tag, entry in good.items() if tag != "00080018"}
    answer = send(eirik, metadata_body([good, no_bulk, no_uid, 7], []), JSON_KIND)
    assert (answer.status_code, failed(answer), len(kept(context))) == (202, [0xC000, 0xC001, 0xC001], 1)
    assert answer.json()["00081198"]["Value"][0]["00081155"]["Value"] == ["1.2.3.1.7"]
    assert send(eirik, metadata_body([], []).replace(b"[]", b"[NaN]"), JSON_KIND).status_code == 400
    assert send(eirik, metadata_body([], []), JSON_KIND).status_code == 400
    assert send(eirik, body_of("b0", b"x"), JSON_KIND).status_code == 415
    assert leftovers(context) == []


def test_too_little_disk_for_bulk_data_is_told(
    context: Context, cast: Cast, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.settings, "min_free_mb", 1 << 40)
    data = files.ct("1.2.3", "1.2.3.1")
    document = dicom_json(data, bulk_uri=lambda path: f"bulk/{path}")
    headers = {"Content-Type": "application/octet-stream", "Content-Location": "bulk/7FE00010"}
    answer = send(served.client(cast.eirik), metadata_body(document, [(headers, bytes(512))]), JSON_KIND)
    assert (answer.status_code, failed(answer)) == (507, [0xA700])
    assert send(served.client(cast.eirik), body_of("b0", data)).status_code == 507
    assert (kept(context), leftovers(context)) == ([], [])


def test_metadata_beyond_its_bound_is_refused(cast: Cast, served: Served) -> None:
    answer = send(served.client(cast.eirik), metadata_body(["x" * (17 << 20)], []), JSON_KIND)
    assert answer.status_code == 413


MANY = 20_001


def test_more_parts_than_one_request_may_have_are_refused(context: Context, cast: Cast, served: Served) -> None:
    eirik = served.client(cast.eirik)
    bulk = b"--b0\r\nContent-Type: application/octet-stream\r\n\r\n\r\n" * MANY + b"--b0--\r\n"
    for body in (bulk, metadata_body([{}] * MANY, [])):
        answer = send(eirik, body, JSON_KIND)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-many-parts")
        assert "20,000 parts" in answer.json()["detail"]
    assert (kept(context), leftovers(context)) == ([], [])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("of_folder", [True, False])
def test_what_can_not_be_made_durable_is_refused_and_goes(
    context: Context, cast: Cast, served: Served, monkeypatch: pytest.MonkeyPatch, number: int, of_folder: bool
) -> None:
    """Contents or names: the operating system's answer is what a full or broken disk gives; everything of ours is real."""
    eirik = served.client(cast.eirik)
    first, *later = (files.ct("1.2.3", "1.2.3.1", n, sop=f"1.2.3.1.{n}") for n in (1, 2, 3))
    document = dicom_json(later[0], bulk_uri=lambda path: f"bulk/{path}")
    pixels = bytes(pydicom.dcmread(io.BytesIO(later[0])).PixelData)
    bulk = ({"Content-Type": "application/octet-stream", "Content-Location": "bulk/7FE00010"}, pixels)
    assert send(eirik, body_of("b0", first)).status_code == 200
    fsync = os.fsync

    def broken(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == of_folder:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(spool.os, "fsync", broken)
        answer = send(eirik, body_of("b0", *later))
        assert (answer.status_code, failed(answer)) == (507, [0xA700] * 2)
        answer = send(eirik, metadata_body(document, [bulk]), JSON_KIND)
        assert (answer.status_code, failed(answer)) == (507, [0xA700])
    assert (len(kept(context)), leftovers(context)) == (1, [])
    assert send(eirik, body_of("b0", *later)).status_code == 200
    assert len(kept(context)) == 3
