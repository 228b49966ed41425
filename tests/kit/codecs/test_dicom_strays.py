"""Elements of messages and files inside a data set (field report B10), and what a broken data set says it is (B12)."""

from __future__ import annotations

import struct
import zlib

import pytest

from heliograph.kit.codecs.dicom import inflate, part10_header, read_header
from heliograph.kit.codecs.dicom.claimed import Claimed, claimed
from heliograph.kit.codecs.dicom.strays import without_strays

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
TAGS = ((0x0008_0016, CT), (0x0008_0018, "1.2.3.4"), (0x0020_000D, "1.2.3"), (0x0020_000E, "1.2.3.1"))


def element(tag: int, text: str, syntax: str) -> bytes:
    value = text.encode() + b"\0" * (len(text) % 2)
    order = ">" if syntax == BIG else "<"
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    length = (
        struct.pack(order + "I", len(value)) if syntax == IMPLICIT else b"UI" + struct.pack(order + "H", len(value))
    )
    return head + length + value


def body(syntax: str, *strays: int) -> bytes:
    """The identity, with a stray element behind each of its elements in turn."""
    parts = [element(tag, text, syntax) for tag, text in TAGS]
    for at, tag in enumerate(strays):
        parts.insert(2 * at + 1, element(tag, IMPLICIT, syntax))
    return b"".join(parts)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_they_are_taken_out_and_all_else_stays(syntax: str) -> None:
    head = part10_header(CT, "1.2.3.4", syntax)
    data = head + body(syntax, 0x0002_0010, 0x0000_0100, 0x0002_0003)
    assert read_header(data).has_strays
    cleaned = b"".join(without_strays(memoryview(data)))
    assert cleaned == head + body(syntax)
    assert not read_header(cleaned).has_strays


def test_a_deflated_data_set_is_deflated_anew() -> None:
    def packed(content: bytes) -> bytes:
        stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return stream.compress(content) + stream.flush()

    head = part10_header(CT, "1.2.3.4", DEFLATED)
    cleaned = b"".join(without_strays(memoryview(head + packed(body(EXPLICIT, 0x0002_0010)))))
    assert cleaned.startswith(head)
    assert len(cleaned) % 2 == 0
    assert inflate(memoryview(cleaned)[len(head) :]) == body(EXPLICIT)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (part10_header(CT, "1.2.3.4", EXPLICIT) + body(EXPLICIT), Claimed(CT, "1.2.3.4", "1.2.3", "1.2.3.1")),
        (part10_header(CT, "1.2.3.4", EXPLICIT) + body(EXPLICIT)[:-5], Claimed(CT, "1.2.3.4", "1.2.3", "")),
        (part10_header(CT, "1.2.3.4", EXPLICIT), Claimed(CT, "1.2.3.4", "", "")),
        (part10_header(CT, "1.2.3.4", EXPLICIT) + element(0x0008_0018, "../x", EXPLICIT), Claimed(CT, "../x", "", "")),
        (part10_header(CT, "1.2.3.4", DEFLATED) + b"no deflate", Claimed(CT, "1.2.3.4", "", "")),
        (b"%PDF-1.7", Claimed()),
        (b"", Claimed()),
    ],
)
def test_what_it_says_it_is_is_told_as_far_as_it_can_be_read(data: bytes, told: Claimed) -> None:
    assert claimed(data) == told
