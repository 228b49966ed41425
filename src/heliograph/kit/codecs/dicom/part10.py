"""The DICOM file format around a data set (PS3.10 7.1): preamble, prefix and file meta information."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from heliograph.kit.codecs.dicom.errors import BadIdentity, NotDicom, Truncated

# 2.25 form of PS3.5 B.2: a UUID of our own, so no registered root is needed.
IMPLEMENTATION_CLASS_UID = "2.25.151868446270134186430214157913186414209"
IMPLEMENTATION_VERSION_NAME = "HELIOGRAPH"

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*", re.ASCII)
# Old equipment writes components with a leading zero; refusing its images would help nobody.
_UID_LENIENT = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_LONG_LENGTH = frozenset({b"OB", b"OW", b"UN", b"SQ", b"UT"})


def valid_uid(text: str, *, strict: bool = False) -> bool:
    """Whether `text` is a UID (PS3.5 9.1): digits and single dots, 64 characters at most.

    Without `strict`, components with a leading zero pass: they are harmless and exist in old objects.
    """
    return 0 < len(text) <= 64 and bool((_UID if strict else _UID_LENIENT).fullmatch(text))


@dataclass(frozen=True, slots=True)
class FileMeta:
    """File meta information: the three UIDs that matter, and where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int


def part10_header(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    *,
    source_ae_title: str = "",
    sending_ae_title: str = "",
    receiving_ae_title: str = "",
) -> bytes:
    """Preamble and file meta information; the data set from the wire follows it unchanged.

    Raises:
        BadIdentity: a UID is not a UID (PS3.5 9.1).
    """
    for keyword, uid in (
        ("MediaStorageSOPClassUID", sop_class_uid),
        ("MediaStorageSOPInstanceUID", sop_instance_uid),
        ("TransferSyntaxUID", transfer_syntax_uid),
    ):
        if not valid_uid(uid):
            raise BadIdentity(keyword, "is missing or is not a valid UID")
    return _header(
        _element(0x0002, b"UI", sop_class_uid),
        _element(0x0003, b"UI", sop_instance_uid),
        _element(0x0010, b"UI", transfer_syntax_uid),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        _element(0x0016, b"AE", source_ae_title),
        _element(0x0017, b"AE", sending_ae_title),
        _element(0x0018, b"AE", receiving_ae_title),
    )


def nameless_header(transfer_syntax_uid: str) -> bytes:
    """The same for a data set that came under no valid UID: it tells how to read what is kept of it, and names nothing."""
    return _header(
        _element(0x0010, b"UI", transfer_syntax_uid),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    )


def _header(*elements: bytes) -> bytes:
    body = b"".join((struct.pack("<HH2s2xI2s", 2, 0x0001, b"OB", 2, b"\x00\x01"), *elements))
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


def _element(number: int, vr: bytes, text: str) -> bytes:
    if not text:
        return b""
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\x00" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def read_file_meta(data: memoryview) -> FileMeta:
    """The file meta information at the start of `data`.

    The group length (0002,0000) is not trusted: it is wrong in files that were edited by hand. The
    group ends where another group begins.

    Raises:
        NotDicom: no DICM prefix, or no transfer syntax.
        Truncated: the bytes end inside the file meta information.
    """
    if len(data) < 132 or bytes(data[128:132]) != b"DICM":
        raise NotDicom("there is no DICM prefix")
    at, end = 132, len(data)
    found: dict[int, str] = {}
    while at + 8 <= end and data[at] == 2 and data[at + 1] == 0:
        number = data[at + 2] | data[at + 3] << 8
        if bytes(data[at + 4 : at + 6]) in _LONG_LENGTH:
            if at + 12 > end:
                raise Truncated("the file ends inside its file meta information")
            length, value = int.from_bytes(data[at + 8 : at + 12], "little"), at + 12
        else:
            length, value = int.from_bytes(data[at + 6 : at + 8], "little"), at + 8
        if value + length > end:
            raise Truncated("the file ends inside its file meta information")
        if number in (0x0002, 0x0003, 0x0010) and length <= 128:
            found[number] = bytes(data[value : value + length]).decode("ascii", "replace").strip("\0 ")
        at = value + length
    syntax = found.get(0x0010, "")
    if not valid_uid(syntax):
        raise NotDicom("the file meta information names no transfer syntax")
    return FileMeta(found.get(0x0002, ""), found.get(0x0003, ""), syntax, at)
