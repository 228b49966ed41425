"""WADO-RS over a real server: negotiated answers, transcoding, ranges, validators, bulk data."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urljoin

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from heliograph.app.context import Context
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_dicomweb import as_key, filed
from tests.records.archive import files

EVLE, SV1, HTJ2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.201"
WHERE = "/dicomweb/norfjord/studies/1.2.3"
SERIES, INSTANCE = f"{WHERE}/series/1.2.3.1", f"{WHERE}/series/1.2.3.1/instances/1.2.3.1.1"
OBJECTS = 'multipart/related; type="application/dicom"'
MULTI = 'multipart/related; type="application/octet-stream"'


def remade(data: bytes, syntax: str | None = None, **more: Any) -> bytes:
    """The file with other attributes, in another transfer syntax."""
    ds = pydicom.dcmread(io.BytesIO(data))
    for name, value in more.items():
        setattr(ds, name, value)
    if syntax:
        ds.file_meta.TransferSyntaxUID = syntax
    if "PixelData" in ds and "PixelData" in more and syntax:
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return buffer.getvalue()


def lossless_jpeg(number: int = 1, sop: str = "1.2.3.1.1", frames: int = 1) -> tuple[bytes, bytes]:
    """(file, native pixels) of a CT in JPEG Lossless, Process 14 SV1."""
    data = files.ct("1.2.3", "1.2.3.1", number, sop=sop, size=32)
    native = pydicom.dcmread(io.BytesIO(data)).PixelData
    stream = bytes(imagecodecs.ljpeg_encode(np.frombuffer(native, "<u2").reshape(32, 32), bitspersample=16))
    more = {"NumberOfFrames": frames} if frames > 1 else {}
    return remade(data, SV1, PixelData=encapsulate([stream] * frames), **more), native


def body_of(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """(Content-Type, content) of each part."""
    outer = answer.headers["content-type"]
    boundary = b"--" + outer.split("boundary=")[1].strip('"').encode()
    found = []
    for part in answer.content.split(boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        kind = next(line for line in head.decode().split("\r\n") if line.lower().startswith("content-type"))
        found.append((kind.split(":", 1)[1].strip(), content.removesuffix(b"\r\n")))
    return found


def test_one_lossless_jpeg_as_each_client_accepts_it(context: Context, cast: Cast, served: Served) -> None:
    """D04 and D01: what is not named is Explicit VR Little Endian, `*` is as stored, and no label lies."""
    data, native = lossless_jpeg()
    stream = get_frame(pydicom.dcmread(io.BytesIO(data)).PixelData, 0, number_of_frames=1)
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    octets, stored_octets = (f"application/octet-stream; transfer-syntax={syntax}" for syntax in (EVLE, SV1))
    for accept, kind, content in (
        (None, octets, native),
        ("*/*", octets, native),
        (MULTI, octets, native),
        (f"multipart/related;transfer-syntax={EVLE};type=application/octet-stream", octets, native),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", stored_octets, stream),
        ('Multipart/Related; Transfer-Syntax="*"; Type="image/jpeg"', f"image/jpeg; transfer-syntax={SV1}", stream),
    ):  # fmt: skip
        headers = {} if accept is None else {"Accept": accept}
        if accept is None:
            del eirik.headers["Accept"]
        answer = eirik.get(f"{INSTANCE}/frames/1", headers=headers)
        assert answer.status_code == 200, (accept, answer.text)
        assert body_of(answer) == [(kind, content)], accept
        assert "Accept" in answer.headers["vary"]
    for accept, status in (
        (f"{MULTI}; transfer-syntax=1.2.3.4", 406),
        (f'multipart/related; type="image/jp2"; transfer-syntax={SV1}', 406),
        ("image/png", 406),
        ("application/dicom; type=", 406),
        ("application/dicom, text/html", 400),
        ("application/octet-stream; transfer-syntax", 406),
        ("multipart", 400),
        ('multipart/related; type="', 400),
    ):
        answer = eirik.get(f"{INSTANCE}/frames/1", headers={"Accept": accept})
        assert answer.status_code == (200 if accept.endswith("transfer-syntax") else status), (accept, answer.text)
        if status == 406 and answer.status_code == 406:
            assert f'multipart/related; type="image/jpeg"; transfer-syntax={SV1}' in answer.json()["available"]
    again = eirik.get(
        f"{INSTANCE}/frames/1", headers={"Accept": f'multipart/related; type="image/jphc"; transfer-syntax={HTJ2K}'}
    )
    ((kind, content),) = body_of(again)
    assert kind == f"image/jphc; transfer-syntax={HTJ2K}"
    assert imagecodecs.htj2k_decode(content).astype("<u2").tobytes() == native
    asked = eirik.get(f"{INSTANCE}/frames/1", params={"accept": "image/jpeg"}, headers={"Accept": "*/*"})
    assert (asked.headers["content-type"], asked.content) == (f"image/jpeg; transfer-syntax={SV1}", stream)


def test_several_accept_headers_are_one(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    headers = [("Accept", "application/dicom+json"), ("Accept", "application/dicom; q=0.5")]
    answer = served.client(cast.eirik).get(INSTANCE, headers=headers)
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EVLE}"


def test_whole_objects_as_they_are_accepted(context: Context, cast: Cast, served: Served) -> None:
    jpeg, native = lossless_jpeg()
    implicit = remade(files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2"), ImplicitVRLittleEndian)
    filed(context, cast, [jpeg, implicit])
    eirik = served.client(cast.eirik)
    for url in (WHERE, SERIES):
        default = body_of(eirik.get(url))
        assert {kind for kind, _ in default} == {f"application/dicom; transfer-syntax={EVLE}"}
        one, two = (pydicom.dcmread(io.BytesIO(content)) for _, content in default)
        assert (one.PixelData, two.PatientName) == (native, "LARSEN^Kari")
        stored = eirik.get(url, headers={"Accept": f"{OBJECTS}; transfer-syntax=*"})
        assert [c for _, c in body_of(stored)] == [jpeg, implicit]
        # Only one of them can be had so: the answer is partial, and says so (PS3.18 10.4.3.1).
        some = eirik.get(url, headers={"Accept": f"{OBJECTS}; transfer-syntax={SV1}"})
        assert (some.status_code, [c for _, c in body_of(some)]) == (206, [jpeg])
        none = eirik.get(url, headers={"Accept": f"{OBJECTS}; transfer-syntax=1.2.840.10008.1.2.4.50"})
        assert none.status_code == 406
        assert eirik.get(url, headers={"Accept": "application/dicom"}).status_code == 406
        assert eirik.get(url, headers={"Accept": "application/dicom, image/jpeg"}).status_code == 400
    bare = eirik.get(INSTANCE, headers={"Accept": "application/dicom"})
    assert bare.headers["content-type"] == f"application/dicom; transfer-syntax={EVLE}"
    assert pydicom.dcmread(io.BytesIO(bare.content)).PixelData == native
    stored = eirik.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert (stored.headers["content-type"], stored.content) == (f"application/dicom; transfer-syntax={SV1}", jpeg)


def test_a_damaged_object_is_refused_alone_and_does_not_spoil_its_series(
    context: Context, cast: Cast, served: Served
) -> None:
    good = files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2")
    damaged = remade(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"), SV1, PixelData=encapsulate([b"\xff\xd8\xff\xd9"]))
    filed(context, cast, [damaged, good])
    eirik = served.client(cast.eirik)
    assert eirik.get(INSTANCE, headers={"Accept": "application/dicom"}).status_code == 406
    assert eirik.get(INSTANCE).status_code == 406
    assert eirik.get(f"{INSTANCE}/frames/1").json()["code"] == "not-transcodable"
    assert [c for _, c in body_of(eirik.get(SERIES))] == [damaged, good]


def test_frame_lists(context: Context, cast: Cast, served: Served) -> None:
    data, native = lossless_jpeg(frames=3)
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    assert [c for _, c in body_of(eirik.get(f"{INSTANCE}/frames/3,1"))] == [native, native]
    assert (
        len(body_of(eirik.get(f"{INSTANCE}/frames/1%2C2%2c3", headers={"Accept": f"{MULTI}; transfer-syntax=*"}))) == 3
    )
    for wrong in ("1,1", "1,", "-1", "1.5", "1;2", "one"):
        assert eirik.get(f"{INSTANCE}/frames/{wrong}").status_code == 400, wrong
    for absent in ("4", "0", "1,4"):
        assert eirik.get(f"{INSTANCE}/frames/{absent}").status_code == 404, absent
    # Several frames are several parts.
    assert eirik.get(f"{INSTANCE}/frames/1,2", headers={"Accept": "application/octet-stream"}).status_code == 406


def test_ranges_of_bare_answers(context: Context, cast: Cast, served: Served) -> None:
    data = files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=64)
    pixels = pydicom.dcmread(io.BytesIO(data)).PixelData
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    octets = {"Accept": "application/octet-stream"}
    for url, accept, content in (
        (INSTANCE, {"Accept": "application/dicom"}, data),
        (f"{INSTANCE}/bulkdata/7FE00010", octets, pixels),
        (f"{INSTANCE}/frames/1", octets, pixels),
    ):
        size = len(content)
        whole = eirik.get(url, headers=accept)
        assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, content, "bytes")
        for text, first, end in (
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=5-{size + 9}", 5, size),
            (f"bytes=-{size + 9}", 0, size),
        ):
            part = eirik.get(url, headers={**accept, "Range": text})
            assert (part.status_code, part.content) == (206, content[first:end]), text
            assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
            assert part.headers["content-length"] == str(end - first)
        for text in ("bytes=1-2,4-5", "items=1-2", "bytes=9-3", "bytes=x-", "bytes=-"):
            assert eirik.get(url, headers={**accept, "Range": text}).status_code == 200, text
        for text in (f"bytes={size}-", "bytes=-0"):
            refused = eirik.get(url, headers={**accept, "Range": text})
            assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
        tag = whole.headers["etag"]
        assert eirik.get(url, headers={**accept, "Range": "bytes=0-1", "If-Range": tag}).status_code == 206
        assert eirik.get(url, headers={**accept, "Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_what_the_client_has_is_not_sent_again(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    eirik = served.client(cast.eirik)
    for url, accept in (
        (f"{WHERE}/metadata", "application/dicom+json"),
        (f"{SERIES}/metadata", "application/dicom+json"),
        (f"{INSTANCE}/metadata", "application/dicom+json"),
        (f"{INSTANCE}/metadata", "application/json"),
        (INSTANCE, "application/dicom"),
        (f"{INSTANCE}/frames/1", "*/*"),
        (f"{INSTANCE}/bulkdata/7FE00010", "application/octet-stream"),
        (f"{INSTANCE}/rendered", "image/png"),
        (f"{INSTANCE}/thumbnail", "image/png"),
    ):
        answer = eirik.get(url, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")
        assert answer.headers["content-type"].startswith(accept) or accept == "*/*"
        tag = answer.headers["etag"]
        bare = tag.removeprefix("W/")
        for held in (tag, bare, f"W/{bare}", f'"x", {tag}', f'W/"a,b",{bare}', "*"):
            again = eirik.get(url, headers={"Accept": accept, "If-None-Match": held})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), (url, held)
        assert eirik.get(url, headers={"Accept": accept, "If-None-Match": '"other"'}).status_code == 200
        plain = eirik.get(url, headers={"Accept": accept, "Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content or accept == "*/*"


def test_metadata_in_no_other_form(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    eirik = served.client(cast.eirik)
    for accept, status in (
        ('multipart/related; type="application/dicom+xml"', 406),
        ("application/dicom", 406),
        ("application/dicom+json; q=0.1, application/dicom+xml", 200),
        ("x", 400),
    ):
        for level in (WHERE, SERIES, INSTANCE):
            assert eirik.get(f"{level}/metadata", headers={"Accept": accept}).status_code == status, accept
    asked = eirik.get(f"{SERIES}/metadata?accept=application/dicom+json", headers={"Accept": "image/png"})
    assert (asked.status_code, asked.headers["content-type"]) == (200, "application/dicom+json")


HEADS = [
    WHERE,
    SERIES,
    INSTANCE,
    f"{WHERE}/metadata",
    f"{SERIES}/metadata",
    f"{INSTANCE}/metadata",
    f"{INSTANCE}/frames/1",
    f"{INSTANCE}/bulkdata/7FE00010",
    f"{WHERE}/rendered",
    f"{SERIES}/rendered",
    f"{INSTANCE}/rendered",
    f"{INSTANCE}/frames/1/rendered",
    f"{WHERE}/thumbnail",
    f"{SERIES}/thumbnail",
    f"{INSTANCE}/thumbnail",
    f"{INSTANCE}/frames/1/thumbnail",
    "/dicomweb/norfjord/wado?requestType=WADO&studyUID=1.2.3&objectUID=1.2.3.1.1",
]


def test_head_is_get_without_its_body_for_the_same_people(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    eirik, harper, nobody = served.client(cast.eirik), served.client(cast.harper), served.client(None)
    for url in HEADS:
        full, head = eirik.get(url), eirik.head(url)
        assert (full.status_code, head.status_code, head.content) == (200, 200, b""), url
        for name in ("content-type", "etag", "content-length", "content-encoding", "accept-ranges"):
            told, expected = head.headers.get(name), full.headers.get(name)
            if name == "content-type" and "boundary" in full.headers[name]:
                told, expected = head.headers[name].split("boundary")[0], full.headers[name].split("boundary")[0]
            assert told == expected, (url, name)
        assert harper.head(url).status_code == 404, url
        assert nobody.head(url).status_code == 401, url


# ------------------------------------------------------------------ bulk data


def nested_three_deep() -> bytes:
    """A CT with a big value inside three sequences, the last item of each, as contours are."""
    ds = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")))
    inner = Dataset()
    inner.add_new(0x00282000, "OB", bytes(range(256)) * 16)
    for name in ("ReferencedImageSequence", "SourceImageSequence", "ReferencedStudySequence"):
        outer = Dataset()
        setattr(outer, name, Sequence([Dataset(), inner]))
        inner = outer
    ds.ReferencedStudySequence = inner.ReferencedStudySequence
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    return buffer.getvalue()


def pdf() -> bytes:
    ds = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2")))
    for name in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"):
        del ds[name]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocumentLength = "application/pdf", len(PDF)
    ds.EncapsulatedDocument = PDF + b"\0" * (len(PDF) % 2)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    return buffer.getvalue()


PDF = b"%PDF-1.4\n" + b"% words\n" * 300 + b"%%EOF"


def uris_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["BulkDataURI"]] if "BulkDataURI" in value else []
        return own + [uri for inner in value.values() for uri in uris_in(inner)]
    return [uri for inner in value for uri in uris_in(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("level", [WHERE, SERIES, INSTANCE])
def test_bulk_data_is_found_from_where_its_address_was_read(
    context: Context, cast: Cast, served: Served, level: str
) -> None:
    """D07: addresses are relative to the document that holds them, so a proxy's host, scheme and prefix can't break them."""
    filed(context, cast, [nested_three_deep()])
    eirik = served.client(cast.eirik)
    told = f"https://images.example.org/prefix{level}/metadata"
    uris = uris_in(eirik.get(f"{level}/metadata").json())
    assert all("://" not in uri and not uri.startswith("/") for uri in uris)
    deep = next(uri for uri in uris if "00282000" in uri)
    found = urljoin(told, deep)
    assert found.startswith(f"https://images.example.org/prefix{INSTANCE}/bulkdata/")
    inside = found.removeprefix("https://images.example.org/prefix")
    answer = eirik.get(inside, headers={"Accept": "application/octet-stream"})
    assert (answer.status_code, answer.content) == (200, bytes(range(256)) * 16)
    ((kind, content),) = body_of(eirik.get(inside))
    assert (kind, content) == ("application/octet-stream", bytes(range(256)) * 16)
    assert served.client(cast.harper).get(inside).status_code == 404
    assert served.client(None).get(inside).status_code == 401
    for wrong in ("00081110/9/00081155", "00081110/0", "zz", "00081111", "00081110/0/00081155/0/00081155"):
        assert eirik.get(f"{INSTANCE}/bulkdata/{wrong}").status_code == 404, wrong


def test_an_encapsulated_pdf(context: Context, cast: Cast, served: Served) -> None:
    """D07: the document without its padding byte, as what it is, for who may see it."""
    filed(context, cast, [pdf()])
    eirik = served.client(cast.eirik)
    url = f"{SERIES}/instances/1.2.3.1.2"
    (uri,) = uris_in(eirik.get(f"{url}/metadata").json())
    where = urljoin(f"{url}/metadata", uri)
    for address, accept in (
        (where, "application/pdf"),
        (f"{url}/rendered", "application/pdf"),
        (f"{url}/rendered", "*/*"),
    ):
        answer = eirik.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/pdf", PDF)
    assert eirik.get(where, headers={"Accept": "application/octet-stream"}).content == PDF
    assert eirik.get(f"{url}/rendered", headers={"Accept": "image/jpeg"}).status_code == 406
    assert eirik.get(f"{url}/rendered?accept=application/pdf", headers={"Accept": "text/html"}).content == PDF
    assert served.client(cast.harper).get(f"{url}/rendered").status_code == 404


# ------------------------------------------------------------------ dicomweb-client


def test_dicomweb_client_retrieves_everything(context: Context, cast: Cast, served: Served) -> None:
    jpeg, native = lossless_jpeg(frames=2)
    filed(context, cast, [jpeg, files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2"), pdf_of_its_own()])
    client: DICOMwebClient = as_key(served)
    ids = ("1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert len(client.retrieve_study("1.2.3")) == 3
    assert len(list(client.iter_study("1.2.3"))) == 3
    assert len(client.retrieve_series("1.2.3", "1.2.3.1")) == 2
    decoded = client.retrieve_instance(*ids, media_types=(("application/dicom", EVLE),))
    assert decoded.PixelData == native * 2
    as_stored = client.retrieve_instance(*ids, media_types=(("application/dicom", "*"),))
    assert as_stored.file_meta.TransferSyntaxUID == SV1
    exact = client.retrieve_instance(*ids, media_types=(("application/dicom", SV1),))
    assert exact.file_meta.TransferSyntaxUID == SV1
    assert client.retrieve_instance_frames(*ids, [2, 1]) == [native, native]
    assert list(client.iter_instance_frames(*ids, [1])) == [native]
    stream = get_frame(pydicom.dcmread(io.BytesIO(jpeg)).PixelData, 0, number_of_frames=2)
    for media in (("image/jpeg", SV1), ("image/jpeg", "*"), "image/jpeg", ("image/*", "*")):
        assert client.retrieve_instance_frames(*ids, [1], media_types=(media,)) == [stream], media
    octets = client.retrieve_instance_frames(*ids, [1], media_types=(("application/octet-stream", EVLE),))
    assert octets == [native]
    uri = f"{served.norfjord}/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.2/bulkdata/7FE00010"
    assert len(client.retrieve_bulkdata(uri)[0]) == 512
    assert len(client.retrieve_bulkdata(uri, media_types=("application/octet-stream",), byte_range=(0, 9))[0]) == 512
    assert len(client.retrieve_study_metadata("1.2.3")) == 3
    assert len(client.retrieve_series_metadata("1.2.3", "1.2.3.1")) == 2
    assert client.retrieve_instance_metadata(*ids)["00280008"]["Value"] == [2]
    for media in ("image/jpeg", "image/png", "image/gif"):
        assert client.retrieve_instance_rendered(*ids, media_types=(media,))[:2] in {b"\xff\xd8", b"\x89P", b"GI"}
        assert client.retrieve_instance_frames_rendered(*ids, [1], media_types=(media,))[:2] in {
            b"\xff\xd8",
            b"\x89P",
            b"GI",
        }
    assert client.retrieve_series_rendered("1.2.3", "1.2.3.1", media_types=("image/jpeg",))[:2] == b"\xff\xd8"
    shown = client.retrieve_instance_rendered(
        *ids, media_types=("image/jpeg",), params={"quality": 95, "viewport": "10,10"}
    )
    assert shown[:2] == b"\xff\xd8"


def pdf_of_its_own() -> bytes:
    return remade(pdf(), SeriesInstanceUID="1.2.3.2", SOPInstanceUID=generate_uid(), SeriesNumber=3)
