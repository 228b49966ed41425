"""Objects that no archive can file, each as a Part 10 file; what they share with a good one is where they come from."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from heliograph.kit.codecs.dicom import part10_header
from tests.records.archive import files

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Explicit VR Little Endian; padded."""
    value += b"\0" * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<2xI" if vr in {"OB", "OW", "SQ", "UN"} else "<H", len(value))) + value


def identity(sop: str, study: str = "1.2.3", series: str = "1.2.3.1", *, patient: bytes = b"NF-1") -> list[bytes]:
    """The elements that say whose and which it is, in ascending order."""
    return [
        element(0x0008_0016, "UI", CT.encode()),
        element(0x0008_0018, "UI", sop.encode()),
        element(0x0010_0020, "LO", patient),
        element(0x0020_000D, "UI", study.encode()),
        element(0x0020_000E, "UI", series.encode()),
    ]


def file(body: bytes, sop: str, syntax: str = EXPLICIT) -> bytes:
    return part10_header(CT, sop, syntax) + body


def cut_fragments() -> bytes:
    """Encapsulated pixel data that ends behind its last fragment (field report B01)."""
    path = get_testdata_file("JPEG2000.dcm")
    assert path is not None
    data = Path(str(path)).read_bytes()
    end = data.rindex(b"\xfe\xff\xdd\xe0")
    return data[:end]


def no_pixels() -> bytes:
    """An image SOP class with rows and columns, and no pixel data element (field report B01)."""
    ds = pydicom.dcmread(io.BytesIO(files.ct("1.2.3", "1.2.3.1")))
    del ds.PixelData
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def too_deep() -> bytes:
    sop, inner = generate_uid(), b""
    for _ in range(40):
        inner = element(0x0040_A730, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    return file(b"".join(identity(sop)) + inner, sop)


def bomb() -> bytes:
    """Deflated: a few hundred kilobytes that inflate to 600 MiB (field report J02)."""
    sop = generate_uid()
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = [stream.compress(b"".join(identity(sop)) + struct.pack("<HH2s2xI", 0x7FE0, 0x10, b"OW", 600 << 20))]
    packed += [stream.compress(bytes(1 << 20)) for _ in range(600)]
    return file(b"".join(packed) + stream.flush(), sop, DEFLATED)


def two_patients() -> bytes:
    """Two PatientIDs in one data set (field report B10)."""
    sop = generate_uid()
    parts = identity(sop)
    return file(b"".join([*parts[:3], element(0x0010_0020, "LO", b"NF-2"), *parts[3:]]), sop)


def with_strays(sop: str) -> tuple[bytes, bytes]:
    """A second transfer syntax inside the data set (field report B10); and the same file without it."""
    parts = identity(sop)
    stray = element(0x0002_0010, "UI", IMPLICIT.encode())
    return file(b"".join([*parts[:2], stray, *parts[2:]]), sop), file(b"".join(parts), sop)


def bad_uid(uid: str = "1.2.abc") -> bytes:
    """A SOP Instance UID that is none, in the data set alone (field report B12)."""
    return file(b"".join(identity(uid)), "1.2.3.4")


REFUSED = {
    "cut fragments": (cut_fragments, 0xC000),
    "no pixel data": (no_pixels, 0xC000),
    "cut off": (lambda: files.ct("1.2.3", "1.2.3.1")[:-10], 0xC000),
    "too deep": (too_deep, 0xC002),
    "two patients": (two_patients, 0xC001),
    "invalid UID": (bad_uid, 0xC001),
}
"""What both doors refuse, and with which status. The bomb is apart: it is slow to make."""
