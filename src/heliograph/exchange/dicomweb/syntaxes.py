"""How stored frames are told to a client: media types by transfer syntax (PS3.18 Table 8.7.3-5), so that it decodes them itself."""

from __future__ import annotations

from heliograph.kit.codecs.dicom.part10 import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

OCTETS = "application/octet-stream"
_PREFIX = "1.2.840.10008.1.2."
_ENCAPSULATED_UNCOMPRESSED = f"{_PREFIX}1.98"
_TYPES = {
    **{f"{_PREFIX}4.{n}": "image/jpeg" for n in (*range(50, 67), 70)},
    **{f"{_PREFIX}4.{n}": "image/jls" for n in (80, 81)},
    **{f"{_PREFIX}4.{n}": "image/jp2" for n in (90, 91)},
    **{f"{_PREFIX}4.{n}": "image/jpx" for n in (92, 93)},
    **{f"{_PREFIX}4.{n}{tail}": "video/mpeg" for n in (100, 101) for tail in ("", ".1")},
    **{f"{_PREFIX}4.{n}{tail}": "video/mp4" for n in range(102, 109) for tail in ("", ".1")},
    **{f"{_PREFIX}4.{n}": "image/jxl" for n in (110, 111, 112)},
    **{f"{_PREFIX}4.{n}": "image/jphc" for n in (201, 202, 203)},
    f"{_PREFIX}5": "image/dicom-rle",
}
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, _ENCAPSULATED_UNCOMPRESSED, *DEFLATED})


def frame_type(transfer_syntax_uid: str) -> tuple[str, str]:
    """(media type, transfer syntax UID) under which a frame of this stored syntax is sent.

    Native frames are little endian octets (PS3.18 8.7.3.5), whatever the data set around them was.
    """
    media = _TYPES.get(transfer_syntax_uid)
    if media is not None:
        return media, transfer_syntax_uid
    return OCTETS, EXPLICIT_LITTLE if transfer_syntax_uid in NATIVE else transfer_syntax_uid


def swapped(frame: bytes, transfer_syntax_uid: str, bits_allocated: int | None) -> bytes:
    """A native frame as little endian: only Explicit VR Big Endian (retired) differs."""
    width = (bits_allocated or 8) // 8
    if transfer_syntax_uid != EXPLICIT_BIG or width < 2 or len(frame) % width:
        return frame
    turned = bytearray(len(frame))
    for byte in range(width):
        turned[byte::width] = frame[width - 1 - byte :: width]
    return bytes(turned)
