"""Accept headers as clients write them, against what an object offers (PS3.18 8.7; RFC 9110 12.5.1)."""

from __future__ import annotations

import pytest

from heliograph.exchange.dicomweb.negotiate import (
    ANYTHING,
    BadAccept,
    MediaRange,
    MixedMediaTypes,
    NotAcceptable,
    Offer,
    accepted,
    choose,
    encodings_accept_gzip,
    refuse_mixed,
)
from heliograph.exchange.dicomweb.syntaxes import FRAME_TYPES, frame_offers, object_offers

EVLE, IVLE, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
RLE, JPEG, SV1, J2K, HTJ2K, HTJ2K_LOSSY, MPEG = (
    f"1.2.840.10008.1.2.{n}" for n in ("5", "4.50", "4.70", "4.90", "4.201", "4.203", "4.102")
)
OCTETS, DICOM = "application/octet-stream", "application/dicom"


@pytest.mark.parametrize(
    "text",
    [
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.70',
        "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.70",
        'MultiPart/Related;TYPE="Application/DICOM";Transfer-Syntax="1.2.840.10008.1.2.4.70"',
        'multipart/related ; transfer-syntax = "1.2.840.10008.1.2.4.70" ; type = application/dicom ;',
        'multipart/related; transfer-syntax=1.2.840.10008.1.2.4.70; boundary="a,b;c"; type="application/dicom"',
        'multipart/related; type="application/dicom; transfer-syntax=1.2.840.10008.1.2.4.70"',
    ],
)
def test_a_range_is_read_however_it_is_written(text: str) -> None:
    assert accepted((text,)) == (MediaRange(DICOM, True, SV1),)


READ = [
    ((), (), ANYTHING),
    (("",), (), ANYTHING),
    (("*/*",), (), ANYTHING),
    (("*; q=.2",), (), (MediaRange("*/*", quality=200),)),
    (("a/b;q=0.5, c/d;q=1.000", "e/f"), (), (MediaRange("a/b", quality=500), MediaRange("c/d"), MediaRange("e/f"))),
    (("a/b", "c/d; q=0"), (), (MediaRange("a/b"), MediaRange("c/d", quality=0))),
    ((" , a/b,, ",), (), (MediaRange("a/b"),)),
    (("a/b",), ("application/dicom json",), (MediaRange("application/dicom+json"),)),
    (("a/b",), ("c/d;q=0.1,e/f",), (MediaRange("c/d", quality=100), MediaRange("e/f"))),
    (("multipart/related",), (), (MediaRange("*/*", True),)),
    (('multipart/related; type="image/x-jls"',), (), (MediaRange("image/jls", True),)),
]


@pytest.mark.parametrize(("headers", "query", "ranges"), READ)
def test_headers_and_the_query_parameter(
    headers: tuple[str, ...], query: tuple[str, ...], ranges: tuple[MediaRange, ...]
) -> None:
    assert accepted(headers, query) == ranges


@pytest.mark.parametrize(
    "text",
    [
        "application",
        "/",
        "a/",
        "a/b;q=2",
        "a/b;q=-1",
        "a/b;q=",
        "a/b;q",
        "a/b;q=0.1234",
        'a/b; type="c',
        "a/b; x=y z",
        "a b/c",
        "*/dicom",
        'multipart/related; type="dicom"',
        "a/b" * 4000,
    ],
)
def test_what_is_no_media_range_is_refused(text: str) -> None:
    with pytest.raises(BadAccept):
        accepted((text,))


def multi(kind: str, syntax: str) -> Offer:
    return Offer(kind, True, syntax)


# Stored syntax, Accept, the answer: (bare or multipart, media type, transfer syntax), or None for 406.
FRAMES: list[tuple[str, str, tuple[str, str, str] | None]] = [
    # D04: the default is Explicit VR Little Endian, * is as stored, and a media type is never put on bytes of another.
    (SV1, "", ("multi", OCTETS, EVLE)),
    (SV1, "*/*", ("multi", OCTETS, EVLE)),
    (SV1, 'multipart/related; type="*/*"', ("multi", OCTETS, EVLE)),
    (SV1, 'multipart/related; type="application/octet-stream"', ("multi", OCTETS, EVLE)),
    (SV1, "application/octet-stream", ("single", OCTETS, EVLE)),
    (SV1, f"multipart/related; type=application/octet-stream; transfer-syntax={EVLE}", ("multi", OCTETS, EVLE)),
    (SV1, "*/*; transfer-syntax=*", ("multi", "image/jpeg", SV1)),
    (SV1, 'multipart/related; type="image/jpeg"', ("multi", "image/jpeg", SV1)),
    (SV1, "image/jpeg", ("single", "image/jpeg", SV1)),
    (SV1, f'multipart/related; type="image/jp2"; transfer-syntax={SV1}', None),
    (SV1, 'multipart/related; type="image/jp2"; transfer-syntax=*', ("multi", "image/jp2", J2K)),
    (SV1, 'multipart/related; type="image/jls"', None),
    (SV1, f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}', None),
    (SV1, "multipart/related; type=application/octet-stream; transfer-syntax=1.2.3.4", None),
    (SV1, "image/png", None),
    (SV1, "application/dicom", None),
    # OHIF: bytes as stored, under the name it asked for.
    (SV1, "multipart/related; type=application/octet-stream; transfer-syntax=*", ("multi", OCTETS, SV1)),
    (HTJ2K_LOSSY, "multipart/related; type=application/octet-stream; transfer-syntax=*", ("multi", OCTETS, HTJ2K_LOSSY)),
    (EVLE, "multipart/related; type=application/octet-stream; transfer-syntax=*", ("multi", OCTETS, EVLE)),
    (IVLE, "multipart/related; type=application/octet-stream; transfer-syntax=*", ("multi", OCTETS, EVLE)),
    (BIG, "", ("multi", OCTETS, EVLE)),
    (EVLE, f'multipart/related; type="image/jphc"; transfer-syntax={HTJ2K}', ("multi", "image/jphc", HTJ2K)),
    (EVLE, 'multipart/related; type="image/dicom-rle"', ("multi", "image/dicom-rle", RLE)),
    (RLE, 'multipart/related; type="image/x-dicom-rle"', ("multi", "image/dicom-rle", RLE)),
    # Preferences: quality first, the most specific range decides, then what costs least.
    (JPEG, f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}; q=0.5, application/octet-stream', ("single", OCTETS, EVLE)),
    (JPEG, f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}, application/octet-stream; q=0.9', ("multi", "image/jpeg", JPEG)),
    (JPEG, "*/*; transfer-syntax=*, multipart/related; type=image/jpeg; transfer-syntax=*; q=0", ("single", "image/jpeg", JPEG)),
    (JPEG, "image/*; q=0.1, application/octet-stream; q=0", ("single", "image/jpeg", JPEG)),
    # Video is had as it is stored or not at all.
    (MPEG, "", ("multi", "video/mp4", MPEG)),
    (MPEG, "multipart/related; type=application/octet-stream; transfer-syntax=*", ("multi", OCTETS, MPEG)),
    (MPEG, f"multipart/related; type=application/octet-stream; transfer-syntax={EVLE}", None),
    (MPEG, "application/octet-stream", None),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "accept", "expected"), FRAMES)
def test_a_frame(stored: str, accept: str, expected: tuple[str, str, str] | None) -> None:
    offers = frame_offers(stored, bits_allocated=16, alone=True)
    ranges = accepted((accept,))
    if expected is None:
        with pytest.raises(NotAcceptable) as refused:
            choose(ranges, offers)
        assert all(str(offer) in refused.value.detail for offer in offers)
        assert refused.value.status == 406
    else:
        got = choose(ranges, offers)
        assert ("multi" if got.is_multipart else "single", got.type, got.transfer_syntax) == expected


OBJECTS: list[tuple[str, str, tuple[str, str] | None]] = [
    (SV1, "", ("multi", EVLE)),
    (SV1, "application/dicom", ("single", EVLE)),
    (SV1, "application/dicom; transfer-syntax=*", ("single", SV1)),
    (SV1, 'multipart/related; type="application/dicom"', ("multi", EVLE)),
    (SV1, 'multipart/related; type="application/dicom"; transfer-syntax=*', ("multi", SV1)),
    (SV1, f'multipart/related; type="application/dicom"; transfer-syntax={SV1}', ("multi", SV1)),
    (SV1, f'multipart/related; type="application/dicom"; transfer-syntax={HTJ2K}', ("multi", HTJ2K)),
    (SV1, f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}', None),
    (SV1, f"application/dicom; transfer-syntax={SV1};q=0.3, application/dicom; transfer-syntax={RLE};q=0.4", ("single", RLE)),
    (SV1, f"application/dicom; transfer-syntax={IVLE}", None),
    (IVLE, "application/dicom", ("single", EVLE)),
    (IVLE, "application/dicom; transfer-syntax=*", ("single", IVLE)),
    (EVLE, "*/*", ("multi", EVLE)),
    (EVLE, "application/*", ("single", EVLE)),
    (EVLE, "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", ("multi", EVLE)),
    (MPEG, 'multipart/related; type="application/dicom"', ("multi", MPEG)),
    (MPEG, f'multipart/related; type="application/dicom"; transfer-syntax={EVLE}', None),
    (SV1, "application/octet-stream", None),
    (SV1, "application/dicom+json", None),
    (SV1, 'multipart/related; type="application/dicom+xml"', None),
    (SV1, "multipart/form-data", None),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "accept", "expected"), OBJECTS)
def test_an_object(stored: str, accept: str, expected: tuple[str, str] | None) -> None:
    offers = object_offers(stored, bits_allocated=16, has_pixels=True, alone=True)
    if expected is None:
        with pytest.raises(NotAcceptable):
            choose(accepted((accept,)), offers)
    else:
        got = choose(accepted((accept,)), offers)
        assert ("multi" if got.is_multipart else "single", got.transfer_syntax) == expected


def test_several_objects_are_not_had_bare() -> None:
    offers = object_offers(EVLE, bits_allocated=16, has_pixels=True, alone=False)
    with pytest.raises(NotAcceptable):
        choose(accepted(("application/dicom",)), offers)


def test_pixels_of_other_widths_are_not_compressed() -> None:
    offers = object_offers(EVLE, bits_allocated=1, has_pixels=True, alone=False)
    assert [offer.transfer_syntax for offer in offers] == [EVLE]


@pytest.mark.parametrize(
    "accept",
    [
        "application/dicom, image/jpeg",
        'multipart/related; type="application/dicom", image/png;q=0.5',
        "application/dicom+json, text/html",
        "application/dicom, application/pdf",
        "application/octet-stream, video/mp4",
    ],
)
def test_dicom_and_rendered_types_are_not_mixed(accept: str) -> None:
    with pytest.raises(MixedMediaTypes) as refused:
        refuse_mixed(accepted((accept,)))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "accept",
    [
        "text/html, image/gif, image/jpeg, */*; q=.2",
        "image/avif,image/webp,image/apng,image/*,*/*;q=0.8",
        "application/dicom, image/jpeg; q=0",
        'multipart/related; type="application/octet-stream", multipart/related; type="image/jpeg"; transfer-syntax=*',
    ],
)
def test_what_is_no_mixture(accept: str) -> None:
    refuse_mixed(accepted((accept,)), but=FRAME_TYPES)
    refuse_mixed(accepted((accept,)))


@pytest.mark.parametrize(
    ("header", "expected"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("", False), ("*", True), ("br", False), ("*;q=0, gzip", True)],
)  # fmt: skip
def test_gzip(header: str, expected: bool) -> None:
    assert encodings_accept_gzip(header) is expected
