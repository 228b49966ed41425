"""Every odd file that pydicom ships is stored, or refused for a reason we know; and what is stored is served."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydicom.data import get_testdata_files

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom import DicomError, read_header
from heliograph.kit.codecs.dicom.bare import BEGINNING, missing_header
from heliograph.records.archive import indexer
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served

IMPOSSIBLE = {
    "MR_truncated.dcm": "is longer than the bytes that are left",
    "rtplan_truncated.dcm": "is longer than the bytes that are left",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "no sequence delimiter",
    "no_meta.dcm": "no DICM prefix",
    "meta_missing_tsyntax.dcm": "names no transfer syntax",
    "bad_sequence.dcm": "SOPInstanceUID is not a valid UID",
    "JPEGLSNearLossless_08.dcm": "StudyInstanceUID is missing",
    "JPEGLSNearLossless_16.dcm": "StudyInstanceUID is missing",
    "SC_rgb_jls_lossy_line.dcm": "StudyInstanceUID is missing",
    "SC_rgb_jls_lossy_sample.dcm": "StudyInstanceUID is missing",
    "priv_SQ.dcm": "SOPClassUID is missing",
    "nested_priv_SQ.dcm": "SOPClassUID is missing",
    "no_meta_group_length.dcm": "SOPClassUID is missing",
    "empty_charset_LEI.dcm": "SOPClassUID is missing",
    "UN_sequence.dcm": "SOPClassUID is missing",
}
"""Files that name no object, or not all of it. A DICOMDIR is an index of files, no object: `SOPClassUID is missing`."""

NO_PICTURE = {"JPEG2000-embedded-sequence-delimiter.dcm"}
"""Made by hand: what stands for its frame is no codestream."""


def corpus() -> list[Path]:
    """One of each content, largest first."""
    found = {p.read_bytes(): p for p in map(Path, get_testdata_files()) if p.is_file() and p.suffix == ".dcm"}
    return sorted(found.values(), key=lambda p: p.name)


def own(data: bytes, number: int) -> bytes:
    """The file with a SOP Instance UID of its own, of the same length: pydicom keeps many encodings of one object."""
    uid = read_header(data).sop_instance_uid
    return data.replace(uid.encode(), f"{uid[:-4]}{number + 1000}".encode())


def post(client: httpx.Client, data: bytes) -> httpx.Response:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return client.post("/dicomweb/norfjord/studies", content=body, headers={"Content-Type": kind})


def no_constants(name: str) -> None:
    raise AssertionError(name)


@pytest.mark.timeout(300)
def test_each_is_stored_and_served_or_refused_for_a_known_reason(context: Context, cast: Cast, served: Served) -> None:
    client = served.client(cast.eirik)
    stored: list[tuple[Path, bytes]] = []
    for number, path in enumerate(corpus()):
        data = path.read_bytes()
        added = missing_header(data[:BEGINNING]) or b""
        why = reason(added + data)
        if why:
            wanted = "SOPClassUID is missing" if "DICOMDIR" in path.name else IMPOSSIBLE.get(path.name, "nothing")
            assert wanted in why, path.name
            refused = post(client, data)
            assert refused.status_code == 409, (path.name, refused.status_code)
            continue
        stored.append((path, own(added + data, number)))
        answer = post(client, stored[-1][1][len(added) :])
        # 202: stored, with a warning that something in it is odd.
        assert answer.status_code in (200, 202), (path.name, answer.text)
        assert "00081198" not in answer.json(), path.name
    indexer.empty_once(context.works, context.objects, context.settings.spool_dir, gather=0)
    assert len(stored) > 60
    for path, data in stored:
        check(client, path, data)


def reason(data: bytes) -> str:
    """Why it can't be stored; empty if it can."""
    try:
        read_header(data)
    except DicomError as error:
        return error.detail
    return ""


def bare(text: str) -> str:
    """The JSON with BulkDataURIs from their last part on: they are relative to where they stand."""
    return re.sub(r'("BulkDataURI": ?")[^"]*(bulkdata/)', r"\1\2", text)


def check(client: httpx.Client, path: Path, data: bytes) -> None:
    header = read_header(data)
    url = (
        f"/dicomweb/norfjord/studies/{header.study_instance_uid}/series/{header.series_instance_uid}"
        f"/instances/{header.sop_instance_uid}"
    )
    whole = client.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert whole.status_code == 200, (path.name, whole.text)
    assert whole.content == data, path.name
    (document,) = json.loads(bare(client.get(f"{url}/metadata").text), parse_constant=no_constants)
    assert document["00080018"]["Value"] == [header.sop_instance_uid], path.name
    series: list[dict[str, Any]] = json.loads(bare(client.get(url.rsplit("/instances", 1)[0] + "/metadata").text))
    same = next(d for d in series if d["00080018"] == document["00080018"])
    assert same == document, path.name
    picture = client.get(f"{url}/rendered", headers={"Accept": "image/png"})
    if header.has_pixels and path.name not in NO_PICTURE:
        assert picture.status_code == 200, (path.name, picture.text)
        assert min(Image.open(io.BytesIO(picture.content)).size) > 0
    else:
        assert picture.status_code in (200, 404, 406), path.name
