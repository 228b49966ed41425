"""Multipart in pieces of every size, with content that looks like boundaries."""

from __future__ import annotations

import pytest

from heliograph.exchange.dicomweb.multipart import BadMultipart, PartReader, boundary_of, parts


def read(body: bytes, boundary: str, size: int) -> list[tuple[dict[str, str], bytes]]:
    found: list[tuple[dict[str, str], bytearray]] = []
    done: list[int] = []

    def data(piece: bytes) -> None:
        found[-1][1].extend(piece)

    reader = PartReader(boundary, lambda headers: found.append((headers, bytearray())), data, lambda: done.append(1))
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    reader.finish()
    assert len(done) == len(found)
    return [(headers, bytes(content)) for headers, content in found]


CONTENTS = [
    b"plain",
    b"",
    b"\r\n",
    b"\r\n--",
    b"\r\n--bound",
    b"\r\n--boundX and more",
    b"--bound\r\n inside",
    b"\r\r\n\n--bound",
    bytes(range(256)) * 20,
    b"ends with break\r\n",
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_it_works_in_pieces_of_any_size(size: int) -> None:
    contents = [c for c in CONTENTS if b"\r\n--bound" not in c.removesuffix(b"\r\n--bound") or b"boundX" in c]
    contents = [c for c in contents if not c.endswith(b"\r\n--bound")]
    body = b"".join(parts("bound", [({"Content-Type": "application/dicom"}, (c,)) for c in contents]))
    assert read(b"a preamble\r\n" + body + b"an epilogue", "bound", size) == [
        ({"content-type": "application/dicom"}, c) for c in contents
    ]


def test_padding_after_the_boundary_and_no_headers() -> None:
    assert read(b"--b \t\r\n\r\nx\r\n--b--", "b", 1) == [({}, b"x")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--bound\r\nContent-Type: a/b\r\n\r\ncut",
        b"--bound\r\nContent-Type",
        b"--bound\r\n" + b"x" * 20_000,
    ],
)
def test_a_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(BadMultipart):
        read(body, "bound", 5)


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/related; boundary=abc", "abc"),
        ('multipart/related; type="application/dicom"; boundary="a b\'c"', "a b'c"),
        ('Multipart/Related; BOUNDARY="=_x"', "=_x"),
    ],
)
def test_the_boundary_is_found(header: str, boundary: str) -> None:
    assert boundary_of(header)[0] == boundary


@pytest.mark.parametrize(
    "header", ["", "application/dicom", "multipart/related", "multipart/related; boundary=" + "x" * 257]
)
def test_other_headers_are_refused(header: str) -> None:
    with pytest.raises(BadMultipart):
        boundary_of(header)


def test_a_boundary_longer_than_the_standard_is_taken() -> None:
    """Orthanc's has 73 characters, RFC 2046 5.1.1 says 70."""
    boundary = "defe255d-d087-4e7c-bb73-5f09b46a702c-defe255d-d087-4e7c-bb73-5f09b46a702c"
    assert boundary_of(f'multipart/related; type="application/dicom"; boundary={boundary}')[0] == boundary
