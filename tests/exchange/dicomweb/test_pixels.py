"""Pixels through the door: each stored syntax as each Accept asks for it, decoded again and compared; single frames of large objects."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from heliograph.app.context import Context
from heliograph.kit.codecs.dicom.pixels import ENCODABLE, ImageFacts, decode, encode
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_dicomweb import filed, index, post
from tests.exchange.dicomweb.test_wado_rs import EVLE, INSTANCE, SERIES, SV1, WHERE, body_of, remade
from tests.kit.codecs.jpeg_lossless import lossless_jpeg
from tests.records.archive import files

_4 = "1.2.840.10008.1.2.4."
VALUES = (np.arange(2 * 32 * 32, dtype=np.int32).reshape(2, 32, 32) * 37 % 4096 - 1024).astype(np.int16)
FACTS = ImageFacts(32, 32, 1, 16, 16, signed=True, photometric="MONOCHROME2", planar=0)
CODED = {
    SV1: lambda frame: lossless_jpeg(frame.view(np.uint16), precision=16),
    f"{_4}57": lambda frame: lossless_jpeg(frame.view(np.uint16), precision=16, predictor=6, restart_rows=4),
    f"{_4}80": lambda frame: bytes(imagecodecs.jpegls_encode(frame.view(np.uint16))),
    **{
        syntax: lambda frame, syntax=syntax: encode(FACTS, frame.view(np.uint16)[..., None], "MONOCHROME2", syntax)[0]
        for syntax in (*ENCODABLE, f"{_4}202")
    },
}
NATIVE = (EVLE, str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian), str(DeflatedExplicitVRLittleEndian))


def stored(syntax: str) -> bytes:
    """Two frames of `VALUES` as one CT in `syntax`."""
    ds = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=32)))
    ds.NumberOfFrames = 2
    if syntax in NATIVE:
        big = syntax == ExplicitVRBigEndian
        ds.PixelData = VALUES.astype(">i2" if big else "<i2").tobytes()
        ds.file_meta.TransferSyntaxUID = syntax
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, ds, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=not big)
        return buffer.getvalue()
    coder = CODED[f"{_4}201"] if syntax == f"{_4}202" else CODED[syntax]
    ds.PixelData = encapsulate([coder(frame) for frame in VALUES])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    return buffer.getvalue()


def values(frame: bytes, syntax: str) -> Any:
    words = np.frombuffer(frame, "<u2").reshape(32, 32, 1) if syntax == EVLE else decode(FACTS, frame, syntax)[0]
    return words[..., 0].view("<i2")


@pytest.mark.parametrize("syntax", [*NATIVE, *CODED])
def test_each_stored_syntax_in_each_that_is_asked_for(
    context: Context, cast: Cast, served: Served, syntax: str
) -> None:
    """B15, F01, F02: decoded again after each lossless transcoding, frame by frame and as a whole object; as stored, byte for byte."""
    data = stored(syntax)
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    whole = eirik.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert whole.content == data
    media = {
        f"{_4}201": "image/jphc",
        f"{_4}90": "image/jp2",
        "1.2.840.10008.1.2.5": "image/dicom-rle",
        EVLE: "application/octet-stream",
    }
    for target in (EVLE, *ENCODABLE):
        accept = f'multipart/related; type="{media[target]}"; transfer-syntax={target}'
        answer = eirik.get(f"{INSTANCE}/frames/2,1", headers={"Accept": accept})
        assert answer.status_code == 200, (target, answer.text)
        parts = body_of(answer)
        assert [kind for kind, _ in parts] == [f"{media[target]}; transfer-syntax={target}"] * 2
        for (_, frame), expected in zip(parts, VALUES[::-1], strict=True):
            assert np.array_equal(values(frame, target), expected), target
        made = eirik.get(INSTANCE, headers={"Accept": f"application/dicom; transfer-syntax={target}"})
        ds = pydicom.dcmread(io.BytesIO(made.content))
        assert ds.file_meta.TransferSyntaxUID == target
        for number, expected in enumerate(VALUES):
            frame = (
                ds.PixelData[number * 2048 : (number + 1) * 2048]
                if target == EVLE
                else get_frame(ds.PixelData, number, number_of_frames=2)
            )
            assert np.array_equal(values(frame, target), expected), target
    shown = np.asarray(
        Image.open(
            io.BytesIO(
                eirik.get(f"{INSTANCE}/frames/2/rendered?window=0,4096", headers={"Accept": "image/png"}).content
            )
        )
    )
    expected = np.clip(((VALUES[1] - 1024.0) + 0.5) / 4095 + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 0.51


def test_one_frame_of_a_large_object_reads_little(
    context: Context, cast: Cast, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture, a thumbnail and a transcoded frame read the header and the frame, not 400 others."""
    frames = np.repeat(np.arange(400, dtype="<i2")[:, None], 64 * 64, axis=1)
    data = remade(
        files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=64), PixelData=frames.tobytes(), NumberOfFrames=400
    )
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    read: list[int] = []
    real = context.objects.get_range

    def noted(key: str, offset: int, length: int) -> bytes:
        read.append(length)
        return real(key, offset, length)

    monkeypatch.setattr(context.objects, "get_range", noted)
    jphc = f'multipart/related; type="image/jphc"; transfer-syntax={_4}201'
    for path, accept in (
        ("/frames/300/rendered", "image/png"),
        ("/frames/399/thumbnail", "image/jpeg"),
        ("/frames/301", jphc),
    ):
        read.clear()
        assert eirik.get(f"{INSTANCE}{path}", headers={"Accept": accept}).status_code == 200, path
        assert 8192 <= sum(read) < 40_000, path
    read.clear()
    assert eirik.get(f"{SERIES}/thumbnail").status_code == 200
    assert sum(read) < 40_000


def test_frames_that_are_claimed_but_not_there(context: Context, cast: Cast, served: Served) -> None:
    """B17: 100 frames in the header, three in the data: each of these is had, the others are missing, and there is a thumbnail."""
    pixels = (np.arange(3 * 256, dtype="<i2") * 3).tobytes()
    data = remade(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"), PixelData=pixels, NumberOfFrames=100)
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    assert [eirik.get(f"{INSTANCE}/frames/{n}/rendered").status_code for n in (1, 3, 4, 100, 101)] == [
        200,
        200,
        404,
        404,
        404,
    ]
    assert eirik.get(f"{INSTANCE}/frames/3").status_code == 200
    for level in (WHERE, SERIES, INSTANCE):
        assert eirik.get(f"{level}/thumbnail").status_code == 200
    animated = Image.open(io.BytesIO(eirik.get(f"{INSTANCE}/rendered", headers={"Accept": "image/gif"}).content))
    assert getattr(animated, "n_frames", 1) == 3


@pytest.mark.parametrize("syntax", [f"{_4}100", f"{_4}102", f"{_4}106", f"{_4}107", f"{_4}108", f"{_4}102.1"])
def test_video_is_kept_and_served_and_no_picture(context: Context, cast: Cast, served: Served, syntax: str) -> None:
    stream = b"\0\0\1\xb3" + bytes(range(256)) * 8
    data = remade(
        files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"),
        syntax,
        PixelData=encapsulate([stream[:1000], stream[1000:]]),
        NumberOfFrames=50,
    )
    client = served.client(cast.eirik)
    assert post(client, [data]).status_code == 200
    index(context)
    assert client.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"}).content == data
    ((kind, content),) = body_of(client.get(f"{INSTANCE}/frames/1"))
    assert (kind.split(";")[0] in {"video/mpeg", "video/mp4"}, content) == (True, stream)
    for path in (
        f"{INSTANCE}/rendered",
        f"{INSTANCE}/frames/7/rendered",
        f"{INSTANCE}/thumbnail",
        f"{SERIES}/thumbnail",
    ):
        refused = client.get(path)
        assert refused.status_code == 406, path
        assert "Video is not rendered here" in refused.text
    assert client.get(INSTANCE, headers={"Accept": f"application/dicom; transfer-syntax={EVLE}"}).status_code == 406
    # A still picture in the same series stands for it.
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2")])
    assert client.get(f"{SERIES}/thumbnail").status_code == 200


def test_a_frame_that_is_cut_off_is_shown_but_not_transcoded(context: Context, cast: Cast, served: Served) -> None:
    """Its lossless copy would hold what nobody sent; as stored it is had."""
    cut = lossless_jpeg(VALUES[0].view(np.uint16), precision=16)[:-200]
    data = remade(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=32), SV1, PixelData=encapsulate([cut]))
    filed(context, cast, [data])
    eirik = served.client(cast.eirik)
    assert eirik.get(f"{INSTANCE}/rendered").status_code == 200
    assert eirik.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"}).content == data
    for path, accept in ((INSTANCE, "application/dicom"), (f"{INSTANCE}/frames/1", "*/*")):
        assert eirik.get(path, headers={"Accept": accept}).status_code == 406, path
