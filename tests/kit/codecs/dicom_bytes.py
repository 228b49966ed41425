"""Data sets for tests, element by element, so that they can also be wrong."""

from __future__ import annotations

import struct

from heliograph.kit.codecs.dicom import part10_header

EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
_LONG = {"OB", "OW", "OF", "SQ", "UN", "UT", "OV", "UV", "SV"}


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One element in Explicit VR Little Endian; `length` may lie."""
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<2xI", size) if vr in _LONG else struct.pack("<H", size)) + value


def text(tag: int, vr: str, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return element(tag, vr, raw + (b"" if len(raw) % 2 == 0 else (b"\0" if vr == "UI" else b" ")))


def items(tag: int, *inside: bytes) -> bytes:
    """A sequence of defined length, its items too."""
    made = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in inside)
    return element(tag, "SQ", made)


def data_set(*more: bytes, without: tuple[int, ...] = (), **uids: str) -> bytes:
    """The four identifying UIDs and `more`, in the order of their tags."""
    parts = {
        0x00080016: text(0x00080016, "UI", CT),
        0x00080018: text(0x00080018, "UI", uids.get("sop", "1.2.3")),
        0x0020000D: text(0x0020000D, "UI", uids.get("study", "1.2.4")),
        0x0020000E: text(0x0020000E, "UI", uids.get("series", "1.2.5")),
    }
    kept = [part for tag, part in parts.items() if tag not in without]
    return b"".join(sorted([*kept, *more], key=lambda part: struct.unpack_from("<HH", part)))


def image(rows: int, columns: int, frames: int | None = None, bits: int = 16) -> list[bytes]:
    """The elements that describe pixels, without the pixels."""
    made = [
        element(0x00280002, "US", struct.pack("<H", 1)),
        text(0x00280004, "CS", "MONOCHROME2"),
        element(0x00280010, "US", struct.pack("<H", rows)),
        element(0x00280011, "US", struct.pack("<H", columns)),
        element(0x00280100, "US", struct.pack("<H", bits)),
        element(0x00280101, "US", struct.pack("<H", bits)),
        element(0x00280103, "US", struct.pack("<H", 0)),
    ]
    if frames is not None:
        made.append(text(0x00280008, "IS", str(frames)))
    return made


def encapsulated(fragments: list[bytes], offsets: list[int] = (), *, end: bool = True) -> bytes:  # type: ignore[assignment]
    """Encapsulated pixel data with a basic offset table."""
    table = b"".join(struct.pack("<I", offset) for offset in offsets)
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(f)) + f for f in [table, *fragments])
    tail = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if end else b""
    return element(0x7FE00010, "OB", items + tail, 0xFFFFFFFF)


def file(body: bytes, syntax: str = EXPLICIT) -> bytes:
    """A DICOM file around a data set."""
    return part10_header(CT, "1.2.3", syntax) + body
