"""Pictures (PS3.18 8.3.5, chapter 9): shades as the window says, the part that is asked for, and bad parameters told by name."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from heliograph.app.context import Context
from heliograph.exchange.dicomweb.render_options import BadParameter, Window, viewport_of, window_of
from heliograph.exchange.dicomweb.voi import shades, spread
from tests.cast import Cast
from tests.exchange.dicomweb.conftest import Served
from tests.exchange.dicomweb.test_dicomweb import filed
from tests.exchange.dicomweb.test_wado_rs import (
    EVLE,
    INSTANCE,
    PDF,
    SERIES,
    SV1,
    WHERE,
    body_of,
    lossless_jpeg,
    pdf,
    remade,
)
from tests.records.archive import files

PNG = {"Accept": "image/png"}


def shown(answer: httpx.Response) -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def ramp() -> Dataset:
    ds = Dataset()
    ds.BitsStored, ds.BitsAllocated, ds.PixelRepresentation = 12, 16, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    return ds


WORDS = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def test_windows_as_the_standard_draws_them() -> None:
    """PS3.3 C.11.2.1.2.1: below and above the window is black and white; its middle is where the standard says."""
    values = np.arange(0, 200, dtype=np.float32)
    linear = spread(values, Window(100, 50))
    assert (linear[75], linear[124], round(float(linear[100]), 3)) == (0.0, 1.0, 0.51)
    exact = spread(values, Window(100, 50, "linear-exact"))
    assert (exact[75], exact[100], exact[125]) == (0.0, 0.5, 1.0)
    sigmoid = spread(values, Window(100, 50, "sigmoid"))
    assert sigmoid[100] == 0.5
    assert round(float(sigmoid[125]), 4) == round(1 / (1 + np.exp(-2)), 4)
    step = spread(values, Window(0.5, 1))
    assert (step[0], step[1]) == (0.0, 1.0)


def test_the_smallest_value_of_monochrome1_is_white_after_the_window() -> None:
    """F08, and a width of 0 or less is no window."""
    ds = ramp()
    ds.PhotometricInterpretation = "MONOCHROME1"
    for center, width in ((2000, 1000), (None, None), (0, 1), (100, 0), (100, -5)):
        if center is not None:
            ds.WindowCenter, ds.WindowWidth = center, width
        made = shades(ds, WORDS, 1, None)
        assert made.ravel()[0] >= made.ravel()[-1], (center, width)
        assert made.ravel()[-1] == 0
    assert shades(ramp(), WORDS, 1, None).ravel()[[0, -1]].tolist() == [0, 255]


def test_old_overlays_above_the_stored_bits_are_not_shown() -> None:
    ds = ramp()
    assert np.array_equal(shades(ds, WORDS, 1, None), shades(ds, WORDS | 0xF000, 1, None))


def test_each_frame_has_its_own_window() -> None:
    ds = ramp()
    groups = []
    for center in (1000, 3000):
        voi, group = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 100
        group.FrameVOILUTSequence = Sequence([voi])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    for number, center in ((1, 1000), (2, 3000)):
        made = shades(ds, WORDS, number, None).ravel()
        assert (made[center - 60], made[center + 60]) == (0, 255)


def test_a_voi_table_is_followed() -> None:
    ds, table = ramp(), Dataset()
    table.LUTDescriptor, table.LUTData = [2, 2048, 8], [0, 255]
    ds.VOILUTSequence = Sequence([table])
    made = shades(ds, WORDS, 1, None).ravel()
    assert (made[2048], made[2049]) == (0, 255)


@pytest.mark.parametrize(
    "text", ["40", "a,b", "40,0", "40,0.5", "40,-1", "40,80,cubic", "1,2,linear,4", "nan,1", "inf,1", "1e99999,1", ",", "40,0,sigmoid"]
)  # fmt: skip
def test_bad_windows(text: str) -> None:
    with pytest.raises(BadParameter, match=r"^window"):
        window_of(text)


@pytest.mark.parametrize(
    "text", ["10", "0,10", "-1,10", "10,9000", "a,b", "10,10,-1", "10,10,1,2,3,4,5", "10.5,10", "10,10,x", "10,10,nan,0"]
)  # fmt: skip
def test_bad_viewports(text: str) -> None:
    with pytest.raises(BadParameter, match=r"^viewport"):
        viewport_of(text)


def test_windows_and_viewports_over_http(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=64)])
    eirik = served.client(cast.eirik)
    url = f"{INSTANCE}/rendered"
    full = shown(eirik.get(f"{url}?window=0,2000,linear", headers=PNG))
    assert full.shape == (64, 64)
    flipped = shown(eirik.get(f"{url}?window=0,2000&viewport=64,64,0,0,-64,64", headers=PNG))
    assert np.array_equal(flipped, full[:, ::-1])
    upside_down = shown(eirik.get(f"{url}?window=0,2000&viewport=64,64,,,64,-64", headers=PNG))
    assert np.array_equal(upside_down, full[::-1])
    part = shown(eirik.get(f"{url}?window=0,2000&viewport=16,8,8,4,16,8", headers=PNG))
    assert np.array_equal(part, full[4:12, 8:24])
    assert shown(eirik.get(f"{url}?viewport=128,512", headers=PNG)).shape == (128, 128)
    assert shown(eirik.get(f"{url}?viewport=30,20", headers=PNG)).shape == (20, 20)
    sigmoid = shown(eirik.get(f"{url}?window=0,2000,SIGMOID", headers=PNG))
    assert not np.array_equal(sigmoid, full)
    for name, bad in (
        ("window", "1"),
        ("window", "1,2,cubic"),
        ("viewport", "0,0"),
        ("viewport", "9,9,64,0"),
        ("viewport", "100000,100000"),
        ("quality", "0"),
        ("quality", "101"),
        ("quality", "x"),
    ):
        answer = eirik.get(url, params={name: bad})
        assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (400, name), bad
    assert eirik.get(f"{INSTANCE}/thumbnail?viewport=1,2,3").status_code == 400


def test_quality_annotation_and_what_is_not_done(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1", size=256)])
    eirik = served.client(cast.eirik)
    url = f"{INSTANCE}/rendered"
    good, poor = (eirik.get(f"{url}?quality={q}", headers={"Accept": "image/jpeg"}) for q in (95, 5))
    assert len(poor.content) < len(good.content) / 2
    plain = eirik.get(url, headers=PNG)
    assert "warning" not in plain.headers
    for wanted in ("patient", "technique", "patient,technique"):
        written = eirik.get(f"{url}?annotation={wanted}", headers=PNG)
        assert "warning" not in written.headers
        assert np.count_nonzero(shown(written) != shown(plain)) > 100, wanted
    unknown = eirik.get(f"{url}?annotation=footnotes", headers=PNG)
    assert unknown.headers["warning"].startswith("299 ")
    assert unknown.content == plain.content
    for accept in (PNG, {"Accept": 'multipart/related; type="image/png"'}):
        assert eirik.get(f"{url}?iccprofile=srgb", headers=accept).headers["warning"].startswith("299 ")


def test_media_types_of_pictures(context: Context, cast: Cast, served: Served) -> None:
    frames = np.stack([np.full((16, 16), value, "<i2") for value in (-1024, 1060, 3000)])
    frames[:, :8] = 1100
    data = remade(files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1"), PixelData=frames.tobytes(), NumberOfFrames=3)
    bitstream = encapsulate([b"\0\0\0\x18"])
    video = remade(files.ct("1.2.3", "1.2.3.2", 2, sop="1.2.3.2.1"), "1.2.840.10008.1.2.4.102", PixelData=bitstream)
    filed(context, cast, [data, files.ct("1.2.3", "1.2.3.1", 2, sop="1.2.3.1.2"), video])
    eirik = served.client(cast.eirik)
    url = f"{INSTANCE}/rendered"
    for accept, kind in (
        ("*/*", "image/jpeg"),
        ("image/png, image/jpeg;q=0.9", "image/png"),
        ("image/avif,image/webp,image/*,*/*;q=0.8", "image/jpeg"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "image/jpeg"),
        ("image/gif", "image/gif"),
    ):
        assert eirik.get(url, headers={"Accept": accept}).headers["content-type"] == kind, accept
    for accept in ("video/mp4", "image/jp2", "application/dicom", "text/html"):
        assert eirik.get(url, headers={"Accept": accept}).status_code == 406, accept
    assert eirik.get(url, headers={"Accept": "application/dicom, image/png"}).status_code == 400
    animated = Image.open(io.BytesIO(eirik.get(url, headers={"Accept": "image/gif"}).content))
    assert (animated.format, getattr(animated, "n_frames", 1)) == ("GIF", 3)
    refused = eirik.get(f"{WHERE}/series/1.2.3.2/instances/1.2.3.2.1/rendered")
    assert refused.status_code == 406
    several = body_of(eirik.get(f"{INSTANCE}/frames/1,3/rendered"))
    assert [kind for kind, _ in several] == ["image/jpeg"] * 2
    assert eirik.get(f"{INSTANCE}/frames/1,3/rendered", headers={"Accept": "image/png"}).status_code == 406
    assert eirik.get(f"{INSTANCE}/frames/4/rendered").status_code == 404
    # Each object of a series or study that is a picture is a part; bare, one stands for all.
    for level in (SERIES, WHERE):
        parts = body_of(eirik.get(f"{level}/rendered", headers={"Accept": 'multipart/related; type="image/png"'}))
        assert [kind for kind, _ in parts] == ["image/png"] * 2
        assert shown(eirik.get(f"{level}/rendered", headers=PNG)).ndim == 2


def report() -> bytes:
    def code(meaning: str) -> Sequence:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", meaning
        return Sequence([item])

    finding, size, root = Dataset(), Dataset(), pydicom.dcmread(io.BytesIO(pdf()))
    finding.ValueType, finding.ConceptNameCodeSequence, finding.TextValue = (
        "TEXT",
        code("Finding"),
        "Fracture <of> skull",
    )
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "12.5", code("mm")
    size.ValueType, size.ConceptNameCodeSequence, size.MeasuredValueSequence = (
        "NUM",
        code("Length"),
        Sequence([measured]),
    )
    finding.ContentSequence = Sequence([size])
    del root["EncapsulatedDocument"], root["MIMETypeOfEncapsulatedDocument"], root["EncapsulatedDocumentLength"]
    root.SOPClassUID = root.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    root.Modality, root.ValueType, root.ConceptNameCodeSequence = "SR", "CONTAINER", code("Report")
    root.ContentSequence = Sequence([finding])
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, root)
    return buffer.getvalue()


def test_a_structured_report_is_text(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [report()])
    eirik = served.client(cast.eirik)
    url = f"{SERIES}/instances/1.2.3.1.2/rendered"
    page = eirik.get(url, headers={"Accept": "text/html,*/*;q=0.1"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Finding: Fracture &lt;of&gt; skull" in page.text
    text = eirik.get(url, headers={"Accept": "text/plain"}).text
    assert text == "Report\n  Finding: Fracture <of> skull\n    Length: 12.5 mm\n"
    assert eirik.get(url, headers={"Accept": "image/jpeg"}).status_code == 406
    assert eirik.get(f"{INSTANCE.replace('1.2.3.1.1', '1.2.3.1.2')}/thumbnail").status_code == 404


# ------------------------------------------------------------------ WADO-URI


def uri(**more: str) -> str:
    query = {"requestType": "WADO", "studyUID": "1.2.3", "seriesUID": "1.2.3.1", "objectUID": "1.2.3.1.1", **more}
    return "/dicomweb/norfjord/wado?" + "&".join(f"{name}={value}" for name, value in query.items() if value)


def test_wado_uri(context: Context, cast: Cast, served: Served) -> None:
    data, native = lossless_jpeg(frames=2)
    single = files.ct("1.2.3", "1.2.3.1", 3, sop="1.2.3.1.3", size=64)
    filed(context, cast, [data, single, pdf()])
    eirik = served.client(cast.eirik)
    # By default one picture is a JPEG, many frames are a DICOM object, a document is what it is (PS3.18 9.4, 9.5).
    assert eirik.get(uri(objectUID="1.2.3.1.3")).headers["content-type"] == "image/jpeg"
    assert eirik.get(uri(objectUID="1.2.3.1.3", seriesUID="")).headers["content-type"] == "image/jpeg"
    assert eirik.get(uri()).headers["content-type"] == f"application/dicom; transfer-syntax={EVLE}"
    assert eirik.get(uri(objectUID="1.2.3.1.2")).content == PDF
    decoded = eirik.get(uri(contentType="application/dicom"))
    assert pydicom.dcmread(io.BytesIO(decoded.content)).PixelData == native * 2
    stored = eirik.get(uri(contentType="application%2Fdicom", transferSyntax=SV1))
    assert (stored.headers["content-type"], stored.content) == (f"application/dicom; transfer-syntax={SV1}", data)
    assert eirik.get(uri(contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.50")).status_code == 406
    assert eirik.get(uri(contentType="image/jp2")).status_code == 406
    assert eirik.get(uri(contentType="image/png", frameNumber="2")).headers["content-type"] == "image/png"
    assert eirik.get(uri(contentType="image/png", frameNumber="3")).status_code == 404
    by_rs = shown(eirik.get(f"{SERIES}/instances/1.2.3.1.3/rendered?window=0,2000", headers=PNG))
    window = {"objectUID": "1.2.3.1.3", "contentType": "image/png", "windowCenter": "0", "windowWidth": "2000"}
    assert np.array_equal(shown(eirik.get(uri(**window))), by_rs)
    assert np.array_equal(shown(eirik.get(uri(**window, region="0.25,0.5,0.75,1"))), by_rs[32:, 16:48])
    assert shown(eirik.get(uri(**window, rows="20", columns="30"))).shape == (20, 20)
    assert shown(eirik.get(uri(**window, rows="128"))).shape == (128, 128)
    for name, bad, status in (
        ("requestType", "WADL", 400),
        ("objectUID", "x", 400),
        ("windowWidth", "x", 400),
        ("windowCenter", "", 400),
        ("region", "0,0,2,1", 400),
        ("region", "0,0,1", 400),
        ("rows", "0", 400),
        ("imageQuality", "101", 400),
        ("frameNumber", "0", 400),
        ("anonymize", "yes", 501),
        ("presentationUID", "1.2", 501),
        ("objectUID", "1.2.3.9", 404),
        ("seriesUID", "1.2.3.9", 404),
        ("studyUID", "1.2.9", 404),
    ):
        answer = eirik.get(uri(**{**window, name: bad}))
        assert answer.status_code == status, (name, bad, answer.text)
        if status in {400, 501}:
            assert name in answer.json()["detail"], answer.text
    assert eirik.get(uri(contentType="application/dicom", rows="10")).status_code == 400


def test_outsiders_get_nothing_by_wado_uri(context: Context, cast: Cast, served: Served) -> None:
    filed(context, cast, [files.ct("1.2.3", "1.2.3.1", sop="1.2.3.1.1")])
    assert served.client(None).get(uri()).status_code == 401
    for actor in (cast.harper, cast.otto, cast.olga, cast.pat, cast.astrid, cast.imogen):
        for kind in ("", "application/dicom", "image/png"):
            answer = served.client(actor).get(uri(contentType=kind))
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (actor.name, kind)
